//! Machines as the wallet stores them.

use opencoin_transfer::machine::Machine;
use opencoin_transfer::machine::receiver::ReceiverRecord;
use opencoin_transfer::machine::sender::SenderRecord;

use crate::stored::StoredRecord;

/// A machine that can run.
pub trait Running: Machine + Send + Sync {
    /// What the wallet stores for the machine. `before` is what it has stored.
    fn stored(&self, before: &StoredRecord) -> StoredRecord;

    /// The machine of a record.
    fn of(record: &StoredRecord) -> Option<Self>;
}

impl Running for SenderRecord {
    fn stored(&self, before: &StoredRecord) -> StoredRecord {
        let mut after = before.clone();
        if let StoredRecord::Sender(entry) = &mut after {
            entry.record = self.clone();
        }
        after
    }

    fn of(record: &StoredRecord) -> Option<Self> {
        match record {
            StoredRecord::Sender(entry) => Some(entry.record.clone()),
            StoredRecord::Receiver { .. } | StoredRecord::Till(_) => None,
        }
    }
}

impl Running for ReceiverRecord {
    fn stored(&self, _: &StoredRecord) -> StoredRecord {
        StoredRecord::Receiver { record: self.clone() }
    }

    fn of(record: &StoredRecord) -> Option<Self> {
        match record {
            StoredRecord::Receiver { record } => Some(record.clone()),
            StoredRecord::Sender(_) | StoredRecord::Till(_) => None,
        }
    }
}
