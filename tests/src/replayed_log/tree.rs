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
#[must_use]
pub fn root(hashes: &[Hash]) -> Hash {
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

/// The root of a tree of `size` leaves to which an inclusion proof leads from the hash of leaf `index`; `None` if the
/// proof has another length (RFC 9162 section 2.1.3.2).
#[must_use]
pub fn root_of_proof(index: u64, size: u64, leaf: Hash, proof: &[Hash]) -> Option<Hash> {
    let (mut index, mut last, mut hash) = (index, size.checked_sub(1)?, leaf);
    if index > last {
        return None;
    }
    for sibling in proof {
        if last == 0 {
            return None;
        }
        if index % 2 == 1 || index == last {
            hash = node(sibling, &hash);
            while index % 2 == 0 && index != 0 {
                (index, last) = (index / 2, last / 2);
            }
        } else {
            hash = node(&hash, sibling);
        }
        (index, last) = (index / 2, last / 2);
    }
    (last == 0).then_some(hash)
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new_with_prefix([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}
