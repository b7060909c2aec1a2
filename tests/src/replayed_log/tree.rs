//! The Merkle tree of RFC 6962.

use sha2::{Digest, Sha256};

/// A hash of the tree.
pub type Hash = [u8; 32];

/// The hash of an entry.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Sha256::new_with_prefix([0]).chain_update(entry).finalize().into()
}

/// The hash of the tree with these leaf hashes.
pub(super) fn root(hashes: &[Hash]) -> Hash {
    root_of_prefixes(hashes, &[hashes.len()])[0]
}

/// The hashes of the trees with the first leaves alone, for ascending sizes.
pub(super) fn root_of_prefixes(hashes: &[Hash], sizes: &[usize]) -> Vec<Hash> {
    // Complete subtrees from left to right, each with its size.
    let mut subtrees: Vec<(usize, Hash)> = Vec::new();
    let (mut roots, mut added) = (Vec::new(), 0);
    for size in sizes {
        for hash in &hashes[added..*size] {
            let mut new = (1, *hash);
            while let Some((left_size, left)) = subtrees.pop_if(|(size, _)| *size == new.0) {
                new = (left_size + new.0, node(&left, &new.1));
            }
            subtrees.push(new);
        }
        added = *size;
        let joined = subtrees.iter().rev().map(|(_, hash)| *hash);
        let joined = joined.reduce(|right, left| node(&left, &right));
        roots.push(joined.unwrap_or_else(|| Sha256::digest([]).into()));
    }
    roots
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new_with_prefix([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}
