//! An account at an issuer, as its holder and their services use it: sessions, payments, entries as they
//! come.
//!
//! Apart from coins: the issuer sees all of it. A payment is sent under a key that is on the disk before
//! ([`Outbox`]), and money that came or went is followed by a cursor ([`Watch`]), so that neither a crash nor
//! a lost answer pays twice or shows anything twice or never.

mod answer;
mod client;
mod error;
mod event_stream;
mod outbox;
mod pay;
mod stored_session;
mod watch;

pub use crate::holder::Holder;
pub use client::{AccountClient, Made, Page};
pub use error::AccountError;
pub use outbox::{Begun, Outbox, Payer, Payment, Unanswered};
pub use pay::{Paid, Receipt, pay, pay_with_key};
pub use stored_session::{SessionCurrency, StoredSession};
pub use watch::Watch;
