//! Where the parts of a copy are.

use std::path::{Path, PathBuf};

/// The bundles of a pack.
pub(super) const PACK_BUNDLES: u64 = 256;

pub(super) fn pack_path(folder: &Path, number: u64) -> PathBuf {
    folder.join("entries").join(format!("{number:09}"))
}

/// The file that says where each bundle begins in its pack, in eight bytes each.
pub(super) fn starts_path(folder: &Path) -> PathBuf {
    folder.join("starts")
}

/// The hashes of all tiles of a level.
pub(super) fn hashes_path(folder: &Path, level: u8) -> PathBuf {
    folder.join("hashes").join(level.to_string())
}
