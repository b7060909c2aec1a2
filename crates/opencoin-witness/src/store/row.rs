//! What was cosigned last, as the columns of a row.

use opencoin_log::hash::Hash;

use super::error::StoreError;
use crate::decide::Tree;

/// What a witness has cosigned last for a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastCosigned {
    /// The size of the tree.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// The time of the cosignature, in seconds since 1970.
    pub time: u64,
    /// The checkpoint with the signatures of the log and of the witness.
    pub checkpoint: String,
}

/// The columns `size`, `root`, `cosigned_at` and `checkpoint`.
pub(super) type StoredCosigned = (Option<i64>, Option<Vec<u8>>, Option<i64>, Option<String>);

impl LastCosigned {
    pub(crate) fn tree(&self) -> Tree {
        Tree {
            size: self.size,
            root: self.root,
        }
    }

    pub(super) fn from_columns(origin: &str, columns: StoredCosigned) -> Result<Option<Self>, StoreError> {
        let (size, root, time, checkpoint) = match columns {
            (None, None, None, None) => return Ok(None),
            (Some(size), Some(root), Some(time), Some(checkpoint)) => (size, root, time, checkpoint),
            _ => return Err(corrupt(origin, "has some of the columns of a cosigned tree only")),
        };
        Ok(Some(Self {
            size: number(origin, size)?,
            root: hash(origin, root)?,
            time: number(origin, time)?,
            checkpoint,
        }))
    }
}

pub(super) fn number(origin: &str, number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| corrupt(origin, "has a negative number"))
}

pub(super) fn hash(origin: &str, bytes: Vec<u8>) -> Result<Hash, StoreError> {
    let bytes = bytes
        .try_into()
        .map_err(|_| corrupt(origin, "has a root of another length"))?;
    Ok(Hash::new(bytes))
}

/// A number for a column.
pub(super) fn column(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Database(format!("{number} is too large for it")))
}

pub(super) fn corrupt(origin: &str, reason: &str) -> StoreError {
    StoreError::Corrupt {
        origin: origin.to_owned(),
        reason: reason.to_owned(),
    }
}
