//! What a light auditor looks at: a few random bundles of each new tree.
//!
//! Every entry of a bundle must be readable, and the leaves of a batch must be in order, so a log that is wrong in many
//! places is found out. One that is wrong in a single place is usually not: that is what full auditors are for.

use opencoin_evidence::EvidenceBuilder;
use opencoin_log::hash::Hash;
use opencoin_log::leaf::{Leaf, LeafError};
use opencoin_log::tile::TILE_HASHES;
use opencoin_log_reader::LogTree;
use rand::Rng;

use super::{FollowError, Follower};

/// The bundles that are looked at for each new checkpoint, besides the last one.
const SAMPLES: usize = 3;

impl Follower {
    /// Looks at some bundles of the tree, from any server that has them.
    pub(super) async fn take_samples(&mut self, size: u64, root: Hash) -> Result<(), FollowError> {
        if size == 0 || self.sampled == Some(root) {
            return Ok(());
        }
        let bundles = size.div_ceil(u64::from(TILE_HASHES));
        let mut chosen = vec![bundles - 1];
        chosen.extend((0..SAMPLES).map(|_| self.rng.gen_range(0..bundles)));
        chosen.dedup();
        let sources = self.sources();
        let mut failure = None;
        for prefix in sources.prefixes() {
            let mut tree = LogTree::new(self.reader(prefix), size, root);
            match self.look_at(&mut tree, &chosen).await {
                Ok(looked) => {
                    self.sampled = Some(root);
                    self.auditor.statuses.change(self.currency.no, |status| {
                        status.sampled += looked;
                    });
                    return Ok(());
                }
                Err(error @ FollowError::Store(_)) => return Err(error),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Looks at these bundles. Returns how many entries they have.
    async fn look_at(&self, tree: &mut LogTree, bundles: &[u64]) -> Result<u64, FollowError> {
        let mut looked = 0;
        for bundle in bundles {
            let entries = tree.bundle(*bundle).await?.to_vec();
            looked += entries.len() as u64;
            let first = bundle * u64::from(TILE_HASHES);
            if let Some(fault) = first_fault(&entries, first) {
                self.keep_fault(tree, &fault).await?;
            }
        }
        let last = tree.size() - 1;
        if !matches!(Leaf::decode(tree.leaf(last).await?), Ok(Leaf::Batch(_))) {
            let kind = FaultKind::Unfinished;
            self.keep_fault(tree, &SampleFault { index: last, kind }).await?;
        }
        Ok(looked)
    }

    /// Keeps what was found in a sample, with evidence if it can be made.
    async fn keep_fault(&self, tree: &mut LogTree, fault: &SampleFault) -> Result<(), FollowError> {
        let (no, now) = (self.currency.no, self.auditor.now_s());
        let index = fault.index;
        let text = format!("leaf {index}: {}", fault.kind);
        let store = &self.auditor.store;
        if !store.put_other_finding(no, index, &text, true, now).await? {
            return Ok(());
        }
        let Some(newest) = self.newest.clone() else {
            return Ok(());
        };
        tree.begin_part();
        let mut builder = EvidenceBuilder::new(tree, newest, self.description.cddc().clone());
        let built = match &fault.kind {
            FaultKind::Malformed(_) => builder.malformed(index).await,
            FaultKind::Disorder => builder.disorder(index).await,
            FaultKind::Unbalanced => builder.wrong_batch(index).await,
            FaultKind::Unfinished => builder.unfinished().await,
        };
        match built {
            Ok(evidence) => {
                if let Ok(checked) = evidence.check() {
                    let kept = self
                        .auditor
                        .keep_evidence(&self.currency, &evidence, &checked, false);
                    let id = kept.await?.id;
                    store.put_finding_evidence(no, index, &text, id.as_ref()).await?;
                }
            }
            Err(error) => tracing::warn!(text, %error, "there is no evidence for a finding"),
        }
        Ok(())
    }
}

/// What is wrong in a sample.
#[derive(Debug, PartialEq, Eq)]
struct SampleFault {
    index: u64,
    kind: FaultKind,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum FaultKind {
    #[error("{0}")]
    Malformed(LeafError),
    #[error("the leaf is not after the one before it")]
    Disorder,
    #[error("what was paid in and recouped, less what was paid out, is not what the issuer owes")]
    Unbalanced,
    #[error("the log ends within a batch")]
    Unfinished,
}

/// The first entry of a bundle that breaks a rule.
fn first_fault(entries: &[Vec<u8>], first: u64) -> Option<SampleFault> {
    let mut before: Option<&[u8]> = None;
    for (index, entry) in (first..).zip(entries) {
        let fault = |kind| Some(SampleFault { index, kind });
        let leaf = match Leaf::decode(entry) {
            Ok(leaf) => leaf,
            Err(error) => return fault(FaultKind::Malformed(error)),
        };
        let may_repeat = matches!(leaf, Leaf::Issued { .. });
        let is_after = |before: &[u8]| before < entry.as_slice() || may_repeat && before == entry;
        if !before.is_none_or(is_after) {
            return fault(FaultKind::Disorder);
        }
        before = Some(entry);
        if let Leaf::Batch(batch) = leaf {
            if !batch.is_balanced() {
                return fault(FaultKind::Unbalanced);
            }
            before = None;
        }
    }
    None
}
