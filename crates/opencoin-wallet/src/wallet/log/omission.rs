//! Evidence that a leaf is missing, from the places where it would be.

use opencoin_evidence::{Absence, OmittedLeaf, ShownPromise, included};
use opencoin_log_reader::{Batch, LogReadError};

use super::checkpoint::NewestLog;

/// A batch that does not have a leaf: the indices of the leaves that enclose it, and of the batch leaf.
#[derive(Debug, Clone, Copy)]
pub(super) struct Missing {
    pub(super) left: Option<u64>,
    pub(super) right: u64,
    pub(super) end: u64,
}

/// Makes the evidence. `last_batch` is the last batch of the log if later ones could have the leaf.
pub(super) async fn omission(
    newest: &mut NewestLog,
    promised: ShownPromise,
    places: &[Missing],
    last_batch: Option<&Batch>,
) -> Result<OmittedLeaf, LogReadError> {
    let mut batches = Vec::new();
    for place in places {
        let left = match place.left {
            Some(left) => Some(included(&mut newest.tree, left).await?),
            None => None,
        };
        batches.push(Absence {
            batch: included(&mut newest.tree, place.end).await?,
            left,
            right: included(&mut newest.tree, place.right).await?,
        });
    }
    let last = match last_batch {
        Some(last) => Some(included(&mut newest.tree, last.end).await?),
        None => None,
    };
    Ok(OmittedLeaf::new(promised, &newest.note, batches, last))
}
