//! Faults of totals.

use std::collections::{BTreeMap, BTreeSet};

use opencoin_log::batch::BatchLeaf;
use opencoin_log::digest::KeyFingerprint;
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::Leaf;

use super::{BuildError, EvidenceBuilder};
use crate::claim::Claim;
use crate::evidence::Evidence;
use crate::kinds::{
    ClosingCounts, CoinsValue, CountedKey, KeyCount, KeyLeaves, OneBatch, TotalsRule, TwoBatches,
    UncountedLeaf, WrongKeysRoot, WrongTotals,
};
use crate::tree::Included;

/// The most batch leaves before a batch in one file. More would hardly fit.
const BATCHES_BEFORE_MAX: usize = 512;
/// The first bytes of leaves of mint keys, and the first that are greater than all of them.
const MINT_KEYS: [[u8; 2]; 2] = [[0x01, 0x02], [0x01, 0x03]];

impl EvidenceBuilder<'_> {
    /// A batch leaf contradicts itself or its place.
    ///
    /// # Errors
    /// As [`BuildError`] says; so for all functions of the builder.
    pub async fn wrong_batch(&mut self, batch: u64) -> Result<Evidence, BuildError> {
        let batch = self.included(batch).await?;
        self.wrong_totals(TotalsRule::Batch(OneBatch { batch }))
    }

    /// A batch leaf contradicts an earlier leaf: a batch leaf, or another one where it says that the batch leaf before it
    /// stands.
    ///
    /// # Errors
    /// As above.
    pub async fn wrong_sequence(&mut self, earlier: u64, batch: u64) -> Result<Evidence, BuildError> {
        let (earlier, batch) = (self.included(earlier).await?, self.included(batch).await?);
        self.wrong_totals(TotalsRule::Sequence(TwoBatches { earlier, batch }))
    }

    /// A key was closed with other counts than those of a batch leaf. It is that of the same batch, or one before or after it
    /// that has counts of the key.
    ///
    /// # Errors
    /// As above.
    pub async fn wrong_closing(&mut self, closing: u64, batch: u64) -> Result<Evidence, BuildError> {
        let Leaf::KeyClosed { key_no, .. } = self.leaf(closing).await? else {
            return Err(BuildError::OtherLeaf(closing));
        };
        let leaf = self.batch_leaf(batch).await?;
        let before = match leaf.keys.iter().any(|counts| counts.key_no == key_no) {
            true => Vec::new(),
            false => self.batches_before(&leaf, BTreeSet::from([key_no])).await?,
        };
        let (closing, batch) = (self.included(closing).await?, self.included(batch).await?);
        self.wrong_totals(TotalsRule::Closing(ClosingCounts::new(closing, batch, before)))
    }

    /// A count in a batch leaf does not grow by the number of leaves in the batch.
    ///
    /// # Errors
    /// As above.
    pub async fn wrong_count(
        &mut self,
        batch: u64,
        key_no: KeyNo,
        counted: CountedKey,
    ) -> Result<Evidence, BuildError> {
        let leaf = self.batch_leaf(batch).await?;
        let header = counted.header(key_no);
        let begin = self.first_from(leaf.first, batch, &header).await?;
        let mut after = header.to_vec();
        // The first leaf of the next key, or type, if this was the last key.
        while let Some(last) = after.pop() {
            if let Some(next) = last.checked_add(1) {
                after.push(next);
                break;
            }
        }
        let end = self.first_from(begin, batch, &after).await?;
        let mut leaves = KeyLeaves {
            first: None,
            last: None,
            left: None,
            right: self.included(end).await?,
        };
        if begin < end {
            leaves.first = Some(self.included(begin).await?);
            leaves.last = Some(self.included(end - 1).await?);
        }
        if leaf.first < begin {
            leaves.left = Some(self.included(begin - 1).await?);
        }
        let before = self.batches_before(&leaf, BTreeSet::from([key_no])).await?;
        let batch = self.included(batch).await?;
        let count = KeyCount::new((key_no, counted), batch, before, leaves);
        self.wrong_totals(TotalsRule::Count(Box::new(count)))
    }

    /// A batch has a leaf of a key that its batch leaf does not count.
    ///
    /// # Errors
    /// As above.
    pub async fn uncounted(&mut self, leaf: u64, batch: u64) -> Result<Evidence, BuildError> {
        let (leaf, batch) = (self.included(leaf).await?, self.included(batch).await?);
        self.wrong_totals(TotalsRule::Uncounted(UncountedLeaf { leaf, batch }))
    }

    /// The value of outstanding coins does not follow from the counts. `keys` says where the leaves of mint keys are.
    ///
    /// # Errors
    /// As above.
    pub async fn wrong_value(
        &mut self,
        batch: u64,
        keys: &BTreeMap<KeyNo, u64>,
    ) -> Result<Evidence, BuildError> {
        let leaf = self.batch_leaf(batch).await?;
        let named: BTreeSet<KeyNo> = leaf.keys.iter().map(|counts| counts.key_no).collect();
        let mut leaves = Vec::new();
        for key_no in &named {
            let index = keys.get(key_no).ok_or(BuildError::OtherLeaf(batch))?;
            leaves.push(self.included(*index).await?);
        }
        let before = self.batches_before(&leaf, named).await?;
        let batch = self.included(batch).await?;
        self.wrong_totals(TotalsRule::Value(CoinsValue::new(batch, before, leaves)))
    }

    /// The root over the mint keys does not follow from their leaves. `keys` are the fingerprints of all mint keys at the
    /// end of the batch before.
    ///
    /// # Errors
    /// As above.
    pub async fn wrong_keys_root(
        &mut self,
        batch: u64,
        keys: Vec<KeyFingerprint>,
    ) -> Result<Evidence, BuildError> {
        let leaf = self.batch_leaf(batch).await?;
        let [key, after] = MINT_KEYS;
        let begin = self.first_from(leaf.first, batch, &key).await?;
        let end = self.first_from(begin, batch, &after).await?;
        let run = self.run(begin.saturating_sub(1).max(leaf.first), end).await?;
        let before = match leaf.previous {
            Some(previous) => Some(self.included(previous).await?),
            None => None,
        };
        let batch = self.included(batch).await?;
        let root = WrongKeysRoot::new(batch, before, keys, run);
        self.wrong_totals(TotalsRule::KeysRoot(Box::new(root)))
    }

    fn wrong_totals(&self, rule: TotalsRule) -> Result<Evidence, BuildError> {
        let claim = WrongTotals::new(&self.checkpoint, rule);
        self.evidence(Claim::WrongTotals(Box::new(claim)))
    }

    pub(super) async fn batch_leaf(&mut self, index: u64) -> Result<BatchLeaf, BuildError> {
        match self.leaf(index).await? {
            Leaf::Batch(batch) => Ok(*batch),
            _ => Err(BuildError::OtherLeaf(index)),
        }
    }

    /// The batch leaves before a batch, the newest first, until each of the keys was named; at least one, unless it is the
    /// first batch.
    async fn batches_before(
        &mut self,
        batch: &BatchLeaf,
        mut keys: BTreeSet<KeyNo>,
    ) -> Result<Vec<Included>, BuildError> {
        let (mut before, mut previous) = (Vec::new(), batch.previous);
        while let Some(index) = previous
            && (before.is_empty() || !keys.is_empty())
            && before.len() < BATCHES_BEFORE_MAX
        {
            let leaf = self.batch_leaf(index).await?;
            for counts in &leaf.keys {
                keys.remove(&counts.key_no);
            }
            before.push(self.included(index).await?);
            // A place that is not before this one would lead in a circle.
            previous = leaf.previous.filter(|previous| *previous < index);
        }
        Ok(before)
    }
}
