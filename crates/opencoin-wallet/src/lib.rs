//! An OpenCoin wallet as a library: which coins to hold, a memory that survives a crash at any moment, the
//! talk with an issuer.
//!
//! Secrets and the exact request are on disk before anything is sent. Whatever happens then (a crash, a lost
//! answer, a delay), the money is where it was or [`Wallet::resume`] finishes what was begun. Every
//! certificate and every signature is verified.
//!
//! The async functions do their own work on the thread that polls them: a few milliseconds for each coin that
//! is blinded or verified, and a write to the disk for each event. A program that serves others meanwhile runs
//! them on a thread of their own (`tokio::task::spawn_blocking` with a handle's `block_on`). Dropping one of
//! their futures is like a crash at that point: [`Wallet::resume`] finishes what was begun.

pub mod account;
mod bearer;
mod client;
mod coin_fault;
mod currency;
mod error;
mod event;
mod file_error;
mod holder;
mod journal;
mod network;
mod secret;
mod state;
mod tokenizing;
mod transport;
mod wallet;

pub use bearer::{Bearer, TokenError, read_token};
pub use client::ExchangeError;
pub use coin_fault::{CoinFault, LeftOut};
pub use error::WalletError;
pub use file_error::FileError;
pub use journal::JournalError;
pub use network::{Authorities, AuthoritiesError, HttpAnswer};
pub use secret::Secret;
pub use tokenizing::NotRepresentable;
pub use transport::{HttpTransport, NoAnswer, Transport};
pub use wallet::{
    Abandoned, Balance, Clock, CoinPlace, CoinShown, Done, HistoryEntry, ITEMS_MAX, Preview, Progress,
    Randomness, Received, Recouped, Sent, Wallet,
};
