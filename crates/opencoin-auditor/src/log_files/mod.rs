//! The copy of a log on the disk: its entries and its tree.
//!
//! Everything that a log serves only grows at its end, so the copy consists of files to which bytes are appended: entries
//! in packs of 65,536, as in bundles; where each bundle begins in its pack; and for each level of tiles from 1 on the
//! hashes of all its tiles. Tiles of level 0 are made from the entries.
//!
//! What is appended counts when [`LogFiles::store`] has made it durable and the caller has stored the size and the root.
//! Bytes after that are overwritten. Readers ([`LogCopy`]) read up to a size that was stored.

mod copy;
mod numbers;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use opencoin_log::hash::{HASH_BYTES, Hash, leaf_hash};
use opencoin_log::tile::{TILE_BYTES, TILE_HASHES, TileBuilder, TileId, right_edge};

use crate::disk_error::DiskError;
pub use copy::LogCopy;
use numbers::{PACK_BUNDLES, hashes_path, pack_path, starts_path};

/// The entries of a bundle.
const BUNDLE_ENTRIES: u64 = TILE_HASHES as u64;
/// The bytes that say where a bundle begins in its pack.
const START_BYTES: usize = size_of::<u64>();
/// The bytes that are collected before they are written.
const BUFFER_BYTES: usize = 256 * 1024;

/// The writer of a copy. There is one for each log.
#[derive(Debug)]
pub struct LogFiles {
    folder: PathBuf,
    tree: TileBuilder,
    /// The hashes of entries that are not in the tree yet.
    hashes: Vec<Hash>,
    /// The number of entries, also of those that are not in the tree yet.
    size: u64,
    pack: Pack,
    starts: AppendedFile,
}

/// The pack that is being filled.
#[derive(Debug)]
struct Pack {
    number: u64,
    file: AppendedFile,
}

/// A file at whose end is written.
#[derive(Debug)]
struct AppendedFile {
    path: PathBuf,
    file: BufWriter<File>,
    /// Its length, with what is not written yet.
    length: u64,
}

impl AppendedFile {
    /// Opens or makes the file, and forgets what follows the first bytes.
    fn open(path: &Path, length: u64) -> Result<Self, DiskError> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(DiskError::of(folder))?;
        }
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).map_err(DiskError::of(path))?;
        let found = file.metadata().map_err(DiskError::of(path))?.len();
        if found < length {
            return Err(DiskError::damaged(path, "it is shorter than it was"));
        }
        file.set_len(length).map_err(DiskError::of(path))?;
        file.seek(SeekFrom::End(0)).map_err(DiskError::of(path))?;
        Ok(Self {
            path: path.to_owned(),
            file: BufWriter::with_capacity(BUFFER_BYTES, file),
            length,
        })
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.file.write_all(bytes).map_err(DiskError::of(&self.path))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), DiskError> {
        self.file.flush().map_err(DiskError::of(&self.path))?;
        self.file.get_ref().sync_data().map_err(DiskError::of(&self.path))
    }
}

impl LogFiles {
    /// Opens the copy of a log with this size and root, which were stored, or makes an empty one.
    ///
    /// # Errors
    /// Files are missing or damaged ([`DiskError::is_lost`]), or cannot be used.
    pub fn open(folder: &Path, size: u64, root: &Hash) -> Result<Self, DiskError> {
        let copy = LogCopy::new(folder);
        let bundle = size / BUNDLE_ENTRIES;
        let number = bundle / PACK_BUNDLES;
        let (pack_length, starts) = copy.lengths(size)?;
        let mut edge: BTreeMap<TileId, Vec<u8>> = BTreeMap::new();
        for (id, width) in right_edge(size) {
            let tile = copy.tile(id, width, size)?;
            edge.insert(id, tile);
        }
        let tree = TileBuilder::new(size, &edge, 1);
        let tree = tree.map_err(|error| DiskError::damaged(folder, &error.to_string()))?;
        if tree.root() != *root {
            return Err(DiskError::damaged(folder, "its tree has another root"));
        }
        Ok(Self {
            folder: folder.to_owned(),
            tree,
            hashes: Vec::with_capacity(usize::from(TILE_HASHES)),
            size,
            pack: Pack {
                number,
                file: AppendedFile::open(&pack_path(folder, number), pack_length)?,
            },
            starts: AppendedFile::open(&starts_path(folder), starts * START_BYTES as u64)?,
        })
    }

    /// The number of entries.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends an entry whose hash is known.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn append(&mut self, entry: &[u8], hash: Hash) -> Result<(), DiskError> {
        if self.size.is_multiple_of(BUNDLE_ENTRIES) {
            self.begin_bundle()?;
        }
        let length = u16::try_from(entry.len());
        let length = length.map_err(|_| DiskError::damaged(&self.folder, "an entry is too long"))?;
        self.pack.file.append(&length.to_be_bytes())?;
        self.pack.file.append(entry)?;
        self.hashes.push(hash);
        self.size += 1;
        if self.size.is_multiple_of(BUNDLE_ENTRIES) {
            self.enter_hashes();
        }
        Ok(())
    }

    fn begin_bundle(&mut self) -> Result<(), DiskError> {
        let number = self.size / BUNDLE_ENTRIES / PACK_BUNDLES;
        if number != self.pack.number {
            self.pack.file.sync()?;
            let file = AppendedFile::open(&pack_path(&self.folder, number), 0)?;
            self.pack = Pack { number, file };
        }
        self.starts.append(&self.pack.file.length.to_be_bytes())
    }

    fn enter_hashes(&mut self) {
        self.tree.append(&self.hashes);
        self.hashes.clear();
    }

    /// The root of the tree.
    pub fn root(&mut self) -> Hash {
        self.enter_hashes();
        self.tree.root()
    }

    /// Makes everything durable. Returns the size and the root, which the caller stores.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn store(&mut self) -> Result<(u64, Hash), DiskError> {
        self.enter_hashes();
        let mut files: BTreeMap<u8, File> = BTreeMap::new();
        for tile in self.tree.changed() {
            let TileId { level, index } = tile.id;
            let path = hashes_path(&self.folder, level);
            if let std::collections::btree_map::Entry::Vacant(place) = files.entry(level) {
                place.insert(open_for_writing(&path)?);
            }
            let at = index * TILE_BYTES as u64;
            files[&level]
                .write_all_at(&tile.bytes, at)
                .map_err(DiskError::of(&path))?;
        }
        for (level, file) in &files {
            let path = hashes_path(&self.folder, *level);
            file.sync_data().map_err(DiskError::of(&path))?;
        }
        self.pack.file.sync()?;
        self.starts.sync()?;
        for folder in [
            &self.folder,
            &self.folder.join("entries"),
            &self.folder.join("hashes"),
        ] {
            if folder.is_dir() {
                opencoin_private_files::sync_folder(folder)?;
            }
        }
        Ok((self.size, self.tree.root()))
    }
}

fn open_for_writing(path: &Path) -> Result<File, DiskError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(DiskError::of(folder))?;
    }
    let mut options = File::options();
    let options = options.read(true).write(true).create(true).truncate(false);
    options.open(path).map_err(DiskError::of(path))
}

/// The hashes of entries, as a tile of level 0.
fn tile_of_entries<'entry>(entries: impl Iterator<Item = &'entry [u8]>) -> Vec<u8> {
    let mut tile = Vec::with_capacity(usize::from(TILE_HASHES) * HASH_BYTES);
    for entry in entries {
        tile.extend_from_slice(leaf_hash(entry).as_bytes());
    }
    tile
}

#[cfg(test)]
mod tests;
