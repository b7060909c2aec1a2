//! An OpenCoin wallet as a library: it chooses coins, stores them so that no crash loses any, and talks to issuers.
//!
//! [`Wallet`] holds coins of any number of currencies. It is given everything that it needs from outside: a folder for its
//! file, or another [`storage`], a [`Transport`] to reach issuers, a [`Clock`] and a source of [`Randomness`]. It never prints
//! and never asks.
//!
//! ```no_run
//! # async fn example(stack: opencoin_schema::CoinStack) -> Result<(), Box<dyn std::error::Error>> {
//! use std::path::Path;
//! use std::sync::Arc;
//!
//! use opencoin_wallet::{HttpTransport, Network, Wallet};
//!
//! let transport = Arc::new(HttpTransport::new(&Network::default())?);
//! let clock = Arc::new(chrono::Utc::now);
//! let mut wallet = Wallet::create(Path::new("wallet"), None, transport, clock, Box::new(rand::rngs::OsRng))?;
//! wallet.add("https://issuer.example").await?;
//! let received = wallet.receive(&stack).await?;
//! assert!(received.left_out.is_empty(), "all coins were good");
//! # Ok(())
//! # }
//! ```
//!
//! `examples/receive.rs` is a whole program.
//!
//! # Amounts
//!
//! All amounts are whole numbers in the smallest unit of the currency. [`Balance::divisor`] says how many of them make one
//! unit; the crate `opencoin-text` reads and shows decimals.
//!
//! # What is safe when
//!
//! The secrets and the exact request are on disk before a request is sent. After a crash or a lost answer the money is
//! unchanged, or [`Wallet::resume`] finishes the request. So every [`WalletError`] leaves the wallet usable. Dropping a
//! future is like a crash at that point. Certificates and signatures are verified before the wallet relies on them.
//!
//! Call [`Wallet::tidy`] when the result of an operation is stored safely, and [`Wallet::maintain`] from time to time: coins
//! expire.
//!
//! # Backup
//!
//! The secrets of all requests are derived from [`Wallet::phrase`]. [`Wallet::use_phrase`] and [`Wallet::restore`] make the
//! coins of a lost wallet again. [`Wallet::set_passphrase`] encrypts what is stored.
//!
//! # Handing coins over
//!
//! [`Wallet::send`] returns a coin stack, and [`Wallet::send_code`] a short code. Both are money, and
//! [`Wallet::reclaim`] takes the coins back until their receiver has renewed them. The functions for transfers keep the record
//! of a conversation with another wallet together with its coins; the crate `opencoin-transfer-client` has the conversation.
//!
//! # Threads
//!
//! The async functions block the thread that polls them: a few milliseconds for each coin that is blinded or verified, and
//! a disk write for each event. A server runs them on a separate thread (`tokio::task::spawn_blocking` with `block_on` of a
//! runtime's handle). One process at a time can change a wallet; others can read it ([`Wallet::open_to_read`]).
//!
//! # Privacy
//!
//! The issuer sees no more than that coins are spent and blinds are signed, but also when, and from which network address.
//! [`SocksProxy`] hides the address. `docs/WALLETS.md` lists what everybody learns.
//!
//! # The public log
//!
//! If the currency's description names a public log, the wallet checks it: mint keys before their first use, a promise for
//! every accepted request, and with [`Wallet::check_log`] that the promises were kept.
//!
//! # Key accounts
//!
//! [`Wallet::new_key`] makes a key, and [`Wallet::pay_by_key`] pays with it. What such accounts hold and pay is public and
//! in the log, so [`Wallet::prove_balance`] and [`PaymentVerifier`] need not believe the issuer.
//!
//! # Accounts
//!
//! [`account`] is a client of an issuer's accounts, whose money pays for a mint and receives a redeem.

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
mod key_account;
mod key_requests;
mod network;
mod old_journal;
mod phrase;
mod proxy;
mod public_log;
mod refusal;
mod state;
pub mod storage;
mod store;
mod tokenizing;
mod transport;
mod upgrade;
mod wallet;

pub use bearer::{Bearer, TokenError, read_token};
pub use client::ExchangeError;
pub use clock::Clock;
pub use coin_fault::{CoinFault, LeftOut, faults_in_words};
pub use error::WalletError;
pub use event::TransferCoins;
pub use file_error::FileError;
pub use opencoin_log_reader::LogReadError;

pub use key_account::{CheckedPayment, KeyPaymentState, PaymentProofError, PaymentVerifier};
pub use network::{Authorities, AuthoritiesError, HttpAnswer, Network, NoAnswer};
pub use opencoin_api::Secret;
pub use phrase::{PHRASE_WORDS, Phrase, PhraseError};
pub use proxy::{ConnectionKind, ProxyError, SocksProxy};
pub use public_log::LogError;
pub use refusal::RefusedCoins;
pub use tokenizing::NotRepresentable;
pub use transport::{HttpTransport, OnBehalf, Transport};
pub use upgrade::{Upgrade, Upgraded, Upgrader};
pub use wallet::{
    Abandoned, Balance, Described, Done, EntryKind, FollowedKey, FoundKeyPayment, HistoryEntry, ITEMS_MAX,
    KeyBalance, KeyEntry, KeyInfo, KeyPayee, KeyPaymentOrder, LogStatus, Maintained, OnAttempts, OnProgress,
    PaidByKey, PendingPayments, Randomness, Received, Reclaimed, Recouped, RestoreProgress, Restored,
    RestoredKeys, SeenLog, Sent, SentCode, ShownFault, ShownKeyPayment, StackProgress, StoredTransfer,
    Wallet,
};
