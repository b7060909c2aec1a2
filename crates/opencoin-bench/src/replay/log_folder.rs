//! The files of a log in a folder, as C2SP tlog-tiles says: bundles of entries, tiles of hashes and a checkpoint.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use opencoin_log::bundle;
use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log::tile::{Resource, TILE_HASHES, Tile, TileBuilder, TileId, TilePath, TileWidth};
use opencoin_schema::{Cddc, from_json, text};

/// The entries of a bundle.
pub(super) const BUNDLE_ENTRIES: u64 = TILE_HASHES as u64;

const CHECKPOINT: &str = "checkpoint";
/// The description of the currency, which says whose log it is.
const DESCRIPTION: &str = "cddc.json";

/// A folder with a complete log.
pub(super) struct LogFolder {
    folder: PathBuf,
    pub(super) cddc: Cddc,
    /// Its signatures are not verified.
    pub(super) checkpoint: SignedCheckpoint,
}

impl LogFolder {
    /// Opens the log in a folder; `None` if the folder is missing or empty.
    pub(super) fn open(folder: &Path) -> Result<Option<Self>> {
        let mut files = match fs::read_dir(folder) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", folder.display())),
        };
        if files.next().is_none() {
            return Ok(None);
        }
        let read = |name: &str| match fs::read_to_string(folder.join(name)) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                bail!(
                    "{} has no complete log; delete it or name another folder",
                    folder.display()
                )
            }
            Err(error) => Err(error).with_context(|| format!("cannot read {name} in {}", folder.display())),
        };
        Ok(Some(Self {
            // Written last.
            checkpoint: read(CHECKPOINT)?.parse().context("a wrong checkpoint")?,
            cddc: from_json(read(DESCRIPTION)?.as_bytes()).context("a wrong description")?,
            folder: folder.to_owned(),
        }))
    }

    /// The number of leaves.
    pub(super) fn size(&self) -> u64 {
        self.checkpoint.checkpoint().size()
    }

    /// Reads a bundle, and checks that it has the entries that it must have.
    pub(super) fn bundle(&self, index: u64) -> Result<(Vec<u8>, TileWidth)> {
        let width = TileId { level: 0, index }.width_in(self.size());
        let width = width.context("the log has no such bundle")?;
        let path = path_of(&self.folder, Resource::Entries(index), width);
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok((bytes, width))
    }
}

/// Writes a log. What is not in a file yet is the last bundle and the hashes of one batch.
pub(super) struct LogFolderWriter {
    folder: PathBuf,
    tree: TileBuilder,
    /// The hashes of leaves that are not in the tree yet.
    hashes: Vec<Hash>,
    bundle: Vec<u8>,
    size: u64,
    /// The incomplete tile of each level.
    edge: BTreeMap<u8, Tile>,
}

impl LogFolderWriter {
    /// Begins a log in a folder, which is made if it is missing and must be empty.
    pub(super) fn create(folder: &Path, cddc: &Cddc) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        write(&folder.join(DESCRIPTION), text::compact(cddc).as_bytes())?;
        let empty: BTreeMap<TileId, Vec<u8>> = BTreeMap::new();
        Ok(Self {
            folder: folder.to_owned(),
            tree: TileBuilder::new(0, &empty, 0)?,
            hashes: Vec::new(),
            bundle: Vec::new(),
            size: 0,
            edge: BTreeMap::new(),
        })
    }

    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn append(&mut self, leaf: &[u8]) -> Result<()> {
        bundle::append(&mut self.bundle, leaf)?;
        self.hashes.push(leaf_hash(leaf));
        self.size += 1;
        if self.size.is_multiple_of(BUNDLE_ENTRIES) {
            self.write_bundle(TileWidth::FULL)?;
        }
        Ok(())
    }

    fn write_bundle(&mut self, width: TileWidth) -> Result<()> {
        let index = (self.size - 1) / BUNDLE_ENTRIES;
        write(
            &path_of(&self.folder, Resource::Entries(index), width),
            &self.bundle,
        )?;
        self.bundle.clear();
        Ok(())
    }

    /// Writes the tiles that are complete.
    pub(super) fn end_batch(&mut self) -> Result<()> {
        self.tree.append(&self.hashes);
        self.hashes.clear();
        for tile in self.tree.changed() {
            if tile.width.is_full() {
                self.write_tile(&tile)?;
            } else {
                self.edge.insert(tile.id.level, tile);
            }
        }
        Ok(())
    }

    fn write_tile(&self, tile: &Tile) -> Result<()> {
        write(
            &path_of(&self.folder, Resource::Tile(tile.id), tile.width),
            &tile.bytes,
        )
    }

    /// Writes what is incomplete, and the checkpoint that `sign` makes of the size and the root.
    pub(super) fn finish(mut self, sign: impl FnOnce(u64, Hash) -> Result<SignedCheckpoint>) -> Result<()> {
        self.end_batch()?;
        if let Some(width) = TileWidth::new((self.size % BUNDLE_ENTRIES) as u16) {
            self.write_bundle(width)?;
        }
        for tile in self.edge.values() {
            // An incomplete tile that was completed later is none of this tree.
            if tile.id.width_in(self.size) == Some(tile.width) {
                self.write_tile(tile)?;
            }
        }
        let checkpoint = sign(self.size, self.tree.root())?;
        ensure!(
            checkpoint.checkpoint().size() == self.size,
            "a checkpoint of another tree"
        );
        write(&self.folder.join(CHECKPOINT), checkpoint.to_string().as_bytes())
    }
}

fn path_of(folder: &Path, resource: Resource, width: TileWidth) -> PathBuf {
    folder.join(TilePath { resource, width }.to_string())
}

/// Writes a file, in a folder that may be missing.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let written = match fs::write(path, bytes) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().unwrap_or(path);
            fs::create_dir_all(folder).and_then(|()| fs::write(path, bytes))
        }
        written => written,
    };
    written.with_context(|| format!("cannot write {}", path.display()))
}
