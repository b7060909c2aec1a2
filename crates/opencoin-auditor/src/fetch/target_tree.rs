//! What the tree of a checkpoint says about each bundle, before all bundles are there.
//!
//! The incomplete tiles at the right edge give the root, so they are right if it is. Every other tile is the child of a
//! hash in a tile above it. So each file is verified when it arrives, and a wrong one can be asked for elsewhere at once.

use std::collections::{BTreeMap, HashMap};

use opencoin_log::bundle;
use opencoin_log::hash::{HASH_BYTES, Hash, leaf_hash};
use opencoin_log::tile::{Resource, TILE_HASHES, TileBuilder, TileId, TilePath, TileWidth, right_edge};
use opencoin_log::tree;

use super::sources::{FetchError, Sources};

/// The tree of a checkpoint, as far as it was verified.
#[derive(Debug)]
pub(crate) struct TargetTree {
    size: u64,
    /// The incomplete tiles of levels from 1 on.
    edge: HashMap<TileId, Vec<Hash>>,
    /// The last complete tile of each level that was needed. Bundles are read in their order.
    complete: HashMap<u8, (u64, Vec<Hash>)>,
    /// The incomplete bundle at the end.
    last_bundle: Option<Vec<u8>>,
}

impl TargetTree {
    /// Downloads the right edge of the tree with this size and root.
    ///
    /// # Errors
    /// No server has files of this tree.
    pub(crate) async fn begin(sources: &Sources, size: u64, root: &Hash) -> Result<Self, FetchError> {
        let mut failure = None;
        // The files of the edge are verified together, so they must come from the same server.
        for prefix in sources.prefixes() {
            let single = Sources::new(sources.files(), [prefix.to_owned()]);
            match Self::begin_from(&single, prefix, size, root).await {
                Ok(tree) => return Ok(tree),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        let nobody = || FetchError::Unreachable("nobody is known who has the log".to_owned());
        Err(failure.unwrap_or_else(nobody))
    }

    async fn begin_from(source: &Sources, prefix: &str, size: u64, root: &Hash) -> Result<Self, FetchError> {
        let (mut edge, mut hashes) = (HashMap::new(), BTreeMap::new());
        let mut last_bundle = None;
        for (id, width) in right_edge(size) {
            if id.level == 0 {
                let resource = Resource::Entries(id.index);
                let path = TilePath { resource, width };
                let (bytes, of_entries) = source.get(path, |bytes| entries(bytes, width)).await?;
                last_bundle = Some(bytes);
                hashes.insert(id, to_bytes(&of_entries));
            } else {
                let resource = Resource::Tile(id);
                let path = TilePath { resource, width };
                let tile = source.get(path, |bytes| from_bytes(&bytes, width)).await?;
                hashes.insert(id, to_bytes(&tile));
                edge.insert(id, tile);
            }
        }
        let found = TileBuilder::new(size, &hashes, 0).map(|builder| builder.root());
        if found.ok().as_ref() != Some(root) {
            return Err(FetchError::OtherFiles(prefix.to_owned()));
        }
        Ok(Self {
            size,
            edge,
            complete: HashMap::new(),
            last_bundle,
        })
    }

    /// The number of entries in a bundle of this tree; `None` if it has no such bundle.
    pub(crate) fn width(&self, bundle: u64) -> Option<TileWidth> {
        TileId {
            level: 0,
            index: bundle,
        }
        .width_in(self.size)
    }

    /// The incomplete bundle at the end, which was verified.
    pub(crate) fn last_bundle(&self) -> Option<&[u8]> {
        self.last_bundle.as_deref()
    }

    /// The root of a complete bundle.
    ///
    /// # Errors
    /// No server has tiles that lead to it.
    pub(crate) async fn root_of_bundle(
        &mut self,
        sources: &Sources,
        bundle: u64,
    ) -> Result<Hash, FetchError> {
        // From the bundle upwards, the tiles that are not known yet.
        let (mut missing, mut index) = (Vec::new(), bundle);
        for level in 1.. {
            let id = TileId {
                level,
                index: index / u64::from(TILE_HASHES),
            };
            if self.known(id).is_some() {
                break;
            }
            missing.push(id);
            index = id.index;
        }
        for id in missing.into_iter().rev() {
            let expected = self.hash(id.level + 1, id.index);
            let expected = expected.ok_or_else(|| outside(id))?;
            let path = TilePath {
                resource: Resource::Tile(id),
                width: TileWidth::FULL,
            };
            let tile = sources.get(path, |bytes| {
                let hashes = from_bytes(&bytes, TileWidth::FULL)?;
                (tree::root(&hashes) == expected).then_some(hashes)
            });
            let tile = tile.await?;
            self.complete.insert(id.level, (id.index, tile));
        }
        let outside = || {
            outside(TileId {
                level: 0,
                index: bundle,
            })
        };
        self.hash(1, bundle).ok_or_else(outside)
    }

    /// A verified tile.
    fn known(&self, id: TileId) -> Option<&[Hash]> {
        let complete = self
            .complete
            .get(&id.level)
            .filter(|(index, _)| *index == id.index);
        let complete = complete.map(|(_, tile)| tile.as_slice());
        complete.or_else(|| self.edge.get(&id).map(Vec::as_slice))
    }

    /// A hash of a level of tiles, if its tile is known.
    fn hash(&self, level: u8, index: u64) -> Option<Hash> {
        let width = u64::from(TILE_HASHES);
        let id = TileId {
            level,
            index: index / width,
        };
        self.known(id)?.get((index % width) as usize).copied()
    }
}

fn outside(id: TileId) -> FetchError {
    FetchError::Unreachable(format!("the tree has no tile {} of level {}", id.index, id.level))
}

/// The bytes of exactly the first entries of a bundle, and their hashes.
pub(super) fn entries(mut bytes: Vec<u8>, width: TileWidth) -> Option<(Vec<u8>, Vec<Hash>)> {
    let length = bundle::prefix(&bytes, width).ok()?.len();
    bytes.truncate(length);
    let hashes = bundle::decode(&bytes, width).ok()?.map(leaf_hash).collect();
    Some((bytes, hashes))
}

fn from_bytes(bytes: &[u8], width: TileWidth) -> Option<Vec<Hash>> {
    let bytes = bytes.get(..usize::from(width.get()) * HASH_BYTES)?;
    let (hashes, _) = bytes.as_chunks();
    Some(hashes.iter().map(|hash| Hash::new(*hash)).collect())
}

fn to_bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}
