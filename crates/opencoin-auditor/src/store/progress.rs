//! How far a log was read and replayed.

use futures_util::TryStreamExt;
use opencoin_log::hash::Hash;
use opencoin_replay::StoredReplay;
use sqlx::SqliteConnection;

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

/// The longest piece of a state of the replay.
const REPLAY_PIECE_BYTES: usize = 16 * 1024 * 1024;

type Row = (Option<String>, Option<i64>, i64, Vec<u8>, Option<String>);

impl AuditorStore {
    /// How far the log of a currency was read. The state of the replay may be large: this is for a start alone.
    pub(crate) async fn progress(&self, no: i64) -> Result<Progress, StoreError> {
        let mut reading = self.readers.begin().await?;
        let select = "SELECT checkpoint, checkpoint_at, size, root, runs FROM progress WHERE currency = ?";
        let row: Row = sqlx::query_as(select).bind(no).fetch_one(&mut *reading).await?;
        let (checkpoint, checkpoint_at, size, root, runs) = row;
        let snapshot = match runs {
            Some(runs) => Some(Snapshot {
                replay: serde_json::from_slice(&replay_text(&mut reading, no).await?).map_err(corrupt)?,
                runs: serde_json::from_str(&runs).map_err(corrupt)?,
            }),
            None => None,
        };
        reading.rollback().await?;
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
        let mut writing = self.write().await?;
        writing.forget_snapshot(no).await?;
        writing.put_size(no, 0, &Hash::EMPTY_TREE).await?;
        writing.commit().await
    }

    /// Forgets the state of the replay, because files of its index are lost.
    pub(crate) async fn forget_snapshot(&self, no: i64) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        writing.forget_snapshot(no).await?;
        writing.commit().await
    }
}

/// The pieces of a state of the replay, joined.
async fn replay_text(reading: &mut SqliteConnection, no: i64) -> Result<Vec<u8>, StoreError> {
    let select = "SELECT bytes FROM replay_pieces WHERE currency = ? ORDER BY piece";
    let mut pieces = sqlx::query_scalar::<_, Vec<u8>>(select).bind(no).fetch(reading);
    let mut text = Vec::new();
    while let Some(piece) = pieces.try_next().await? {
        text.extend_from_slice(&piece);
    }
    Ok(text)
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
        self.put_snapshot_in_pieces(no, snapshot, REPLAY_PIECE_BYTES)
            .await
    }

    async fn put_snapshot_in_pieces(
        &mut self,
        no: i64,
        snapshot: &Snapshot,
        piece_bytes: usize,
    ) -> Result<(), StoreError> {
        self.forget_snapshot(no).await?;
        let text = serde_json::to_vec(&snapshot.replay).map_err(corrupt)?;
        for (piece, bytes) in (0_i64..).zip(text.chunks(piece_bytes)) {
            sqlx::query("INSERT INTO replay_pieces (currency, piece, bytes) VALUES (?, ?, ?)")
                .bind(no)
                .bind(piece)
                .bind(bytes)
                .execute(&mut *self.0)
                .await?;
        }
        sqlx::query("UPDATE progress SET snapshot_size = ?, runs = ? WHERE currency = ?")
            .bind(column(snapshot.replay.size())?)
            .bind(serde_json::to_string(&snapshot.runs).map_err(corrupt)?)
            .bind(no)
            .execute(&mut *self.0)
            .await?;
        Ok(())
    }

    async fn forget_snapshot(&mut self, no: i64) -> Result<(), StoreError> {
        for statement in [
            "DELETE FROM replay_pieces WHERE currency = ?",
            "UPDATE progress SET snapshot_size = 0, runs = NULL WHERE currency = ?",
        ] {
            sqlx::query(statement).bind(no).execute(&mut *self.0).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use opencoin_replay::{MemorySpentIndex, Replay};
    use opencoin_testkit::log_builder::LogBuilder;
    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{Connection, SqliteConnection};
    use tempfile::TempDir;

    use super::*;
    use crate::store::NewCurrency;

    const PIECE_BYTES: usize = 100;
    /// What version 1 had in the table `progress`.
    const AS_VERSION_1: &str = "
        ALTER TABLE progress ADD COLUMN replay TEXT;
        DROP TABLE replay_pieces;
        UPDATE progress SET snapshot_size = 7, replay = '{}', runs = '{}';
        PRAGMA user_version = 1;
    ";

    fn snapshot_of(log: &LogBuilder) -> Snapshot {
        let mut replay = Replay::new(log.cddc().cddc()).unwrap();
        let mut leaves = log.leaves().iter().map(Vec::as_slice);
        let mut index = MemorySpentIndex::default();
        while replay.read(&mut leaves, &mut index).unwrap().is_some() {}
        Snapshot {
            replay: replay.stored().unwrap(),
            runs: SpentRuns::default(),
        }
    }

    async fn store_of(folder: &TempDir, log: &LogBuilder) -> (AuditorStore, i64) {
        let store = AuditorStore::open(&folder.path().join("auditor.sqlite")).await;
        let store = store.unwrap();
        let new = NewCurrency {
            url: "http://issuer.test",
            origin: "issuer.test/log",
            master_key: "key",
            cddc: log.cddc().cddc(),
        };
        store.add_currency(&new, 1).await.unwrap();
        let no = store.currencies().await.unwrap()[0].no;
        (store, no)
    }

    async fn longest(store: &AuditorStore) -> (i64, i64) {
        let select = "SELECT count(*), coalesce(max(length(bytes)), 0) FROM replay_pieces";
        sqlx::query_as(select).fetch_one(&store.readers).await.unwrap()
    }

    #[tokio::test]
    async fn a_state_of_any_length_is_stored_in_short_pieces() {
        let (folder, mut log) = (TempDir::new().unwrap(), LogBuilder::begun());
        let (store, no) = store_of(&folder, &log).await;
        assert_eq!(store.progress(no).await.unwrap().snapshot, None);
        let begun = snapshot_of(&log);
        log.add_mint_key(2);
        log.seal();
        // A longer state, then a shorter one, of which no old piece may be left.
        for snapshot in [snapshot_of(&log), begun] {
            let text = serde_json::to_vec(&snapshot.replay).unwrap();
            let mut writing = store.write().await.unwrap();
            let put = writing.put_snapshot_in_pieces(no, &snapshot, PIECE_BYTES).await;
            put.unwrap();
            writing.commit().await.unwrap();
            let (pieces, bytes) = longest(&store).await;
            assert_eq!(usize::try_from(bytes).unwrap(), PIECE_BYTES);
            assert_eq!(usize::try_from(pieces).unwrap(), text.len().div_ceil(PIECE_BYTES));
            assert_eq!(store.progress(no).await.unwrap().snapshot, Some(snapshot));
        }
        store.forget_snapshot(no).await.unwrap();
        assert_eq!(store.progress(no).await.unwrap().snapshot, None);
        assert_eq!(longest(&store).await, (0, 0));
    }

    #[tokio::test]
    async fn a_state_of_version_1_is_forgotten_and_nothing_else() {
        let (folder, log) = (TempDir::new().unwrap(), LogBuilder::begun());
        let (store, no) = store_of(&folder, &log).await;
        store.put_checkpoint(no, "checkpoint", 5).await.unwrap();
        store.close().await;
        let path = folder.path().join("auditor.sqlite");
        let options = SqliteConnectOptions::new().filename(&path);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql(AS_VERSION_1)
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();

        let store = AuditorStore::open(&path).await.unwrap();
        let progress = store.progress(no).await.unwrap();
        assert_eq!(progress.snapshot, None);
        assert_eq!(progress.checkpoint.as_deref(), Some("checkpoint"));
    }
}
