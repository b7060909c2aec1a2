//! Operators' work on the keys of a running currency: listing, planning, rotating, changing the CDD, destroying.
//!
//! New keys and certificates need four steps: store the private keys, write the request to `pending.json`, sign it
//! with the master key, import the certificates. A crash after any step leaves a valid currency, and the next call
//! continues with the pending request.

mod destroy;

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_crypto::{KeyStore, KeyStoreError, SignError};
use opencoin_ledger::{Ledger, LedgerError, MintKeyId, MintKeyStatus, Refusal};
use opencoin_log::log_block::LogBlock;
use opencoin_schema::{BigInt, Timestamp};
use thiserror::Error;

pub use destroy::DestroyedKey;

use crate::clock::Clock;
use crate::create::{CreateError, check_url, set_url};
use crate::currency::{CertifiedMintKey, Currency};
use crate::directory::{CertificateLock, Directory, DirectoryError, Imported};
use crate::limits::check_denominations;
use crate::log_description::{free_text, move_log, with_log};
use crate::passphrase::Passphrase;
use crate::randomness::Randomness;
use crate::registration::{OpenError, register_documents};
use crate::rotation::{Due, KeyState, Step, plan, state_in};
use crate::signing_request::{CddDraft, MintKeyDraft, SigningRequest};
use crate::vault::{Vault, VaultError};
use opencoin_config::{CLOCK_SKEW, Config, RotationPolicy, SignerProcess, Span, Window};

/// Manages the keys of one currency.
pub struct KeyManager {
    directory: Directory,
    config: Config,
    store: Box<dyn KeyStore>,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
}

/// A master key on this machine and its passphrase.
#[derive(Debug, Clone, Copy)]
pub struct OpenVault<'keys> {
    /// The vault of the master key.
    pub vault: &'keys Vault,
    /// The passphrase of the master key.
    pub passphrase: &'keys Passphrase,
}

/// A mint key with its certificate's data and its status.
#[derive(Debug, Clone)]
pub struct KeyEntry {
    /// The id of the key.
    pub id: BigInt,
    /// The value of its coins, in the smallest unit.
    pub denomination: u64,
    /// The dates of the key and its coins.
    pub window: Window,
    /// The state at the time of the call.
    pub state: KeyState,
    /// The status in the books; `None` before the key is registered.
    pub status: Option<MintKeyStatus>,
    /// Until when a server must enter the key in the books; `None` if the key does not wait for a server.
    pub waits_until: Option<DateTime<Utc>>,
    /// Whether the private key is in the store.
    pub has_private: bool,
}

/// The result of a rotation or a change of the CDD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing was due.
    Nothing,
    /// The request is in `pending.json`, because the master key is not on this machine.
    Waits(Box<SigningRequest>),
    /// Certificates were imported.
    Done(Box<Imported>),
}

/// Changes for the next CDD. `None` keeps a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CddChange {
    /// The URL of all services.
    pub url: Option<String>,
    /// The denominations. New ones get mint keys; coins of removed ones are accepted until they expire.
    pub denominations: Option<Vec<u64>>,
    /// The expiry date of the CDD.
    pub expiry: Option<DateTime<Utc>>,
    /// Free text.
    pub additional_info: Option<String>,
    /// The public log.
    pub log: Option<LogBlock>,
}

/// An operation on the keys failed. Steps that were completed before the error remain.
#[derive(Debug, Error)]
pub enum KeyManagerError {
    /// The folder cannot be read or written.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The store of keys cannot be used.
    #[error(transparent)]
    Store(#[from] KeyStoreError),
    /// The master key did not sign.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A value of the next CDD is not allowed.
    #[error(transparent)]
    Setting(#[from] CreateError),
    /// The books cannot be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The books and the certificates contradict each other.
    #[error(transparent)]
    Books(#[from] OpenError),
    /// The ledger refused a command.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A request is waiting for the master key.
    #[error(
        "{0} waits for the master key: sign it and import the certificates first (`opencoin issuer keys rotate` does where the master key is on this machine), or give it up (`opencoin issuer keys give-up`)"
    )]
    Waits(std::path::PathBuf),
    /// The private mint keys are on the signer's machine.
    #[error("the private mint keys are on the signer's machine: make new keys there")]
    KeysElsewhere,
    /// The next CDD would be the same as the current one.
    #[error("nothing would change; say what with --url, --denominations, --expiry or --info")]
    NoChange,
    /// A key to be destroyed did not sign, or signed wrongly.
    #[error("mint key {id} was not destroyed, because its signatures could not be stored: {error}")]
    Sign {
        /// The id of the key.
        id: BigInt,
        /// The cause.
        error: SignError,
    },
}

/// The policy of the settings, as it holds for the currency in this folder. Keys that need not wait for a master key on
/// another machine begin at once. So do those of a currency without a public log, where nothing is wrong with a
/// certificate that comes late.
#[must_use]
pub fn policy_in_force(
    settings: &RotationPolicy,
    directory: &Directory,
    currency: &Currency,
) -> RotationPolicy {
    let mut policy = settings.clone();
    let is_offline = !Vault::new(directory.master_folder()).has_key();
    if !is_offline || currency.log().is_none() {
        policy.offline_time = Span::default();
    }
    policy
}

impl KeyManager {
    /// Manages the keys of the currency in this folder.
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

    /// All mint keys, ordered by denomination and time.
    ///
    /// # Errors
    /// When folder, store or books cannot be read.
    pub async fn list(&self) -> Result<Vec<KeyEntry>, KeyManagerError> {
        let currency = self.directory.currency()?;
        let (private, now) = (self.store.ids()?, self.clock.now());
        let statuses = self.ledger.mint_keys().await?;
        let entry = |key: &CertifiedMintKey| {
            let mint_key = key.verified.mint_key();
            let status = statuses.iter().find(|status| status.id == key.ledger_id);
            KeyEntry {
                id: mint_key.id.clone(),
                denomination: mint_key.denomination,
                window: Window {
                    sign_not_before: mint_key.sign_coins_not_before.to_utc(),
                    sign_not_after: mint_key.sign_coins_not_after.to_utc(),
                    coins_expiry: mint_key.coins_expiry_date.to_utc(),
                },
                state: state_in(&currency, &statuses, key, now),
                has_private: private.contains(&mint_key.id),
                waits_until: currency.waits_until(key, &statuses, now),
                status: status.cloned(),
            }
        };
        let mut entries: Vec<KeyEntry> = currency.mint_keys().map(entry).collect();
        entries.sort_by_key(|entry| (entry.denomination, entry.window.sign_not_before));
        Ok(entries)
    }

    /// The ids of private keys without a certificate and without a pending request for one. An interrupted command
    /// or an abandoned request has left them. Keys in the books are not among them: they have a certificate, even if it
    /// has not been copied here yet.
    ///
    /// # Errors
    /// When folder, store or books cannot be read.
    pub async fn uncertified(&self) -> Result<Vec<BigInt>, KeyManagerError> {
        let (currency, pending) = (self.directory.currency()?, self.directory.pending()?);
        let known = self.ledger.mint_keys().await?;
        let known = known
            .iter()
            .map(|status| BigInt::from_be_bytes(status.id.as_bytes()));
        let requested = pending
            .iter()
            .flat_map(|request| &request.mint_keys)
            .map(MintKeyDraft::id);
        let useful: BTreeSet<BigInt> = known.chain(requested).collect();
        let mut ids = self.store.ids()?;
        ids.retain(|id| currency.mint_key(id).is_none() && !useful.contains(id));
        Ok(ids.into_iter().collect())
    }

    /// The steps that the rotation policy in the settings requires, and when they are due.
    ///
    /// # Errors
    /// When folder, store or books cannot be read.
    pub async fn plan(&self) -> Result<Vec<Step>, KeyManagerError> {
        self.plan_at(self.clock.now()).await
    }

    /// The plan at `now`. To find the steps that are due, compare with the same `now`, because an urgent step is due
    /// from that moment.
    async fn plan_at(&self, now: DateTime<Utc>) -> Result<Vec<Step>, KeyManagerError> {
        let currency = self.directory.currency()?;
        let statuses = self.ledger.mint_keys().await?;
        let private = self.store.ids()?;
        Ok(plan(&currency, &statuses, &private, &self.policy(&currency), now))
    }

    fn policy(&self, currency: &Currency) -> RotationPolicy {
        policy_in_force(&self.config.rotation, &self.directory, currency)
    }

    /// Makes the keys that are due, or with `at_once` a key for every denomination that signs from now on. Without a
    /// vault, the request waits for a master key on another machine.
    ///
    /// # Errors
    /// See [`KeyManagerError`]. The next call finishes what was begun.
    pub async fn rotate(
        &self,
        vault: Option<OpenVault<'_>>,
        at_once: bool,
        rng: &mut dyn Randomness,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Change, KeyManagerError> {
        let lock = self.directory.lock()?;
        if let Some(request) = self.directory.pending()? {
            // The pending request does not contain the keys that are wanted now.
            if at_once && vault.is_none() {
                return Err(KeyManagerError::Waits(self.directory.pending_file()));
            }
            let finished = self.finish(request, vault, rng, &lock).await?;
            if !at_once {
                return Ok(finished);
            }
        }
        let Some(request) = self.new_request(at_once, progress, &lock).await? else {
            return Ok(Change::Nothing);
        };
        self.finish(request, vault, rng, &lock).await
    }

    /// The first half of [`Self::rotate`]: the request that waits for the master key, or a new one for the keys that are
    /// due, which are made. `None` if nothing is due.
    ///
    /// # Errors
    /// See [`KeyManagerError`].
    pub async fn request_due(
        &self,
        progress: &mut dyn FnMut(usize, usize),
        lock: &CertificateLock,
    ) -> Result<Option<SigningRequest>, KeyManagerError> {
        match self.directory.pending()? {
            Some(request) => Ok(Some(request)),
            None => self.new_request(false, progress, lock).await,
        }
    }

    async fn new_request(
        &self,
        at_once: bool,
        progress: &mut dyn FnMut(usize, usize),
        lock: &CertificateLock,
    ) -> Result<Option<SigningRequest>, KeyManagerError> {
        let now = self.clock.now();
        let currency = self.directory.currency()?;
        let wanted: Vec<(u64, Window)> = if at_once {
            // The key that has begun last signs new coins. Windows are in whole seconds, and two rotations may
            // happen within one.
            let newest = |denomination: u64| {
                let keys = currency.mint_keys().map(|key| key.verified.mint_key());
                let keys = keys.filter(|key| key.denomination == denomination);
                let begun = keys.map(|key| key.sign_coins_not_before.to_utc());
                begun.filter(|begin| *begin <= now).max()
            };
            let denominations = currency.current().cdd().denominations.iter();
            let policy = self.policy(&currency);
            denominations
                .map(|&denomination| {
                    let mut window = policy.window_soon(now);
                    if let Some(newest) = newest(denomination) {
                        window.sign_not_before = window.sign_not_before.max(newest + TimeDelta::seconds(1));
                    }
                    (denomination, window)
                })
                .collect()
        } else {
            let due = |step: Step| match step.what {
                Due::MakeKey { denomination, window } if step.at <= now => Some((denomination, window)),
                Due::MakeKey { .. } | Due::DestroyKey { .. } | Due::Prune { .. } | Due::ChangeCdd => None,
            };
            self.plan_at(now).await?.into_iter().filter_map(due).collect()
        };
        if wanted.is_empty() {
            return Ok(None);
        }
        self.propose(&currency, None, &wanted, progress, lock).map(Some)
    }

    /// Makes the next CDD, and keys for new denominations.
    ///
    /// # Errors
    /// As [`Self::rotate`], and when a request is pending or nothing would change.
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
        let mut log = currency.log().cloned();
        if let Some(url) = change.url {
            let url = check_url(&url)?;
            set_url(&mut next, url.as_str());
            log = log
                .map(|block| move_log(&block, url.as_str()))
                .transpose()
                .map_err(CreateError::from)?;
        }
        if let Some(block) = change.log {
            log = Some(block);
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
        let text = match &change.additional_info {
            Some(text) => text,
            None => free_text(&before.additional_info),
        };
        if free_text(text) != text {
            let reason = "must not describe a log; `opencoin log witnesses` does that".to_owned();
            return Err(CreateError::Setting {
                field: "info",
                reason,
            }
            .into());
        }
        next.additional_info = with_log(text, log.as_ref());
        if next == before {
            return Err(KeyManagerError::NoChange);
        }
        next.cdd_serial += 1;
        next.cdd_signing_date = Timestamp::from_utc(now - CLOCK_SKEW);
        let statuses = self.ledger.mint_keys().await?;
        let is_idle = |key: &&CertifiedMintKey| {
            let state = state_in(&currency, &statuses, key, now);
            matches!(state, KeyState::Revoked | KeyState::Late)
        };
        let stopped: BTreeSet<MintKeyId> = currency
            .mint_keys()
            .filter(is_idle)
            .map(|key| key.ledger_id)
            .collect();
        let signs = |denomination: &u64| {
            let keys = currency.current_mint_keys(now, &stopped);
            keys.iter()
                .any(|key| key.verified.mint_key().denomination == *denomination)
        };
        let window = self.policy(&currency).window_soon(now);
        let wanted: Vec<(u64, Window)> = next
            .denominations
            .iter()
            .filter(|denomination| !signs(denomination))
            .map(|denomination| (*denomination, window))
            .collect();
        let request = self.propose(&currency, Some(next), &wanted, progress, &lock)?;
        self.finish(request, vault, rng, &lock).await
    }

    /// Makes keys and stores the request for their certificates.
    fn propose(
        &self,
        currency: &Currency,
        cdd: Option<CddDraft>,
        wanted: &[(u64, Window)],
        progress: &mut dyn FnMut(usize, usize),
        lock: &CertificateLock,
    ) -> Result<SigningRequest, KeyManagerError> {
        let is_elsewhere = matches!(self.config.signer.process, Some(SignerProcess::Tls { .. }))
            && self.store.ids()?.is_empty();
        if is_elsewhere && currency.mint_keys().next().is_some() {
            return Err(KeyManagerError::KeysElsewhere);
        }
        let serial = cdd
            .as_ref()
            .map_or(currency.current().cdd().cdd_serial, |cdd| cdd.cdd_serial);
        let mut mint_keys = Vec::new();
        for (made, (denomination, window)) in wanted.iter().enumerate() {
            progress(made, wanted.len());
            let key = self
                .store
                .generate(self.config.rotation.key_bits, self.config.rotation.key_primes)?;
            mint_keys.push(MintKeyDraft::new(&key, *denomination, serial, *window));
        }
        let request = SigningRequest::new(Some(currency.current().cddc().clone()), cdd, mint_keys);
        self.directory.set_pending(&request, lock)?;
        Ok(request)
    }

    /// The second half of [`Self::rotate`], under the same lock: signs the request and imports the certificates, if the
    /// master key is on this machine.
    ///
    /// # Errors
    /// See [`KeyManagerError`]. The request then still waits, unless only the books have failed.
    pub async fn finish(
        &self,
        request: SigningRequest,
        vault: Option<OpenVault<'_>>,
        rng: &mut dyn Randomness,
        lock: &CertificateLock,
    ) -> Result<Change, KeyManagerError> {
        let Some(OpenVault { vault, passphrase }) = vault else {
            return Ok(Change::Waits(Box::new(request)));
        };
        let answer = vault.sign(&request, passphrase, self.clock.now(), rng)?;
        let imported = self.directory.import(&answer, self.clock.now(), lock)?;
        let currency = self.directory.currency()?;
        register_documents(&currency, self.ledger.as_ref(), self.clock.as_ref()).await?;
        Ok(Change::Done(Box::new(imported)))
    }
}
