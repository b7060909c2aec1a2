//! Creating a currency: its keys, its first CDD, and its certificates if the master key is on this machine.

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_config::{ADDRESS_FORMS, CLOCK_SKEW, Config, is_address};
use opencoin_crypto::{CipherSuite, KeyStore, KeyStoreError};
use opencoin_log::log_block::LogBlock;
use opencoin_schema::{PROTOCOL_VERSION, Timestamp, WeightedUrl};
use opencoin_text::{IssuerUrl, IssuerUrlError};
use thiserror::Error;

use crate::clock::Clock;
use crate::currency::Currency;
use crate::directory::{Directory, DirectoryError};
use crate::key_files::KeyFiles;
use crate::limits::{DIVISOR_MAX, check_denominations, check_name};
use crate::log_description::{Cosigners, LogDescriptionError, describe_log, log_origin, with_log};
use crate::log_keys::LogKeys;
use crate::passphrase::Passphrase;
use crate::randomness::Randomness;
use crate::signing_request::{CddDraft, MintKeyDraft, SigningRequest};
use crate::vault::{Vault, VaultError};

/// The validity of a CDD.
pub(crate) const CDD_LIFETIME: TimeDelta = TimeDelta::days(3650);
/// The first CDD's serial.
const FIRST_CDD_SERIAL: u64 = 1;
/// The weight of the only URL of each service.
const URL_WEIGHT: i64 = 10;

/// The properties of a new currency.
#[derive(Debug, Clone)]
pub struct NewCurrency {
    /// The name of the currency.
    pub name: String,
    /// The number of smallest units in one unit of `name`.
    pub divisor: u64,
    /// The values of coins, in the smallest unit.
    pub denominations: Vec<u64>,
    /// The URL of the issuer for wallets.
    pub url: String,
    /// The cipher suite of its coins.
    pub cipher_suite: CipherSuite,
    /// Who cosigns the public log; `None` for a currency without one.
    pub log: Option<Cosigners>,
    /// The settings, among them the places of database and keys and the rotation of keys.
    pub config: Config,
}

/// Opens the store of private mint keys of a currency in this folder.
pub type OpenStore<'keys> = &'keys dyn Fn(&Directory) -> Result<Box<dyn KeyStore>, KeyStoreError>;

/// The stores of a new currency's keys.
pub struct NewKeys<'keys> {
    /// Opens the store of its private mint keys.
    pub store: OpenStore<'keys>,
    /// Encrypts the master key. `None` if the master key is on another machine.
    pub master_passphrase: Option<&'keys Passphrase>,
    /// Encrypts the keys of the public log.
    pub log_passphrase: &'keys Passphrase,
}

/// A currency was not created.
#[derive(Debug, Error)]
pub enum CreateError {
    /// A property of the currency is not allowed.
    #[error("{field}: {reason}")]
    Setting {
        /// The name of the property.
        field: &'static str,
        /// The rule that it violates.
        reason: String,
    },
    /// A key could not be made or stored.
    #[error(transparent)]
    Key(#[from] KeyStoreError),
    /// The documents could not be signed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The public log cannot be described.
    #[error(transparent)]
    Log(#[from] LogDescriptionError),
    /// The folder could not be written.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

impl NewCurrency {
    /// Checks all properties.
    ///
    /// # Errors
    /// Returns the first that is not allowed.
    pub fn check(&self) -> Result<(), CreateError> {
        let refuse = |field, reason: &str| {
            Err(CreateError::Setting {
                field,
                reason: reason.to_owned(),
            })
        };
        check_name(&self.name).or_else(|reason| refuse("name", &reason))?;
        if !(1..=DIVISOR_MAX).contains(&self.divisor) {
            return refuse("divisor", &format!("must be a number from 1 to {DIVISOR_MAX}"));
        }
        check_denominations(&self.denominations).or_else(|reason| refuse("denominations", &reason))?;
        check_url(&self.url)?;
        if self.log.is_some() {
            log_origin(&self.url)?;
        }
        if !is_address(&self.config.database) {
            return refuse("database", ADDRESS_FORMS);
        }
        self.config
            .rotation
            .check()
            .or_else(|reason| refuse("rotation", &reason))?;
        self.config
            .check_key_primes()
            .or_else(|reason| refuse("key_primes", &reason))
    }
}

/// Parses the URL as it will be in the documents.
pub(crate) fn check_url(url: &str) -> Result<IssuerUrl, CreateError> {
    url.parse().map_err(|error: IssuerUrlError| CreateError::Setting {
        field: "url",
        reason: error.to_string(),
    })
}

/// Creates the currency and writes it into `directory`. Calls `progress` with the number of keys made and the total.
/// If the master key is on another machine, there are no certificates yet, and the folder contains the request for
/// them.
///
/// # Errors
/// When a property is not allowed or the folder cannot be written. Then the folder is not created.
pub fn create(
    new: &NewCurrency,
    directory: &Directory,
    keys: &NewKeys<'_>,
    clock: &dyn Clock,
    rng: &mut dyn Randomness,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Option<Currency>, CreateError> {
    new.check()?;
    let (begun, lock) = directory.begin(&new.config)?;
    let store = (keys.store)(&begun)?;
    let total = new.denominations.len() + usize::from(keys.master_passphrase.is_some());
    let mut made = 0..=total;
    let mut step = || progress(made.next().unwrap_or(total), total);
    step();
    if let Some(passphrase) = keys.master_passphrase {
        Vault::new(begun.master_folder()).create(new.config.rotation.key_bits, passphrase, rng)?;
        step();
    }
    let now = clock.now();
    let mut cdd = cdd(new, now);
    if let Some(log) = &new.log {
        let block = create_log(log, &new.url, &begun, keys.log_passphrase, rng)?;
        cdd.additional_info = with_log("", Some(&block));
    }
    let window = new.config.rotation.window_now(now);
    let mut mint_keys = Vec::new();
    for denomination in &cdd.denominations {
        let key = store.generate(new.config.rotation.key_bits, new.config.rotation.key_primes)?;
        mint_keys.push(MintKeyDraft::new(&key, *denomination, cdd.cdd_serial, window));
        step();
    }
    let request = SigningRequest::new(None, Some(cdd), mint_keys);
    begun.set_pending(&request, &lock)?;
    if let Some(passphrase) = keys.master_passphrase {
        let answer = Vault::new(begun.master_folder()).sign(&request, passphrase, now, rng)?;
        begun.import(&answer, now, &lock)?;
    }
    begun.finish(directory)?;
    let has_certificates = keys.master_passphrase.is_some();
    Ok(has_certificates.then(|| directory.currency()).transpose()?)
}

/// As [`create`], with all keys, including the master key, as files in the folder under one passphrase. Returns the
/// currency and the open store of its keys. The generators of `store_rng` make the mint keys.
///
/// # Errors
/// As [`create`].
pub fn create_with_key_files(
    new: &NewCurrency,
    directory: &Directory,
    passphrase: &Passphrase,
    clock: &dyn Clock,
    rng: &mut dyn Randomness,
    store_rng: impl Fn() -> Box<dyn Randomness>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(Currency, KeyFiles), CreateError> {
    let open = |directory: &Directory| {
        let (root, passphrase) = (directory.root(), Some(passphrase.clone()));
        KeyFiles::open(root, &new.config.keys, passphrase, store_rng())
    };
    let store = |directory: &Directory| Ok(Box::new(open(directory)?) as Box<dyn KeyStore>);
    let keys = NewKeys {
        store: &store,
        master_passphrase: Some(passphrase),
        log_passphrase: passphrase,
    };
    let currency = create(new, directory, &keys, clock, rng, progress)?;
    Ok((currency.expect("its master key is here"), open(directory)?))
}

/// Makes the keys of the log and describes it.
fn create_log(
    cosigners: &Cosigners,
    url: &str,
    directory: &Directory,
    passphrase: &Passphrase,
    rng: &mut dyn Randomness,
) -> Result<LogBlock, CreateError> {
    let keys = LogKeys::create(&directory.log_folder(), &log_origin(url)?, passphrase, rng)?;
    Ok(describe_log(&keys, url, cosigners)?)
}

fn cdd(new: &NewCurrency, now: DateTime<Utc>) -> CddDraft {
    let mut denominations = new.denominations.clone();
    denominations.sort_unstable();
    let mut cdd = CddDraft {
        additional_info: String::new(),
        cdd_expiry_date: Timestamp::from_utc(now + CDD_LIFETIME),
        cdd_location: String::new(),
        cdd_serial: FIRST_CDD_SERIAL,
        cdd_signing_date: Timestamp::from_utc(now - CLOCK_SKEW),
        currency_divisor: new.divisor,
        currency_name: new.name.clone(),
        denominations,
        info_service: Vec::new(),
        issuer_cipher_suite: new.cipher_suite.name().to_owned(),
        mint_service: Vec::new(),
        protocol_version: PROTOCOL_VERSION.to_owned(),
        redeem_service: Vec::new(),
        renew_service: Vec::new(),
    };
    set_url(&mut cdd, &new.url);
    cdd
}

/// Sets the URL of all services.
pub(crate) fn set_url(cdd: &mut CddDraft, url: &str) {
    let url = url.trim_end_matches('/').to_owned();
    let service = vec![WeightedUrl(URL_WEIGHT, url.clone())];
    cdd.cdd_location = format!("{url}/cddc");
    cdd.info_service = service.clone();
    cdd.mint_service = service.clone();
    cdd.redeem_service = service.clone();
    cdd.renew_service = service;
}
