//! Storage in memory that records the commits, so that a test can go back to any of them.

use std::sync::{Arc, Mutex};

use opencoin_wallet::storage::{Change, MemoryStorage, OnRow, Storage, StorageError, Table};

use crate::world::Network;

/// A commit, and the number of requests before it.
pub(crate) struct Commit {
    pub(crate) requests: usize,
    pub(crate) changes: Vec<Change>,
}

/// Rows in memory, and the commits since they were copied.
pub(crate) struct Recorder {
    rows: MemoryStorage,
    network: Arc<Network>,
    commits: Arc<Mutex<Vec<Commit>>>,
}

impl Recorder {
    pub(crate) fn new(rows: MemoryStorage, network: Arc<Network>) -> (Self, Arc<Mutex<Vec<Commit>>>) {
        let commits = Arc::default();
        let recorder = Self {
            rows,
            network,
            commits: Arc::clone(&commits),
        };
        (recorder, commits)
    }
}

impl Storage for Recorder {
    fn read(&self, tables: &[Table], row: OnRow<'_>) -> Result<(), StorageError> {
        self.rows.read(tables, row)
    }

    fn get(&self, table: Table, no: u64) -> Result<Option<Vec<u8>>, StorageError> {
        self.rows.get(table, no)
    }

    fn commit(&self, changes: &[Change]) -> Result<(), StorageError> {
        self.commits.lock().unwrap().push(Commit {
            requests: self.network.steps.lock().unwrap().len(),
            changes: changes.to_vec(),
        });
        self.rows.commit(changes)
    }
}

/// Returns all rows.
pub(crate) fn rows_of(storage: &dyn Storage) -> Vec<Change> {
    let mut rows = Vec::new();
    let mut note = |table, no, body: &[u8]| {
        let body = Some(body.to_vec());
        rows.push(Change { table, no, body });
        Ok(())
    };
    storage.read(&Table::ALL, &mut note).unwrap();
    rows
}

/// Makes storage with these rows.
pub(crate) fn storage_of(rows: &[Change]) -> MemoryStorage {
    let storage = MemoryStorage::default();
    storage.commit(rows).unwrap();
    storage
}
