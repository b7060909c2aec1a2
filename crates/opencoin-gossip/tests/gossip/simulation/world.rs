//! The log: two histories, and which of them it shows to whom.

use std::cell::RefCell;
use std::collections::HashMap;

use opencoin_evidence::CheckedEvidence;
use opencoin_log::log_block::LogBlock;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

use crate::two_histories::History;

/// The time between two batches.
pub(crate) const BATCH_MS: u64 = 10_000;
/// The number of batches of the history that all but one see.
const BATCHES: usize = 20;
/// The node to which the second history is shown.
pub(crate) const VICTIM: usize = 3;

/// How the log behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fraud {
    /// Honest.
    None,
    /// The victim sees the second history from some time on.
    GoesOn,
    /// The victim sees it once, and then nothing.
    OnceThenSilence,
    /// The victim sees it once, and then the other one again.
    OnceThenHonest,
    /// As the first, but only the second history goes on.
    LongerThanTheOther,
}

pub(crate) struct World {
    fraud: Fraud,
    /// The first one is shown to all others.
    pub(crate) histories: [History; 2],
    pub(crate) foreign: History,
    pub(crate) block: LogBlock,
    checked: RefCell<HashMap<String, Option<CheckedEvidence>>>,
    /// The first batch in which the histories differ.
    fork: usize,
    /// The batch of the second history that is shown once.
    shown_once: usize,
}

impl World {
    pub(crate) fn new(seed: u64, fraud: Fraud) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let fork = rng.gen_range(3..8);
        let last = if fraud == Fraud::LongerThanTheOther {
            fork
        } else {
            BATCHES
        };
        let mut first = History::begun();
        for _ in 1..fork {
            first.seal(rng.gen_range(0..6));
        }
        let mut second = first.fork();
        for _ in fork..=BATCHES {
            second.seal(rng.gen_range(1..6));
        }
        for _ in fork..=last {
            // Sometimes with batches as large as those of the other, so that the same sizes have two roots.
            let coins = if seed.is_multiple_of(3) {
                1
            } else {
                rng.gen_range(1..6)
            };
            first.seal(coins);
        }
        let mut foreign = History::foreign();
        for _ in 0..5 {
            foreign.seal(2);
        }
        let size = |history: &History, batch: usize| history.checkpoints[batch].checkpoint().size();
        // Early enough for the other history to become as long.
        let fits = |batch: &usize| size(&second, *batch) < size(&first, last);
        let shown_once = (fork..BATCHES).take(5).filter(fits).last().unwrap_or(fork);
        Self {
            fraud,
            block: first.block(),
            histories: [first, second],
            foreign,
            checked: RefCell::default(),
            fork,
            shown_once,
        }
    }

    /// The time after which the log does not change.
    pub(crate) fn ends_at(&self) -> u64 {
        BATCH_MS * (BATCHES as u64 + 1)
    }

    /// What the log shows to a node: the history, and the number of its checkpoint.
    pub(crate) fn shown(&self, node: usize, now: u64) -> Option<(usize, usize)> {
        let batch = (now / BATCH_MS) as usize;
        let is_forked = batch >= self.fork && node == VICTIM;
        let history = match self.fraud {
            Fraud::GoesOn | Fraud::LongerThanTheOther => usize::from(is_forked),
            Fraud::OnceThenSilence if is_forked && batch > self.shown_once => return None,
            Fraud::OnceThenSilence | Fraud::OnceThenHonest => {
                usize::from(node == VICTIM && batch == self.shown_once)
            }
            Fraud::None => 0,
        };
        if history == 0 && is_forked && self.fraud == Fraud::OnceThenSilence {
            return None;
        }
        let last = self.histories[history].checkpoints.len() - 1;
        Some((history, batch.min(last)))
    }

    pub(crate) fn checkpoint(&self, (history, batch): (usize, usize)) -> &SignedCheckpoint {
        &self.histories[history].checkpoints[batch]
    }

    /// What a file of evidence proves, if it is one.
    pub(crate) fn check(&self, text: &str) -> Option<CheckedEvidence> {
        let mut checked = self.checked.borrow_mut();
        let check = || opencoin_evidence::check_evidence(text.as_bytes()).ok();
        checked.entry(text.to_owned()).or_insert_with(check).clone()
    }

    pub(crate) fn origin(&self) -> &str {
        self.block.origin().as_str()
    }
}
