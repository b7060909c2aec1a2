//! The tree below a checkpoint: its leaves and proofs, from files that are not trusted.
//!
//! The hashes of a bundle's entries are the tile of the lowest level with the same index, so one inclusion proof that
//! leads through this tile to the checkpoint's root verifies the whole bundle.

use std::collections::BTreeMap;

use opencoin_log::bundle;
use opencoin_log::hash::{HASH_BYTES, Hash, leaf_hash};
use opencoin_log::tile::{Resource, TILE_HASHES, TileId, TilePath};
use opencoin_log::tile_proof::{
    consistency_proof, inclusion_proof, root_of, run_proof, tiles_of_consistency, tiles_of_inclusion,
    tiles_of_root, tiles_of_run,
};
use opencoin_log::tree::{verify_consistency, verify_inclusion};

use crate::error::LogReadError;
use crate::reader::LogReader;

/// The leaves and tiles of one checkpoint, as far as they were needed.
pub struct LogTree {
    reader: LogReader,
    size: u64,
    root: Hash,
    tiles: BTreeMap<TileId, Vec<u8>>,
    /// Verified.
    bundles: BTreeMap<u64, Vec<Vec<u8>>>,
}

/// What a tree says about its first leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// The root of the tree of the first leaves.
    pub root: Hash,
    /// Proves that the whole tree begins with that one.
    pub proof: Vec<Hash>,
}

impl LogTree {
    /// The tree of a checkpoint. The caller has verified the size and the root, or says that they need not be.
    #[must_use]
    pub fn new(reader: LogReader, size: u64, root: Hash) -> Self {
        let (tiles, bundles) = (BTreeMap::new(), BTreeMap::new());
        Self {
            reader,
            size,
            root,
            tiles,
            bundles,
        }
    }

    /// The number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Forgets the leaves, and allows as many downloads as at the beginning.
    pub fn begin_part(&mut self) {
        self.bundles.clear();
        self.reader.begin_part();
    }

    /// What downloads the files, for hints that are not part of the tree.
    pub const fn reader(&mut self) -> &mut LogReader {
        &mut self.reader
    }

    /// Returns a leaf of the tree.
    ///
    /// # Errors
    /// The log cannot be read, its files belong to another tree, or the tree has no such leaf.
    pub async fn leaf(&mut self, index: u64) -> Result<&[u8], LogReadError> {
        let (bundle, place) = (index / u64::from(TILE_HASHES), index % u64::from(TILE_HASHES));
        let entries = self.bundle(bundle).await?;
        entries
            .get(place as usize)
            .map(Vec::as_slice)
            .ok_or(LogReadError::OtherFiles)
    }

    /// Returns the entries of a bundle, all verified.
    ///
    /// # Errors
    /// As [`leaf`](Self::leaf).
    pub async fn bundle(&mut self, index: u64) -> Result<&[Vec<u8>], LogReadError> {
        if !self.bundles.contains_key(&index) {
            let entries = self.download_bundle(index).await?;
            self.bundles.insert(index, entries);
        }
        Ok(&self.bundles[&index])
    }

    async fn download_bundle(&mut self, index: u64) -> Result<Vec<Vec<u8>>, LogReadError> {
        let id = TileId { level: 0, index };
        let width = id.width_in(self.size).ok_or(LogReadError::OtherFiles)?;
        let resource = Resource::Entries(index);
        let bytes = self.reader.file(TilePath { resource, width }).await?;
        let bytes = bundle::prefix(&bytes, width).map_err(|_| LogReadError::OtherFiles)?;
        let entries = bundle::decode(bytes, width).map_err(|_| LogReadError::OtherFiles)?;
        let entries: Vec<Vec<u8>> = entries.map(<[u8]>::to_vec).collect();
        let hashes: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        let tile = hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
        self.tiles.insert(id, tile);
        let verified = self.verify(index * u64::from(TILE_HASHES), &hashes[0]).await;
        if verified.is_err() {
            self.tiles.remove(&id);
        }
        verified.map(|()| entries)
    }

    async fn verify(&mut self, index: u64, leaf_hash: &Hash) -> Result<(), LogReadError> {
        let proof = self.proof(index).await?;
        verify_inclusion(index, self.size, leaf_hash, &proof, &self.root)
            .map_err(|_| LogReadError::OtherFiles)
    }

    /// Returns the inclusion proof of a leaf. It is right if the leaf was read before.
    ///
    /// # Errors
    /// As [`leaf`](Self::leaf).
    pub async fn proof(&mut self, index: u64) -> Result<Vec<Hash>, LogReadError> {
        let needed = tiles_of_inclusion(index, self.size).ok_or(LogReadError::OtherFiles)?;
        self.download_tiles(&needed).await?;
        inclusion_proof(index, self.size, &self.tiles).map_err(|_| LogReadError::OtherFiles)
    }

    /// Returns the proof that the leaves `first..end` follow each other. It is right if they were read before.
    ///
    /// # Errors
    /// As [`leaf`](Self::leaf).
    pub async fn run_proof(&mut self, first: u64, end: u64) -> Result<Vec<Hash>, LogReadError> {
        let needed = tiles_of_run(first, end, self.size).ok_or(LogReadError::OtherFiles)?;
        self.download_tiles(&needed).await?;
        run_proof(first, end, self.size, &self.tiles).map_err(|_| LogReadError::OtherFiles)
    }

    /// Returns the root of the first `size` leaves, which need not be what the log has signed for that size.
    ///
    /// # Errors
    /// As [`leaf`](Self::leaf).
    pub async fn beginning(&mut self, size: u64) -> Result<Beginning, LogReadError> {
        let mut needed = tiles_of_consistency(size, self.size).ok_or(LogReadError::OtherFiles)?;
        needed.extend(tiles_of_root(size));
        self.download_tiles(&needed).await?;
        let root = root_of(size, &self.tiles).map_err(|_| LogReadError::OtherFiles)?;
        let proof = consistency_proof(size, self.size, &self.tiles).map_err(|_| LogReadError::OtherFiles)?;
        // Wrong files lead to another root.
        verify_consistency(size, self.size, &root, &self.root, &proof)
            .map_err(|_| LogReadError::OtherFiles)?;
        Ok(Beginning { root, proof })
    }

    async fn download_tiles(&mut self, needed: &[TileId]) -> Result<(), LogReadError> {
        for &id in needed {
            if self.tiles.contains_key(&id) {
                continue;
            }
            let width = id.width_in(self.size).ok_or(LogReadError::OtherFiles)?;
            let resource = Resource::Tile(id);
            let tile = self.reader.file(TilePath { resource, width }).await?;
            if tile.len() < usize::from(width.get()) * HASH_BYTES {
                return Err(LogReadError::OtherFiles);
            }
            self.tiles.insert(id, tile);
        }
        Ok(())
    }
}
