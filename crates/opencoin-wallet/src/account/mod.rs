//! The client side of an account: sessions, payments, and a stream of entries.
//!
//! Unlike payments with coins, the issuer sees all of this. The idempotency key of a payment is on the disk
//! before the payment is sent ([`Outbox`]), and entries are followed with a cursor ([`Watch`]). So a crash or
//! a lost answer neither pays twice nor shows an entry twice or never.

mod client;
mod error;
mod event_stream;
mod outbox;
mod pairing;
mod pay;
mod private_json;
mod stored_session;
mod watch;

pub use crate::holder::Holder;
pub use client::{AccountClient, Made, Page};
pub use error::AccountError;
pub use outbox::{Begun, Outbox, Payer, Payment, Unanswered};
pub use pairing::{Pairing, PairingError};
pub use pay::{Paid, Receipt, pay, pay_with_key};
pub use stored_session::{SessionCurrency, StoredSession};
pub use watch::Watch;
