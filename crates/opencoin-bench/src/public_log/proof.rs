//! The size of a proof file (C2SP tlog-proof) in a large log.

use anyhow::{Context, Result};
use opencoin_keys::{Clock, SystemClock};
use opencoin_log::checkpoint::Checkpoint;
use opencoin_log::hash::Hash;
use opencoin_log::key::{KeyType, SEED_BYTES, SigningKey};
use opencoin_log::proof_file::ProofFile;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log::tile::{TILE_BYTES, TileId, Tiles};
use opencoin_log::tile_proof::inclusion_proof;
use zeroize::Zeroizing;

use crate::currency::random_bytes;

/// The leaves of the log.
pub(super) const LEAVES: u64 = 1_000_000_000;
/// The witnesses that have cosigned its checkpoint, each with an Ed25519 key.
pub(super) const WITNESSES: usize = 3;
/// The leaf whose proof is made. Its path is as long as that of nearly all.
const LEAF: u64 = 123_456_789;

/// A tree whose tiles are all the same: only the number of hashes counts.
struct SameTiles(Vec<u8>);

impl Tiles for SameTiles {
    fn tile(&self, _: TileId) -> Option<&[u8]> {
        Some(&self.0)
    }
}

/// The length of the text in bytes.
pub(super) fn bytes() -> Result<usize> {
    let proof = inclusion_proof(LEAF, LEAVES, &SameTiles(random_bytes(TILE_BYTES)))
        .context("a proof cannot be made")?;
    let root = Hash::new(random_array()?);
    let log = key("issuer.example/log", KeyType::Ed25519Note)?;
    let checkpoint = Checkpoint::new(log.verifier().name().as_str(), LEAVES, root)?;
    let mut checkpoint = SignedCheckpoint::new(checkpoint)?;
    let time = u64::try_from(SystemClock.now().timestamp())?;
    checkpoint.sign(&log, time)?;
    for number in 1..=WITNESSES {
        let name = format!("witness{number}.example/w1");
        checkpoint.sign(&key(&name, KeyType::Ed25519Cosignature)?, time)?;
    }
    let file = ProofFile {
        extra: Vec::new(),
        index: LEAF,
        proof,
        checkpoint,
    };
    Ok(file.to_string().len())
}

fn key(name: &str, key_type: KeyType) -> Result<SigningKey> {
    let seed: [u8; SEED_BYTES] = random_array()?;
    Ok(SigningKey::from_seed(
        name.parse()?,
        key_type,
        &Zeroizing::new(seed),
    )?)
}

fn random_array<const N: usize>() -> Result<[u8; N]> {
    let bytes = random_bytes(N).try_into();
    bytes.ok().context("as many bytes as were asked for")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_has_a_hash_for_each_level_of_the_tree() {
        let tiles = SameTiles(vec![0; TILE_BYTES]);
        assert_eq!(inclusion_proof(LEAF, LEAVES, &tiles).unwrap().len(), 30);
        assert!(bytes().unwrap() > 30 * 45);
    }
}
