//! An issuer in memory: accounts, spent coins, accepted requests; real keys. It answers as the HTTP API says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_crypto::{CipherSuite, PrivateKey, VerifiedCddc, VerifiedMintKey, sign_cddc, sign_mint_key_certificate};
use opencoin_schema::{
    BigInt, Blind, BlindSignature, Cdd, Coin, MintKey, PROTOCOL_VERSION, Payload, Request, RequestMintKeyCertificates,
    ResponseCddc, ResponseDelay, ResponseMint, ResponseMintKeyCertificates, ResponseRedeem, Timestamp, WeightedUrl, text,
};
use opencoin_testkit::keys::private_key;
use opencoin_wallet::{HttpAnswer, Secret};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// When every currency here begins.
pub(crate) const BEGIN: &str = "2030-01-01T00:00:00";
/// Mint keys sign for so long; after that the next ones do.
pub(crate) const SIGNING_DAYS: i64 = 110;
/// Their coins come in for so long.
pub(crate) const COINS_DAYS: i64 = 200;
/// How many generations of mint keys there are.
const GENERATIONS: i64 = 2;
const ITEMS_MAX: usize = 1000;

/// What an issuer must not forget.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Books {
    /// By token.
    pub(crate) accounts: BTreeMap<String, u64>,
    spent: BTreeSet<Vec<u8>>,
    /// Transaction reference -> the whole request, and its blinds.
    accepted: BTreeMap<BigInt, (String, Vec<Blind>)>,
    redeemed: BTreeSet<(String, String)>,
}

/// An issuer of one currency.
pub(crate) struct FakeIssuer {
    pub(crate) cddc: VerifiedCddc,
    mint_keys: Vec<(VerifiedMintKey, Arc<PrivateKey>)>,
    pub(crate) books: Mutex<Books>,
}

/// Whether this answer is to be a delay: the request is accepted, its signatures come later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signing {
    Now,
    Later,
}

/// A fixed word, with its HTTP status.
type Refusal = (u16, &'static str, String);

impl FakeIssuer {
    /// Issuers with the same `name` have the same keys.
    pub(crate) fn new(name: &str, url: &str, suite: CipherSuite, denominations: &[u64]) -> Self {
        Self::with_cdd_serial(1, name, url, suite, denominations)
    }

    /// Each CDD has another divisor, by which it is known.
    pub(crate) fn with_cdd_serial(serial: u64, name: &str, url: &str, suite: CipherSuite, denominations: &[u64]) -> Self {
        let rng = &mut ChaCha20Rng::seed_from_u64(1);
        let master_key = private_key(&format!("{name} master"));
        let mut cdd = cdd(name, url, suite, denominations, &master_key);
        cdd.cdd_serial = serial;
        cdd.currency_divisor = 100 * serial;
        let cddc = sign_cddc(cdd, &master_key, rng).unwrap();
        let mut mint_keys = Vec::new();
        for generation in 0..GENERATIONS {
            for denomination in denominations {
                let key = private_key(&format!("{name} {denomination} {generation}"));
                let mint_key = mint_key(&key, *denomination, generation, &cddc);
                mint_keys.push((sign_mint_key_certificate(mint_key, &cddc, &master_key, rng).unwrap(), key));
            }
        }
        Self { cddc, mint_keys, books: Mutex::default() }
    }

    pub(crate) fn credit(&self, token: &str, amount: u64) {
        *self.books.lock().unwrap().accounts.entry(token.to_owned()).or_default() += amount;
    }

    pub(crate) fn account(&self, token: &str) -> u64 {
        self.books.lock().unwrap().accounts.get(token).copied().unwrap_or(0)
    }

    /// Carries out one request.
    pub(crate) fn answer(&self, token: Option<&Secret>, body: &str, now: DateTime<Utc>, signing: Signing) -> HttpAnswer {
        let (message_reference, status_code, status_description) = (0, 200, "ok".to_owned());
        let signed = |result: Result<Vec<Blind>, Refusal>| match result {
            Ok(_) if signing == Signing::Later => http(
                202,
                None,
                text::compact(&ResponseDelay { message_reference, status_code: 300, status_description: "later".to_owned() }),
            ),
            Ok(blinds) => {
                let blind_signatures = blinds.iter().map(|blind| self.sign(blind)).collect();
                let status_description = "ok".to_owned();
                http(
                    200,
                    None,
                    text::compact(&ResponseMint { blind_signatures, message_reference, status_code, status_description }),
                )
            }
            Err((status, word, description)) => {
                let status_description = format!("{word}: {description}");
                let response =
                    ResponseMint { blind_signatures: Vec::new(), message_reference, status_code: status, status_description };
                http(status, Some(word), text::compact(&response))
            }
        };
        match Request::from_json(body.as_bytes()).expect("the wallet sends what the specification knows") {
            Request::RequestCddc(request) => {
                assert_eq!(request.cdd_serial, 0);
                let cddc = Some(self.cddc.cddc().clone());
                http(200, None, text::compact(&ResponseCddc { cddc, message_reference, status_code, status_description }))
            }
            Request::RequestMintKeyCertificates(request) => {
                let keys = self.certificates(&request, now);
                let response = ResponseMintKeyCertificates { keys, message_reference, status_code, status_description };
                http(200, None, text::compact(&response))
            }
            Request::RequestMint(request) => signed(self.mint(token, body, request.transaction_reference, request.blinds, now)),
            Request::RequestRenew(request) => {
                signed(self.renew(body, request.transaction_reference, &request.coins, request.blinds, now))
            }
            Request::RequestResume(request) => {
                let accepted = self.books.lock().unwrap().accepted.get(&request.transaction_reference).cloned();
                signed(accepted.map(|(_, blinds)| blinds).ok_or((404, "not-found", "no such reference".to_owned())))
            }
            Request::RequestRedeem(request) => match self.redeem(token, &request.coins, now) {
                Ok(()) => http(200, None, text::compact(&ResponseRedeem { message_reference, status_code, status_description })),
                Err((status_code, word, description)) => {
                    let status_description = format!("{word}: {description}");
                    let response = ResponseRedeem { message_reference, status_code, status_description };
                    http(status_code, Some(word), text::compact(&response))
                }
            },
            Request::RequestCddSerial(_) => panic!("the wallet does not ask for the serial alone"),
        }
    }

    fn certificates(&self, request: &RequestMintKeyCertificates, now: DateTime<Utc>) -> Vec<opencoin_schema::Mkc> {
        let is_all = request.denominations.is_empty() && request.mint_key_ids.is_empty();
        let is_asked = |key: &&VerifiedMintKey| {
            let mint_key = key.mint_key();
            let is_current = mint_key.sign_coins_not_before.to_utc() <= now && now <= mint_key.sign_coins_not_after.to_utc();
            is_current && is_all || request.mint_key_ids.contains(&mint_key.id)
        };
        self.mint_keys.iter().map(|(key, _)| key).filter(is_asked).map(|key| key.mkc().clone()).collect()
    }

    fn mint(
        &self,
        token: Option<&Secret>,
        body: &str,
        reference: BigInt,
        blinds: Vec<Blind>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Blind>, Refusal> {
        let books = &mut *self.books.lock().unwrap();
        let token = token.map(Secret::expose).unwrap_or_default();
        let balance = *books.accounts.get(token).ok_or((401, "unauthorized", "no such token".to_owned()))?;
        if let Some(answer) = repeated(books, &reference, body) {
            return answer;
        }
        let worth = self.worth(&blinds, now)?;
        let left = balance.checked_sub(worth).ok_or((402, "insufficient-funds", format!("{balance} of {worth}")))?;
        books.accounts.insert(token.to_owned(), left);
        books.accepted.insert(reference, (body.to_owned(), blinds.clone()));
        Ok(blinds)
    }

    fn renew(
        &self,
        body: &str,
        reference: BigInt,
        coins: &[Coin],
        blinds: Vec<Blind>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Blind>, Refusal> {
        let books = &mut *self.books.lock().unwrap();
        if let Some(answer) = repeated(books, &reference, body) {
            return answer;
        }
        let (value, hashes) = self.unspent(books, coins, now)?;
        if self.worth(&blinds, now)? != value {
            return Err((422, "invalid", "value in and out differ".to_owned()));
        }
        books.spent.extend(hashes);
        books.accepted.insert(reference, (body.to_owned(), blinds.clone()));
        Ok(blinds)
    }

    fn redeem(&self, token: Option<&Secret>, coins: &[Coin], now: DateTime<Utc>) -> Result<(), Refusal> {
        let books = &mut *self.books.lock().unwrap();
        let token = token.map(Secret::expose).unwrap_or_default().to_owned();
        let balance = *books.accounts.get(&token).ok_or((401, "unauthorized", "no such token".to_owned()))?;
        let content = (token.clone(), text::compact(coins));
        if books.redeemed.contains(&content) {
            return Ok(());
        }
        let (value, hashes) = self.unspent(books, coins, now)?;
        books.spent.extend(hashes);
        books.redeemed.insert(content);
        books.accounts.insert(token, balance + value);
        Ok(())
    }

    /// What the coins are worth, and the hashes under which they will be spent.
    fn unspent(&self, books: &Books, coins: &[Coin], now: DateTime<Utc>) -> Result<(u64, Vec<Vec<u8>>), Refusal> {
        check_count(coins.len())?;
        let (mut value, mut hashes) = (0, Vec::new());
        for coin in coins {
            let (key, _) = self.key(&coin.payload.mint_key_id)?;
            let hash = self.cddc.cipher_suite().verify_coin(key.public_key(), coin);
            let hash = hash.map_err(|_| (422, "invalid", "a bad signature".to_owned()))?.as_bytes().to_vec();
            if hashes.contains(&hash) {
                return Err((422, "invalid", "the same coin twice".to_owned()));
            }
            if now > key.mint_key().coins_expiry_date.to_utc() {
                return Err((410, "key-expired", "coins past their expiry".to_owned()));
            }
            value += key.mint_key().denomination;
            hashes.push(hash);
        }
        let spent: Vec<usize> = (0..hashes.len()).filter(|index| books.spent.contains(&hashes[*index])).collect();
        if spent.is_empty() {
            Ok((value, hashes))
        } else {
            Err((409, "double-spend", format!("coins were spent before: {spent:?}")))
        }
    }

    fn worth(&self, blinds: &[Blind], now: DateTime<Utc>) -> Result<u64, Refusal> {
        check_count(blinds.len())?;
        let mut references = BTreeSet::new();
        let mut worth = 0;
        for blind in blinds {
            assert!(references.insert(&blind.reference), "the same blind reference twice");
            let key = self.key(&blind.mint_key_id)?.0.mint_key();
            if now < key.sign_coins_not_before.to_utc() || now > key.sign_coins_not_after.to_utc() {
                return Err((410, "key-expired", "outside the signing window".to_owned()));
            }
            worth += key.denomination;
        }
        Ok(worth)
    }

    fn key(&self, id: &BigInt) -> Result<&(VerifiedMintKey, Arc<PrivateKey>), Refusal> {
        let key = self.mint_keys.iter().find(|(key, _)| key.public_key().id() == id);
        key.ok_or((422, "invalid", "unknown mint key".to_owned()))
    }

    /// A coin of somebody who pays for it with this token and chooses its payload himself.
    pub(crate) fn mint_for_anybody(&self, payload: &Payload, token: &str) -> Coin {
        let (key, _) = self.key(&payload.mint_key_id).expect("one of its keys");
        let suite = self.cddc.cipher_suite();
        let (blinded_payload_hash, unblinder) =
            suite.blind(key.public_key(), payload, &mut ChaCha20Rng::seed_from_u64(2)).unwrap();
        let mint_key_id = payload.mint_key_id.clone();
        let signed = self.sign(&Blind { blinded_payload_hash, mint_key_id, reference: "0".to_owned() });
        *self.books.lock().unwrap().accounts.get_mut(token).unwrap() -= key.mint_key().denomination;
        suite.finish(key.public_key(), payload, &signed.blind_signature, &unblinder).unwrap()
    }

    fn sign(&self, blind: &Blind) -> BlindSignature {
        let (key, private_key) = self.key(&blind.mint_key_id).expect("checked before it was accepted");
        let blinded = blind.blinded_payload_hash.to_padded_be_bytes(key.public_key().modulus_bytes()).unwrap();
        let blind_signature = BigInt::from_be_bytes(&private_key.raw_sign(&blinded).unwrap());
        BlindSignature { blind_signature, reference: blind.reference.clone() }
    }
}

pub(crate) fn http(status: u16, word: Option<&str>, body: String) -> HttpAnswer {
    HttpAnswer { status, error_word: word.map(str::to_owned), body: body.into_bytes() }
}

pub(crate) fn begin() -> DateTime<Utc> {
    BEGIN.parse::<Timestamp>().unwrap().to_utc()
}

fn repeated(books: &Books, reference: &BigInt, body: &str) -> Option<Result<Vec<Blind>, Refusal>> {
    let (first, blinds) = books.accepted.get(reference)?;
    Some(if first == body { Ok(blinds.clone()) } else { Err((409, "reference-conflict", "other content".to_owned())) })
}

fn check_count(items: usize) -> Result<(), Refusal> {
    match items {
        0 => Err((422, "invalid", "nothing to do".to_owned())),
        1..=ITEMS_MAX => Ok(()),
        _ => Err((413, "too-large", format!("{items} items"))),
    }
}

fn cdd(name: &str, url: &str, suite: CipherSuite, denominations: &[u64], master_key: &PrivateKey) -> Cdd {
    let service = || vec![WeightedUrl(10, url.to_owned())];
    Cdd {
        additional_info: String::new(),
        cdd_expiry_date: Timestamp::from_utc(begin() + TimeDelta::days(3650)),
        cdd_location: url.to_owned(),
        cdd_serial: 1,
        cdd_signing_date: Timestamp::from_utc(begin()),
        currency_divisor: 100,
        currency_name: name.to_owned(),
        denominations: denominations.to_vec(),
        id: master_key.public_key().id().clone(),
        info_service: service(),
        issuer_cipher_suite: suite.name().to_owned(),
        issuer_public_master_key: master_key.public_key().document().clone(),
        mint_service: service(),
        protocol_version: PROTOCOL_VERSION.to_owned(),
        redeem_service: service(),
        renew_service: service(),
    }
}

fn mint_key(key: &PrivateKey, denomination: u64, generation: i64, cddc: &VerifiedCddc) -> MintKey {
    let signing_begin = begin() + TimeDelta::days(generation * SIGNING_DAYS);
    MintKey {
        cdd_serial: 1,
        coins_expiry_date: Timestamp::from_utc(signing_begin + TimeDelta::days(COINS_DAYS)),
        denomination,
        id: key.public_key().id().clone(),
        issuer_id: cddc.master_key().id().clone(),
        public_mint_key: key.public_key().document().clone(),
        sign_coins_not_after: Timestamp::from_utc(signing_begin + TimeDelta::days(SIGNING_DAYS)),
        sign_coins_not_before: Timestamp::from_utc(signing_begin),
    }
}
