//! Coins in a folder of pictures, for example the photographs or frames of an animation.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use opencoin_pictures::{PICTURES_MAX, ReadError, Reader, is_picture};

use super::recognise::of_pictures;
use super::{Coins, read_bytes};

/// Reads the pictures of a folder in the order of their names, until the coins are complete. Leaves out other files.
pub(super) fn read(folder: &Path) -> Result<Coins> {
    let cannot_read = || format!("cannot read {}", folder.display());
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).with_context(cannot_read)? {
        let path = entry.with_context(cannot_read)?.path();
        if path.is_file() {
            files.push(path);
        }
        if files.len() > PICTURES_MAX {
            return Err(ReadError::TooMany.into());
        }
    }
    files.sort();
    let (mut reader, mut pictures) = (Reader::default(), 0);
    for path in files {
        // What is too large for a picture is none.
        let Ok(bytes) = read_bytes(&path) else { continue };
        if !is_picture(&bytes) {
            continue;
        }
        pictures += 1;
        match reader.read(&bytes) {
            // A damaged file counts as a picture without a code.
            Ok(()) | Err(ReadError::Picture(_)) => {}
            Err(error) => return Err(error).with_context(|| format!("{}", path.display())),
        }
        if reader.is_complete() {
            break;
        }
    }
    if pictures == 0 {
        bail!(
            "there are no pictures in {}: PNG, GIF or JPEG files",
            folder.display()
        );
    }
    of_pictures(reader)
}
