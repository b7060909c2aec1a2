//! The log was larger before.

use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log_reader::checkpoint::{is_later_than, quorum_time};
use serde::{Deserialize, Serialize};

use crate::error::{EvidenceError, fails};
use crate::keys::LogKeys;
use crate::words::date;

/// A checkpoint that is smaller than an earlier one counts only if a quorum cosigned it so much later, because clocks
/// may differ.
const ROLLBACK_MARGIN_S: u64 = 600;

/// Two checkpoints that a quorum has cosigned, the smaller one later. An incident, which does not say whose fault it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// The checkpoint of the larger tree.
    pub(crate) before: String,
    /// The checkpoint of the smaller tree, which was cosigned later.
    pub(crate) after: String,
}

impl Rollback {
    /// The log was as large as `before`, and later only as large as `after`.
    #[must_use]
    pub fn new(before: &SignedCheckpoint, after: &SignedCheckpoint) -> Self {
        Self {
            before: before.to_string(),
            after: after.to_string(),
        }
    }

    pub(crate) fn check(&self, keys: &LogKeys) -> Result<String, EvidenceError> {
        let (before, after) = (keys.cosigned(&self.before)?, keys.cosigned(&self.after)?);
        let policy = keys.block.policy();
        let (large, small) = (before.checkpoint.size(), after.checkpoint.size());
        let seen =
            quorum_time(policy, &before).ok_or_else(|| fails("no witness has dated the checkpoints"))?;
        // A witness that lags behind may cosign an old checkpoint late; a quorum does not.
        if small >= large || !is_later_than(policy, &after, seen.saturating_add(ROLLBACK_MARGIN_S)) {
            return Err(fails("the smaller checkpoint was not cosigned later"));
        }
        Ok(format!(
            "The log had {large} entries on {}, and a quorum of witnesses has seen no more than {small} later. The log \
             has lost entries, and witnesses have forgotten them. This is an incident and does not say whose fault it \
             is.",
            date(seen)
        ))
    }
}
