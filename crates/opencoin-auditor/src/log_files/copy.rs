//! Reads the copy of a log.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use opencoin_log::bundle::{self, ENTRY_BYTES_MAX};
use opencoin_log::hash::{HASH_BYTES, Hash};
use opencoin_log::tile::{TILE_BYTES, TILE_HASHES, TileId, TileWidth};
use opencoin_log::tile_proof::{
    consistency_proof, inclusion_proof, root_of, tiles_of_consistency, tiles_of_inclusion, tiles_of_root,
};
use std::collections::BTreeMap;

use super::numbers::{PACK_BUNDLES, hashes_path, pack_path, starts_path};
use super::{BUNDLE_ENTRIES, START_BYTES, tile_of_entries};
use crate::disk_error::DiskError;

/// The longest bundle.
const BUNDLE_BYTES_MAX: u64 = TILE_HASHES as u64 * (2 + ENTRY_BYTES_MAX as u64);

/// The copy of a log, for reading. A size is always one that was stored.
#[derive(Debug, Clone)]
pub struct LogCopy {
    folder: PathBuf,
}

impl LogCopy {
    /// The copy in this folder.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// The first entries of a bundle, in the form of bundles.
    ///
    /// # Errors
    /// The copy does not have them, or cannot be read.
    pub fn bundle(&self, index: u64, width: TileWidth) -> Result<Vec<u8>, DiskError> {
        let path = pack_path(&self.folder, index / PACK_BUNDLES);
        let file = File::open(&path).map_err(DiskError::of(&path))?;
        let length = file.metadata().map_err(DiskError::of(&path))?.len();
        let start = self.start(index)?;
        // Where the next one of the same pack begins, if it is there; otherwise up to the end.
        let is_last_of_pack = (index + 1).is_multiple_of(PACK_BUNDLES);
        let next = if is_last_of_pack {
            None
        } else {
            self.start(index + 1).ok()
        };
        let end = next
            .filter(|next| (start..=length).contains(next))
            .unwrap_or(length);
        let longest = BUNDLE_BYTES_MAX.min(end.saturating_sub(start));
        let mut bytes = vec![0; longest as usize];
        file.read_exact_at(&mut bytes, start)
            .map_err(DiskError::of(&path))?;
        let prefix = bundle::prefix(&bytes, width);
        let prefix = prefix.map_err(|error| DiskError::damaged(&path, &error.to_string()))?;
        let length = prefix.len();
        bytes.truncate(length);
        Ok(bytes)
    }

    /// An entry.
    ///
    /// # Errors
    /// The copy does not have it, or cannot be read.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, DiskError> {
        let place = (index % BUNDLE_ENTRIES) as u16;
        let width = TileWidth::new(place + 1).expect("a place is below 256");
        let bundle = self.bundle(index / BUNDLE_ENTRIES, width)?;
        let entries = bundle::decode(&bundle, width);
        let last = entries.ok().and_then(Iterator::last).map(<[u8]>::to_vec);
        last.ok_or_else(|| DiskError::damaged(&self.folder, "a bundle has too few entries"))
    }

    /// The first hashes of a tile.
    ///
    /// # Errors
    /// The copy does not have them, or cannot be read.
    pub fn tile(&self, id: TileId, width: TileWidth, size: u64) -> Result<Vec<u8>, DiskError> {
        let fits = id.width_in(size).is_some_and(|found| width <= found);
        if !fits {
            return Err(DiskError::damaged(&self.folder, "the log has no such tile"));
        }
        if id.level == 0 {
            let bundle = self.bundle(id.index, width)?;
            let entries = bundle::decode(&bundle, width);
            let entries = entries.map_err(|error| DiskError::damaged(&self.folder, &error.to_string()))?;
            return Ok(tile_of_entries(entries));
        }
        let path = hashes_path(&self.folder, id.level);
        let file = File::open(&path).map_err(DiskError::of(&path))?;
        let mut tile = vec![0; usize::from(width.get()) * HASH_BYTES];
        let at = id.index * TILE_BYTES as u64;
        file.read_exact_at(&mut tile, at).map_err(DiskError::of(&path))?;
        Ok(tile)
    }

    /// The inclusion proof of a leaf in the tree of the first `size` leaves, its sibling first.
    ///
    /// # Errors
    /// The copy does not have what it needs, or cannot be read.
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Hash>, DiskError> {
        let tiles = self.tiles(tiles_of_inclusion(index, size), size)?;
        inclusion_proof(index, size, &tiles).map_err(|error| self.unusable(&error))
    }

    /// The proof that the tree of `new` leaves begins with the tree of `old` leaves.
    ///
    /// # Errors
    /// The copy does not have what it needs, or cannot be read.
    pub fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Hash>, DiskError> {
        let tiles = self.tiles(tiles_of_consistency(old, new), new)?;
        consistency_proof(old, new, &tiles).map_err(|error| self.unusable(&error))
    }

    /// The root of the tree of the first `size` leaves.
    ///
    /// # Errors
    /// The copy does not have what it needs, or cannot be read.
    pub fn root(&self, size: u64) -> Result<Hash, DiskError> {
        let tiles = self.tiles(Some(tiles_of_root(size)), size)?;
        root_of(size, &tiles).map_err(|error| self.unusable(&error))
    }

    fn tiles(&self, ids: Option<Vec<TileId>>, size: u64) -> Result<BTreeMap<TileId, Vec<u8>>, DiskError> {
        let mut tiles = BTreeMap::new();
        for id in ids.unwrap_or_default() {
            if let Some(width) = id.width_in(size) {
                tiles.insert(id, self.tile(id, width, size)?);
            }
        }
        Ok(tiles)
    }

    /// An error of the files of the copy.
    pub(crate) fn unusable(&self, error: &impl ToString) -> DiskError {
        DiskError::damaged(&self.folder, &error.to_string())
    }

    /// Where a bundle begins in its pack.
    fn start(&self, index: u64) -> Result<u64, DiskError> {
        let path = starts_path(&self.folder);
        let file = File::open(&path).map_err(DiskError::of(&path))?;
        let mut bytes = [0; START_BYTES];
        let read = file.read_exact_at(&mut bytes, index * START_BYTES as u64);
        read.map_err(DiskError::of(&path))?;
        Ok(u64::from_be_bytes(bytes))
    }

    /// The length of the last pack, and the number of bundles that have begun, of a log of this size.
    pub(super) fn lengths(&self, size: u64) -> Result<(u64, u64), DiskError> {
        let bundles = size.div_ceil(BUNDLE_ENTRIES);
        let (last, width) = (size / BUNDLE_ENTRIES, (size % BUNDLE_ENTRIES) as u16);
        let length = match TileWidth::new(width) {
            Some(width) => self.start(last)? + self.bundle(last, width)?.len() as u64,
            None if last.is_multiple_of(PACK_BUNDLES) => 0,
            None => self.start(last - 1)? + self.bundle(last - 1, TileWidth::FULL)?.len() as u64,
        };
        Ok((length, bundles))
    }

    /// Deletes the copy, because it is damaged.
    ///
    /// # Errors
    /// The system refuses.
    pub fn delete(&self) -> Result<(), DiskError> {
        match std::fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(DiskError::of(&self.folder)(error)),
            _ => Ok(()),
        }
    }
}
