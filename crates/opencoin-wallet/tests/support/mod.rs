//! An issuer in memory, behind the wallet's `Transport`: it keeps an account and spent coins, answers repeated requests as before, and
//! remembers what the disk and its own books looked like before and after every request.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use opencoin_crypto::{CipherSuite, PrivateKey, VerifiedCddc, VerifiedMintKey, sign_cddc, sign_mint_key_certificate};
use opencoin_schema::*;
use opencoin_testkit::keys::private_key;
use opencoin_wallet::{Clock, HttpAnswer, NoAnswer, Randomness, Secret, Transport, Wallet};
use rand::SeedableRng;
use rand::rngs::StdRng;

pub const URL: &str = "http://issuer.test";
pub const TOKEN: &str = "oc_alice";
pub const DENOMINATIONS: [u64; 4] = [1, 2, 5, 10];
const SEED: u64 = 11;

/// Wallets that share a currency must not make the same serials, so each gets numbers of its own; the same in every run.
pub fn rng() -> Box<dyn Randomness> {
    static OPENED: AtomicU64 = AtomicU64::new(SEED);
    Box::new(StdRng::seed_from_u64(OPENED.fetch_add(1, Ordering::Relaxed)))
}

/// What goes wrong with requests that move money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    LoseRequest,
    LoseAnswer,
    Delay,
    WrongSignature,
}

/// The books.
#[derive(Clone, Default)]
pub struct Books {
    pub account: u64,
    spent: BTreeSet<String>,
    accepted: BTreeMap<BigInt, Vec<Blind>>,
    redeemed: BTreeSet<Vec<String>>,
}

/// How everything was at one moment: if the processes were killed now, this is what they would find.
pub struct Snapshot {
    pub what: String,
    pub journals: Vec<Vec<u8>>,
    pub books: Books,
}

pub struct FakeIssuer {
    cddc: VerifiedCddc,
    keys: BTreeMap<BigInt, (VerifiedMintKey, Arc<PrivateKey>)>,
    pub books: Mutex<Books>,
    pub fault: Mutex<Fault>,
    /// Wallets whose journals belong to a snapshot.
    pub watched: Mutex<Vec<PathBuf>>,
    pub snapshots: Mutex<Vec<Snapshot>>,
}

impl FakeIssuer {
    /// An issuer of `name` whose keys are made from labels that begin with it.
    pub fn new(name: &str, now: DateTime<Utc>) -> Arc<Self> {
        let mut rng = StdRng::seed_from_u64(SEED);
        let master = private_key(&format!("{name} master"));
        let cddc = sign_cddc(cdd(name, &master, now), &master, &mut rng).unwrap();
        let mut keys = BTreeMap::new();
        for (denomination, generation) in
            DENOMINATIONS.into_iter().flat_map(|denomination| [(denomination, 0), (denomination, 1)])
        {
            let key = private_key(&format!("{name} {denomination} {generation}"));
            let begin = now + TimeDelta::days(400) * generation;
            let mint_key = MintKey {
                cdd_serial: 1,
                coins_expiry_date: Timestamp::from_utc(begin + TimeDelta::days(465)),
                denomination,
                id: key.public_key().id().clone(),
                issuer_id: master.public_key().id().clone(),
                public_mint_key: key.public_key().document().clone(),
                sign_coins_not_after: Timestamp::from_utc(begin + TimeDelta::days(465)),
                sign_coins_not_before: Timestamp::from_utc(begin),
            };
            let verified = sign_mint_key_certificate(mint_key, &cddc, &master, &mut rng).unwrap();
            keys.insert(key.public_key().id().clone(), (verified, key));
        }
        Arc::new(Self {
            cddc,
            keys,
            books: Mutex::default(),
            fault: Mutex::new(Fault::None),
            watched: Mutex::default(),
            snapshots: Mutex::default(),
        })
    }

    /// Opens a wallet in this folder that talks to this issuer.
    pub fn wallet(self: &Arc<Self>, folder: &Path, clock: &Clock) -> Wallet {
        Wallet::open(folder, Arc::clone(self) as Arc<dyn Transport>, Arc::clone(clock), rng()).unwrap()
    }

    pub fn set_fault(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    fn snapshot(&self, what: String) {
        let read = |folder: &PathBuf| std::fs::read(folder.join("journal.jsonl")).unwrap_or_default();
        let journals = self.watched.lock().unwrap().iter().map(read).collect();
        let books = self.books.lock().unwrap().clone();
        self.snapshots.lock().unwrap().push(Snapshot { what, journals, books });
    }

    fn answer(&self, token: Option<&Secret>, request: Request) -> HttpAnswer {
        match request {
            Request::RequestCddSerial(_) => unreachable!("the wallet asks for the CDDC itself"),
            Request::RequestCddc(request) => ok(&ResponseCddc {
                cddc: Some(self.cddc.cddc().clone()),
                message_reference: request.message_reference,
                status_code: 200,
                status_description: "ok".to_owned(),
            }),
            Request::RequestMintKeyCertificates(_) => ok(&ResponseMintKeyCertificates {
                keys: self.keys.values().map(|(verified, _)| verified.mkc().clone()).collect(),
                message_reference: 0,
                status_code: 200,
                status_description: "ok".to_owned(),
            }),
            Request::RequestMint(request) => {
                if token.map(Secret::expose) != Some(TOKEN) {
                    return refusal(401, "unauthorized", "no account has this token");
                }
                let mut books = self.books.lock().unwrap();
                if !books.accepted.contains_key(&request.transaction_reference) {
                    let value = self.blinds_value(&request.blinds);
                    let Some(left) = books.account.checked_sub(value) else {
                        return refusal(402, "insufficient-funds", "too little");
                    };
                    books.account = left;
                    books.accepted.insert(request.transaction_reference.clone(), request.blinds.clone());
                }
                self.sign(&request.blinds)
            }
            Request::RequestRenew(request) => {
                let mut books = self.books.lock().unwrap();
                if !books.accepted.contains_key(&request.transaction_reference) {
                    if let Some(refused) = self.spend(&mut books, &request.coins) {
                        return refused;
                    }
                    assert_eq!(self.coins_value(&request.coins), self.blinds_value(&request.blinds));
                    books.accepted.insert(request.transaction_reference.clone(), request.blinds.clone());
                }
                self.sign(&request.blinds)
            }
            Request::RequestResume(request) => {
                let accepted = self.books.lock().unwrap().accepted.get(&request.transaction_reference).cloned();
                accepted.map_or_else(|| refusal(404, "not-found", "nothing accepted"), |blinds| self.sign(&blinds))
            }
            Request::RequestRedeem(request) => {
                let mut books = self.books.lock().unwrap();
                let set: Vec<String> = request.coins.iter().map(coin_key).collect();
                if !books.redeemed.contains(&set) {
                    if let Some(refused) = self.spend(&mut books, &request.coins) {
                        return refused;
                    }
                    books.account += self.coins_value(&request.coins);
                    books.redeemed.insert(set);
                }
                ok(&ResponseRedeem { message_reference: 0, status_code: 200, status_description: "ok".to_owned() })
            }
        }
    }

    fn spend(&self, books: &mut Books, coins: &[Coin]) -> Option<HttpAnswer> {
        let suite = self.cddc.cipher_suite();
        for coin in coins {
            suite.verify_coin(self.keys[&coin.payload.mint_key_id].0.public_key(), coin).expect("wallets send good coins");
        }
        let gone: Vec<usize> = (0..coins.len()).filter(|index| books.spent.contains(&coin_key(&coins[*index]))).collect();
        if !gone.is_empty() {
            return Some(refusal(409, "double-spend", &format!("coins were spent before: {gone:?}")));
        }
        books.spent.extend(coins.iter().map(coin_key));
        None
    }

    fn sign(&self, blinds: &[Blind]) -> HttpAnswer {
        let sign = |blind: &Blind| {
            let (verified, key) = &self.keys[&blind.mint_key_id];
            let input = blind.blinded_payload_hash.to_padded_be_bytes(verified.public_key().modulus_bytes()).unwrap();
            let mut signature = key.raw_sign(&input).unwrap();
            if *self.fault.lock().unwrap() == Fault::WrongSignature {
                signature[100] ^= 1;
            }
            BlindSignature { blind_signature: BigInt::from_be_bytes(&signature), reference: blind.reference.clone() }
        };
        ok(&ResponseMint {
            blind_signatures: blinds.iter().map(sign).collect(),
            message_reference: 0,
            status_code: 200,
            status_description: "ok".to_owned(),
        })
    }

    fn blinds_value(&self, blinds: &[Blind]) -> u64 {
        blinds.iter().map(|blind| self.keys[&blind.mint_key_id].0.mint_key().denomination).sum()
    }

    fn coins_value(&self, coins: &[Coin]) -> u64 {
        coins.iter().map(|coin| self.keys[&coin.payload.mint_key_id].0.mint_key().denomination).sum()
    }
}

#[async_trait]
impl Transport for FakeIssuer {
    async fn post(&self, url: &str, token: Option<&Secret>, body: &str) -> Result<HttpAnswer, NoAnswer> {
        let request = Request::from_json(body.as_bytes()).expect("wallets send valid messages");
        let name = request.type_name();
        let moves_money = !matches!(request, Request::RequestCddc(_) | Request::RequestMintKeyCertificates(_));
        let fault = if moves_money { *self.fault.lock().unwrap() } else { Fault::None };
        let lost = || NoAnswer { url: url.to_owned(), reason: "the test has cut the wire".to_owned() };
        if moves_money {
            self.snapshot(format!("{name}, before it arrives"));
        }
        if fault == Fault::LoseRequest {
            return Err(lost());
        }
        let answer = self.answer(token, request);
        if moves_money {
            self.snapshot(format!("{name}, after it was answered"));
        }
        match fault {
            Fault::LoseAnswer => Err(lost()),
            Fault::Delay if answer.status == 200 && name != "request redeem" => Ok(HttpAnswer {
                status: 202,
                ..ok(&ResponseDelay { message_reference: 0, status_code: 300, status_description: "later".to_owned() })
            }),
            Fault::None | Fault::LoseRequest | Fault::Delay | Fault::WrongSignature => Ok(answer),
        }
    }
}

fn coin_key(coin: &Coin) -> String {
    text::compact(&coin.payload)
}

fn ok(document: &impl Document) -> HttpAnswer {
    HttpAnswer { status: 200, error_word: None, body: text::compact(document).into_bytes() }
}

fn refusal(status: u16, word: &str, description: &str) -> HttpAnswer {
    let response =
        ResponseRedeem { message_reference: 0, status_code: status, status_description: format!("{word}: {description}") };
    HttpAnswer { status, error_word: Some(word.to_owned()), body: text::compact(&response).into_bytes() }
}

fn cdd(name: &str, master: &PrivateKey, now: DateTime<Utc>) -> Cdd {
    let service = vec![WeightedUrl(10, URL.to_owned())];
    Cdd {
        additional_info: String::new(),
        cdd_expiry_date: Timestamp::from_utc(now + TimeDelta::days(3650)),
        cdd_location: URL.to_owned(),
        cdd_serial: 1,
        cdd_signing_date: Timestamp::from_utc(now),
        currency_divisor: 100,
        currency_name: name.to_owned(),
        denominations: DENOMINATIONS.to_vec(),
        id: master.public_key().id().clone(),
        info_service: service.clone(),
        issuer_cipher_suite: CipherSuite::default().name().to_owned(),
        issuer_public_master_key: master.public_key().document().clone(),
        mint_service: service.clone(),
        protocol_version: PROTOCOL_VERSION.to_owned(),
        redeem_service: service.clone(),
        renew_service: service,
    }
}
