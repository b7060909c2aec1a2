//! Rows in memory: for tests, and for programs that store them by other means.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::{Change, OnRow, Storage, StorageError, Table};

/// Rows in memory, which end with the program.
#[derive(Default)]
pub struct MemoryStorage {
    rows: Mutex<BTreeMap<(Table, u64), Vec<u8>>>,
}

impl Storage for MemoryStorage {
    fn read(&self, tables: &[Table], row: OnRow<'_>) -> Result<(), StorageError> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        for table in tables {
            for ((_, no), body) in rows.range((*table, 0)..=(*table, u64::MAX)) {
                row(*table, *no, body)?;
            }
        }
        Ok(())
    }

    fn get(&self, table: Table, no: u64) -> Result<Option<Vec<u8>>, StorageError> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(rows.get(&(table, no)).cloned())
    }

    fn commit(&self, changes: &[Change]) -> Result<(), StorageError> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            let key = (change.table, change.no);
            match &change.body {
                Some(body) => drop(rows.insert(key, body.clone())),
                None => drop(rows.remove(&key)),
            }
        }
        Ok(())
    }
}
