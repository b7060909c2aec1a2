//! What an operator does with the keys of a running currency: look, plan, rotate, change the CDD, destroy.
//!
//! New keys and certificates come about in four steps: private halves into their store, the request into
//! `pending.json`, the master key's signatures, certificates into the folder. A crash after any of them
//! leaves a sound currency, and the next call goes on with the request that waits.

mod destroy;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use opencoin_crypto::{KeyStore, KeyStoreError, SignError};
use opencoin_ledger::{Ledger, LedgerError, MintKeyId, MintKeyStatus, Refusal};
use opencoin_schema::{BigInt, Timestamp};
use thiserror::Error;

pub use destroy::DestroyedKey;

use crate::clock::Clock;
use crate::create::{CreateError, check_url, set_url};
use crate::currency::{CertifiedMintKey, Currency};
use crate::directory::{CertificateLock, Directory, DirectoryError};
use crate::limits::check_denominations;
use crate::passphrase::Passphrase;
use crate::randomness::Randomness;
use crate::registration::{OpenError, register_mint_keys};
use crate::rotation::{Due, KeyState, Step, plan, state};
use crate::signing_request::{CddDraft, MintKeyDraft, SignedCertificates, SigningRequest};
use crate::vault::{Vault, VaultError};
use opencoin_config::{CLOCK_SKEW, Config, SignerConfig, Window};

/// Takes care of the keys of one currency.
pub struct KeyManager {
    directory: Directory,
    config: Config,
    store: Box<dyn KeyStore>,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
}

/// A master key on this machine, and what opens it.
#[derive(Debug, Clone, Copy)]
pub struct OpenVault<'keys> {
    /// Where it is.
    pub vault: &'keys Vault,
    /// What opens it.
    pub passphrase: &'keys Passphrase,
}

/// A mint key, its certificate and its figures.
#[derive(Debug, Clone)]
pub struct KeyEntry {
    /// Its id.
    pub id: BigInt,
    /// What its coins are worth.
    pub denomination: u64,
    /// When it signs, and how long its coins are taken back.
    pub window: Window,
    /// What it is doing.
    pub state: KeyState,
    /// What the books say; nothing before a server or command has made it known to them.
    pub status: Option<MintKeyStatus>,
    /// Whether its private half is in the store.
    pub has_private: bool,
}

/// What came of a rotation or a change of the CDD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing was due.
    Nothing,
    /// A request waits in `pending.json` for the master key, which is not on this machine.
    Waits(Box<SigningRequest>),
    /// These certificates are in force.
    Done(Box<SignedCertificates>),
}

/// What is to be different in the next CDD; `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CddChange {
    /// All services at this URL.
    pub url: Option<String>,
    /// The values of coins. Mint keys are made for new ones; coins of dropped ones are taken back as long as
    /// they live.
    pub denominations: Option<Vec<u64>>,
    /// How long it holds from now on.
    pub expiry: Option<DateTime<Utc>>,
    /// Free text.
    pub additional_info: Option<String>,
}

/// Why the keys are as they were, or a step further and no more.
#[derive(Debug, Error)]
pub enum KeyManagerError {
    /// The folder.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The store of keys.
    #[error(transparent)]
    Store(#[from] KeyStoreError),
    /// The master key.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A setting of the next CDD.
    #[error(transparent)]
    Setting(#[from] CreateError),
    /// The books.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The books and the certificates contradict each other.
    #[error(transparent)]
    Books(#[from] OpenError),
    /// The books refuse.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A request waits for the master key.
    #[error(
        "{0} waits for the master key: sign it and import the certificates first (`opencoin issuer keys rotate` does where the master key is on this machine), or remove the file to give it up"
    )]
    Waits(std::path::PathBuf),
    /// The private mint keys are on the signer's machine.
    #[error("the private mint keys are not here but on the signer's machine: make new ones there")]
    KeysElsewhere,
    /// The next CDD would be like the last one.
    #[error("nothing would change; say what with --url, --denominations, --expiry or --info")]
    NoChange,
    /// A key signs what it should not, or not at all.
    #[error("mint key {id} was not destroyed, because its signatures could not be kept: {error}")]
    Sign {
        /// Which key.
        id: BigInt,
        /// Why not.
        error: SignError,
    },
}

impl KeyManager {
    /// Takes care of the currency in this folder.
    #[must_use]
    pub fn new(
        directory: Directory,
        config: Config,
        store: Box<dyn KeyStore>,
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            directory,
            config,
            store,
            ledger,
            clock,
        }
    }

    /// Every mint key, by denomination and time.
    ///
    /// # Errors
    /// When folder, store or books cannot be read.
    pub async fn list(&self) -> Result<Vec<KeyEntry>, KeyManagerError> {
        let currency = self.directory.currency()?;
        let (private, now) = (self.store.ids()?, self.clock.now());
        let statuses: BTreeMap<MintKeyId, MintKeyStatus> = self
            .ledger
            .mint_keys()
            .await?
            .into_iter()
            .map(|status| (status.id, status))
            .collect();
        let entry = |key: &CertifiedMintKey| {
            let (mint_key, status) = (key.verified.mint_key(), statuses.get(&key.ledger_id).cloned());
            KeyEntry {
                id: mint_key.id.clone(),
                denomination: mint_key.denomination,
                window: Window {
                    sign_not_before: mint_key.sign_coins_not_before.to_utc(),
                    sign_not_after: mint_key.sign_coins_not_after.to_utc(),
                    coins_expiry: mint_key.coins_expiry_date.to_utc(),
                },
                state: state(key, status.as_ref(), now),
                has_private: private.contains(&mint_key.id),
                status,
            }
        };
        let mut entries: Vec<KeyEntry> = currency.mint_keys().map(entry).collect();
        entries.sort_by_key(|entry| (entry.denomination, entry.window.sign_not_before));
        Ok(entries)
    }

    /// Private halves without a certificate, of which none is asked for either: an interrupted command, or a
    /// request that was given up, has left them. Keys that the books know are certified, though the
    /// certificate may not have been copied here yet.
    ///
    /// # Errors
    /// When folder, store or books cannot be read.
    pub async fn uncertified(&self) -> Result<Vec<BigInt>, KeyManagerError> {
        let (currency, pending) = (self.directory.currency()?, self.directory.pending()?);
        let known = self.ledger.mint_keys().await?;
        let is_known = |id: &BigInt| {
            known
                .iter()
                .any(|status| BigInt::from_be_bytes(status.id.as_bytes()) == *id)
        };
        let is_asked_for = |id: &BigInt| {
            pending
                .iter()
                .flat_map(|request| &request.mint_keys)
                .any(|draft| draft.id() == *id)
        };
        let is_of_use = |id: &BigInt| currency.mint_key(id).is_some() || is_asked_for(id) || is_known(id);
        Ok(self
            .store
            .ids()?
            .into_iter()
            .filter(|id| !is_of_use(id))
            .collect())
    }

    /// What is to be done and when, by the policy in the settings.
    ///
    /// # Errors
    /// When folder, store or books cannot be read.
    pub async fn plan(&self) -> Result<Vec<Step>, KeyManagerError> {
        self.plan_at(self.clock.now()).await
    }

    /// The plan, and what of it is due, must be of one moment: what is needed at once is due from then on.
    async fn plan_at(&self, now: DateTime<Utc>) -> Result<Vec<Step>, KeyManagerError> {
        let currency = self.directory.currency()?;
        let statuses = self.ledger.mint_keys().await?;
        Ok(plan(
            &currency,
            &statuses,
            &self.store.ids()?,
            &self.config.rotation,
            now,
        ))
    }

    /// Makes the keys that are due. With `at_once`, one for every denomination, to sign from now on. Without
    /// a vault the request waits for a master key elsewhere.
    ///
    /// # Errors
    /// Nothing is lost: what was begun is finished by the next call.
    pub async fn rotate(
        &self,
        vault: Option<OpenVault<'_>>,
        at_once: bool,
        rng: &mut dyn Randomness,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Change, KeyManagerError> {
        let lock = self.directory.lock()?;
        if let Some(request) = self.directory.pending()? {
            // What is wanted at once is not in a request that was made before.
            if at_once && vault.is_none() {
                return Err(KeyManagerError::Waits(self.directory.pending_file()));
            }
            let finished = self.finish(request, vault, rng, &lock).await?;
            if !at_once {
                return Ok(finished);
            }
        }
        let now = self.clock.now();
        let currency = self.directory.currency()?;
        let wanted: Vec<(u64, Window)> = if at_once {
            let window = self.config.rotation.window_now(now);
            currency
                .current()
                .cdd()
                .denominations
                .iter()
                .map(|denomination| (*denomination, window))
                .collect()
        } else {
            let due = |step: Step| match step.what {
                Due::MakeKey { denomination, window } if step.at <= now => Some((denomination, window)),
                Due::MakeKey { .. } | Due::DestroyKey { .. } | Due::Prune { .. } | Due::ChangeCdd => None,
            };
            self.plan_at(now).await?.into_iter().filter_map(due).collect()
        };
        if wanted.is_empty() {
            return Ok(Change::Nothing);
        }
        let request = self.propose(&currency, None, &wanted, progress, &lock)?;
        self.finish(request, vault, rng, &lock).await
    }

    /// Makes the next CDD, with keys for denominations that are new.
    ///
    /// # Errors
    /// As [`Self::rotate`]; or when a request waits already, or nothing would change.
    pub async fn change_cdd(
        &self,
        change: CddChange,
        vault: Option<OpenVault<'_>>,
        rng: &mut dyn Randomness,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Change, KeyManagerError> {
        let lock = self.directory.lock()?;
        if self.directory.pending()?.is_some() {
            return Err(KeyManagerError::Waits(self.directory.pending_file()));
        }
        let (currency, now) = (self.directory.currency()?, self.clock.now());
        let before = CddDraft::of(currency.current().cdd());
        let mut next = before.clone();
        if let Some(url) = change.url {
            set_url(&mut next, check_url(&url)?.as_str());
        }
        if let Some(mut denominations) = change.denominations {
            let refuse = |reason| CreateError::Setting {
                field: "denominations",
                reason,
            };
            check_denominations(&denominations).map_err(refuse)?;
            denominations.sort_unstable();
            next.denominations = denominations;
        }
        if let Some(expiry) = change.expiry {
            if expiry <= now {
                let reason = "must be in the future".to_owned();
                return Err(CreateError::Setting {
                    field: "expiry",
                    reason,
                }
                .into());
            }
            next.cdd_expiry_date = Timestamp::from_utc(expiry);
        }
        if let Some(additional_info) = change.additional_info {
            next.additional_info = additional_info;
        }
        if next == before {
            return Err(KeyManagerError::NoChange);
        }
        next.cdd_serial += 1;
        next.cdd_signing_date = Timestamp::from_utc(now - CLOCK_SKEW);
        let statuses = self.ledger.mint_keys().await?;
        let stopped: BTreeSet<MintKeyId> = statuses
            .iter()
            .filter(|key| key.stopped.is_some())
            .map(|key| key.id)
            .collect();
        let signs = |denomination: &u64| {
            let keys = currency.current_mint_keys(now, &stopped);
            keys.iter()
                .any(|key| key.verified.mint_key().denomination == *denomination)
        };
        let window = self.config.rotation.window_now(now);
        let wanted: Vec<(u64, Window)> = next
            .denominations
            .iter()
            .filter(|denomination| !signs(denomination))
            .map(|denomination| (*denomination, window))
            .collect();
        let request = self.propose(&currency, Some(next), &wanted, progress, &lock)?;
        self.finish(request, vault, rng, &lock).await
    }

    /// Makes keys and keeps the request for their certificates.
    fn propose(
        &self,
        currency: &Currency,
        cdd: Option<CddDraft>,
        wanted: &[(u64, Window)],
        progress: &mut dyn FnMut(usize, usize),
        lock: &CertificateLock,
    ) -> Result<SigningRequest, KeyManagerError> {
        let is_elsewhere =
            matches!(self.config.signer, Some(SignerConfig::Tls { .. })) && self.store.ids()?.is_empty();
        if is_elsewhere && currency.mint_keys().next().is_some() {
            return Err(KeyManagerError::KeysElsewhere);
        }
        let serial = cdd
            .as_ref()
            .map_or(currency.current().cdd().cdd_serial, |cdd| cdd.cdd_serial);
        let mut mint_keys = Vec::new();
        for (made, (denomination, window)) in wanted.iter().enumerate() {
            progress(made, wanted.len());
            let key = self.store.generate(self.config.rotation.key_bits)?;
            mint_keys.push(MintKeyDraft::new(&key, *denomination, serial, *window));
        }
        let request = SigningRequest::new(Some(currency.current().cddc().clone()), cdd, mint_keys);
        self.directory.set_pending(&request, lock)?;
        Ok(request)
    }

    /// Has the request signed and takes the certificates in, where the master key is here.
    async fn finish(
        &self,
        request: SigningRequest,
        vault: Option<OpenVault<'_>>,
        rng: &mut dyn Randomness,
        lock: &CertificateLock,
    ) -> Result<Change, KeyManagerError> {
        let Some(OpenVault { vault, passphrase }) = vault else {
            return Ok(Change::Waits(Box::new(request)));
        };
        let answer = vault.sign(&request, passphrase, rng)?;
        self.directory.import(&answer, lock)?;
        register_mint_keys(
            &self.directory.currency()?,
            self.ledger.as_ref(),
            self.clock.as_ref(),
        )
        .await?;
        Ok(Change::Done(Box::new(answer)))
    }
}
