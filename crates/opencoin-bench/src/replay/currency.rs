//! The currency whose log is replayed: its certificates, and the keys of its log and of two witnesses.
//!
//! Its RSA keys are new in each run, all else comes from a fixed seed. Nothing of it is secret: the log is invented.

use anyhow::{Context, Result};
use chrono::DateTime;
use opencoin_crypto::{CipherSuite, PrivateKey, VerifiedCddc, sign_cddc, sign_mint_key_certificate};
use opencoin_log::checkpoint::Checkpoint;
use opencoin_log::hash::Hash;
use opencoin_log::key::{KeyType, SEED_BYTES, SigningKey};
use opencoin_log::log_block::LogBlock;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_schema::{Cdd, MintKey, Mkc, PROTOCOL_VERSION, Timestamp, WeightedUrl};
use rand::{CryptoRng, RngCore};
use zeroize::Zeroizing;

/// When the log begins, in seconds since 1970: in the past, or else nobody would believe it.
pub(super) const LOG_BEGIN_S: u64 = 1_700_000_000;
/// A key of each is in every generation of mint keys.
pub(super) const DENOMINATIONS: [u64; 8] = [1, 2, 5, 10, 20, 50, 100, 200];

const ORIGIN: &str = "bench.example/log";
/// The URL in the documents. It is never used.
const URL: &str = "http://127.0.0.1";
const WITNESSES: [&str; 2] = ["w1", "w2"];
const WITHIN_S: u32 = 3600;
const BATCHES: u32 = 2;
const MASTER_KEY_BITS: usize = 2048;
const MINT_KEY_BITS: usize = 2048;
/// A century: no coin expires, so that the index of spent coins forgets nothing.
const LIFETIME_S: u64 = 100 * 365 * 24 * 3600;

/// The currency and its keys.
pub(super) struct LoggedCurrency {
    master_key: PrivateKey,
    cddc: VerifiedCddc,
    log_key: SigningKey,
    witnesses: Vec<SigningKey>,
}

impl LoggedCurrency {
    pub(super) fn new(rng: &mut (impl RngCore + CryptoRng)) -> Result<Self> {
        let mut key = |name: &str, key_type| {
            let mut seed = Zeroizing::new([0; SEED_BYTES]);
            rng.fill_bytes(seed.as_mut());
            anyhow::Ok(SigningKey::from_seed(name.parse()?, key_type, &seed)?)
        };
        let log_key = key(ORIGIN, KeyType::Ed25519Note)?;
        let promise_key = key(&format!("{ORIGIN}/promise"), KeyType::Ed25519Promise)?;
        let witnesses = WITNESSES
            .iter()
            .map(|name| key(&format!("witness.example/{name}"), KeyType::Ed25519Cosignature))
            .collect::<Result<Vec<_>>>()?;
        let policy = policy(&log_key, &witnesses).parse()?;
        let promise_key = promise_key.verifier().clone();
        let block = LogBlock::new(promise_key, WITHIN_S, BATCHES, None, policy)?;
        let master_key = PrivateKey::generate(MASTER_KEY_BITS)?;
        let cdd = cdd(&master_key, block.to_string())?;
        Ok(Self {
            cddc: sign_cddc(cdd, &master_key, rng)?,
            master_key,
            log_key,
            witnesses,
        })
    }

    pub(super) fn cddc(&self) -> &VerifiedCddc {
        &self.cddc
    }

    pub(super) fn origin(&self) -> &'static str {
        ORIGIN
    }

    pub(super) fn within_s(&self) -> u32 {
        WITHIN_S
    }

    /// A new mint key that signs in this time, with its certificate.
    pub(super) fn mint_key(
        &self,
        denomination: u64,
        (from_s, until_s): (u64, u64),
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Mkc> {
        let key = PrivateKey::generate(MINT_KEY_BITS)?;
        let public = key.public_key();
        let mint_key = MintKey {
            cdd_serial: self.cddc.cdd().cdd_serial,
            coins_expiry_date: date(LOG_BEGIN_S + LIFETIME_S)?,
            denomination,
            id: public.id().clone(),
            issuer_id: self.master_key.public_key().id().clone(),
            public_mint_key: public.document().clone(),
            sign_coins_not_after: date(until_s)?,
            sign_coins_not_before: date(from_s)?,
        };
        let certified = sign_mint_key_certificate(mint_key, &self.cddc, &self.master_key, rng)?;
        Ok(certified.mkc().clone())
    }

    /// The checkpoint of a tree, signed by the log and cosigned by the witnesses.
    pub(super) fn checkpoint(&self, size: u64, root: Hash, time_s: u64) -> Result<SignedCheckpoint> {
        let mut signed = SignedCheckpoint::new(Checkpoint::new(ORIGIN, size, root)?)?;
        for key in [&self.log_key].into_iter().chain(&self.witnesses) {
            signed.sign(key, time_s)?;
        }
        Ok(signed)
    }
}

fn policy(log_key: &SigningKey, witnesses: &[SigningKey]) -> String {
    let mut text = format!("log {} {URL}/log\n", log_key.verifier());
    for (name, witness) in WITNESSES.iter().zip(witnesses) {
        text += &format!("witness {name} {}\n", witness.verifier());
    }
    text + &format!("group all all {}\nquorum all\n", WITNESSES.join(" "))
}

fn cdd(master_key: &PrivateKey, additional_info: String) -> Result<Cdd> {
    let service = || vec![WeightedUrl(1, URL.to_owned())];
    Ok(Cdd {
        additional_info,
        cdd_expiry_date: date(LOG_BEGIN_S + LIFETIME_S)?,
        cdd_location: format!("{URL}/cddc"),
        cdd_serial: 1,
        cdd_signing_date: date(LOG_BEGIN_S)?,
        currency_divisor: 1,
        currency_name: "Bench".to_owned(),
        denominations: DENOMINATIONS.to_vec(),
        id: master_key.public_key().id().clone(),
        info_service: service(),
        issuer_cipher_suite: CipherSuite::default().name().to_owned(),
        issuer_public_master_key: master_key.public_key().document().clone(),
        mint_service: service(),
        protocol_version: PROTOCOL_VERSION.to_owned(),
        redeem_service: service(),
        renew_service: service(),
    })
}

fn date(seconds: u64) -> Result<Timestamp> {
    let time = DateTime::from_timestamp(i64::try_from(seconds)?, 0);
    Ok(Timestamp::from_utc(time.context("a time that no calendar has")?))
}
