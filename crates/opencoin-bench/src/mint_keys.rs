//! The mint keys of a run. They are generated in the engine's key store, certified by a temporary master key, and
//! destroyed at the end. A killed run leaves its keys in a token.

use std::fs;
use std::sync::Arc;

use anyhow::{Context, Result};
use chrono::TimeDelta;
use opencoin_config::Config;
use opencoin_crypto::{
    CipherSuite, KeyPrimes, KeyStore, KeyStoreError, PrivateKey, PublicKey, Signer, VerifiedCddc, sign_cddc,
    sign_mint_key_certificate,
};
use opencoin_keys::{
    Clock, Cosigners, Directory, LogKeys, SignedCertificates, SystemClock, describe_log, log_origin, with_log,
};
use opencoin_ledger::MintKeyId;
use opencoin_schema::{BigInt, Cdd, MintKey, PROTOCOL_VERSION, Timestamp, WeightedUrl};
use opencoin_terminal::output;
use opencoin_terminal::progress::ProgressBar;
use rand::rngs::OsRng;

use super::engine::EngineSettings;

/// The master key signs a few certificates and is then dropped.
const MASTER_KEY_BITS: usize = 2048;
/// The URL in the documents. It is never used.
const URL: &str = "http://127.0.0.1";
/// The lifetime of keys and documents, much longer than any run.
const LIFETIME: TimeDelta = TimeDelta::days(30);

/// A kind of mint key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyKind {
    pub(super) bits: usize,
    pub(super) primes: KeyPrimes,
}

/// One mint key.
pub(super) struct SigningKey {
    pub(super) kind: KeyKind,
    pub(super) public: PublicKey,
    pub(super) denomination: u64,
    pub(super) ledger_id: MintKeyId,
}

/// The mint keys and the CDDC of the currency.
pub(super) struct MintKeys {
    pub(super) cddc: VerifiedCddc,
    /// One of each size.
    pub(super) keys: Vec<SigningKey>,
    /// Signs for the load generator, without the issuer and the books.
    pub(super) signer: Arc<dyn Signer>,
    private_halves: PrivateHalves,
}

impl MintKeys {
    /// Generates a key of each kind, and creates the folder of their currency and, if it has one, of its public log.
    pub(super) fn make(
        directory: &Directory,
        config: &Config,
        engine: &EngineSettings,
        kinds: &[KeyKind],
        log: Option<&Cosigners>,
    ) -> Result<Self> {
        // Opened first, so that a wrong PIN is found at once.
        let mut private_halves = PrivateHalves {
            store: engine.open(directory, config)?,
            made: Vec::new(),
        };
        let progress = ProgressBar::new("making keys");
        let master_key = PrivateKey::generate(MASTER_KEY_BITS)?;
        let mut cdd = cdd(&master_key, kinds.len());
        // The folder of the currency does not exist yet.
        let log_folder = directory.root().with_extension("log");
        if let Some(log) = log {
            let keys = LogKeys::create(&log_folder, &log_origin(URL)?, engine.secret().1, &mut OsRng)?;
            let block = describe_log(&keys, URL, log)?;
            cdd.additional_info = with_log("", Some(&block));
        }
        let cddc = sign_cddc(cdd, &master_key, &mut OsRng)?;
        let (mut keys, mut mkcs) = (Vec::new(), Vec::new());
        for (made, (denomination, kind)) in (1..).zip(kinds).enumerate() {
            progress.set(made + 1, kinds.len() + 1);
            let public = private_halves
                .generate(kind.bits, kind.primes)
                .with_context(|| format!("a mint key of {} bits", kind.bits))?;
            let mint_key = mint_key(&cddc, &public, denomination);
            mkcs.push(
                sign_mint_key_certificate(mint_key, &cddc, &master_key, &mut OsRng)?
                    .mkc()
                    .clone(),
            );
            let ledger_id = MintKeyId::from_be_bytes(public.id().as_be_bytes())?;
            keys.push(SigningKey {
                kind: *kind,
                public,
                denomination,
                ledger_id,
            });
        }
        directory.create(config, &SignedCertificates::new(Some(cddc.cddc().clone()), mkcs))?;
        if log.is_some() {
            fs::rename(&log_folder, directory.log_folder()).context("cannot move the keys of the log")?;
        }
        let signer = private_halves.store.signer()?;
        Ok(Self {
            cddc,
            keys,
            signer,
            private_halves,
        })
    }

    /// Destroys the private halves.
    pub(super) fn destroy(mut self) -> Result<()> {
        self.private_halves
            .destroy()
            .context("the mint keys of this run are left in their token; destroy them with its own tool")
    }
}

/// The generated private halves. Dropping it destroys them.
struct PrivateHalves {
    store: Box<dyn KeyStore>,
    made: Vec<BigInt>,
}

impl PrivateHalves {
    fn generate(&mut self, bits: usize, primes: KeyPrimes) -> Result<PublicKey, KeyStoreError> {
        let key = self.store.generate(bits, primes)?;
        self.made.push(key.id().clone());
        Ok(key)
    }

    /// Tries to destroy each of them once.
    fn destroy(&mut self) -> Result<(), KeyStoreError> {
        let destroyed: Vec<_> = self.made.drain(..).map(|id| self.store.destroy(&id)).collect();
        destroyed
            .into_iter()
            .try_for_each(|destroyed| destroyed.map(drop))
    }
}

impl Drop for PrivateHalves {
    fn drop(&mut self) {
        if let Err(error) = self.destroy() {
            output::complain(&format!("the mint keys of this run are not destroyed: {error}"));
        }
    }
}

fn cdd(master_key: &PrivateKey, denominations: usize) -> Cdd {
    let service = vec![WeightedUrl(1, URL.to_owned())];
    let now = SystemClock.now();
    Cdd {
        additional_info: String::new(),
        cdd_expiry_date: Timestamp::from_utc(now + LIFETIME),
        cdd_location: format!("{URL}/cddc"),
        cdd_serial: 1,
        cdd_signing_date: Timestamp::from_utc(now),
        currency_divisor: 1,
        currency_name: "Bench".to_owned(),
        denominations: (1..).take(denominations).collect(),
        id: master_key.public_key().id().clone(),
        info_service: service.clone(),
        issuer_cipher_suite: CipherSuite::default().name().to_owned(),
        issuer_public_master_key: master_key.public_key().document().clone(),
        mint_service: service.clone(),
        protocol_version: PROTOCOL_VERSION.to_owned(),
        redeem_service: service.clone(),
        renew_service: service,
    }
}

fn mint_key(cddc: &VerifiedCddc, key: &PublicKey, denomination: u64) -> MintKey {
    let signing_date = cddc.cdd().cdd_signing_date;
    MintKey {
        cdd_serial: cddc.cdd().cdd_serial,
        coins_expiry_date: Timestamp::from_utc(signing_date.to_utc() + LIFETIME),
        denomination,
        id: key.id().clone(),
        issuer_id: cddc.master_key().id().clone(),
        public_mint_key: key.document().clone(),
        sign_coins_not_after: Timestamp::from_utc(signing_date.to_utc() + LIFETIME / 2),
        sign_coins_not_before: signing_date,
    }
}
