//! What the auditor has cosigned last.

use opencoin_log::hash::Hash;

use super::error::StoreError;
use super::row::{column, hash, number};
use super::{AuditorStore, Writing};

/// What the auditor has cosigned last for a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastCosignature {
    /// The size of the tree.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// The time of the cosignature, in seconds since 1970.
    pub time: u64,
    /// The checkpoint with the signatures of log, witnesses and auditor.
    pub checkpoint: String,
}

type Row = (i64, Vec<u8>, i64, String);

impl TryFrom<Row> for LastCosignature {
    type Error = StoreError;

    fn try_from((size, root, time, checkpoint): Row) -> Result<Self, StoreError> {
        Ok(Self {
            size: number(size)?,
            root: hash(root)?,
            time: number(time)?,
            checkpoint,
        })
    }
}

impl AuditorStore {
    /// What was cosigned last for a currency.
    pub(crate) async fn cosigned(&self, no: i64) -> Result<Option<LastCosignature>, StoreError> {
        let select = "SELECT size, root, cosigned_at, checkpoint FROM cosigned WHERE currency = ?";
        let row: Option<Row> = sqlx::query_as(select)
            .bind(no)
            .fetch_optional(&self.readers)
            .await?;
        row.map(LastCosignature::try_from).transpose()
    }
}

impl Writing {
    /// What was cosigned last for a currency, under the write lock.
    pub(crate) async fn cosigned(&mut self, no: i64) -> Result<Option<LastCosignature>, StoreError> {
        let select = "SELECT size, root, cosigned_at, checkpoint FROM cosigned WHERE currency = ?";
        let row: Option<Row> = sqlx::query_as(select)
            .bind(no)
            .fetch_optional(&mut *self.0)
            .await?;
        row.map(LastCosignature::try_from).transpose()
    }

    /// Replaces what was cosigned last.
    pub(crate) async fn put_cosigned(&mut self, no: i64, last: &LastCosignature) -> Result<(), StoreError> {
        let insert =
            "INSERT INTO cosigned (currency, size, root, cosigned_at, checkpoint) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (currency) DO UPDATE SET size = excluded.size, root = excluded.root,
            cosigned_at = excluded.cosigned_at, checkpoint = excluded.checkpoint";
        sqlx::query(insert)
            .bind(no)
            .bind(column(last.size)?)
            .bind(&last.root.as_bytes()[..])
            .bind(column(last.time)?)
            .bind(&last.checkpoint)
            .execute(&mut *self.0)
            .await?;
        Ok(())
    }
}
