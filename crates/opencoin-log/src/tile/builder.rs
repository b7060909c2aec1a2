//! Appends many leaves to the tiles of a log.

use super::{MissingTile, TILE_BYTES, TILE_HASHES, TileId, TileWidth, Tiles, right_edge, root_of_complete};
use crate::hash::{HASH_BYTES, Hash};
use crate::tree::Span;

/// A new or longer tile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// Its name.
    pub id: TileId,
    /// The number of its hashes.
    pub width: TileWidth,
    /// The hashes, 32 bytes each.
    pub bytes: Vec<u8>,
}

/// The log's writer: the right edge of its tiles, to which leaf hashes are appended.
///
/// It hashes whole tiles, level by level, and holds at most 255 hashes a level.
#[derive(Debug, Clone)]
pub struct TileBuilder {
    size: u64,
    /// Tiles below this level are not returned.
    lowest_level: u8,
    levels: Vec<Level>,
    full: Vec<Tile>,
}

/// The partial tile of a level.
#[derive(Debug, Clone, Default)]
struct Level {
    /// The number of full tiles before it.
    index: u64,
    hashes: Vec<Hash>,
    /// Whether hashes were added since its tile was last returned.
    is_changed: bool,
}

impl TileBuilder {
    /// Continues the tree of `size` leaves, with the partial tiles of its [`right_edge`].
    ///
    /// `lowest_level` is the lowest level whose tiles [`changed`](Self::changed) returns: 0 for all tiles, 1 for a log
    /// that makes its tiles of leaf hashes from its bundles.
    ///
    /// # Errors
    /// A partial tile is missing or too short.
    pub fn new(size: u64, edge: &impl Tiles, lowest_level: u8) -> Result<Self, MissingTile> {
        let mut builder = Self {
            size,
            lowest_level,
            levels: super::levels_of_size(size)
                .map(|tiles| Level {
                    index: tiles.full,
                    ..Level::default()
                })
                .collect(),
            full: Vec::new(),
        };
        for (id, width) in right_edge(size) {
            let bytes = edge.tile(id).ok_or(MissingTile(id))?;
            let bytes = bytes.get(..usize::from(width.get()) * HASH_BYTES);
            let (hashes, _) = bytes.ok_or(MissingTile(id))?.as_chunks();
            builder.levels[usize::from(id.level)].hashes =
                hashes.iter().map(|hash| Hash::new(*hash)).collect();
        }
        Ok(builder)
    }

    /// The number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends leaves.
    ///
    /// # Panics
    /// The tree would have more than 2^64 - 1 leaves.
    pub fn append(&mut self, leaf_hashes: &[Hash]) {
        let added = leaf_hashes.len() as u64;
        self.size = self.size.checked_add(added).expect("fewer than 2^64 leaves");
        self.append_to(0, leaf_hashes);
    }

    fn append_to(&mut self, level: u8, mut hashes: &[Hash]) {
        let place = usize::from(level);
        if hashes.is_empty() {
            return;
        }
        if self.levels.len() == place {
            self.levels.push(Level::default());
        }
        let mut parents = Vec::with_capacity(hashes.len() / usize::from(TILE_HASHES) + 1);
        let at = &mut self.levels[place];
        at.is_changed = true;
        while !hashes.is_empty() {
            // A whole tile of new hashes is hashed where it is.
            let room = usize::from(TILE_HASHES) - at.hashes.len();
            let (taken, rest) = hashes.split_at(room.min(hashes.len()));
            hashes = rest;
            let tile = if taken.len() == usize::from(TILE_HASHES) {
                taken
            } else {
                at.hashes.extend_from_slice(taken);
                &at.hashes
            };
            if tile.len() < usize::from(TILE_HASHES) {
                break;
            }
            parents.push(root_of_complete(tile));
            if level >= self.lowest_level {
                let id = TileId {
                    level,
                    index: at.index,
                };
                self.full.extend(tile_of(id, tile));
            }
            at.index += 1;
            at.hashes.clear();
        }
        self.append_to(level + 1, &parents);
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut roots = Vec::new();
        for level in self.levels.iter().rev() {
            let mut hashes = level.hashes.as_slice();
            while !hashes.is_empty() {
                let (complete, rest) = hashes.split_at(1 << hashes.len().ilog2());
                roots.push(root_of_complete(complete));
                hashes = rest;
            }
        }
        Span::fold(&roots)
    }

    /// The tiles that are new or longer since the last call: the full ones first, then the partial ones. They replace
    /// older ones of the same names.
    #[must_use]
    pub fn changed(&mut self) -> Vec<Tile> {
        let mut tiles = std::mem::take(&mut self.full);
        for (level, at) in (0..).zip(&mut self.levels) {
            if std::mem::take(&mut at.is_changed) && level >= self.lowest_level {
                let id = TileId {
                    level,
                    index: at.index,
                };
                tiles.extend(tile_of(id, &at.hashes));
            }
        }
        tiles
    }
}

/// The tile with these hashes; `None` when there are none.
fn tile_of(id: TileId, hashes: &[Hash]) -> Option<Tile> {
    let width = TileWidth::new(u16::try_from(hashes.len()).ok()?)?;
    let mut bytes = Vec::with_capacity(if width.is_full() {
        TILE_BYTES
    } else {
        hashes.len() * HASH_BYTES
    });
    for hash in hashes {
        bytes.extend_from_slice(hash.as_bytes());
    }
    Some(Tile { id, width, bytes })
}
