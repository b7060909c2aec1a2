//! A promise is due, and no later checkpoint is there.

use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log_reader::checkpoint::is_later_than;
use serde::{Deserialize, Serialize};

use super::promised::ShownPromise;
use crate::error::{EvidenceError, fails};
use crate::keys::LogKeys;
use crate::words::date;

/// A promise, and the newest checkpoint that somebody saw after it was due. A complaint: a newer checkpoint answers it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StalledLog {
    promised: ShownPromise,
    /// The newest checkpoint.
    pub(crate) checkpoint: String,
    /// When it was seen, in seconds since 1970. Nobody signed this.
    looked_at: u64,
}

impl StalledLog {
    /// `checkpoint` was the newest one at `looked_at`, in seconds since 1970.
    #[must_use]
    pub fn new(promised: ShownPromise, checkpoint: &SignedCheckpoint, looked_at: u64) -> Self {
        Self {
            promised,
            checkpoint: checkpoint.to_string(),
            looked_at,
        }
    }

    pub(crate) fn check(&self, keys: &LogKeys) -> Result<String, EvidenceError> {
        let promised = self.promised.verify(keys)?;
        let checkpoint = keys.cosigned(&self.checkpoint)?;
        let deadline = promised.promise.deadline();
        if is_later_than(keys.block.policy(), &checkpoint, deadline) || self.looked_at <= deadline {
            return Err(fails("the promise was not due, or a later checkpoint was there"));
        }
        Ok(format!(
            "The issuer promised on {} that a leaf ({}) would be in the log before {}. Somebody who looked on {} says \
             that the newest cosigned checkpoint was this one, of {} entries. This is a complaint and not a proof: look \
             whether the log has a newer checkpoint.",
            date(promised.promise.time),
            promised.what,
            date(deadline),
            date(self.looked_at),
            checkpoint.checkpoint.size()
        ))
    }
}
