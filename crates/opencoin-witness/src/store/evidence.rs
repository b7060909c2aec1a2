//! Evidence against logs: pairs of checkpoints that both have the log's signature and that no log can have both.

use opencoin_log::hash::Hash;

use super::error::StoreError;
use super::row::{column, hash, number};
use super::{WitnessStore, Writing};
use crate::decide::Tree;

/// The most contradictions that are kept of one log. A single one is proof enough; more only show how bad it is.
pub const EVIDENCE_MAX: u32 = 100;

/// Two checkpoints of one size with different roots, both signed by the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The origin of the log.
    pub origin: String,
    /// When the second checkpoint was submitted, in seconds since 1970.
    pub seen_at: u64,
    /// The size of both trees.
    pub size: u64,
    /// The root of the second checkpoint.
    pub root: Hash,
    /// The checkpoint that the witness has cosigned.
    pub cosigned: String,
    /// The checkpoint that contradicts it, which the witness has not cosigned.
    pub contradicting: String,
}

/// The columns of `contradictions` in the order of the query.
type StoredContradiction = (String, i64, i64, Vec<u8>, String, String);

impl TryFrom<StoredContradiction> for Contradiction {
    type Error = StoreError;

    fn try_from(
        (origin, seen_at, size, root, cosigned, contradicting): StoredContradiction,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            seen_at: number(&origin, seen_at)?,
            size: number(&origin, size)?,
            root: hash(&origin, root)?,
            origin,
            cosigned,
            contradicting,
        })
    }
}

impl WitnessStore {
    /// The contradictions of one log or of all, in the order in which they were seen.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn contradictions(&self, origin: Option<&str>) -> Result<Vec<Contradiction>, StoreError> {
        let select =
            "SELECT origin, seen_at, contradictions.size, contradictions.root, cosigned, contradicting
            FROM contradictions JOIN logs ON logs.no = log
            WHERE ?1 IS NULL OR origin = ?1 ORDER BY contradictions.no";
        let rows: Vec<StoredContradiction> = sqlx::query_as(select)
            .bind(origin)
            .fetch_all(&self.readers)
            .await?;
        rows.into_iter().map(Contradiction::try_from).collect()
    }
}

impl Writing {
    /// Keeps a contradiction. Returns whether it is new and there was room for it.
    pub(crate) async fn put_contradiction(
        &mut self,
        no: i64,
        seen_at: u64,
        second: &Tree,
        cosigned: &str,
        contradicting: &str,
    ) -> Result<bool, StoreError> {
        let insert = "INSERT INTO contradictions (log, seen_at, size, root, cosigned, contradicting)
            SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE (SELECT count(*) FROM contradictions WHERE log = ?1) < ?7
            ON CONFLICT DO NOTHING";
        let inserted = sqlx::query(insert)
            .bind(no)
            .bind(column(seen_at)?)
            .bind(column(second.size)?)
            .bind(&second.root.as_bytes()[..])
            .bind(cosigned)
            .bind(contradicting)
            .bind(EVIDENCE_MAX)
            .execute(&mut *self.0)
            .await?;
        Ok(inserted.rows_affected() == 1)
    }
}
