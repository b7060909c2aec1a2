//! An issuer in memory: accounts, spent coins, accepted requests; real keys. It answers as the HTTP API says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_api::write_coin_indices;
use opencoin_crypto::{
    BlindingSeed, CipherSuite, PrivateKey, PublicKey, VerifiedCddc, VerifiedMintKey, sign_cddc,
    sign_mint_key_certificate,
};
use opencoin_schema::{
    BigInt, Blind, BlindSignature, Cdd, Coin, MintKey, Mkc, PROTOCOL_VERSION, Payload, Request,
    RequestMintKeyCertificates, RequestRecoup, ResponseCddSerial, ResponseCddc, ResponseDelay, ResponseMint,
    ResponseMintKeyCertificates, ResponseRedeem, RevealedCoin, Timestamp, WeightedUrl, text,
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
/// What stands before the coins in a description that names some.
const NAMED_AFTER: &str = " before: ";
const ITEMS_MAX: usize = 1000;
/// How many transactions a recoup may name.
const TRANSACTIONS_MAX: usize = 100;

/// What an issuer must not forget.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Books {
    /// By token.
    pub(crate) accounts: BTreeMap<String, u64>,
    spent: BTreeSet<Vec<u8>>,
    /// Transaction reference -> the whole request, and its blinds.
    accepted: BTreeMap<BigInt, (String, Vec<Blind>)>,
    redeemed: BTreeSet<(String, String)>,
    /// Revoked mint keys.
    stopped: BTreeSet<BigInt>,
    /// Blinds and payload hashes.
    recouped: BTreeSet<Vec<u8>>,
}

/// An issuer of one currency.
pub(crate) struct FakeIssuer {
    /// The first.
    pub(crate) cddc: VerifiedCddc,
    /// Those that followed, and the newest last.
    later_cddcs: Mutex<Vec<VerifiedCddc>>,
    master_key: Arc<PrivateKey>,
    mint_keys: Vec<(VerifiedMintKey, Arc<PrivateKey>)>,
    pub(crate) books: Mutex<Books>,
    /// Certificates of its first key under later CDDs.
    later_mkcs: Mutex<Vec<Mkc>>,
    /// Whether a refusal says which coins it is about.
    pub(crate) names_coins: AtomicBool,
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
    pub(crate) fn with_cdd_serial(
        serial: u64,
        name: &str,
        url: &str,
        suite: CipherSuite,
        denominations: &[u64],
    ) -> Self {
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
                mint_keys.push((
                    sign_mint_key_certificate(mint_key, &cddc, &master_key, rng).unwrap(),
                    key,
                ));
            }
        }
        Self {
            cddc,
            later_cddcs: Mutex::default(),
            master_key,
            mint_keys,
            books: Mutex::default(),
            later_mkcs: Mutex::default(),
            names_coins: AtomicBool::new(true),
        }
    }

    /// Publishes a new CDD with another URL and other denominations. Mint keys stay as they are certified.
    pub(crate) fn publish(&self, serial: u64, url: &str, denominations: &[u64]) {
        let first = self.cddc.cdd();
        let suite = self.cddc.cipher_suite();
        let mut cdd = cdd(&first.currency_name, url, suite, denominations, &self.master_key);
        cdd.cdd_serial = serial;
        let cddc = sign_cddc(cdd, &self.master_key, &mut ChaCha20Rng::seed_from_u64(1)).unwrap();
        self.later_cddcs.lock().unwrap().push(cddc);
    }

    /// Publishes CDDs of these serials, and certifies its first mint key under each of them.
    pub(crate) fn certify_under(&self, serials: std::ops::RangeInclusive<u64>) {
        for serial in serials {
            let cdd = self.cddc.cdd();
            self.publish(serial, &cdd.cdd_location, &cdd.denominations);
            let mut mint_key = self.mint_keys[0].0.mint_key().clone();
            mint_key.cdd_serial = serial;
            let rng = &mut ChaCha20Rng::seed_from_u64(1);
            let certified =
                sign_mint_key_certificate(mint_key, &self.current_cddc(), &self.master_key, rng).unwrap();
            self.later_mkcs.lock().unwrap().push(certified.mkc().clone());
        }
    }

    /// From now on no coin of the mint key of this denomination and generation is taken, and it signs
    /// nothing.
    pub(crate) fn revoke(&self, denomination: u64, generation: i64) {
        let begin = begin() + TimeDelta::days(generation * SIGNING_DAYS);
        let is_it =
            |key: &MintKey| key.denomination == denomination && key.sign_coins_not_before.to_utc() == begin;
        let keys = self
            .mint_keys
            .iter()
            .map(|(key, _)| key.mint_key())
            .filter(|key| is_it(key));
        self.books
            .lock()
            .unwrap()
            .stopped
            .extend(keys.map(|key| key.id.clone()));
    }

    pub(crate) fn public_key(&self, id: &BigInt) -> PublicKey {
        self.key(id).expect("one of its keys").0.public_key().clone()
    }

    fn current_cddc(&self) -> VerifiedCddc {
        self.later_cddcs
            .lock()
            .unwrap()
            .last()
            .unwrap_or(&self.cddc)
            .clone()
    }

    /// Answers a GET.
    pub(crate) fn get(&self, url: &str, token: Option<&Secret>) -> HttpAnswer {
        if url.ends_with("/v1/account/balance") {
            let balance = self.account(token.expect("an account needs a token").expose());
            return http(200, None, format!(r#"{{"balance": {balance}}}"#));
        }
        assert!(url.ends_with("/v1/revocations"), "the wallet gets nothing else");
        let key = |id: &BigInt| format!(r#"{{"id": "{id}", "reason": "stolen"}}"#);
        let keys: Vec<String> = self.books.lock().unwrap().stopped.iter().map(key).collect();
        http(200, None, format!(r#"{{"mint_keys": [{}]}}"#, keys.join(", ")))
    }

    pub(crate) fn credit(&self, token: &str, amount: u64) {
        *self
            .books
            .lock()
            .unwrap()
            .accounts
            .entry(token.to_owned())
            .or_default() += amount;
    }

    pub(crate) fn account(&self, token: &str) -> u64 {
        self.books
            .lock()
            .unwrap()
            .accounts
            .get(token)
            .copied()
            .unwrap_or(0)
    }

    /// An account's holder logs in anew: the old token is nobody's any more.
    pub(crate) fn change_token(&self, old: &str, new: &str) {
        let mut books = self.books.lock().unwrap();
        let balance = books.accounts.remove(old).unwrap();
        books.accounts.insert(new.to_owned(), balance);
        let redeemed = std::mem::take(&mut books.redeemed);
        let renamed = |token: String| if token == old { new.to_owned() } else { token };
        books.redeemed = redeemed
            .into_iter()
            .map(|(token, coins)| (renamed(token), coins))
            .collect();
    }

    /// Carries out one request.
    pub(crate) fn answer(
        &self,
        token: Option<&Secret>,
        body: &str,
        now: DateTime<Utc>,
        signing: Signing,
    ) -> HttpAnswer {
        let (message_reference, status_code, status_description) = (0, 200, "ok".to_owned());
        let signed = |result: Result<Vec<Blind>, Refusal>, is_resume: bool| match result
            .and_then(|blinds| self.not_stopped(blinds, is_resume))
        {
            Ok(_) if signing == Signing::Later => http(
                202,
                None,
                text::compact(&ResponseDelay {
                    message_reference,
                    status_code: 300,
                    status_description: "later".to_owned(),
                }),
            ),
            Ok(blinds) => {
                let blind_signatures = blinds.iter().map(|blind| self.sign(blind)).collect();
                let status_description = "ok".to_owned();
                http(
                    200,
                    None,
                    text::compact(&ResponseMint {
                        blind_signatures,
                        message_reference,
                        status_code,
                        status_description,
                    }),
                )
            }
            Err((status, word, description)) => {
                let status_description = format!("{word}: {description}");
                let response = ResponseMint {
                    blind_signatures: Vec::new(),
                    message_reference,
                    status_code: status,
                    status_description,
                };
                self.refused(status, word, &description, text::compact(&response))
            }
        };
        match Request::from_json(body.as_bytes()).expect("the wallet sends what the specification knows") {
            Request::RequestCddc(request) => {
                let later = self.later_cddcs.lock().unwrap();
                let wanted = |cddc: &&VerifiedCddc| [0, cddc.cdd().cdd_serial].contains(&request.cdd_serial);
                // The first mint keys are all certified under serial 1, whatever the first CDD's is.
                let cddc = later
                    .iter()
                    .rev()
                    .chain([&self.cddc])
                    .find(wanted)
                    .unwrap_or(&self.cddc)
                    .cddc()
                    .clone();
                let cddc = Some(cddc);
                http(
                    200,
                    None,
                    text::compact(&ResponseCddc {
                        cddc,
                        message_reference,
                        status_code,
                        status_description,
                    }),
                )
            }
            Request::RequestMintKeyCertificates(request) => {
                let keys = self.certificates(&request, now);
                let response = ResponseMintKeyCertificates {
                    keys,
                    message_reference,
                    status_code,
                    status_description,
                };
                http(200, None, text::compact(&response))
            }
            Request::RequestMint(request) => signed(
                self.mint(token, body, request.transaction_reference, request.blinds, now),
                false,
            ),
            Request::RequestRenew(request) => signed(
                self.renew(
                    body,
                    request.transaction_reference,
                    &request.coins,
                    request.blinds,
                    now,
                ),
                false,
            ),
            Request::RequestResume(request) => {
                let accepted = self
                    .books
                    .lock()
                    .unwrap()
                    .accepted
                    .get(&request.transaction_reference)
                    .cloned();
                signed(
                    accepted.map(|(_, blinds)| blinds).ok_or((
                        404,
                        "not-found",
                        "no such reference".to_owned(),
                    )),
                    true,
                )
            }
            Request::RequestRedeem(request) => match self.redeem(token, &request.coins, now) {
                Ok(()) => http(
                    200,
                    None,
                    text::compact(&ResponseRedeem {
                        message_reference,
                        status_code,
                        status_description,
                    }),
                ),
                Err((status_code, word, description)) => {
                    let status_description = format!("{word}: {description}");
                    let response = ResponseRedeem {
                        message_reference,
                        status_code,
                        status_description,
                    };
                    self.refused(status_code, word, &description, text::compact(&response))
                }
            },
            Request::RequestRecoup(request) => signed(self.recoup(body, request, now), false),
            Request::RequestCddSerial(_) => {
                let cdd_serial = self.current_cddc().cdd().cdd_serial;
                let response = ResponseCddSerial {
                    cdd_serial,
                    message_reference,
                    status_code,
                    status_description,
                };
                http(200, None, text::compact(&response))
            }
        }
    }

    fn certificates(&self, request: &RequestMintKeyCertificates, now: DateTime<Utc>) -> Vec<Mkc> {
        let is_all = request.denominations.is_empty() && request.mint_key_ids.is_empty();
        let is_asked = |key: &&VerifiedMintKey| {
            let mint_key = key.mint_key();
            let is_current = mint_key.sign_coins_not_before.to_utc() <= now
                && now <= mint_key.sign_coins_not_after.to_utc();
            let is_current = is_current
                && self
                    .current_cddc()
                    .cdd()
                    .denominations
                    .contains(&mint_key.denomination)
                && !self.books.lock().unwrap().stopped.contains(&mint_key.id);
            is_current && is_all || request.mint_key_ids.contains(&mint_key.id)
        };
        self.mint_keys
            .iter()
            .map(|(key, _)| key)
            .filter(is_asked)
            .map(|key| key.mkc().clone())
            .chain(self.later_mkcs.lock().unwrap().iter().filter(|_| is_all).cloned())
            .collect()
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
        let balance = *books
            .accounts
            .get(token)
            .ok_or((401, "unauthorized", "no such token".to_owned()))?;
        if let Some(answer) = repeated(books, &reference, body) {
            return answer;
        }
        let worth = self.worth(books, &blinds, now)?;
        let left =
            balance
                .checked_sub(worth)
                .ok_or((402, "insufficient-funds", format!("{balance} of {worth}")))?;
        books.accounts.insert(token.to_owned(), left);
        books
            .accepted
            .insert(reference, (body.to_owned(), blinds.clone()));
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
        if self.worth(books, &blinds, now)? != value {
            return Err((422, "invalid", "value in and out differ".to_owned()));
        }
        books.spent.extend(hashes);
        books
            .accepted
            .insert(reference, (body.to_owned(), blinds.clone()));
        Ok(blinds)
    }

    fn recoup(&self, body: &str, request: RequestRecoup, now: DateTime<Utc>) -> Result<Vec<Blind>, Refusal> {
        let books = &mut *self.books.lock().unwrap();
        if let Some(answer) = repeated(books, &request.transaction_reference, body) {
            return answer;
        }
        check_count(request.coins.len())?;
        let transactions: BTreeSet<&BigInt> = request
            .coins
            .iter()
            .map(|coin| &coin.transaction_reference)
            .collect();
        assert!(
            transactions.len() <= TRANSACTIONS_MAX,
            "{} transactions are too many",
            transactions.len()
        );
        let (mut value, mut keys, mut spent, mut recouped) = (0, Vec::new(), Vec::new(), Vec::new());
        for (index, coin) in request.coins.iter().enumerate() {
            let invalid = |what: &str| (422, "invalid", format!("coins[{index}]: {what}"));
            let (key, blind) = self
                .opened(books, coin)
                .ok_or_else(|| invalid("not a blind that was accepted"))?;
            if now > key.coins_expiry_date.to_utc() || !books.stopped.contains(&key.id) {
                return Err(invalid("expired, or not revoked"));
            }
            value += key.denomination;
            let hash = self
                .cddc
                .cipher_suite()
                .payload_hash(&coin.payload)
                .as_bytes()
                .to_vec();
            if books.spent.contains(&hash) {
                spent.push(index);
            }
            if [&blind, &hash].iter().any(|key| books.recouped.contains(*key)) {
                recouped.push(index);
            }
            keys.extend([blind, hash]);
        }
        if !spent.is_empty() {
            return Err((409, "double-spend", named("spent", &spent)));
        }
        if !recouped.is_empty() {
            return Err((409, "double-spend", named("recouped", &recouped)));
        }
        if self.worth(books, &request.blinds, now)? != value {
            return Err((422, "invalid", "value in and out differ".to_owned()));
        }
        let count = keys.len();
        let before = books.recouped.len();
        books.recouped.extend(keys);
        assert_eq!(
            books.recouped.len(),
            before + count,
            "the wallet names each coin once"
        );
        books.accepted.insert(
            request.transaction_reference,
            (body.to_owned(), request.blinds.clone()),
        );
        Ok(request.blinds)
    }

    /// The key and the blind that a coin of a recoup came from, if its seed proves it.
    fn opened(&self, books: &Books, coin: &RevealedCoin) -> Option<(&MintKey, Vec<u8>)> {
        let (_, blinds) = books.accepted.get(&coin.transaction_reference)?;
        let blind = blinds
            .iter()
            .find(|blind| blind.reference == coin.blind_reference)?;
        let key = &self.key(&blind.mint_key_id).ok()?.0;
        let seed = BlindingSeed::from_revealed(&coin.blinding_seed).ok()?;
        let suite = self.cddc.cipher_suite();
        let is_own = coin.payload.mint_key_id == blind.mint_key_id
            && suite.opens(
                key.public_key(),
                &coin.payload,
                &seed,
                &blind.blinded_payload_hash,
            );
        is_own.then(|| (key.mint_key(), blind.blinded_payload_hash.as_be_bytes().to_vec()))
    }

    /// What may be signed of accepted blinds; a resume gets what there is, all others all or nothing.
    fn not_stopped(&self, blinds: Vec<Blind>, is_resume: bool) -> Result<Vec<Blind>, Refusal> {
        let books = self.books.lock().unwrap();
        let (stopped, good): (Vec<Blind>, Vec<Blind>) = blinds
            .into_iter()
            .partition(|blind| books.stopped.contains(&blind.mint_key_id));
        if stopped.is_empty() || is_resume && !good.is_empty() {
            Ok(good)
        } else {
            Err((
                410,
                "recoup",
                "accepted, and a mint key of it was revoked since".to_owned(),
            ))
        }
    }

    fn redeem(&self, token: Option<&Secret>, coins: &[Coin], now: DateTime<Utc>) -> Result<(), Refusal> {
        let books = &mut *self.books.lock().unwrap();
        let token = token.map(Secret::expose).unwrap_or_default().to_owned();
        let balance = *books
            .accounts
            .get(&token)
            .ok_or((401, "unauthorized", "no such token".to_owned()))?;
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
    fn unspent(
        &self,
        books: &Books,
        coins: &[Coin],
        now: DateTime<Utc>,
    ) -> Result<(u64, Vec<Vec<u8>>), Refusal> {
        check_count(coins.len())?;
        let (mut value, mut hashes) = (0, Vec::new());
        for coin in coins {
            let (key, _) = self.key(&coin.payload.mint_key_id)?;
            let hash = self.cddc.cipher_suite().verify_coin(key.public_key(), coin);
            let hash = hash
                .map_err(|_| (422, "invalid", "a bad signature".to_owned()))?
                .as_bytes()
                .to_vec();
            if hashes.contains(&hash) {
                return Err((422, "invalid", "the same coin twice".to_owned()));
            }
            if books.stopped.contains(&coin.payload.mint_key_id) {
                return Err((410, "key-revoked", "a coin of a stopped key".to_owned()));
            }
            if now > key.mint_key().coins_expiry_date.to_utc() {
                return Err((410, "key-expired", "coins past their expiry".to_owned()));
            }
            value += key.mint_key().denomination;
            hashes.push(hash);
        }
        let spent: Vec<usize> = (0..hashes.len())
            .filter(|index| books.spent.contains(&hashes[*index]))
            .collect();
        if spent.is_empty() {
            Ok((value, hashes))
        } else {
            Err((409, "double-spend", named("spent", &spent)))
        }
    }

    fn worth(&self, books: &Books, blinds: &[Blind], now: DateTime<Utc>) -> Result<u64, Refusal> {
        check_count(blinds.len())?;
        let mut references = BTreeSet::new();
        let mut worth = 0;
        for blind in blinds {
            assert!(
                references.insert(&blind.reference),
                "the same blind reference twice"
            );
            let key = self.key(&blind.mint_key_id)?.0.mint_key();
            if books.stopped.contains(&blind.mint_key_id) {
                return Err((410, "key-revoked", "a stopped key signs nothing".to_owned()));
            }
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
        let seed = BlindingSeed::generate(&mut ChaCha20Rng::seed_from_u64(2));
        let (blinded_payload_hash, unblinder) = suite.blind(key.public_key(), payload, &seed).unwrap();
        let mint_key_id = payload.mint_key_id.clone();
        let signed = self.sign(&Blind {
            blinded_payload_hash,
            mint_key_id,
            reference: "0".to_owned(),
        });
        *self.books.lock().unwrap().accounts.get_mut(token).unwrap() -= key.mint_key().denomination;
        suite
            .finish(key.public_key(), payload, &signed.blind_signature, &unblinder)
            .unwrap()
    }

    /// A refusal, with the coins that it is about in a header if its description ends with them.
    fn refused(&self, status: u16, word: &str, description: &str, body: String) -> HttpAnswer {
        let coins = description
            .split_once(NAMED_AFTER)
            .map(|(_, coins)| coins.to_owned());
        HttpAnswer {
            coins: coins.filter(|_| self.names_coins.load(Ordering::SeqCst)),
            ..http(status, Some(word), body)
        }
    }

    fn sign(&self, blind: &Blind) -> BlindSignature {
        let (key, private_key) = self
            .key(&blind.mint_key_id)
            .expect("checked before it was accepted");
        let blinded = blind
            .blinded_payload_hash
            .to_padded_be_bytes(key.public_key().modulus_bytes())
            .unwrap();
        let blind_signature = BigInt::from_be_bytes(&private_key.raw_sign(&blinded).unwrap());
        BlindSignature {
            blind_signature,
            reference: blind.reference.clone(),
        }
    }
}

pub(crate) fn http(status: u16, word: Option<&str>, body: String) -> HttpAnswer {
    HttpAnswer {
        status,
        error_word: word.map(str::to_owned),
        body: body.into_bytes(),
        ..HttpAnswer::default()
    }
}

fn named(how: &str, coins: &[usize]) -> String {
    format!("coins were {how}{NAMED_AFTER}{}", write_coin_indices(coins))
}

pub(crate) fn begin() -> DateTime<Utc> {
    BEGIN.parse::<Timestamp>().unwrap().to_utc()
}

fn repeated(books: &Books, reference: &BigInt, body: &str) -> Option<Result<Vec<Blind>, Refusal>> {
    let (first, blinds) = books.accepted.get(reference)?;
    Some(if first == body {
        Ok(blinds.clone())
    } else {
        Err((409, "reference-conflict", "other content".to_owned()))
    })
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
