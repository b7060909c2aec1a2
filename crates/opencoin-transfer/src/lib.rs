//! Live transfers of coins between two wallets, without input and output.
//!
//! A transfer has two participants, a sender and a receiver, who share an [`invitation`]. They meet at a relay, agree on
//! keys in a [`channel`] and exchange [`message`]s. What each of them does is a pure function of its durable record and
//! of what happens: [`machine::sender`] and [`machine::receiver`]. A [`receipt`] ends the transfer.
//!
//! Whoever drives a machine brings a relay, a store, a clock and randomness. docs/LIVE_TRANSFER.md specifies the bytes,
//! so that another program can be the other end.

mod hex_bytes;
mod noise;
mod secret;

pub mod bundle;
pub mod channel;
pub mod invitation;
pub mod key;
pub mod link;
pub mod machine;
pub mod message;
pub mod receipt;
pub mod relay;

pub use hex_bytes::{ClientToken, Digest, PublicKey, TransferId};
pub use secret::Secret32;

/// The largest amount and sequence number, which every JSON library reads exactly.
pub const NUMBER_MAX: u64 = (1 << 53) - 1;

/// The longest subject of a transfer, in bytes of UTF-8.
pub const SUBJECT_BYTES_MAX: usize = 512;

/// A participant's part in a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Party {
    /// They pay.
    Sender,
    /// They are paid.
    Receiver,
}

impl Party {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Sender => Self::Receiver,
            Self::Receiver => Self::Sender,
        }
    }
}
