//! The published log as the files of tlog-tiles, for copies that others serve.

use opencoin_ledger::{LedgerError, LogStore};
use opencoin_log::tile::{Resource, TilePath, tiles_of_size};

use super::reader;

/// The paths of all tiles and bundles of a log of this size.
pub fn paths(size: u64) -> impl Iterator<Item = TilePath> {
    tiles_of_size(size).flat_map(|(id, width)| {
        let tile = TilePath {
            resource: Resource::Tile(id),
            width,
        };
        let entries = (id.level == 0).then_some(TilePath {
            resource: Resource::Entries(id.index),
            width,
        });
        std::iter::once(tile).chain(entries)
    })
}

/// The bytes of one of these files.
///
/// # Errors
/// When the books cannot be read.
pub async fn bytes(store: &dyn LogStore, path: &TilePath, size: u64) -> Result<Vec<u8>, LedgerError> {
    let found = reader::resource(store, path, size).await?;
    found.ok_or_else(|| LedgerError::corrupt("log", format!("{path} is missing")))
}
