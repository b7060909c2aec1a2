//! The journal of earlier versions of the wallet: a file of events, one JSON line each, that was only appended to.
//!
//! It is read once, when a wallet that has one is opened to be changed. Its events make the state, the state is written
//! to the new file, and the journal is removed.

use std::path::{Path, PathBuf};

use opencoin_private_files as private_files;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::event::Event;
use crate::storage::StorageError;

const FILE: &str = "journal.jsonl";

/// Whether the folder has a journal.
pub(crate) fn is_in(folder: &Path) -> bool {
    path(folder).exists()
}

/// Reads the events. An incomplete last line is what a crash has left, and is ignored.
pub(crate) fn read(folder: &Path) -> Result<Vec<Event>, StorageError> {
    let path = path(folder);
    let bytes = private_files::read_if_there(&path)?;
    let bytes = Zeroizing::new(bytes.ok_or_else(|| StorageError::NoWallet(folder.to_owned()))?);
    let end = bytes.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
    let read = |(index, line): (usize, &[u8])| {
        serde_json::from_slice(line).map_err(|error| StorageError::Damaged {
            place: format!("{}, line {}", path.display(), index + 1),
            reason: format!("not valid at column {}", error.column()),
        })
    };
    let lines = bytes[..end].split(|byte| *byte == b'\n').enumerate();
    lines.filter(|(_, line)| !line.is_empty()).map(read).collect()
}

/// Returns the SHA-256 of the journal, in hex.
pub(crate) fn digest(folder: &Path) -> Result<String, StorageError> {
    let bytes = private_files::read_if_there(&path(folder))?.map(Zeroizing::new);
    let bytes = bytes.ok_or_else(|| StorageError::NoWallet(folder.to_owned()))?;
    Ok(const_hex::encode(Sha256::digest(&*bytes)))
}

/// Removes the journal after its state was written elsewhere.
pub(crate) fn remove(folder: &Path) -> Result<(), StorageError> {
    private_files::remove(&path(folder))?;
    Ok(())
}

fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}
