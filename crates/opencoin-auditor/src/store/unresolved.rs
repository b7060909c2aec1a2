//! Checkpoints of others that are larger than what a log shows, and what they are compared with.

use opencoin_gossip::UnresolvedCheckpoints;
use opencoin_log::signed_checkpoint::SignedCheckpoint;

use super::AuditorStore;
use super::error::StoreError;
use super::row::{corrupt, number};

impl AuditorStore {
    /// The newest checkpoint of a log that was verified.
    pub(crate) async fn newest_checkpoint(&self, no: i64) -> Result<Option<SignedCheckpoint>, StoreError> {
        let text: Option<String> = sqlx::query_scalar("SELECT checkpoint FROM progress WHERE currency = ?")
            .bind(no)
            .fetch_one(&self.readers)
            .await?;
        text.as_deref().map(str::parse).transpose().map_err(corrupt)
    }

    /// The number of entries on the disk.
    pub(crate) async fn copied_size(&self, no: i64) -> Result<u64, StoreError> {
        let size: i64 = sqlx::query_scalar("SELECT size FROM progress WHERE currency = ?")
            .bind(no)
            .fetch_one(&self.readers)
            .await?;
        number(size)
    }

    /// The unresolved checkpoints of a log.
    pub(crate) async fn unresolved(&self, no: i64) -> Result<UnresolvedCheckpoints, StoreError> {
        let text: Option<String> =
            sqlx::query_scalar("SELECT checkpoints FROM unresolved WHERE currency = ?")
                .bind(no)
                .fetch_optional(&self.readers)
                .await?;
        let text = text.as_deref().unwrap_or("[]");
        UnresolvedCheckpoints::parse(text).map_err(corrupt)
    }

    /// Replaces the unresolved checkpoints of a log.
    pub(crate) async fn put_unresolved(
        &self,
        no: i64,
        unresolved: &UnresolvedCheckpoints,
    ) -> Result<(), StoreError> {
        let insert = "INSERT INTO unresolved (currency, checkpoints) VALUES (?, ?)
            ON CONFLICT (currency) DO UPDATE SET checkpoints = excluded.checkpoints";
        sqlx::query(insert)
            .bind(no)
            .bind(unresolved.to_json())
            .execute(&self.writer)
            .await?;
        Ok(())
    }
}
