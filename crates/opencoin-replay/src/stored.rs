//! The state of a replay between two batches, to go on from later.

use std::collections::BTreeMap;

use opencoin_crypto::verify_cddc;
use opencoin_log::hash::Hash;
use opencoin_log::key_no::KeyNo;
use opencoin_schema::Cddc;
use serde::{Deserialize, Serialize};

use crate::key_accounts::{self, KeyAccounts, StoredKeyAccount};
use crate::keys::{Keys, ReplayedKey};
use crate::replay::{LastBatch, Replay, ReplayError};

/// What [`Replay`] knows after a batch. The [`SpentIndex`](crate::SpentIndex) belongs to it and is stored apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredReplay {
    description: Box<Cddc>,
    /// The hashes of their contents.
    described: BTreeMap<u64, Hash>,
    within_s: u32,
    size: u64,
    last: Option<LastBatch>,
    keys: BTreeMap<KeyNo, ReplayedKey>,
    key_accounts: Vec<StoredKeyAccount>,
    are_key_accounts_broken: bool,
    many_signing: BTreeMap<u64, u64>,
    found: u64,
    #[serde(default)]
    remarks: u64,
    first_broken: Option<u64>,
}

impl StoredReplay {
    /// The number of leaves that were read.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }
}

impl Replay {
    /// The state after the last batch; `None` within a batch.
    #[must_use]
    pub fn stored(&self) -> Option<StoredReplay> {
        self.open.is_empty(self.size).then(|| StoredReplay {
            description: Box::new(self.description.cddc().clone()),
            described: self.descriptions.clone(),
            within_s: self.within_s,
            size: self.size,
            last: self.last.clone(),
            keys: self.keys.all().clone(),
            key_accounts: key_accounts::stored(self.key_accounts.ledger()),
            are_key_accounts_broken: self.key_accounts.is_broken(),
            many_signing: self.many_signing.clone(),
            found: self.found,
            remarks: self.remarks,
            first_broken: self.first_broken,
        })
    }

    /// Goes on from a stored state.
    ///
    /// # Errors
    /// The description in it is not certified, or names no log.
    pub fn resume(stored: StoredReplay) -> Result<Self, ReplayError> {
        let mut replay = Self::new(&stored.description)?;
        replay.description = verify_cddc(&stored.description)?;
        replay.descriptions = stored.described;
        replay.within_s = stored.within_s;
        replay.size = stored.size;
        replay.last = stored.last;
        replay.keys = Keys::restored(stored.keys);
        let ledger = key_accounts::restored(stored.key_accounts);
        replay.key_accounts = KeyAccounts::new(ledger, stored.are_key_accounts_broken);
        replay.many_signing = stored.many_signing;
        replay.found = stored.found;
        replay.remarks = stored.remarks;
        replay.first_broken = stored.first_broken;
        replay.open.begin(stored.size);
        Ok(replay)
    }
}
