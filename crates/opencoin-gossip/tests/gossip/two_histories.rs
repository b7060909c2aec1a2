//! A log with two histories, for tests.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use opencoin_evidence::{Claim, Evidence, SplitView};
use opencoin_gossip::tidy_checkpoint;
use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::key_no::KeyNo;
use opencoin_log::log_block::LogBlock;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log::tile_proof::consistency_proof;
use opencoin_log::tree::Frontier;
use opencoin_log_reader::Beginning;
use opencoin_testkit::log_builder::{LogBuilder, LogCurrency};

/// One history, and the checkpoints of its batches.
pub(crate) struct History {
    log: LogBuilder,
    pub(crate) checkpoints: Vec<SignedCheckpoint>,
    /// The root at each size.
    roots: Vec<Hash>,
    made: RefCell<HashMap<[Hash; 2], String>>,
}

impl History {
    /// The history of a log with its first batch.
    pub(crate) fn begun() -> Self {
        Self::of(LogBuilder::begun())
    }

    /// The same of another currency.
    pub(crate) fn foreign() -> Self {
        let currency = LogCurrency::new("foreign.test", "http://foreign.test");
        Self::of(LogBuilder::begun_of(Arc::new(currency)))
    }

    fn of(log: LogBuilder) -> Self {
        let checkpoints = vec![log.checkpoint()];
        Self {
            roots: roots(&log),
            log,
            checkpoints,
            made: RefCell::default(),
        }
    }

    /// A second history with the same beginning. What is sealed later differs.
    pub(crate) fn fork(&self) -> Self {
        Self {
            log: self.log.fork(),
            checkpoints: self.checkpoints.clone(),
            roots: self.roots.clone(),
            made: RefCell::default(),
        }
    }

    /// Seals a batch with so many coins.
    pub(crate) fn seal(&mut self, coins: u64) -> &SignedCheckpoint {
        self.log.issue(KeyNo::new(1).unwrap(), coins);
        self.log.seal();
        self.roots = roots(&self.log);
        self.checkpoints.push(self.log.checkpoint());
        self.newest()
    }

    pub(crate) fn log(&self) -> &LogBuilder {
        &self.log
    }

    pub(crate) fn block(&self) -> LogBlock {
        let info = &self.log.cddc().cdd().additional_info;
        LogBlock::find(info).unwrap().unwrap()
    }

    pub(crate) fn newest(&self) -> &SignedCheckpoint {
        self.checkpoints.last().unwrap()
    }

    pub(crate) fn root_at(&self, size: u64) -> Hash {
        self.roots[size as usize]
    }

    /// Evidence against the log. This history is that of the larger checkpoint.
    pub(crate) fn split_view(&self, smaller: &SignedCheckpoint, larger: &SignedCheckpoint) -> String {
        let key = [*smaller.checkpoint().root(), *larger.checkpoint().root()];
        let mut made = self.made.borrow_mut();
        made.entry(key)
            .or_insert_with(|| self.make_split_view(smaller, larger))
            .clone()
    }

    fn make_split_view(&self, smaller: &SignedCheckpoint, larger: &SignedCheckpoint) -> String {
        let (first, size) = (smaller.checkpoint().size(), larger.checkpoint().size());
        let beginning = Beginning {
            root: self.root_at(first),
            proof: consistency_proof(first, size, &self.log.tiles()).unwrap(),
        };
        let claim = Claim::SplitView(SplitView::new(smaller, larger, &beginning));
        Evidence::new(self.log.cddc().cddc().clone(), claim)
            .unwrap()
            .to_json()
    }

    /// Evidence against the log: two checkpoints of one size.
    pub(crate) fn same_size(&self, first: &SignedCheckpoint, second: &SignedCheckpoint) -> String {
        let (root, proof) = (*second.checkpoint().root(), Vec::new());
        let claim = Claim::SplitView(SplitView::new(first, second, &Beginning { root, proof }));
        Evidence::new(self.log.cddc().cddc().clone(), claim)
            .unwrap()
            .to_json()
    }

    pub(crate) fn tidy(&self, signed: &SignedCheckpoint) -> SignedCheckpoint {
        tidy_checkpoint(signed, &self.block()).unwrap()
    }
}

fn roots(log: &LogBuilder) -> Vec<Hash> {
    let mut frontier = Frontier::new();
    let mut roots = vec![frontier.root()];
    for leaf in log.leaves() {
        frontier.append(leaf_hash(leaf));
        roots.push(frontier.root());
    }
    roots
}
