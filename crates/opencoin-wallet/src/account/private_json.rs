//! JSON files that only their owner can read.

use std::path::Path;

use opencoin_private_files as private_files;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::file_error::FileError;

/// Reads a file, if it is there.
///
/// # Errors
/// It cannot be read, or has other content.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, FileError> {
    let Some(bytes) = private_files::read_if_there(path)?.map(Zeroizing::new) else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(FileError::damaged(path))
}

/// Writes a file in place of an earlier one.
///
/// # Errors
/// It cannot be written; then the earlier one is still there.
///
/// # Panics
/// The value has keys that are no strings.
pub(super) fn write(path: &Path, value: &impl Serialize) -> Result<(), FileError> {
    let bytes = Zeroizing::new(serde_json::to_vec(value).expect("all keys are strings and no value fails"));
    Ok(private_files::write(path, &bytes)?)
}
