//! The issuer of an OpenCoin currency: its documents, its mint keys, its accounts, and the HTTP API that wallets speak.
//!
//! The way of a request: [`http`] reads it, [`Issuer`] decides, [`admission`] verifies what needs no books, the committer
//! takes it to the ledger in a batch with others, and a [`Signer`](opencoin_crypto::Signer) signs what was accepted.

mod accounts;
pub mod admission;
mod clock;
mod committer;
mod config;
mod create;
mod currency;
mod directory;
mod documents;
pub mod http;
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
mod rotation;
mod seldom;
mod signing;
mod signing_request;
mod store;
mod traces;
mod vault;

pub use accounts::Token;
pub use clock::{Clock, SystemClock};
pub use config::{
    AccountsConfig, AdminConfig, Config, DATABASE_DEFAULT, KeyConfig, LISTEN_DEFAULT, LimitsConfig, LogConfig, LogFormat,
    ProxyConfig, SignerConfig, TlsConfig, WhenShort,
};
pub use create::{CreateError, NewCurrency, NewKeys, OpenStore, create, create_with_key_files};
pub use currency::{CertifiedMintKey, Currency, CurrencyError};
pub use directory::{CertificateLock, Directory, DirectoryError};
pub use issuer::{Issuer, IssuerOptions, OpenError, register_mint_keys};
pub use keeper::{CddChange, Change, DestroyedKey, Keeper, KeeperError, KeyEntry, OpenVault};
pub use key_files::{KeyFiles, Randomness, change_passphrase};
pub use metrics::{METRICS_CONTENT_TYPE, Metrics};
pub use operator::{Operator, OperatorError, PrunedMintKey};
pub use passphrase::{EmptyPassphrase, Passphrase};
pub use private_files::{FileError, exposure, make_private_folder};
pub use public_keys::PublicKeys;
pub use recoup::{RECOUP_TRANSACTIONS_MAX, RevokedMintKey};
pub use refusal::{Reason, Refusal};
pub use rotation::{Due, KeyState, RotationPolicy, Span, Step, Window};
pub use signing::Signed;
pub use signing_request::{CddDraft, MintKeyDraft, SignedCertificates, SigningRequest};
pub use store::{StoreMode, is_shared, open_ledger};
pub use traces::TRACE_TARGET;
pub use vault::{Vault, VaultError};
