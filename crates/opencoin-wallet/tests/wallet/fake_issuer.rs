//! An issuer in memory with real keys. It answers like the HTTP API.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_api::write_coin_indices;
use opencoin_crypto::{
    BlindingSeed, CipherSuite, PrivateKey, VerifiedCddc, VerifiedMintKey, sign_cddc,
    sign_mint_key_certificate,
};
use opencoin_log::digest::{IssuedDigest, KeyFingerprint, SpentDigest};
use opencoin_log::leaf::{issued_leaf, spent_leaf};
use opencoin_schema::{
    BigInt, Blind, BlindSignature, Cdd, Coin, MintKey, Mkc, PROTOCOL_VERSION, Payload, Request,
    RequestMintKeyCertificates, RequestRecoup, RequestRenew, ResponseCddSerial, ResponseCddc, ResponseDelay,
    ResponseMint, ResponseMintKeyCertificates, ResponseRedeem, RevealedCoin, Timestamp, WeightedUrl, text,
};
use opencoin_testkit::keys::private_key;
use opencoin_wallet::{HttpAnswer, OnBehalf, Secret};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::fake_keys::KeyBooks;
use crate::fake_log::{FakeLog, Misdeed};

/// When all currencies begin.
pub(crate) const BEGIN: &str = "2030-01-01T00:00:00";
/// How long a generation of mint keys signs, before the next one does.
const SIGNING_DAYS: i64 = 110;
/// How long the issuer accepts the coins of a generation.
const COINS_DAYS: i64 = 200;
/// The number of generations of mint keys.
const GENERATIONS: i64 = 2;
/// The text before the coin indices in a description.
const NAMED_AFTER: &str = " before: ";
const ITEMS_MAX: usize = 1000;
/// The most transactions of a recoup.
const TRANSACTIONS_MAX: usize = 100;

/// The state of an issuer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct IssuerState {
    /// Balances by token.
    pub(crate) accounts: BTreeMap<String, u64>,
    spent: BTreeSet<Vec<u8>>,
    /// The request and its blinds, by transaction reference.
    accepted: BTreeMap<BigInt, (String, Vec<Blind>)>,
    redeemed: BTreeSet<(String, String)>,
    /// Revoked mint keys.
    stopped: BTreeSet<BigInt>,
    /// Blinds and payload hashes of recouped coins.
    recouped: BTreeSet<Vec<u8>>,
}

/// An issuer of one currency.
pub(crate) struct FakeIssuer {
    /// The first CDDC.
    pub(crate) cddc: VerifiedCddc,
    /// The later CDDCs, the newest last.
    later_cddcs: Mutex<Vec<VerifiedCddc>>,
    master_key: Arc<PrivateKey>,
    mint_keys: Vec<(VerifiedMintKey, Arc<PrivateKey>)>,
    state: Mutex<IssuerState>,
    /// The public log, if the currency has one.
    log: Option<Mutex<FakeLog>>,
    /// Certificates of the first mint key under later CDDs.
    later_mkcs: Mutex<Vec<Mkc>>,
    /// Whether refusals name the refused coins.
    pub(crate) names_coins: AtomicBool,
    keys: Mutex<KeyBooks>,
}

/// When the signatures of an accepted request come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signing {
    Now,
    Later,
}

/// HTTP status, error word and description.
type Refusal = (u16, &'static str, String);

impl FakeIssuer {
    /// Issuers with the same `name` have the same keys.
    pub(crate) fn new(name: &str, url: &str, suite: CipherSuite, denominations: &[u64]) -> Self {
        Self::with_cdd_serial(1, name, url, suite, denominations)
    }

    /// Makes an issuer whose first CDD has this serial. The CDD's divisor depends on the serial.
    pub(crate) fn with_cdd_serial(
        serial: u64,
        name: &str,
        url: &str,
        suite: CipherSuite,
        denominations: &[u64],
    ) -> Self {
        Self::with_additional_info(String::new(), serial, name, url, suite, denominations)
    }

    /// Makes an issuer with a public log, which has its mint keys already.
    pub(crate) fn with_log(name: &str, url: &str, suite: CipherSuite, denominations: &[u64]) -> Self {
        let log = FakeLog::new();
        let block = log.block(url);
        Self::with_block(log, &block, name, url, suite, denominations)
    }

    /// Makes an issuer with a public log, and an auditor who makes the joint signature.
    pub(crate) fn with_auditor(name: &str, url: &str, suite: CipherSuite, denominations: &[u64]) -> Self {
        let log = FakeLog::new();
        let block = log.block_with_auditor(url);
        Self::with_block(log, &block, name, url, suite, denominations)
    }

    fn with_block(
        mut log: FakeLog,
        block: &str,
        name: &str,
        url: &str,
        suite: CipherSuite,
        denominations: &[u64],
    ) -> Self {
        let info = format!("A currency with a log.\n\n{block}");
        let mut issuer = Self::with_additional_info(info, 1, name, url, suite, denominations);
        let mkcs: Vec<Mkc> = issuer
            .mint_keys
            .iter()
            .map(|(key, _)| key.mkc().clone())
            .collect();
        log.enter_keys(&mkcs, begin());
        issuer.log = Some(Mutex::new(log));
        issuer
    }

    fn with_additional_info(
        additional_info: String,
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
        cdd.additional_info = additional_info;
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
            state: Mutex::default(),
            log: None,
            later_mkcs: Mutex::default(),
            names_coins: AtomicBool::new(true),
            keys: Mutex::default(),
        }
    }

    /// Publishes a new CDD with another URL and other denominations. Mint key certificates do not change.
    pub(crate) fn publish(&self, serial: u64, url: &str, denominations: &[u64]) {
        self.publish_with(String::new(), serial, url, denominations);
    }

    /// Publishes a new CDD that names another promise key.
    pub(crate) fn change_promise_key(&self, serial: u64) {
        self.log().change_promise_key();
        let (url, denominations) = (&self.cddc.cdd().cdd_location, &self.cddc.cdd().denominations);
        let info = self.log().block(url);
        self.publish_with(info, serial, url, denominations);
    }

    fn publish_with(&self, additional_info: String, serial: u64, url: &str, denominations: &[u64]) {
        let cddc = self.description(additional_info, serial, url, denominations);
        self.later_cddcs.lock().unwrap().push(cddc);
    }

    /// Returns a CDD of the currency that nobody has published.
    pub(crate) fn description(
        &self,
        additional_info: String,
        serial: u64,
        url: &str,
        denominations: &[u64],
    ) -> VerifiedCddc {
        let first = self.cddc.cdd();
        let suite = self.cddc.cipher_suite();
        let mut cdd = cdd(&first.currency_name, url, suite, denominations, &self.master_key);
        cdd.cdd_serial = serial;
        cdd.additional_info = additional_info;
        sign_cddc(cdd, &self.master_key, &mut ChaCha20Rng::seed_from_u64(1)).unwrap()
    }

    /// Publishes CDDs with these serials and certifies the first mint key under each of them.
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

    /// Revokes the mint key of this denomination and generation.
    pub(crate) fn revoke(&self, denomination: u64, generation: i64) {
        let begin = begin() + TimeDelta::days(generation * SIGNING_DAYS);
        let is_meant =
            |key: &MintKey| key.denomination == denomination && key.sign_coins_not_before.to_utc() == begin;
        let keys = self.mint_keys.iter().map(|(key, _)| key.mint_key());
        let keys = keys.filter(|key| is_meant(key)).map(|key| key.id.clone());
        self.state().stopped.extend(keys);
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, IssuerState> {
        self.state.lock().unwrap()
    }

    pub(crate) fn has_log(&self) -> bool {
        self.log.is_some()
    }

    /// Returns the public log.
    pub(crate) fn log(&self) -> MutexGuard<'_, FakeLog> {
        self.log.as_ref().expect("a currency with a log").lock().unwrap()
    }

    /// Adds the promise to the answer of an accepted request.
    fn with_promise(&self, body: &str, now: DateTime<Utc>, answer: HttpAnswer) -> HttpAnswer {
        if self.log.is_some() && answer.error_word.as_deref() == Some("double-spend") {
            return self.with_log_index(body, answer);
        }
        if self.log.is_none() || ![200, 202].contains(&answer.status) {
            return answer;
        }
        let (blinds, coins, is_new) = match Request::from_json(body.as_bytes()).unwrap() {
            Request::RequestMint(request) => (request.blinds, Vec::new(), true),
            Request::RequestRenew(request) => (request.blinds, request.coins, true),
            Request::RequestRedeem(request) => (Vec::new(), request.coins, true),
            Request::RequestRecoup(request) => (request.blinds, Vec::new(), true),
            Request::RequestResume(request) => {
                let (_, blinds) = self.state().accepted[&request.transaction_reference].clone();
                (blinds, Vec::new(), false)
            }
            _ => return answer,
        };
        let leaves = self.leaves_of(&blinds, &coins);
        HttpAnswer {
            log_promise: self.log().promise(&leaves, now, is_new),
            ..answer
        }
    }

    /// Adds the index of the leaf of the first refused coin, if it is published.
    fn with_log_index(&self, body: &str, answer: HttpAnswer) -> HttpAnswer {
        let coins = match Request::from_json(body.as_bytes()).unwrap() {
            Request::RequestRenew(request) => request.coins,
            Request::RequestRedeem(request) => request.coins,
            _ => Vec::new(),
        };
        let named = answer
            .coins
            .as_deref()
            .and_then(|text| opencoin_api::read_coin_indices(text, coins.len()));
        let first = named.and_then(|named| coins.get(*named.first()?).cloned());
        let leaves = self.leaves_of(&[], first.as_slice());
        let log_index = leaves.first().and_then(|leaf| self.log().index_of(leaf));
        HttpAnswer { log_index, ..answer }
    }

    /// Returns the leaves of a request.
    pub(crate) fn leaves_of(&self, blinds: &[Blind], coins: &[Coin]) -> Vec<Vec<u8>> {
        let log = self.log();
        let mut leaves = Vec::new();
        for blind in blinds {
            let key = self.key(&blind.mint_key_id).unwrap().0.public_key();
            let fingerprint = KeyFingerprint::of(key.document());
            let digest = IssuedDigest::of(&fingerprint, key.modulus_bytes(), &blind.blinded_payload_hash);
            leaves.push(issued_leaf(log.key_no(&blind.mint_key_id), &digest.unwrap()).to_vec());
        }
        for coin in coins {
            let id = &coin.payload.mint_key_id;
            let fingerprint = KeyFingerprint::of(self.key(id).unwrap().0.public_key().document());
            let digest = SpentDigest::of(
                &fingerprint,
                &self.cddc.cipher_suite().payload_hash(&coin.payload),
            );
            leaves.push(spent_leaf(log.key_no(id), &digest).to_vec());
        }
        leaves
    }

    /// Returns the value of blinds.
    pub(crate) fn value_of(&self, blinds: &[Blind]) -> u64 {
        let values = blinds
            .iter()
            .map(|blind| self.key(&blind.mint_key_id).unwrap().0.mint_key().denomination);
        values.sum()
    }

    /// Whether a request with this reference was accepted.
    pub(crate) fn is_accepted(&self, reference: &BigInt) -> bool {
        self.state().accepted.contains_key(reference)
    }

    /// Returns the books of key accounts.
    pub(crate) fn keys(&self) -> MutexGuard<'_, KeyBooks> {
        self.keys.lock().unwrap()
    }

    fn current_cddc(&self) -> VerifiedCddc {
        let later = self.later_cddcs.lock().unwrap();
        later.last().unwrap_or(&self.cddc).clone()
    }

    /// Answers a GET.
    pub(crate) fn get(&self, url: &str, token: Option<&Secret>, now: DateTime<Utc>) -> HttpAnswer {
        if let Some((_, path)) = url.split_once("/v1/key-") {
            return self.get_keys(&format!("key-{path}"), now);
        }
        if url.ends_with("/v1/account/balance") {
            let balance = self.account(token.expect("an account needs a token").expose());
            return http(200, None, format!(r#"{{"balance": {balance}}}"#));
        }
        if let Some((_, path)) = url.split_once("/log/").filter(|_| self.log.is_some()) {
            let log = self.log();
            return match (path.strip_prefix("batches/"), path) {
                (Some(number), _) => log.batch(number.parse().unwrap()),
                (None, "keys") => log.keys(),
                (None, path) => log.get(path),
            };
        }
        if url.ends_with("/v1/mint-keys") {
            let key =
                |key: &(VerifiedMintKey, Arc<PrivateKey>)| format!(r#"{{"id": "{}"}}"#, key.0.mint_key().id);
            let keys: Vec<String> = self.mint_keys.iter().map(key).collect();
            return http(200, None, format!(r#"{{"mint_keys": [{}]}}"#, keys.join(", ")));
        }
        assert!(url.ends_with("/v1/revocations"), "the wallet gets nothing else");
        let key = |id: &BigInt| format!(r#"{{"id": "{id}", "reason": "stolen"}}"#);
        let keys: Vec<String> = self.state().stopped.iter().map(key).collect();
        http(200, None, format!(r#"{{"mint_keys": [{}]}}"#, keys.join(", ")))
    }

    pub(crate) fn credit(&self, token: &str, amount: u64) {
        *self.state().accounts.entry(token.to_owned()).or_default() += amount;
    }

    pub(crate) fn account(&self, token: &str) -> u64 {
        self.state().accounts.get(token).copied().unwrap_or(0)
    }

    /// Replaces the token of an account.
    pub(crate) fn change_token(&self, old: &str, new: &str) {
        let mut state = self.state();
        let balance = state.accounts.remove(old).unwrap();
        state.accounts.insert(new.to_owned(), balance);
        let redeemed = std::mem::take(&mut state.redeemed);
        let renamed = |token: String| if token == old { new.to_owned() } else { token };
        state.redeemed = redeemed
            .into_iter()
            .map(|(token, coins)| (renamed(token), coins))
            .collect();
    }

    /// Carries out one request.
    pub(crate) fn answer(
        &self,
        url: &str,
        on_behalf: OnBehalf<'_>,
        body: &str,
        now: DateTime<Utc>,
        signing: Signing,
    ) -> HttpAnswer {
        if let Some((_, path)) = url.split_once("/v1/key-") {
            return self.post_keys(&format!("key-{path}"), body, now);
        }
        let carry_out = |token: Option<&Secret>| {
            let answer = self.answer_without_log(token, body, now, signing);
            self.with_promise(body, now, answer)
        };
        match on_behalf {
            OnBehalf::Nobody | OnBehalf::Key(None) => carry_out(None),
            OnBehalf::Account(token) => carry_out(Some(token)),
            OnBehalf::Key(Some(order)) => self.by_order(order, body, now, |token| carry_out(Some(token))),
        }
    }

    fn answer_without_log(
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
            Ok(_) if signing == Signing::Later => delay(),
            Ok(blinds) => ok(&ResponseMint {
                blind_signatures: blinds.iter().map(|blind| self.sign(blind)).collect(),
                message_reference: 0,
                status_code: 200,
                status_description: "ok".to_owned(),
            }),
            Err(refusal) => self.refused(refusal),
        };
        match Request::from_json(body.as_bytes()).expect("the wallet sends what the specification knows") {
            Request::RequestCddc(request) => {
                let later = self.later_cddcs.lock().unwrap();
                let wanted = |cddc: &&VerifiedCddc| [0, cddc.cdd().cdd_serial].contains(&request.cdd_serial);
                let found = later.iter().rev().chain([&self.cddc]).find(wanted);
                // The first mint keys are certified under serial 1, whatever serial the first CDD has.
                ok(&ResponseCddc {
                    cddc: Some(found.unwrap_or(&self.cddc).cddc().clone()),
                    message_reference,
                    status_code,
                    status_description,
                })
            }
            Request::RequestMintKeyCertificates(request) => ok(&ResponseMintKeyCertificates {
                keys: self.certificates(&request, now),
                message_reference,
                status_code,
                status_description,
            }),
            Request::RequestMint(request) => signed(
                self.mint(token, body, request.transaction_reference, request.blinds, now),
                false,
            ),
            Request::RequestRenew(request) => signed(self.renew(body, request, now), false),
            Request::RequestResume(request) => {
                let state = self.state();
                let accepted = state.accepted.get(&request.transaction_reference).cloned();
                drop(state);
                let unknown = (404, "not-found", "no such reference".to_owned());
                signed(accepted.map(|(_, blinds)| blinds).ok_or(unknown), true)
            }
            Request::RequestRedeem(request) => match self.redeem(token, &request.coins, now) {
                Ok(()) => ok(&ResponseRedeem {
                    message_reference,
                    status_code,
                    status_description,
                }),
                Err(refusal) => self.refused(refusal),
            },
            Request::RequestRecoup(request) => signed(self.recoup(body, request, now), false),
            Request::RequestCddSerial(_) => ok(&ResponseCddSerial {
                cdd_serial: self.current_cddc().cdd().cdd_serial,
                message_reference,
                status_code,
                status_description,
            }),
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
                && !self.state().stopped.contains(&mint_key.id);
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
        let state = &mut *self.state();
        let token = token.map(Secret::expose).unwrap_or_default();
        let balance = *state
            .accounts
            .get(token)
            .ok_or((401, "unauthorized", "no such token".to_owned()))?;
        if let Some(answer) = repeated(state, &reference, body) {
            return answer;
        }
        let worth = self.worth(state, &blinds, now)?;
        let left =
            balance
                .checked_sub(worth)
                .ok_or((402, "insufficient-funds", format!("{balance} of {worth}")))?;
        state.accounts.insert(token.to_owned(), left);
        Ok(accept(state, body, reference, blinds))
    }

    fn renew(&self, body: &str, request: RequestRenew, now: DateTime<Utc>) -> Result<Vec<Blind>, Refusal> {
        let state = &mut *self.state();
        if let Some(answer) = repeated(state, &request.transaction_reference, body) {
            return answer;
        }
        let (value, hashes) = self.unspent(state, &request.coins, now)?;
        self.check_value(state, &request.blinds, value, now)?;
        state.spent.extend(hashes);
        Ok(accept(state, body, request.transaction_reference, request.blinds))
    }

    fn recoup(&self, body: &str, request: RequestRecoup, now: DateTime<Utc>) -> Result<Vec<Blind>, Refusal> {
        let state = &mut *self.state();
        if let Some(answer) = repeated(state, &request.transaction_reference, body) {
            return answer;
        }
        check_count(request.coins.len())?;
        let transactions = request.coins.iter().map(|coin| &coin.transaction_reference);
        let transactions = transactions.collect::<BTreeSet<&BigInt>>().len();
        assert!(
            transactions <= TRANSACTIONS_MAX,
            "{transactions} transactions are too many"
        );
        let (mut value, mut keys, mut spent, mut recouped) = (0, Vec::new(), Vec::new(), Vec::new());
        for (index, coin) in request.coins.iter().enumerate() {
            let invalid = |what: &str| (422, "invalid", format!("coins[{index}]: {what}"));
            let (key, blind) = self
                .opened(state, coin)
                .ok_or_else(|| invalid("not a blind that was accepted"))?;
            if now > key.coins_expiry_date.to_utc() || !state.stopped.contains(&key.id) {
                return Err(invalid("expired, or not revoked"));
            }
            value += key.denomination;
            let hash = self.cddc.cipher_suite().payload_hash(&coin.payload);
            let hash = hash.as_bytes().to_vec();
            if state.spent.contains(&hash) {
                spent.push(index);
            }
            if [&blind, &hash].iter().any(|key| state.recouped.contains(*key)) {
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
        self.check_value(state, &request.blinds, value, now)?;
        let count = keys.len();
        let before = state.recouped.len();
        state.recouped.extend(keys);
        assert_eq!(
            state.recouped.len(),
            before + count,
            "the wallet names each coin once"
        );
        Ok(accept(state, body, request.transaction_reference, request.blinds))
    }

    /// Returns the mint key and the blind of a recouped coin if its seed is a valid proof.
    fn opened(&self, state: &IssuerState, coin: &RevealedCoin) -> Option<(&MintKey, Vec<u8>)> {
        let (_, blinds) = state.accepted.get(&coin.transaction_reference)?;
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

    /// Returns the accepted blinds that may be signed. A resume gets a part of them if need be.
    fn not_stopped(&self, blinds: Vec<Blind>, is_resume: bool) -> Result<Vec<Blind>, Refusal> {
        let state = self.state();
        let (stopped, good): (Vec<Blind>, Vec<Blind>) = blinds
            .into_iter()
            .partition(|blind| state.stopped.contains(&blind.mint_key_id));
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
        let state = &mut *self.state();
        let token = token.map(Secret::expose).unwrap_or_default().to_owned();
        let balance = *state
            .accounts
            .get(&token)
            .ok_or((401, "unauthorized", "no such token".to_owned()))?;
        let content = (token.clone(), text::compact(coins));
        if state.redeemed.contains(&content) {
            return Ok(());
        }
        let (value, hashes) = self.unspent(state, coins, now)?;
        state.spent.extend(hashes);
        state.redeemed.insert(content);
        state.accounts.insert(token, balance + value);
        Ok(())
    }

    /// Returns the value and the hashes of unspent coins.
    fn unspent(
        &self,
        state: &IssuerState,
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
            if state.stopped.contains(&coin.payload.mint_key_id) {
                return Err((410, "key-revoked", "a coin of a stopped key".to_owned()));
            }
            if now > key.mint_key().coins_expiry_date.to_utc() {
                return Err((410, "key-expired", "coins past their expiry".to_owned()));
            }
            value += key.mint_key().denomination;
            hashes.push(hash);
        }
        let refuses = self
            .log
            .as_ref()
            .is_some_and(|log| log.lock().unwrap().misdeed == Some(Misdeed::Refusal));
        let spent: Vec<usize> = (0..hashes.len())
            .filter(|index| refuses || state.spent.contains(&hashes[*index]))
            .collect();
        if spent.is_empty() {
            Ok((value, hashes))
        } else {
            Err((409, "double-spend", named("spent", &spent)))
        }
    }

    fn worth(&self, state: &IssuerState, blinds: &[Blind], now: DateTime<Utc>) -> Result<u64, Refusal> {
        check_count(blinds.len())?;
        let mut references = BTreeSet::new();
        let mut worth = 0;
        for blind in blinds {
            assert!(
                references.insert(&blind.reference),
                "the same blind reference twice"
            );
            let key = self.key(&blind.mint_key_id)?.0.mint_key();
            if state.stopped.contains(&blind.mint_key_id) {
                return Err((410, "key-revoked", "a stopped key signs nothing".to_owned()));
            }
            if now < key.sign_coins_not_before.to_utc() || now > key.sign_coins_not_after.to_utc() {
                return Err((410, "key-expired", "outside the signing window".to_owned()));
            }
            worth += key.denomination;
        }
        Ok(worth)
    }

    fn check_value(
        &self,
        state: &IssuerState,
        blinds: &[Blind],
        value: u64,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        if self.worth(state, blinds, now)? == value {
            Ok(())
        } else {
            Err((422, "invalid", "value in and out differ".to_owned()))
        }
    }

    fn key(&self, id: &BigInt) -> Result<&(VerifiedMintKey, Arc<PrivateKey>), Refusal> {
        let key = self.mint_keys.iter().find(|(key, _)| key.public_key().id() == id);
        key.ok_or((422, "invalid", "unknown mint key".to_owned()))
    }

    /// Mints a coin with a chosen payload, paid with this token.
    pub(crate) fn mint_payload(&self, payload: &Payload, token: &str) -> Coin {
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
        *self.state().accounts.get_mut(token).unwrap() -= key.mint_key().denomination;
        suite
            .finish(key.public_key(), payload, &signed.blind_signature, &unblinder)
            .unwrap()
    }

    /// Makes a refusal. If the description ends with the refused coins, a header names them.
    fn refused(&self, (status, word, description): Refusal) -> HttpAnswer {
        let coins = description
            .split_once(NAMED_AFTER)
            .map(|(_, coins)| coins.to_owned());
        let body = text::compact(&ResponseRedeem {
            message_reference: 0,
            status_code: status,
            status_description: format!("{word}: {description}"),
        });
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

fn ok(response: &impl serde::Serialize) -> HttpAnswer {
    http(200, None, text::compact(response))
}

/// The answer to a request that is signed later.
pub(crate) fn delay() -> HttpAnswer {
    let response = ResponseDelay {
        message_reference: 0,
        status_code: 300,
        status_description: "later".to_owned(),
    };
    http(202, None, text::compact(&response))
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

fn repeated(state: &IssuerState, reference: &BigInt, body: &str) -> Option<Result<Vec<Blind>, Refusal>> {
    let (first, blinds) = state.accepted.get(reference)?;
    Some(if first == body {
        Ok(blinds.clone())
    } else {
        Err((409, "reference-conflict", "other content".to_owned()))
    })
}

/// Stores an accepted request and returns its blinds.
fn accept(state: &mut IssuerState, body: &str, reference: BigInt, blinds: Vec<Blind>) -> Vec<Blind> {
    state
        .accepted
        .insert(reference, (body.to_owned(), blinds.clone()));
    blinds
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
