//! New mint keys, made by operators of a running server as `opencoin issuer keys rotate` makes them.
//!
//! The work is that of [`KeyManager`], and so is what a crash leaves: the private keys, then the request to the master key,
//! then its certificates are stored, and the next call goes on with the request that waits. Two calls take turns in this
//! process; a command excludes them by the lock of the folder. Once begun, the work ends even if nobody waits for its
//! answer any more. The server takes new certificates over as it takes over those of a command.
//!
//! If the master key is in the folder, its passphrase opens it for one call and is kept nowhere.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use opencoin_config::{Config, SignerProcess};
use opencoin_crypto::KeyStore;
use opencoin_keys::{
    Change, Currency, Directory, Imported, KeyManager, KeyManagerError, MintKeyDraft, OpenVault, Passphrase,
    Randomness, SignedCertificates, SigningRequest, Vault,
};
use opencoin_ledger::OperatorName;
use opencoin_schema::{from_json, text};
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::Issuer;
use super::key_faults::{of_change, of_directory, of_giving_up, of_manager, of_vault, remote_signer};
use super::key_passphrase::PassphraseGuesses;
use crate::operator::OperatorError;
use crate::refusal::{Reason, Refusal};

/// The longest file with certificates, in bytes: several times one with the most denominations.
pub const CERTIFICATES_BYTES_MAX: usize = 1024 * 1024;

/// What new mint keys are made with.
pub(crate) struct KeyMaking {
    config: Config,
    /// `None` if a signer has the private keys.
    store: Option<Arc<dyn KeyStore>>,
    /// Held while keys or certificates change.
    rng: Arc<Mutex<Box<dyn Randomness>>>,
    guesses: Arc<PassphraseGuesses>,
}

/// Where new mint keys can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPlace {
    /// Here, with the passphrase of the master key.
    Here,
    /// Here, but their certificates need the master key, which is on another machine.
    MasterElsewhere,
    /// Where the private keys are: a signer of its own has them, in the same folder.
    AtSigner,
    /// On another machine, with the signer there. Requests and certificates are in its folder.
    AtRemoteSigner,
}

/// How new mint keys are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMakingState {
    /// Where.
    pub place: KeyPlace,
    /// The folder of the currency on this machine, for commands.
    pub folder: PathBuf,
    /// What waits for the master key.
    pub pending: Pending,
}

/// What waits for the master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pending {
    /// Nothing.
    Nothing,
    /// This request.
    Request(PendingRequest),
    /// A file that cannot be read. The log says why.
    Unreadable,
}

impl Pending {
    /// The request that waits, if there is one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn request(self) -> Result<Option<PendingRequest>, Refusal> {
        match self {
            Self::Nothing => Ok(None),
            Self::Request(request) => Ok(Some(request)),
            Self::Unreadable => Err(Refusal::unavailable()),
        }
    }
}

/// Why no mint keys were made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyMakingError {
    /// The master key is here, and its passphrase is missing.
    #[error("master_passphrase: it is missing")]
    PassphraseMissing,
    /// The passphrase does not open the master key.
    #[error("master_passphrase: it does not open the master key")]
    PassphraseWrong,
    /// Another request waits for the master key than the operator has seen, or none.
    #[error("request: what waits for the master key has changed; look at it again")]
    RequestChanged,
    /// Something else.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl From<OperatorError> for KeyMakingError {
    fn from(error: OperatorError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<KeyMakingError> for Refusal {
    fn from(error: KeyMakingError) -> Self {
        let reason = match error {
            KeyMakingError::PassphraseMissing | KeyMakingError::PassphraseWrong => Reason::Invalid,
            KeyMakingError::RequestChanged => Reason::PreviewChanged,
            KeyMakingError::Refused(refusal) => return refusal,
        };
        Self::new(reason, error.to_string())
    }
}

/// A request that waits for the master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingRequest {
    /// What whoever has the master key compares before they sign.
    pub fingerprint: String,
    /// Until when the certificates must be here; `None` without a public log.
    pub import_by: Option<DateTime<Utc>>,
    /// The values of the coins of the new keys, and when each begins to sign.
    pub mint_keys: Vec<(u64, DateTime<Utc>)>,
    /// Whether it also asks for a new description of the currency.
    pub changes_description: bool,
    /// Whether the certificates of some keys come too late by now.
    pub is_overdue: bool,
    /// Whether no certificate of it can be used any more.
    pub is_in_vain: bool,
    /// The text of the file.
    pub file: String,
}

/// What making mint keys has led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MadeKeys {
    /// Nothing was due.
    Nothing,
    /// A request waits for the master key.
    Waits(PendingRequest),
    /// Certificates are in force.
    Done(ImportedKeys),
}

/// Certificates that were taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedKeys {
    /// The values of the coins of the new keys, and when each begins to sign.
    pub mint_keys: Vec<(u64, DateTime<Utc>)>,
    /// The serial of the new description, if there is one.
    pub description: Option<u64>,
    /// How many keys came too late for the public log and were left out. Their certificates must be destroyed.
    pub late: usize,
    /// Whether this call took them; otherwise an earlier one had.
    pub is_new: bool,
}

impl From<&Imported> for ImportedKeys {
    fn from(imported: &Imported) -> Self {
        let keys = imported.certificates.mkcs.iter().map(|mkc| &mkc.mint_key);
        Self {
            mint_keys: keys
                .map(|key| (key.denomination, key.sign_coins_not_before.to_utc()))
                .collect(),
            description: imported
                .certificates
                .cddc
                .as_ref()
                .map(|cddc| cddc.cdd.cdd_serial),
            late: imported.late.len(),
            is_new: imported.is_new,
        }
    }
}

impl PendingRequest {
    fn of(request: &SigningRequest, currency: &Currency, now: DateTime<Utc>) -> Self {
        let begin = |key: &MintKeyDraft| (key.denomination, key.sign_coins_not_before.to_utc());
        let import_by = currency.import_deadline(request);
        Self {
            fingerprint: request.fingerprint(),
            import_by,
            is_overdue: import_by.is_some_and(|by| by < now),
            is_in_vain: currency.is_in_vain(request, now),
            mint_keys: request.mint_keys.iter().map(begin).collect(),
            changes_description: request.cdd.is_some(),
            file: text::compact(request),
        }
    }
}

impl KeyMaking {
    /// Whether the folder of the private keys is on another machine.
    fn is_remote(&self) -> bool {
        self.store.is_none() && matches!(self.config.signer.process, Some(SignerProcess::Tls { .. }))
    }
}

impl Issuer {
    /// Lets operators make new mint keys with these settings, in this store. Without a store, a signer has the private keys,
    /// and operators can only bring certificates.
    #[must_use]
    pub fn with_key_making(
        mut self,
        config: Config,
        store: Option<Arc<dyn KeyStore>>,
        rng: Box<dyn Randomness>,
    ) -> Self {
        self.key_making = Some(KeyMaking {
            config,
            store,
            rng: Arc::new(Mutex::new(rng)),
            guesses: Arc::default(),
        });
        self
    }

    fn key_making(&self) -> Result<(&KeyMaking, Directory), Refusal> {
        let none = || Refusal::new(Reason::NotFound, "this server makes no mint keys");
        if self.is_set_back() {
            return Err(Refusal::unavailable());
        }
        let making = self.key_making.as_ref().ok_or_else(none)?;
        let directory = self.documents.directory().ok_or_else(none)?;
        Ok((making, directory.clone()))
    }

    /// Where new mint keys are made, and the request that waits for the master key. A request that cannot be read is logged.
    ///
    /// # Errors
    /// When this server makes none.
    pub async fn key_making_state(&self) -> Result<KeyMakingState, Refusal> {
        let (making, directory) = self.key_making()?;
        let has_store = making.store.is_some();
        let is_remote = making.is_remote();
        let (currency, now) = (self.currency(), self.clock.now());
        on_a_thread(move || {
            let place = match (has_store, Vault::new(directory.master_folder()).has_key()) {
                (false, _) if is_remote => KeyPlace::AtRemoteSigner,
                (false, _) => KeyPlace::AtSigner,
                (true, true) => KeyPlace::Here,
                (true, false) => KeyPlace::MasterElsewhere,
            };
            let pending = match directory.pending() {
                Ok(None) => Pending::Nothing,
                Ok(Some(request)) => Pending::Request(PendingRequest::of(&request, &currency, now)),
                Err(error) => {
                    tracing::error!(%error, "the request that waits for the master key cannot be read");
                    Pending::Unreadable
                }
            };
            let folder = directory.root().to_owned();
            KeyMakingState {
                place,
                folder,
                pending,
            }
        })
        .await
    }

    /// Makes the mint keys that are due. If the master key is in the folder, its passphrase is needed; otherwise the keys wait
    /// for it. Finishes the request that waits, if there is one: `seen` is its fingerprint, as the operator has seen it.
    /// Who lets the master key sign is recorded before it does.
    ///
    /// # Errors
    /// When the passphrase is wrong or missing, another request waits than the operator has seen, the private keys are
    /// elsewhere, a command changes them at this moment, or something cannot be read or written. The next call goes on.
    pub async fn make_mint_keys(
        &self,
        operator: &OperatorName,
        passphrase: Option<Zeroizing<String>>,
        seen: Option<String>,
    ) -> Result<MadeKeys, KeyMakingError> {
        let passphrase = passphrase.and_then(|text| Passphrase::new(text).ok());
        let (making, directory) = self.key_making()?;
        let elsewhere = || {
            if making.is_remote() {
                remote_signer()
            } else {
                of_manager(KeyManagerError::KeysElsewhere)
            }
        };
        let store = making.store.clone().ok_or_else(elsewhere)?;
        let manager = KeyManager::new(
            directory.clone(),
            making.config.clone(),
            Box::new(store),
            Arc::clone(&self.books.ledger),
            Arc::clone(&self.clock),
        );
        // Guesses that must wait do not hold up whoever has the turn.
        making.guesses.check(self.clock.now())?;
        let mut turn = Arc::clone(&making.rng).lock_owned().await;
        let (operator, runtime) = (self.operator(operator), Handle::current());
        let (guesses, clock, currency) = (
            Arc::clone(&making.guesses),
            Arc::clone(&self.clock),
            self.currency(),
        );
        let work = move || -> Result<MadeKeys, KeyMakingError> {
            let vault = Vault::new(directory.master_folder());
            let vault = match (vault.has_key(), &passphrase) {
                (false, _) => None,
                (true, None) => return Err(KeyMakingError::PassphraseMissing),
                (true, Some(passphrase)) => {
                    // Those that came at the same time have failed meanwhile.
                    guesses.check(clock.now())?;
                    // Before keys are made that would wait for the right one.
                    if !vault.opens_with(passphrase).map_err(|error| of_vault(&error))? {
                        guesses.count_wrong(clock.now());
                        runtime.block_on(operator.record_wrong_passphrase())?;
                        return Err(KeyMakingError::PassphraseWrong);
                    }
                    guesses.forget();
                    Some((vault, passphrase))
                }
            };
            let vault = vault
                .as_ref()
                .map(|(vault, passphrase)| OpenVault { vault, passphrase });
            let lock = directory.lock().map_err(|error| of_directory(&error))?;
            let pending = directory.pending().map_err(|error| of_directory(&error))?;
            let waits = pending.map(|request| request.fingerprint());
            // Nothing is signed here without the master key, so asking again is harmless.
            let asks_again = vault.is_none() && seen.is_none();
            if seen != waits && !asks_again {
                return Err(KeyMakingError::RequestChanged);
            }
            runtime.block_on(async {
                let request = manager.request_due(&mut |_, _| {}, &lock).await;
                let Some(request) = request.map_err(of_manager)? else {
                    return Ok(MadeKeys::Nothing);
                };
                if vault.is_some() {
                    operator.record_signing(&request).await?;
                } else {
                    operator.record_request(&request).await?;
                }
                let change = manager.finish(request, vault, &mut **turn, &lock).await;
                Ok(match change.map_err(of_manager)? {
                    Change::Nothing => MadeKeys::Nothing,
                    Change::Waits(request) => {
                        MadeKeys::Waits(PendingRequest::of(&request, &currency, clock.now()))
                    }
                    Change::Done(imported) => MadeKeys::Done(ImportedKeys::from(&*imported)),
                })
            })
        };
        let made = on_a_thread(work).await??;
        self.follow_documents_now().await;
        Ok(made)
    }

    /// Takes certificates that a master key on another machine has signed.
    ///
    /// # Errors
    /// When this is no such file, nothing here waits for these certificates, they do not verify or come too late, a command
    /// changes keys at this moment, or something cannot be read or written.
    pub async fn import_certificates(
        &self,
        operator: &OperatorName,
        file: &[u8],
    ) -> Result<ImportedKeys, Refusal> {
        let (making, directory) = self.key_making()?;
        if making.is_remote() {
            return Err(remote_signer());
        }
        let no_file = |error| {
            Refusal::new(
                Reason::Invalid,
                format!("this is not a file of `opencoin master sign`: {error}"),
            )
        };
        if file.len() > CERTIFICATES_BYTES_MAX {
            return Err(Refusal::new(
                Reason::TooLarge,
                "this is no file of `opencoin master sign`: it is too long",
            ));
        }
        let answer: SignedCertificates = from_json(file).map_err(no_file)?;
        let turn = Arc::clone(&making.rng).lock_owned().await;
        let (operator, runtime) = (self.operator(operator), Handle::current());
        let now = self.clock.now();
        let work = move || -> Result<ImportedKeys, Refusal> {
            let _turn = turn;
            let lock = directory.lock().map_err(|error| of_directory(&error))?;
            let import = directory.check_import(&answer, now, &lock);
            let import = import.map_err(|error| of_directory(&error))?;
            let imported = runtime.block_on(operator.take_certificates(&directory, import, &lock));
            Ok(ImportedKeys::from(&imported.map_err(of_change)?))
        };
        let imported = on_a_thread(work).await??;
        self.follow_documents_now().await;
        Ok(imported)
    }

    /// Gives up the request with this fingerprint, as the operator has seen it. `is_never_signed`: they say that a master key
    /// on another machine has never signed its description. Who does it is recorded first. Returns whether something waited.
    ///
    /// # Errors
    /// When another request waits, the master key has signed its description or may have, a command changes keys at this
    /// moment, or something cannot be read or written.
    pub async fn give_up_request(
        &self,
        operator: &OperatorName,
        seen: String,
        is_never_signed: bool,
    ) -> Result<bool, Refusal> {
        let (making, directory) = self.key_making()?;
        if making.is_remote() {
            return Err(remote_signer());
        }
        let turn = Arc::clone(&making.rng).lock_owned().await;
        let (operator, runtime) = (self.operator(operator), Handle::current());
        on_a_thread(move || {
            let _turn = turn;
            let lock = directory.lock().map_err(|error| of_directory(&error))?;
            let unwanted = directory.check_give_up(&seen, is_never_signed, &lock);
            let Some(unwanted) = unwanted.map_err(|error| of_giving_up(&error))? else {
                return Ok(false);
            };
            let given_up = operator.give_up(&directory, unwanted, is_never_signed, &lock);
            runtime.block_on(given_up).map_err(of_change)?;
            Ok(true)
        })
        .await?
    }
}

/// Does what takes long, or waits for files. It ends even if the caller is gone.
async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "the work on mint keys or certificates has broken off");
        Refusal::unavailable()
    })
}
