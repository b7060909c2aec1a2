//! Reads the tree of the log from the books: tiles and bundles for HTTP, and proofs.

use std::collections::HashMap;
use std::ops::Range;

use opencoin_ledger::{LedgerError, LogBatch, LogBatchNo, LogStore, PublishedCheckpoint};
use opencoin_log::bundle;
use opencoin_log::hash::{HASH_BYTES, Hash, leaf_hash};
use opencoin_log::proof_file::ProofFile;
use opencoin_log::tile::{Resource, TILE_HASHES, TileId, TilePath, TileWidth};
use opencoin_log::tile_proof::{
    TileProofError, consistency_proof, inclusion_proof, tiles_of_consistency, tiles_of_inclusion,
};

/// The bytes of a tile or bundle; `None` if a log of this size does not have it.
///
/// # Errors
/// When the books cannot be read.
pub(crate) async fn resource(
    store: &dyn LogStore,
    path: &TilePath,
    size: u64,
) -> Result<Option<Vec<u8>>, LedgerError> {
    let id = match path.resource {
        Resource::Tile(id) => id,
        Resource::Entries(index) => TileId { level: 0, index },
    };
    let Some(available) = id.width_in(size).filter(|available| *available >= path.width) else {
        return Ok(None);
    };
    debug_assert!(available.get() <= TILE_HASHES, "a tile is full at most");
    match path.resource {
        Resource::Tile(id) => tile(store, id, path.width).await.map(Some),
        Resource::Entries(index) => entries(store, index, path.width).await.map(Some),
    }
}

/// The hashes of a tile, which the log has.
///
/// # Errors
/// When the books cannot be read.
pub(crate) async fn tile(store: &dyn LogStore, id: TileId, width: TileWidth) -> Result<Vec<u8>, LedgerError> {
    if id.level == 0 {
        let bundle = entries(store, id.index, width).await?;
        let entries = bundle::decode(&bundle, width).map_err(|error| corrupt(&error))?;
        return Ok(entries.flat_map(|entry| *leaf_hash(entry).as_bytes()).collect());
    }
    let mut bytes = store
        .tile(id.level, id.index)
        .await?
        .ok_or_else(|| corrupt(&"a tile is missing"))?;
    let wanted = usize::from(width.get()) * HASH_BYTES;
    if bytes.len() < wanted {
        return Err(corrupt(&"a tile is too short"));
    }
    bytes.truncate(wanted);
    Ok(bytes)
}

async fn entries(store: &dyn LogStore, index: u64, width: TileWidth) -> Result<Vec<u8>, LedgerError> {
    let bytes = store
        .bundle(index)
        .await?
        .ok_or_else(|| corrupt(&"a bundle is missing"))?;
    let prefix = bundle::prefix(&bytes, width).map_err(|error| corrupt(&error))?;
    Ok(prefix.to_vec())
}

/// Proves that the log of size `new` continues that of size `old`.
///
/// # Errors
/// When the books cannot be read.
pub(crate) async fn consistency(store: &dyn LogStore, old: u64, new: u64) -> Result<Vec<Hash>, LedgerError> {
    let ids = tiles_of_consistency(old, new).ok_or_else(|| corrupt(&"the log has become smaller"))?;
    let tiles = tiles(store, ids, new).await?;
    consistency_proof(old, new, &tiles).map_err(|error: TileProofError| corrupt(&error))
}

/// The leaf at this index.
///
/// # Errors
/// When the books cannot be read, or the log is shorter.
pub(crate) async fn leaf(store: &dyn LogStore, index: u64) -> Result<Vec<u8>, LedgerError> {
    let missing = || corrupt(&"a leaf is missing");
    let bundle = index / u64::from(TILE_HASHES);
    let place = (index % u64::from(TILE_HASHES)) as u16;
    let width = TileWidth::new(place + 1).ok_or_else(missing)?;
    let bytes = entries(store, bundle, width).await?;
    let mut entries = bundle::decode(&bytes, width).map_err(|error| corrupt(&error))?;
    entries.nth(place.into()).map(<[u8]>::to_vec).ok_or_else(missing)
}

/// The leaves with these indices.
///
/// # Errors
/// When the books cannot be read, or the log is shorter.
pub(crate) async fn leaves(store: &dyn LogStore, range: Range<u64>) -> Result<Vec<Vec<u8>>, LedgerError> {
    let mut leaves = Vec::new();
    let width = u64::from(TILE_HASHES);
    let mut index = range.start;
    while index < range.end {
        let bundle = index / width;
        let last = range.end.min((bundle + 1) * width);
        let in_bundle = TileWidth::new((last - bundle * width) as u16);
        let in_bundle = in_bundle.ok_or_else(|| corrupt(&"a bundle has 1 to 256 leaves"))?;
        let bytes = entries(store, bundle, in_bundle).await?;
        let decoded = bundle::decode(&bytes, in_bundle).map_err(|error| corrupt(&error))?;
        let skipped = (index - bundle * width) as usize;
        leaves.extend(decoded.skip(skipped).map(<[u8]>::to_vec));
        index = last;
    }
    Ok(leaves)
}

/// The proof of a leaf under a checkpoint of this log, with the leaf itself.
///
/// # Errors
/// When the books cannot be read, or the checkpoint does not have the leaf.
pub(crate) async fn proof_file(
    store: &dyn LogStore,
    index: u64,
    checkpoint: &PublishedCheckpoint,
) -> Result<ProofFile, LedgerError> {
    let size = checkpoint.size;
    let ids = tiles_of_inclusion(index, size).ok_or_else(|| corrupt(&"a leaf is outside of the log"))?;
    let tiles = tiles(store, ids, size).await?;
    let proof = inclusion_proof(index, size, &tiles);
    let signed = checkpoint.note.parse();
    Ok(ProofFile {
        extra: leaf(store, index).await?,
        index,
        proof: proof.map_err(|error| corrupt(&error))?,
        checkpoint: signed.map_err(|error| corrupt(&error))?,
    })
}

/// The tiles of a log of this size.
async fn tiles(
    store: &dyn LogStore,
    ids: Vec<TileId>,
    size: u64,
) -> Result<HashMap<TileId, Vec<u8>>, LedgerError> {
    let mut tiles = HashMap::with_capacity(ids.len());
    for id in ids {
        let width = id
            .width_in(size)
            .ok_or_else(|| corrupt(&"a tile is outside of the log"))?;
        tiles.insert(id, tile(store, id, width).await?);
    }
    Ok(tiles)
}

/// Where the leaf that begins like this is, in this batch or a later one, among the batches that are sealed: the batch and
/// the index of the leaf. `None` if it is not sealed yet.
///
/// # Errors
/// When the books cannot be read.
pub(crate) async fn locate(
    store: &dyn LogStore,
    start: &[u8],
    from: LogBatchNo,
) -> Result<Option<(LogBatch, u64)>, LedgerError> {
    let mut no = from;
    while let Some(batch) = store.batch(no).await? {
        if let Some(index) = search(store, start, &batch).await? {
            return Ok(Some((batch, index)));
        }
        no = no.next();
    }
    Ok(None)
}

async fn search(store: &dyn LogStore, start: &[u8], batch: &LogBatch) -> Result<Option<u64>, LedgerError> {
    let first = first_from(store, start, batch).await?;
    let is_there = first < batch.end() && leaf(store, first).await?.starts_with(start);
    Ok(is_there.then_some(first))
}

/// The index of the first leaf of a batch that is not before `start`; the leaves of a batch are in ascending order. The end
/// of the batch if there is none.
///
/// # Errors
/// When the books cannot be read.
pub(crate) async fn first_from(
    store: &dyn LogStore,
    start: &[u8],
    batch: &LogBatch,
) -> Result<u64, LedgerError> {
    let (mut low, mut high) = (batch.first, batch.end());
    while low < high {
        let middle = low + (high - low) / 2;
        if leaf(store, middle).await?[..] < *start {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

fn corrupt(reason: &dyn ToString) -> LedgerError {
    LedgerError::corrupt("log", reason.to_string())
}
