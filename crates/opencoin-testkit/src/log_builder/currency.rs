//! The keys and certificates of a currency with a log.

use std::sync::Arc;

use opencoin_crypto::{
    CipherSuite, PrivateKey, VerifiedCddc, VerifiedMintKey, sign_cddc, sign_mint_key_certificate,
};
use opencoin_log::key::{KeyType, SigningKey};
use opencoin_schema::{Cdd, MintKey, PROTOCOL_VERSION, Timestamp, WeightedUrl};

use super::LOG_BEGIN_S;
use crate::{keys, rng};

/// How long a promise takes by default, in seconds.
pub const WITHIN_S: u32 = 3600;
/// How long a mint key signs, in seconds.
pub const MINT_KEY_SIGNS_S: u64 = 90 * 24 * 3600;
/// How long its coins are taken, counted from its beginning, in seconds.
pub const MINT_KEY_TAKEN_S: u64 = 2 * MINT_KEY_SIGNS_S;

/// Seeds the salt of the signatures of descriptions.
const SALT: &str = "description of a log";
/// The batches after the first one that may have a promised leaf.
const BATCHES: u32 = 2;
const DENOMINATIONS: [u64; 3] = [1, 2, 5];
/// A century, so that no description expires.
const CDD_VALID_S: u64 = 100 * 365 * 24 * 3600;

/// What differs between the currencies of tests.
#[derive(Debug, Clone)]
pub struct LogTerms {
    /// When the log begins, in seconds since 1970.
    pub begin_s: u64,
    /// How long a promise takes, in seconds.
    pub within_s: u32,
    /// The auditors, each as `<key> <url>`, all of which sign jointly. None by default.
    pub auditors: Vec<String>,
}

impl Default for LogTerms {
    fn default() -> Self {
        Self {
            begin_s: LOG_BEGIN_S,
            within_s: WITHIN_S,
            auditors: Vec::new(),
        }
    }
}

/// A currency with a log and two witnesses, both of which must cosign.
pub struct LogCurrency {
    host: String,
    terms: LogTerms,
    master_key: Arc<PrivateKey>,
    cddc: VerifiedCddc,
    log_key: SigningKey,
    promise_key: SigningKey,
    witnesses: Vec<SigningKey>,
}

impl LogCurrency {
    /// The currency of the issuer with this host name, whose services are at this URL. The same host has the same keys.
    ///
    /// # Panics
    /// The host is too long for the label of a key.
    #[must_use]
    pub fn new(host: &str, url: &str) -> Self {
        Self::on_terms(host, url, LogTerms::default())
    }

    /// As [`Self::new`], on other terms.
    ///
    /// # Panics
    /// The host is too long for the label of a key.
    #[must_use]
    pub fn on_terms(host: &str, url: &str, terms: LogTerms) -> Self {
        let origin = format!("{host}/log");
        let seed = |number: u8| {
            let mut seed = [number; 32];
            for (byte, at) in host.bytes().zip(1..32) {
                seed[at] ^= byte;
            }
            seed
        };
        let key = |name: &str, key_type, number| {
            let name = name.parse().expect("a name of a key");
            SigningKey::from_seed(name, key_type, &seed(number).into()).expect("a seed")
        };
        let log_key = key(&origin, KeyType::Ed25519Note, 1);
        let promise_key = key(&format!("{origin}/promise"), KeyType::Ed25519Promise, 2);
        let witnesses: Vec<SigningKey> = [3, 4]
            .map(|number| key("witness.test", KeyType::Ed25519Cosignature, number))
            .into();
        let block = block(url, &terms, &promise_key, &log_key, &witnesses);
        let master_key = keys::private_key(&format!("{host} log master"));
        let cddc = certified(cdd(&master_key, url, &terms, block), &master_key, SALT);
        Self {
            host: host.to_owned(),
            terms,
            master_key,
            cddc,
            log_key,
            promise_key,
            witnesses,
        }
    }

    /// What the currency was made with.
    #[must_use]
    pub fn terms(&self) -> &LogTerms {
        &self.terms
    }

    /// The first description.
    #[must_use]
    pub fn cddc(&self) -> &VerifiedCddc {
        &self.cddc
    }

    /// Another description: the first one with a change, certified by the master key.
    #[must_use]
    pub fn described(&self, change: impl FnOnce(&mut Cdd)) -> VerifiedCddc {
        let mut cdd = self.cddc.cdd().clone();
        change(&mut cdd);
        certified(cdd, &self.master_key, SALT)
    }

    /// The first description with another signature of the master key.
    #[must_use]
    pub fn signed_again(&self) -> VerifiedCddc {
        certified(self.cddc.cdd().clone(), &self.master_key, "another salt")
    }

    /// The name of the log.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.log_key.verifier().name().as_str()
    }

    /// The key that signs checkpoints.
    #[must_use]
    pub fn log_key(&self) -> &SigningKey {
        &self.log_key
    }

    /// The key that signs promises.
    #[must_use]
    pub fn promise_key(&self) -> &SigningKey {
        &self.promise_key
    }

    /// The keys of the witnesses.
    #[must_use]
    pub fn witnesses(&self) -> &[SigningKey] {
        &self.witnesses
    }

    /// A mint key of a denomination of the currency. Keys with other numbers differ.
    #[must_use]
    pub fn mint_key(&self, number: usize, denomination: u64, from_s: u64) -> VerifiedMintKey {
        let key = self.private_key(number);
        let mint_key = MintKey {
            cdd_serial: self.cddc.cdd().cdd_serial,
            coins_expiry_date: date(from_s + MINT_KEY_TAKEN_S),
            denomination,
            id: key.public_key().id().clone(),
            issuer_id: self.master_key.public_key().id().clone(),
            public_mint_key: key.public_key().document().clone(),
            sign_coins_not_after: date(from_s + MINT_KEY_SIGNS_S),
            sign_coins_not_before: date(from_s),
        };
        let mut salt = rng::labelled("mint key of a log");
        let certified = sign_mint_key_certificate(mint_key, &self.cddc, &self.master_key, &mut salt);
        certified.expect("a key of this currency")
    }

    /// The private key of [`Self::mint_key`].
    #[must_use]
    pub fn private_key(&self, number: usize) -> Arc<PrivateKey> {
        keys::private_key(&format!("{} log {number}", self.host))
    }
}

fn block(
    url: &str,
    terms: &LogTerms,
    promise_key: &SigningKey,
    log_key: &SigningKey,
    witnesses: &[SigningKey],
) -> String {
    let [w1, w2] = [0, 1].map(|place: usize| witnesses[place].verifier().to_string());
    let (promise, log, within) = (promise_key.verifier(), log_key.verifier(), terms.within_s);
    let (mut joint, mut members, mut names) = ("", String::new(), String::new());
    for (auditor, number) in terms.auditors.iter().zip(1..) {
        joint = "joint auditors\n";
        members += &format!("witness a{number} {auditor}\n");
        names += &format!(" a{number}");
    }
    if !names.is_empty() {
        members += &format!("group auditors all{names}\n");
    }
    format!(
        "opencoin log v1\npromise {promise} within {within} batches {BATCHES}\n{joint}log {log} {url}/log\n\
         witness w1 {w1}\nwitness w2 {w2}\n{members}group all all w1 w2\nquorum all\n"
    )
}

fn certified(cdd: Cdd, master_key: &PrivateKey, salt: &str) -> VerifiedCddc {
    let mut salt = rng::labelled(salt);
    sign_cddc(cdd, master_key, &mut salt).expect("the description names this key")
}

fn cdd(master_key: &PrivateKey, url: &str, terms: &LogTerms, additional_info: String) -> Cdd {
    let service = || vec![WeightedUrl(10, url.to_owned())];
    Cdd {
        additional_info,
        cdd_expiry_date: date(terms.begin_s + CDD_VALID_S),
        cdd_location: url.to_owned(),
        cdd_serial: 1,
        cdd_signing_date: date(terms.begin_s),
        currency_divisor: 100,
        currency_name: "TestCent".to_owned(),
        denominations: DENOMINATIONS.to_vec(),
        id: master_key.public_key().id().clone(),
        info_service: service(),
        issuer_cipher_suite: CipherSuite::RsaSha384PssRfc9474.name().to_owned(),
        issuer_public_master_key: master_key.public_key().document().clone(),
        mint_service: service(),
        protocol_version: PROTOCOL_VERSION.to_owned(),
        redeem_service: service(),
        renew_service: service(),
    }
}

fn date(seconds: u64) -> Timestamp {
    let time = i64::try_from(seconds).expect("a time of this millennium");
    let time = chrono::DateTime::from_timestamp(time, 0).expect("a time of this millennium");
    Timestamp::from_utc(time)
}
