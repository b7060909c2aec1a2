//! Bundles of a log, several at once, each verified.

use futures_util::{StreamExt, TryStreamExt, stream};
use opencoin_log::hash::Hash;
use opencoin_log::tile::{Resource, TILE_HASHES, TilePath, TileWidth};
use opencoin_log::tree;

use super::sources::{FetchError, Sources};
use super::target_tree::{TargetTree, entries};

/// The bundles that are downloaded before they are handed on: those of a tile, with 65,536 leaves.
const BUNDLES_AT_ONCE: u64 = TILE_HASHES as u64;
/// After so many bytes bundles are handed on, however many they are. A hostile log may have entries of 64 kB.
const BYTES_AT_ONCE: usize = 32 * 1024 * 1024;
/// The downloads that run at the same time.
const DOWNLOADS_MAX: usize = 8;

/// A bundle that belongs to the tree of a checkpoint.
#[derive(Debug)]
pub(crate) struct VerifiedBundle {
    /// Its number.
    pub(crate) index: u64,
    /// The number of its entries.
    pub(crate) width: TileWidth,
    /// The entries, as in a file.
    pub(crate) bytes: Vec<u8>,
    /// Their hashes.
    pub(crate) hashes: Vec<Hash>,
}

/// Downloads bundles from this one on, in their order: some, up to the end of a tile or of the tree.
///
/// # Errors
/// No server has one of them.
pub(crate) async fn download_bundles(
    sources: &Sources,
    target: &mut TargetTree,
    first: u64,
) -> Result<Vec<VerifiedBundle>, FetchError> {
    let end = (first / BUNDLES_AT_ONCE + 1) * BUNDLES_AT_ONCE;
    let (mut complete, mut last) = (Vec::new(), None);
    for index in first..end {
        match target.width(index) {
            Some(TileWidth::FULL) => complete.push((index, target.root_of_bundle(sources, index).await?)),
            Some(width) => last = last_bundle(target, index, width),
            None => break,
        }
    }
    let download = |(index, root): (u64, Hash)| async move {
        let resource = Resource::Entries(index);
        let width = TileWidth::FULL;
        let check = |bytes| {
            let (bytes, hashes) = entries(bytes, width)?;
            (tree::root(&hashes) == root).then_some((bytes, hashes))
        };
        let (bytes, hashes) = sources.get(TilePath { resource, width }, check).await?;
        Ok::<_, FetchError>(VerifiedBundle {
            index,
            width,
            bytes,
            hashes,
        })
    };
    let mut downloads = stream::iter(complete).map(download).buffered(DOWNLOADS_MAX);
    let (mut bundles, mut bytes) = (Vec::new(), 0);
    while let Some(bundle) = downloads.try_next().await? {
        bytes += bundle.bytes.len();
        bundles.push(bundle);
        if bytes > BYTES_AT_ONCE {
            return Ok(bundles);
        }
    }
    bundles.extend(last);
    Ok(bundles)
}

fn last_bundle(target: &TargetTree, index: u64, width: TileWidth) -> Option<VerifiedBundle> {
    let (bytes, hashes) = entries(target.last_bundle()?.to_vec(), width)?;
    Some(VerifiedBundle {
        index,
        width,
        bytes,
        hashes,
    })
}
