//! What a submission reads and writes.

use super::error::StoreError;
use super::row::{LastCosigned, StoredCosigned, column, corrupt};
use super::{WitnessStore, Writing};
use crate::log_key::LogKey;

/// A log that the witness accepts.
#[derive(Debug, Clone)]
pub(crate) struct AcceptedLog {
    /// The number of its row.
    pub(crate) no: i64,
    /// Its keys.
    pub(crate) keys: Vec<LogKey>,
}

impl WitnessStore {
    /// The log with this origin, if the witness accepts it.
    pub(crate) async fn accepted(&self, origin: &str) -> Result<Option<AcceptedLog>, StoreError> {
        let select =
            "SELECT no, vkey FROM logs JOIN log_keys ON log = no WHERE origin = ? AND is_accepted = 1";
        let rows: Vec<(i64, String)> = sqlx::query_as(select)
            .bind(origin)
            .fetch_all(&self.readers)
            .await?;
        let Some((no, _)) = rows.first() else {
            return Ok(None);
        };
        Ok(Some(AcceptedLog {
            no: *no,
            keys: parse_keys(origin, rows.iter().map(|(_, vkey)| vkey.as_str()))?,
        }))
    }
}

impl Writing {
    /// What was cosigned last for a log. The outer `None` means that the witness does not accept the log any more.
    pub(crate) async fn last(
        &mut self,
        no: i64,
        origin: &str,
    ) -> Result<Option<Option<LastCosigned>>, StoreError> {
        let select = "SELECT size, root, cosigned_at, checkpoint FROM logs WHERE no = ? AND is_accepted = 1";
        let row: Option<StoredCosigned> = sqlx::query_as(select)
            .bind(no)
            .fetch_optional(&mut *self.0)
            .await?;
        row.map(|columns| LastCosigned::from_columns(origin, columns))
            .transpose()
    }

    /// Replaces what was cosigned last for a log.
    pub(crate) async fn put_last(&mut self, no: i64, last: &LastCosigned) -> Result<(), StoreError> {
        let update = "UPDATE logs SET size = ?, root = ?, cosigned_at = ?, checkpoint = ? WHERE no = ?";
        let updated = sqlx::query(update)
            .bind(column(last.size)?)
            .bind(&last.root.as_bytes()[..])
            .bind(column(last.time)?)
            .bind(&last.checkpoint)
            .bind(no)
            .execute(&mut *self.0)
            .await?;
        assert_eq!(updated.rows_affected(), 1, "the row was read under the same lock");
        Ok(())
    }
}

pub(super) fn parse_keys<'row>(
    origin: &str,
    vkeys: impl Iterator<Item = &'row str>,
) -> Result<Vec<LogKey>, StoreError> {
    let parse = |vkey: &str| {
        vkey.parse()
            .map_err(|error| corrupt(origin, &format!("has a bad key: {error}")))
    };
    vkeys.map(parse).collect()
}
