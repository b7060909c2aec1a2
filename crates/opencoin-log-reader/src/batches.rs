//! The batches of a log, and the search for leaves in them.
//!
//! The leaves of a batch stand in ascending order of their bytes and end with the batch leaf, so a leaf is found, or two
//! neighbours show that it is missing, by binary search over bundles of 256 entries. The server sees only which bundles
//! are read. A small batch is read as a whole, in random order. In a large one the search for each leaf is hidden among
//! searches for leaves that do not exist.
//!
//! Where a batch stands is learned from the issuer, who need not be believed: the batch leaf says it too.

use opencoin_log::batch::BatchLeaf;
use opencoin_log::digest::DIGEST_BYTES;
use opencoin_log::key::ED25519_KEY_BYTES;
use opencoin_log::key_account::AccountKey;
use opencoin_log::leaf::{Leaf, introduced_prefix, is_about_key_account};
use opencoin_log::tile::TILE_HASHES;
use rand::RngCore;
use rand::seq::SliceRandom;
use serde::Deserialize;

use crate::error::LogReadError;
use crate::tree::LogTree;

/// The most bundles of a batch that is read as a whole: 8,192 leaves, some 330 kB.
const WHOLE_BUNDLES_MAX: u64 = 32;
/// The bytes before the key in a leaf about a key account.
const TYPE_BYTES: usize = 2;
/// How many leaves that do not exist are sought for each one that may.
const DECOYS: usize = 3;
/// The most of them in a batch. Many leaves of one's own hide each other.
const DECOYS_MAX: usize = 64;
/// The most batches that are read back from the last one when nobody says where a batch is.
const STEPS_BACK_MAX: usize = 256;

/// A batch and its place.
#[derive(Debug, Clone)]
pub struct Batch {
    /// 1, 2, 3 ...
    pub number: u64,
    /// The index of its first leaf.
    pub first: u64,
    /// The index of its last leaf, the batch leaf.
    pub end: u64,
    /// When it was sealed, in seconds since 1970.
    pub time: u64,
    /// The index of the batch leaf before.
    previous: Option<u64>,
}

/// Where the issuer says that a batch is: the answer to `/v1/log/batches/N`.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct BatchHint {
    first: u64,
    /// The number of its leaves, the batch leaf included.
    count: u64,
}

/// Where a leaf is in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// At this index.
    At(u64),
    /// Nowhere: the neighbours with these indices enclose it. There is no left one before the first leaf.
    Between {
        /// The leaf before.
        left: Option<u64>,
        /// The leaf after.
        right: u64,
    },
}

impl Batch {
    fn of_leaf(leaf: &BatchLeaf, end: u64) -> Result<Self, LogReadError> {
        let first = match leaf.previous {
            Some(previous) => previous.checked_add(1),
            None => Some(0),
        };
        if first != Some(leaf.first) || leaf.first > end {
            return Err(LogReadError::Disorder(
                "a batch does not begin where the one before ends",
            ));
        }
        Ok(Self {
            number: leaf.batch,
            first: leaf.first,
            end,
            time: leaf.time,
            previous: leaf.previous,
        })
    }

    /// Returns the batch whose batch leaf stands at this index; `None` when another leaf does.
    async fn ending_at(tree: &mut LogTree, end: u64) -> Result<Option<Self>, LogReadError> {
        match Leaf::decode(tree.leaf(end).await?) {
            Ok(Leaf::Batch(leaf)) => Self::of_leaf(&leaf, end).map(Some),
            Ok(_) | Err(_) => Ok(None),
        }
    }

    /// Returns the last batch of the tree; `None` when it is empty.
    ///
    /// # Errors
    /// The log cannot be read, its files belong to another tree, or it does not end with a batch leaf.
    pub async fn last(tree: &mut LogTree) -> Result<Option<Self>, LogReadError> {
        let Some(end) = tree.size().checked_sub(1) else {
            return Ok(None);
        };
        let last = Self::ending_at(tree, end).await?;
        last.map(Some)
            .ok_or(LogReadError::Disorder("it does not end with a complete batch"))
    }

    /// Returns the batch with this number, which is not later than `last`. A hint that is wrong is ignored.
    ///
    /// # Errors
    /// The log cannot be read, its files belong to another tree, its batches are in disorder, or without a good hint the
    /// batch is too far from the last one.
    pub async fn numbered(
        tree: &mut LogTree,
        number: u64,
        hint: Option<BatchHint>,
        last: &Self,
    ) -> Result<Self, LogReadError> {
        let end = hint.and_then(|hint| hint.first.checked_add(hint.count)?.checked_sub(1));
        if let Some(end) = end.filter(|end| *end < tree.size())
            && let Some(batch) = Self::ending_at(tree, end).await?
            && batch.number == number
        {
            return Ok(batch);
        }
        let mut batch = last.clone();
        for _ in 0..STEPS_BACK_MAX {
            if batch.number == number {
                return Ok(batch);
            }
            let before = match batch.number > number {
                true => batch.before(tree).await?,
                false => None,
            };
            batch = before.ok_or(LogReadError::Disorder("the numbers of the batches have a gap"))?;
        }
        Err(LogReadError::TooMuch)
    }

    /// Returns the batch before this one; `None` when this is the first one.
    ///
    /// # Errors
    /// The log cannot be read, its files belong to another tree, or its batches are in disorder.
    pub async fn before(&self, tree: &mut LogTree) -> Result<Option<Self>, LogReadError> {
        let Some(previous) = self.previous else {
            return Ok(None);
        };
        let before = Self::ending_at(tree, previous).await?;
        before
            .map(Some)
            .ok_or(LogReadError::Disorder("a batch does not end with a batch leaf"))
    }

    /// Finds leaves, or the neighbours between which they are missing. The results are in the order of the leaves.
    ///
    /// # Errors
    /// The log cannot be read, or its files belong to another tree.
    pub async fn locate(
        &self,
        tree: &mut LogTree,
        leaves: &[Vec<u8>],
        rng: &mut (impl RngCore + Send + ?Sized),
    ) -> Result<Vec<Place>, LogReadError> {
        let width = u64::from(TILE_HASHES);
        let (first, end) = (self.first / width, self.end / width);
        if end - first < WHOLE_BUNDLES_MAX {
            let mut bundles: Vec<u64> = (first..=end).collect();
            bundles.shuffle(rng);
            for bundle in bundles {
                tree.bundle(bundle).await?;
            }
        }
        let mut sought: Vec<(Option<usize>, Vec<u8>)> = Vec::new();
        let mut decoys_left = DECOYS_MAX;
        for (index, leaf) in leaves.iter().enumerate() {
            sought.push((Some(index), leaf.clone()));
            let decoys = decoys_left.min(DECOYS);
            decoys_left -= decoys;
            sought.extend((0..decoys).map(|_| (None, decoy(leaf, rng))));
        }
        sought.shuffle(rng);
        let mut places = vec![None; leaves.len()];
        for (index, leaf) in sought {
            let place = self.locate_one(tree, &leaf).await?;
            if let Some(index) = index {
                places[index] = Some(place);
            }
        }
        Ok(places.into_iter().flatten().collect())
    }

    /// Calls `each` with all leaves about key accounts, and with their indices, in their order. The server does not learn
    /// which account is meant.
    ///
    /// # Errors
    /// The log cannot be read, its files belong to another tree, or its leaves are in disorder.
    pub async fn key_accounts(
        &self,
        tree: &mut LogTree,
        each: &mut (dyn FnMut(u64, Leaf) + Send),
    ) -> Result<(), LogReadError> {
        let first = introduced_prefix(&AccountKey::of_stored([0; ED25519_KEY_BYTES]));
        let mut last = Vec::new();
        for index in self.not_before(tree, &first).await?..self.end {
            let leaf = tree.leaf(index).await?;
            if !is_about_key_account(leaf) {
                break;
            }
            if leaf <= last.as_slice() {
                return Err(LogReadError::Disorder("the leaves of a batch are not in order"));
            }
            leaf.clone_into(&mut last);
            let decoded = Leaf::decode(leaf);
            each(
                index,
                decoded.map_err(|_| LogReadError::Disorder("a leaf cannot be read"))?,
            );
        }
        Ok(())
    }

    /// Finds a leaf. The batch leaf is after all others.
    async fn locate_one(&self, tree: &mut LogTree, leaf: &[u8]) -> Result<Place, LogReadError> {
        let low = self.not_before(tree, leaf).await?;
        if tree.leaf(low).await? == leaf {
            return Ok(Place::At(low));
        }
        let left = (low > self.first).then(|| low - 1);
        Ok(Place::Between { left, right: low })
    }

    /// Finds the first leaf that is not before this one.
    async fn not_before(&self, tree: &mut LogTree, leaf: &[u8]) -> Result<u64, LogReadError> {
        let (mut low, mut high) = (self.first, self.end);
        while low < high {
            let middle = low + (high - low) / 2;
            if tree.leaf(middle).await? < leaf {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }
}

/// Returns a leaf of the same type and mint key with a digest of nothing, or one about another key account.
fn decoy(leaf: &[u8], rng: &mut (impl RngCore + ?Sized)) -> Vec<u8> {
    let mut decoy = leaf.to_vec();
    let changed = if is_about_key_account(leaf) {
        TYPE_BYTES..decoy.len().min(TYPE_BYTES + ED25519_KEY_BYTES)
    } else {
        decoy.len().saturating_sub(DIGEST_BYTES)..decoy.len()
    };
    rng.fill_bytes(&mut decoy[changed]);
    decoy
}
