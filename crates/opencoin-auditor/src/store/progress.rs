//! How far a log was read and replayed.

use opencoin_log::hash::Hash;
use opencoin_replay::StoredReplay;

use super::error::StoreError;
use super::row::{column, corrupt, hash, number};
use super::{AuditorStore, Writing};
use crate::spent_files::SpentRuns;

/// How far a log was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// The newest checkpoint that was verified, with its signatures.
    pub checkpoint: Option<String>,
    /// When it was first seen, in seconds since 1970.
    pub checkpoint_at: Option<u64>,
    /// The number of entries on the disk.
    pub size: u64,
    /// The root of their tree.
    pub root: Hash,
    /// The state of the replay that was stored last.
    pub snapshot: Option<Snapshot>,
}

/// A state of the replay that can be continued.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The state.
    pub replay: StoredReplay,
    /// The runs of the index of spent coins that belong to it.
    pub runs: SpentRuns,
}

type Row = (
    Option<String>,
    Option<i64>,
    i64,
    Vec<u8>,
    Option<String>,
    Option<String>,
);

impl AuditorStore {
    /// How far the log of a currency was read. The state of the replay may be large: this is for a start alone.
    pub(crate) async fn progress(&self, no: i64) -> Result<Progress, StoreError> {
        let select =
            "SELECT checkpoint, checkpoint_at, size, root, replay, runs FROM progress WHERE currency = ?";
        let row: Row = sqlx::query_as(select).bind(no).fetch_one(&self.readers).await?;
        let (checkpoint, checkpoint_at, size, root, replay, runs) = row;
        let snapshot = match (replay, runs) {
            (Some(replay), Some(runs)) => Some(Snapshot {
                replay: serde_json::from_str(&replay).map_err(corrupt)?,
                runs: serde_json::from_str(&runs).map_err(corrupt)?,
            }),
            _ => None,
        };
        Ok(Progress {
            checkpoint,
            checkpoint_at: checkpoint_at.map(number).transpose()?,
            size: number(size)?,
            root: hash(root)?,
            snapshot,
        })
    }

    /// When the newest checkpoint was seen, in seconds since 1970.
    pub(crate) async fn checkpoint_at(&self, no: i64) -> Result<Option<u64>, StoreError> {
        let at: Option<i64> = sqlx::query_scalar("SELECT checkpoint_at FROM progress WHERE currency = ?")
            .bind(no)
            .fetch_one(&self.readers)
            .await?;
        at.map(number).transpose()
    }

    /// Remembers a verified checkpoint, which continues the one before.
    pub(crate) async fn put_checkpoint(&self, no: i64, note: &str, now_s: u64) -> Result<(), StoreError> {
        sqlx::query("UPDATE progress SET checkpoint = ?, checkpoint_at = ? WHERE currency = ?")
            .bind(note)
            .bind(column(now_s)?)
            .bind(no)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Forgets the entries on the disk and the replay, because files are lost. The checkpoint stays.
    pub(crate) async fn forget_copy(&self, no: i64) -> Result<(), StoreError> {
        let update = "UPDATE progress SET size = 0, root = ?, snapshot_size = 0, replay = NULL, runs = NULL
            WHERE currency = ?";
        sqlx::query(update)
            .bind(&Hash::EMPTY_TREE.as_bytes()[..])
            .bind(no)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Forgets the state of the replay, because files of its index are lost.
    pub(crate) async fn forget_snapshot(&self, no: i64) -> Result<(), StoreError> {
        let update = "UPDATE progress SET snapshot_size = 0, replay = NULL, runs = NULL WHERE currency = ?";
        sqlx::query(update).bind(no).execute(&self.writer).await?;
        Ok(())
    }
}

impl Writing {
    /// Remembers how many entries are on the disk.
    pub(crate) async fn put_size(&mut self, no: i64, size: u64, root: &Hash) -> Result<(), StoreError> {
        sqlx::query("UPDATE progress SET size = ?, root = ? WHERE currency = ?")
            .bind(column(size)?)
            .bind(&root.as_bytes()[..])
            .bind(no)
            .execute(&mut *self.0)
            .await?;
        Ok(())
    }

    /// Replaces the state of the replay.
    pub(crate) async fn put_snapshot(&mut self, no: i64, snapshot: &Snapshot) -> Result<(), StoreError> {
        let update = "UPDATE progress SET snapshot_size = ?, replay = ?, runs = ? WHERE currency = ?";
        sqlx::query(update)
            .bind(column(snapshot.replay.size())?)
            .bind(serde_json::to_string(&snapshot.replay).map_err(corrupt)?)
            .bind(serde_json::to_string(&snapshot.runs).map_err(corrupt)?)
            .bind(no)
            .execute(&mut *self.0)
            .await?;
        Ok(())
    }
}
