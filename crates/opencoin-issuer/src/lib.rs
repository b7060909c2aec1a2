//! The issuer of an OpenCoin currency: its documents, its mint keys and its accounts. It knows no HTTP.
//!
//! The way of a request: `opencoin-http` reads it, [`Issuer`] decides, [`admission`] verifies what needs no
//! books, the committer takes it to the ledger in a batch with others, and a
//! [`Signer`](opencoin_crypto::Signer) signs what was accepted.

mod acceptances;
pub mod accounts;
mod admin_tokens;
pub mod admission;
mod backup;
mod cashier;
mod clock;
mod committer;
mod config;
mod create;
mod currency;
mod directory;
mod documents;
mod guard;
mod high_water;
mod issuer;
mod keeper;
mod key_files;
mod metrics;
mod operator;
mod passphrase;
mod private_files;
mod public_keys;
mod recoup;
mod refusal;
mod restore;
mod rotation;
mod signing;
mod signing_request;
mod store;
mod vault;

pub use acceptances::{AcceptanceProof, check_acceptance};
pub use accounts::{NewPassword, NewPasswordError, Token};
pub use admin_tokens::{AdminToken, AdminTokens, AdminTokensError};
pub use backup::{BackupError, BackupOptions, Manifest, back_up};
pub use cashier::{Cashier, CashierError};
pub use clock::{Clock, SystemClock};
pub use config::{
    AccountsConfig, AdminConfig, Config, DATABASE_DEFAULT, KeyConfig, LISTEN_DEFAULT, LimitsConfig,
    LogConfig, LogFormat, OTHER_VARIABLES, Origin, Overrides, ProxyConfig, SETTINGS, Setting, SettingKind,
    Settings, SettingsError, SignerConfig, TlsConfig, VARIABLE_PREFIX, WhenShort, hide_passwords,
};
pub use create::{CreateError, NewCurrency, NewKeys, OpenStore, create, create_with_key_files};
pub use currency::{CertifiedMintKey, Currency, CurrencyError};
pub use directory::{CertificateLock, Directory, DirectoryError};
pub use guard::{Examined, Guard, GuardError, accept_state, examine};
pub use high_water::{HIGH_WATER_MARK_FILE, HighWaterError, HighWaterMark};
pub use issuer::{Issuer, IssuerOptions, OpenError, register_mint_keys, unavailable};
pub use keeper::{CddChange, Change, DestroyedKey, Keeper, KeeperError, KeyEntry, OpenVault};
pub use key_files::{KeyFiles, Randomness, change_passphrase};
pub use metrics::{METRICS_CONTENT_TYPE, Metrics, Present};
pub use operator::{Operator, OperatorError, PrunedMintKey};
pub use passphrase::{EmptyPassphrase, Passphrase};
pub use private_files::{FileError, exposure, make_private_folder};
pub use public_keys::PublicKeys;
pub use recoup::{RECOUP_TRANSACTIONS_MAX, RevokedMintKey};
pub use refusal::{Reason, Refusal};
pub use restore::{RestoreError, RestoreOptions, Restored, restore};
pub use rotation::{Due, KeyState, RotationPolicy, Span, Step, Window};
pub use signing::Signed;
pub use signing_request::{CddDraft, MintKeyDraft, SignedCertificates, SigningRequest};
pub use store::{
    Books, MigratedBooks, OpenedBooks, StoreMode, books_file, is_shared, migrate_books, open_audit_source,
    open_books, open_ledger, schema_state,
};
pub use vault::{Vault, VaultError};
