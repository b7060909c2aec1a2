//! Making a new currency: its keys, its first CDD, and, where the master key is on this machine, its
//! certificates.

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_config::{ADDRESS_FORMS, CLOCK_SKEW, Config, is_address};
use opencoin_crypto::{CipherSuite, KeyStore, KeyStoreError};
use opencoin_schema::{PROTOCOL_VERSION, Timestamp, WeightedUrl};
use opencoin_text::{IssuerUrl, IssuerUrlError};
use thiserror::Error;

use crate::clock::Clock;
use crate::currency::Currency;
use crate::directory::{Directory, DirectoryError};
use crate::key_files::KeyFiles;
use crate::limits::{DIVISOR_MAX, check_denominations, check_name};
use crate::passphrase::Passphrase;
use crate::randomness::Randomness;
use crate::signing_request::{CddDraft, MintKeyDraft, SigningRequest};
use crate::vault::{Vault, VaultError};

/// How long a CDD holds.
pub(crate) const CDD_LIFETIME: TimeDelta = TimeDelta::days(3650);
/// The first CDD's serial.
const FIRST_CDD_SERIAL: u64 = 1;
/// The weight of the only URL of each service.
const URL_WEIGHT: i64 = 10;
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
    /// Where the books and the keys will be, where to listen, how keys rotate.
    pub config: Config,
}

/// Opens the store of private mint keys of a currency in this folder.
pub type OpenStore<'keys> = &'keys dyn Fn(&Directory) -> Result<Box<dyn KeyStore>, KeyStoreError>;

/// How a new currency comes by its keys.
pub struct NewKeys<'keys> {
    /// Where its private mint keys will be.
    pub store: OpenStore<'keys>,
    /// What the master key is encrypted with. Without it there is no master key on this machine.
    pub master_passphrase: Option<&'keys Passphrase>,
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
    /// A key could not be made or kept.
    #[error(transparent)]
    Key(#[from] KeyStoreError),
    /// The documents could not be signed.
    #[error(transparent)]
    Vault(#[from] VaultError),
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
        if !is_address(&self.config.database) {
            return refuse("database", ADDRESS_FORMS);
        }
        self.config
            .rotation
            .check()
            .or_else(|reason| refuse("rotation", &reason))
    }
}

/// The URL as it is signed into the documents.
pub(crate) fn check_url(url: &str) -> Result<IssuerUrl, CreateError> {
    url.parse().map_err(|error: IssuerUrlError| CreateError::Setting {
        field: "url",
        reason: error.to_string(),
    })
}

/// Makes the currency and writes it into `directory`. `progress` hears how many of how many keys are made.
/// Without a master key on this machine there are no certificates yet, and the request for them waits in the
/// folder.
///
/// # Errors
/// When a decision cannot be carried out or the folder cannot be written; then nothing is left under its
/// name.
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
    let cdd = cdd(new, now);
    let window = new.config.rotation.window_now(now);
    let mut mint_keys = Vec::new();
    for denomination in &cdd.denominations {
        let key = store.generate(new.config.rotation.key_bits)?;
        mint_keys.push(MintKeyDraft::new(&key, *denomination, cdd.cdd_serial, window));
        step();
    }
    let request = SigningRequest::new(None, Some(cdd), mint_keys);
    begun.set_pending(&request, &lock)?;
    if let Some(passphrase) = keys.master_passphrase {
        begun.import(
            &Vault::new(begun.master_folder()).sign(&request, passphrase, rng)?,
            &lock,
        )?;
    }
    begun.finish(directory)?;
    Ok(if keys.master_passphrase.is_some() {
        Some(directory.currency()?)
    } else {
        None
    })
}

/// As [`create`], with all keys, the master key too, as files in the folder under one passphrase. Gives the
/// currency and an opened store of its keys; `store_rng` makes the mint keys.
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
        KeyFiles::open(
            directory.root(),
            &new.config.keys,
            Some(passphrase.clone()),
            store_rng(),
        )
    };
    let store = |directory: &Directory| Ok(Box::new(open(directory)?) as Box<dyn KeyStore>);
    let keys = NewKeys {
        store: &store,
        master_passphrase: Some(passphrase),
    };
    let currency = create(new, directory, &keys, clock, rng, progress)?;
    Ok((currency.expect("its master key is here"), open(directory)?))
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

/// All services at one URL.
pub(crate) fn set_url(cdd: &mut CddDraft, url: &str) {
    let url = url.trim_end_matches('/').to_owned();
    let service = vec![WeightedUrl(URL_WEIGHT, url.clone())];
    cdd.cdd_location = format!("{url}/cddc");
    cdd.info_service = service.clone();
    cdd.mint_service = service.clone();
    cdd.redeem_service = service.clone();
    cdd.renew_service = service;
}
