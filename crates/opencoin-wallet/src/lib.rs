//! An OpenCoin wallet as a library: which coins to hold, a memory that survives a crash at any moment, the
//! talk with an issuer.
//!
//! Secrets and the exact request are on disk before anything is sent. Whatever happens then (a crash, a lost
//! answer, a delay), the money is where it was or [`Wallet::resume`] finishes what was begun. Every
//! certificate and every signature is verified.

pub mod account;
mod bearer;
mod client;
mod currency;
mod error;
mod event;
mod journal;
mod network;
mod private_file;
mod secret;
mod state;
mod tokenizing;
mod wallet;

pub use bearer::Bearer;
pub use client::{ExchangeError, HttpAnswer, HttpTransport, NoAnswer, Transport};
pub use error::WalletError;
pub use journal::JournalError;
pub use network::{Authorities, AuthoritiesError};
pub use private_file::FileError;
pub use secret::Secret;
pub use tokenizing::NotRepresentable;
pub use wallet::{Balance, Clock, Done, HistoryEntry, ITEMS_MAX, Progress, Randomness, Recouped, Wallet};
