//! Tiles: the tree in files of up to 256 hashes, and their paths.
//!
//! Hash i of tile n on level l is the root of the 256^l leaves that begin at leaf (n * 256 + i) * 256^l. A tile only
//! grows, and a full one never changes, so tiles are static files that anybody can copy and cache. Clients make proofs
//! from them ([`crate::tile_proof`]), so the log never learns which entry somebody asks for.
//!
//! Source: C2SP tlog-tiles.

mod builder;
mod path;

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use thiserror::Error;

use crate::hash::{HASH_BYTES, Hash, node_hash};
use crate::tree::Subtree;

pub use builder::{Tile, TileBuilder};
pub use path::{Resource, TilePath, TilePathError};

/// The hashes of a full tile, and the entries of a full bundle.
pub const TILE_HASHES: u16 = 256;

/// The bytes of a full tile.
pub const TILE_BYTES: usize = TILE_HASHES as usize * HASH_BYTES;

/// The levels of the tree between a tile and the next one: 2^8 = 256.
const TILE_HEIGHT: u8 = 8;

/// The levels of tiles that a tree of 64-bit size can have.
const TILE_LEVELS: u8 = 8;

/// The name of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// 0 for the tiles of leaf hashes.
    pub level: u8,
    /// The position in its level, from the left.
    pub index: u64,
}

/// How many hashes a tile has, or entries a bundle: 1 to [`TILE_HASHES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileWidth(u16);

impl TileWidth {
    /// The width of a full tile.
    pub const FULL: Self = Self(TILE_HASHES);

    /// The width, if it is from 1 to [`TILE_HASHES`].
    #[must_use]
    pub const fn new(width: u16) -> Option<Self> {
        match width {
            1..=TILE_HASHES => Some(Self(width)),
            _ => None,
        }
    }

    /// The number of hashes or entries.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Whether the tile is complete and never changes again.
    #[must_use]
    pub const fn is_full(self) -> bool {
        self.0 == TILE_HASHES
    }
}

/// The tiles of one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelTiles {
    /// The level.
    pub level: u8,
    /// The number of full tiles, which have the indices below it.
    pub full: u64,
    /// The width of the partial tile after them, if there is one.
    pub partial: Option<TileWidth>,
}

/// The levels that a tree of `size` leaves has tiles on, the lowest first. No levels when it is empty.
pub fn levels_of_size(size: u64) -> impl Iterator<Item = LevelTiles> {
    let of_level = move |level| {
        let hashes = hashes_of_level(level, size);
        LevelTiles {
            level,
            full: hashes / u64::from(TILE_HASHES),
            partial: TileWidth::new((hashes % u64::from(TILE_HASHES)) as u16),
        }
    };
    (0..TILE_LEVELS)
        .map(of_level)
        .take_while(|tiles| tiles.full > 0 || tiles.partial.is_some())
}

/// All tiles of a tree of `size` leaves, level by level: `size` / 255 of them.
pub fn tiles_of_size(size: u64) -> impl Iterator<Item = (TileId, TileWidth)> {
    levels_of_size(size).flat_map(|tiles| {
        let LevelTiles { level, full, partial } = tiles;
        let full_tiles = (0..full).map(move |index| (TileId { level, index }, TileWidth::FULL));
        full_tiles.chain(partial.map(|width| (TileId { level, index: full }, width)))
    })
}

/// The partial tiles of a tree of `size` leaves, the lowest level first. A [`TileBuilder`] begins with them.
pub fn right_edge(size: u64) -> impl Iterator<Item = (TileId, TileWidth)> {
    levels_of_size(size).filter_map(|tiles| {
        let (level, index) = (tiles.level, tiles.full);
        Some((TileId { level, index }, tiles.partial?))
    })
}

/// The number of hashes on a level of tiles.
fn hashes_of_level(level: u8, size: u64) -> u64 {
    size.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT))
        .unwrap_or(0)
}

impl TileId {
    /// The width of this tile in a tree of `size` leaves; `None` when the tree does not have it.
    #[must_use]
    pub fn width_in(self, size: u64) -> Option<TileWidth> {
        let before = self.index.checked_mul(u64::from(TILE_HASHES))?;
        let hashes = hashes_of_level(self.level, size).checked_sub(before)?;
        TileWidth::new(hashes.min(u64::from(TILE_HASHES)) as u16)
    }
}

/// A tile is not there, or has fewer hashes than are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("tile {} of level {} is missing or too short", .0.index, .0.level)]
pub struct MissingTile(pub TileId);

/// Tiles that were fetched from somewhere: each is a sequence of hashes of 32 bytes.
pub trait Tiles {
    /// The bytes of a tile, if it is there. It may be longer than needed.
    fn tile(&self, id: TileId) -> Option<&[u8]>;
}

impl<T: AsRef<[u8]>> Tiles for BTreeMap<TileId, T> {
    fn tile(&self, id: TileId) -> Option<&[u8]> {
        self.get(&id).map(AsRef::as_ref)
    }
}

impl<T: AsRef<[u8]>, S: BuildHasher> Tiles for HashMap<TileId, T, S> {
    fn tile(&self, id: TileId) -> Option<&[u8]> {
        self.get(&id).map(AsRef::as_ref)
    }
}

/// The tile whose hashes give the root of a complete subtree, and which of its hashes they are: the first one, and
/// how many.
pub(crate) fn tile_of_subtree(subtree: Subtree) -> (TileId, usize, usize) {
    let (level, height) = (subtree.level / TILE_HEIGHT, subtree.level % TILE_HEIGHT);
    let first = subtree.index << height;
    let id = TileId {
        level,
        index: first / u64::from(TILE_HASHES),
    };
    (id, (first % u64::from(TILE_HASHES)) as usize, 1 << height)
}

/// The root of a complete subtree.
///
/// # Errors
/// Its tile is missing or too short.
pub(crate) fn root_of_subtree(subtree: Subtree, tiles: &impl Tiles) -> Result<Hash, MissingTile> {
    let (id, first, count) = tile_of_subtree(subtree);
    let bytes = tiles.tile(id).ok_or(MissingTile(id))?;
    let needed = first * HASH_BYTES..(first + count) * HASH_BYTES;
    let (hashes, _) = bytes.get(needed).ok_or(MissingTile(id))?.as_chunks();
    let hashes: Vec<Hash> = hashes.iter().map(|hash| Hash::new(*hash)).collect();
    Ok(root_of_complete(&hashes))
}

/// The root of a complete subtree, from its hashes: a power of two of them, at most [`TILE_HASHES`].
fn root_of_complete(hashes: &[Hash]) -> Hash {
    const HALF: usize = TILE_HASHES as usize / 2;
    debug_assert!(hashes.len().is_power_of_two() && hashes.len() <= 2 * HALF);
    if let [hash] = hashes {
        return *hash;
    }
    let mut nodes = [Hash::EMPTY_TREE; HALF];
    let (pairs, _) = hashes.as_chunks();
    for (node, [left, right]) in nodes.iter_mut().zip(pairs) {
        *node = node_hash(left, right);
    }
    // Each level replaces the beginning of the one below.
    let mut count = pairs.len();
    while count > 1 {
        count /= 2;
        for at in 0..count {
            nodes[at] = node_hash(&nodes[2 * at], &nodes[2 * at + 1]);
        }
    }
    nodes[0]
}
