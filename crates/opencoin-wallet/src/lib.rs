//! An OpenCoin wallet as a library: it chooses coins, keeps a crash-safe journal and talks to issuers.
//!
//! The secrets and the exact request are on disk before a request is sent. After a crash or a lost answer the
//! money is unchanged, or [`Wallet::resume`] finishes the request. Certificates and signatures are verified.
//!
//! The async functions block the thread that polls them: a few milliseconds for each coin that is blinded or
//! verified, and a disk write for each event. A server runs them on a separate thread
//! (`tokio::task::spawn_blocking` with `block_on` of a runtime's handle). Dropping a future is like a crash
//! at that point: [`Wallet::resume`] finishes the request.
//!
//! If the currency's description names a public log, the wallet checks it: mint keys before their first use, a promise
//! for every accepted request, and with [`Wallet::check_log`] that the promises were kept.

pub mod account;
mod bearer;
mod client;
mod clock;
mod coin_fault;
mod coins;
mod currency;
mod derivation;
mod error;
mod event;
mod file_error;
mod holder;
mod network;
mod old_journal;
mod phrase;
mod proxy;
mod public_log;
mod refusal;
mod secret;
mod state;
pub mod storage;
mod store;
mod tokenizing;
mod transport;
mod wallet;

pub use bearer::{Bearer, TokenError, read_token};
pub use client::ExchangeError;
pub use clock::Clock;
pub use coin_fault::{CoinFault, LeftOut, faults_in_words};
pub use error::WalletError;
pub use file_error::FileError;
pub use network::{Authorities, AuthoritiesError, HttpAnswer, Network, NoAnswer};
pub use phrase::{PHRASE_WORDS, Phrase, PhraseError};
pub use proxy::{ConnectionKind, ProxyError, SocksProxy};
pub use public_log::LogError;
pub use public_log::evidence::{
    CheckedEvidence, EVIDENCE_BYTES_MAX, Evidence, EvidenceError, check_evidence,
};
pub use refusal::RefusedCoins;
pub use secret::Secret;
pub use tokenizing::NotRepresentable;
pub use transport::{HttpTransport, Transport};
pub use wallet::{
    Abandoned, Balance, Done, HistoryEntry, ITEMS_MAX, LogStatus, Maintained, OnProgress, Randomness, Received,
    Reclaimed, Recouped, RestoreProgress, Restored, SeenLog, Sent, SentCode, ShownFault, StoredTransfer,
    TransferCoins, Wallet,
};
