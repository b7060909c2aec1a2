//! The keys of a currency: the folder with its certificates, the stores of private keys, the vault of the master
//! key, and the rotation of mint keys.

mod challenge_key;
mod clock;
mod create;
mod currency;
mod directory;
mod key_files;
mod key_manager;
mod limits;
mod log_deadline;
mod log_description;
mod log_keys;
mod passphrase;
mod public_keys;
mod randomness;
mod registration;
mod rotation;
mod signing_request;
mod vault;

pub use challenge_key::ChallengeKey;
pub use clock::{Clock, SystemClock};
pub use create::{CreateError, NewCurrency, NewKeys, OpenStore, create, create_with_key_files};
pub use currency::{CertifiedMintKey, Currency, CurrencyError, ledger_time};
pub use directory::{
    CertificateLock, CheckedImport, Directory, DirectoryError, GiveUpError, Imported, UnwantedRequest,
};
pub use key_files::{KeyFiles, change_passphrase};
pub use key_manager::{
    CddChange, Change, DestroyedKey, KeyEntry, KeyManager, KeyManagerError, OpenVault, policy_in_force,
};
pub use log_description::{
    Cosigners, LOG_PATH, LogDescriptionError, PROMISE_BATCHES, PROMISE_WITHIN_S, Witness, change_cosigners,
    describe_log, free_text, log_origin, move_log, with_log,
};
pub use log_keys::LogKeys;
pub use passphrase::{EmptyPassphrase, Passphrase};
pub use public_keys::PublicKeys;
pub use randomness::Randomness;
pub use registration::{
    OpenError, alarm_of_late_key, register_command, register_documents, register_mint_keys,
};
pub use rotation::{Due, KeyState, Step, plan, state_in};
pub use signing_request::{CddDraft, MintKeyDraft, SignedCertificates, SigningRequest};
pub use vault::{HeldVault, Vault, VaultError};
