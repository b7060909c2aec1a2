//! The records of transfers, as the wallet stores them.

use opencoin_transfer::machine::Participant;
use opencoin_transfer::machine::receiver::ReceiverRecord;
use opencoin_transfer::machine::sender::SenderRecord;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::TransferError;

/// The record of one transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "lowercase")]
pub enum StoredRecord {
    /// This wallet pays.
    Sender(SenderEntry),
    /// This wallet is paid.
    Receiver {
        /// The record of the machine.
        record: ReceiverRecord,
    },
    /// This wallet asks many for payments.
    Till(TillEntry),
}

/// The record of a sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SenderEntry {
    /// The record of the machine.
    pub record: SenderRecord,
    /// The id of the request for many that is paid, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

/// A payment request that many may pay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TillEntry {
    /// The participant in the room where payers come first.
    pub participant: Participant,
}

impl StoredRecord {
    /// Reads what a wallet has stored.
    ///
    /// # Errors
    /// It is no record, or one of a newer program.
    pub fn read(id: &str, record: &Value) -> Result<Self, TransferError> {
        serde_json::from_value(record.clone()).map_err(|_| TransferError::Record(id.to_owned()))
    }

    /// What a wallet stores.
    #[must_use]
    pub fn value(&self) -> Value {
        serde_json::to_value(self).expect("a record has a JSON form")
    }

    /// The participant.
    #[must_use]
    pub const fn participant(&self) -> &Participant {
        match self {
            Self::Sender(entry) => &entry.record.participant,
            Self::Receiver { record } => &record.participant,
            Self::Till(till) => &till.participant,
        }
    }

    /// Whether nothing more can happen.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        match self {
            Self::Sender(entry) => entry.record.is_over(),
            Self::Receiver { record } => record.is_over(),
            Self::Till(_) => false,
        }
    }
}
