//! Making a new currency: master key, CDDC, one mint key for each denomination.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_crypto::{
    CertificateError, CipherSuite, KEY_BITS_MAX, KeyError, MINT_KEY_BITS_MIN, PrivateKey, VerifiedCddc, sign_cddc,
    sign_mint_key_certificate,
};
use opencoin_ledger::Amount;
use opencoin_schema::{Cdd, MintKey, Mkc, PROTOCOL_VERSION, Timestamp, WeightedUrl};
use rand::{CryptoRng, RngCore};
use thiserror::Error;

use crate::clock::Clock;
use crate::config::Config;
use crate::directory::{Directory, DirectoryError, NewDirectory};
use crate::store;

/// The master key signs few documents and lives long, so it is never smaller than this.
const MASTER_KEY_BITS_MIN: usize = 3072;
/// How long the first mint keys sign.
const SIGNING_WINDOW: TimeDelta = TimeDelta::days(365);
/// How long coins are taken back after their key has stopped signing.
const COINS_GRACE: TimeDelta = TimeDelta::days(100);
/// How long the CDD holds.
const CDD_LIFETIME: TimeDelta = TimeDelta::days(3650);
/// Clocks of wallets may be behind by this much without finding a document from the future.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);
/// The first CDD's serial.
const FIRST_CDD_SERIAL: u64 = 1;
/// The weight of the only URL of each service.
const URL_WEIGHT: i64 = 10;
/// The most denominations: one mint key is made for each.
const DENOMINATIONS_MAX: usize = 64;

/// What an operator decides about a new currency.
#[derive(Debug, Clone)]
pub struct NewCurrency {
    /// Its name.
    pub name: String,
    /// How many of the smallest unit make one of `name`.
    pub divisor: u64,
    /// The values of coins, in the smallest unit.
    pub denominations: Vec<u64>,
    /// Where wallets reach the issuer.
    pub url: String,
    /// How coins are made.
    pub cipher_suite: CipherSuite,
    /// The size of mint keys.
    pub key_bits: usize,
    /// Where the books will be, and where to listen.
    pub config: Config,
}

/// Why a currency was not made.
#[derive(Debug, Error)]
pub enum CreateError {
    /// A decision that cannot be carried out.
    #[error("{field}: {reason}")]
    Setting {
        /// Which.
        field: &'static str,
        /// Why not.
        reason: String,
    },
    /// A key could not be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A document could not be signed.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The folder could not be written.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

impl NewCurrency {
    /// Checks the decisions.
    ///
    /// # Errors
    /// Names the first that cannot be carried out.
    pub fn check(&self) -> Result<(), CreateError> {
        let refuse = |field, reason: &str| Err(CreateError::Setting { field, reason: reason.to_owned() });
        if self.name.trim().is_empty() {
            return refuse("name", "give the currency a name");
        }
        if self.divisor == 0 {
            return refuse("divisor", "must be at least 1");
        }
        if self.denominations.is_empty() || self.denominations.len() > DENOMINATIONS_MAX {
            return refuse("denominations", "name between 1 and 64 values, for example 1,2,5,10");
        }
        let distinct: BTreeSet<&u64> = self.denominations.iter().collect();
        let fit = self.denominations.iter().all(|value| *value > 0 && Amount::new(*value).is_ok());
        if distinct.len() != self.denominations.len() || !fit {
            return refuse("denominations", "must be different whole numbers of at least 1");
        }
        if !(self.url.starts_with("http://") || self.url.starts_with("https://")) || self.url.contains(char::is_whitespace) {
            return refuse("url", "must begin with http:// or https://");
        }
        if !store::is_address(&self.config.database) {
            return refuse("database", store::ADDRESS_FORMS);
        }
        if !(MINT_KEY_BITS_MIN..=KEY_BITS_MAX).contains(&self.key_bits) || !self.key_bits.is_multiple_of(64) {
            return refuse("key-bits", "must be 2048 to 8192, in steps of 64; 2048, 3072 and 4096 are usual");
        }
        Ok(())
    }
}

/// Makes the currency and writes it into `directory`. `progress` hears how many of how many keys are made.
///
/// # Errors
/// When a decision cannot be carried out or the folder cannot be written; then nothing is left behind.
pub fn create(
    new: &NewCurrency,
    directory: &Directory,
    clock: &dyn Clock,
    rng: &mut (impl RngCore + CryptoRng),
    progress: &mut dyn FnMut(usize, usize),
) -> Result<VerifiedCddc, CreateError> {
    new.check()?;
    directory.check_vacant()?;
    let keys_total = new.denominations.len() + 1;
    progress(0, keys_total);
    let master_key = PrivateKey::generate(new.key_bits.max(MASTER_KEY_BITS_MIN), rng)?;
    progress(1, keys_total);
    let now = clock.now();
    let cddc = sign_cddc(cdd(new, &master_key, now), &master_key, rng)?;
    let mut mint_keys: Vec<(Mkc, PrivateKey)> = Vec::new();
    for (made, denomination) in cddc.cdd().denominations.iter().enumerate() {
        let key = PrivateKey::generate(new.key_bits, rng)?;
        let mint_key = mint_key(&cddc, &key, *denomination, now);
        let verified = sign_mint_key_certificate(mint_key, &cddc, &master_key, rng)?;
        mint_keys.push((verified.mkc().clone(), key));
        progress(made + 2, keys_total);
    }
    directory.create(&NewDirectory { config: &new.config, cddc: cddc.cddc(), master_key: &master_key, mint_keys: &mint_keys })?;
    Ok(cddc)
}

fn cdd(new: &NewCurrency, master_key: &PrivateKey, now: DateTime<Utc>) -> Cdd {
    let url = new.url.trim_end_matches('/').to_owned();
    let service = vec![WeightedUrl(URL_WEIGHT, url.clone())];
    let mut denominations = new.denominations.clone();
    denominations.sort_unstable();
    Cdd {
        additional_info: String::new(),
        cdd_expiry_date: Timestamp::from_utc(now + CDD_LIFETIME),
        cdd_location: format!("{url}/cddc"),
        cdd_serial: FIRST_CDD_SERIAL,
        cdd_signing_date: Timestamp::from_utc(now - CLOCK_SKEW),
        currency_divisor: new.divisor,
        currency_name: new.name.clone(),
        denominations,
        id: master_key.public_key().id().clone(),
        info_service: service.clone(),
        issuer_cipher_suite: new.cipher_suite.name().to_owned(),
        issuer_public_master_key: master_key.public_key().document().clone(),
        mint_service: service.clone(),
        protocol_version: PROTOCOL_VERSION.to_owned(),
        redeem_service: service.clone(),
        renew_service: service,
    }
}

fn mint_key(cddc: &VerifiedCddc, key: &PrivateKey, denomination: u64, now: DateTime<Utc>) -> MintKey {
    MintKey {
        cdd_serial: cddc.cdd().cdd_serial,
        coins_expiry_date: Timestamp::from_utc(now + SIGNING_WINDOW + COINS_GRACE),
        denomination,
        id: key.public_key().id().clone(),
        issuer_id: cddc.master_key().id().clone(),
        public_mint_key: key.public_key().document().clone(),
        sign_coins_not_after: Timestamp::from_utc(now + SIGNING_WINDOW),
        sign_coins_not_before: Timestamp::from_utc(now - CLOCK_SKEW),
    }
}
