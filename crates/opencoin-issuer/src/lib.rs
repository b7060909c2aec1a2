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
pub mod http;
mod issuer;
mod operator;
mod recoup;
mod refusal;
mod seldom;
mod signing;
mod store;

pub use accounts::Token;
pub use clock::{Clock, SystemClock};
pub use config::{Config, DATABASE_DEFAULT, LISTEN_DEFAULT};
pub use create::{CreateError, NewCurrency, create};
pub use currency::{CertifiedMintKey, Currency, CurrencyError};
pub use directory::{Directory, DirectoryError, NewDirectory};
pub use issuer::{Issuer, IssuerOptions, OpenError, register_mint_keys};
pub use operator::{Operator, OperatorError, PrunedMintKey};
pub use recoup::{RECOUP_TRANSACTIONS_MAX, RevokedMintKey};
pub use refusal::{Reason, Refusal};
pub use signing::Signed;
pub use store::{StoreMode, is_shared, open_ledger};
