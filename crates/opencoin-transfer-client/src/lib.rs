//! Runs live transfers: what `opencoin-transfer` decides, this crate does.
//!
//! [`run`] drives one participant: it connects to the relay, keeps the channel alive, brings messages to the machine and
//! carries out its actions with a wallet ([`TransferWallet`]) and a person ([`Person`]). [`till`] serves a payment request
//! that many may pay, and [`own_room`] is its other side.
//!
//! Everything may stop at any time. The same call with the stored record continues.

mod call;
mod driver;
mod error;
mod lobby;
mod person;
mod random;
mod relay;
mod running;
mod setting;
mod shared;
mod stored;
mod wallet;

pub use driver::run;
pub use error::{RelayError, TransferError};
pub use lobby::{own_room, till};
pub use person::{Person, Progress};
pub use random::Random;
pub use relay::find_relay;
pub use running::Running;
pub use setting::{Patience, Setting};
pub use shared::SharedWallet;
pub use stored::{SenderEntry, StoredRecord, TillEntry};
pub use wallet::{Stored, TransferWallet, check_stored, end_late, settle};
