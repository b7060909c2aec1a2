//! Says of nearly every digest that is in no run that it is in none, without reading a file: a split-block Bloom filter.
//!
//! A digest sets one bit in each of the eight words of one block of 64 bytes, so asking costs one access to memory. With
//! sixteen bits a digest fewer than one in a thousand others is thought to be there.
//!
//! Who writes a log chooses its digests. So what decides about bits is a hash with a secret of this process, or else an
//! issuer could write digests that fill the filter.

use std::hash::{BuildHasher, RandomState};

use super::Digest;

const WORDS: usize = 8;
const BLOCK_BYTES: usize = WORDS * size_of::<u64>();
const BITS_PER_DIGEST: u64 = 16;
/// A filter is made for so many times the digests that there are, so that it is not filled anew too often.
const GROWTH: u64 = 2;
/// Odd numbers that make the place in each word of one hash; any would do.
const SALTS: [u32; WORDS] = [
    0x47b6_137b,
    0x4497_4d91,
    0x8824_ad5b,
    0xa2b7_289d,
    0x7054_95c7,
    0x2df1_424b,
    0x9efc_4947,
    0x5c6b_fb31,
];

/// A set that may wrongly seem to have a digest, but never to lack one.
#[derive(Debug, Default)]
pub(super) struct Filter {
    blocks: Vec<[u64; WORDS]>,
    /// The number of digests for which it was made.
    capacity: u64,
    hashes: RandomState,
}

impl Filter {
    /// An empty filter with room for twice as many digests, but with no more than so many bytes.
    pub(super) fn for_digests(digests: u64, bytes_max: usize) -> Self {
        let capacity = digests.saturating_mul(GROWTH);
        let wanted = capacity.saturating_mul(BITS_PER_DIGEST) / 8 / BLOCK_BYTES as u64 + 1;
        let blocks = usize::try_from(wanted).unwrap_or(usize::MAX);
        let allowed = (bytes_max / BLOCK_BYTES).max(1);
        Self {
            // There is no use in making it anew when it cannot grow.
            capacity: if blocks > allowed { u64::MAX } else { capacity },
            blocks: vec![[0; WORDS]; blocks.min(allowed)],
            hashes: RandomState::new(),
        }
    }

    pub(super) fn has_room_for(&self, digests: u64) -> bool {
        digests <= self.capacity && !self.blocks.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.blocks.len() * BLOCK_BYTES
    }

    pub(super) fn extend(&mut self, digests: &[Digest]) {
        for digest in digests {
            let (block, bits) = self.place(digest);
            for (word, bit) in self.blocks[block].iter_mut().zip(bits) {
                *word |= bit;
            }
        }
    }

    pub(super) fn may_have(&self, digest: &Digest) -> bool {
        if self.blocks.is_empty() {
            return false;
        }
        let (block, bits) = self.place(digest);
        self.blocks[block]
            .iter()
            .zip(bits)
            .all(|(word, bit)| word & bit != 0)
    }

    /// The block of a digest, and a bit for each of its words.
    fn place(&self, digest: &Digest) -> (usize, [u64; WORDS]) {
        let hash = self.hashes.hash_one(digest);
        let (high, low) = (hash >> 32, hash as u32);
        // As a fraction of the number of blocks.
        let block = ((high * self.blocks.len() as u64) >> 32) as usize;
        (block, SALTS.map(|salt| 1 << (low.wrapping_mul(salt) >> 26)))
    }
}
