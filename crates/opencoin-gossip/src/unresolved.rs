//! Checkpoints that a log has signed and that are larger than what it shows.
//!
//! Such a checkpoint may be of the one history, and the log's server is behind. Or it is of a second history, which is shown
//! to somebody else. It is remembered until the node's own tree has its size; then its root decides.
//!
//! Only the log can sign them, so it alone can fill the memory. If that is full, the smallest ones are kept: the log must
//! reach them first, and if they are of its true history they soon make room. A log that signs huge sizes keeps nothing out.

use std::collections::BTreeMap;

use opencoin_log::checkpoint::Checkpoint;
use opencoin_log::hash::Hash;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::place::{LogPlace, place};

/// The most unresolved checkpoints of one log.
pub const UNRESOLVED_PER_LOG_MAX: usize = 16;

/// A checkpoint that the log has signed, and that the node cannot place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnresolvedCheckpoint {
    /// The checkpoint, tidied.
    pub signed: SignedCheckpoint,
    /// When the node first saw it, in seconds since 1970.
    pub since_s: u64,
}

/// The unresolved checkpoints of one log, by size. As JSON they survive a restart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnresolvedCheckpoints(BTreeMap<u64, UnresolvedCheckpoint>);

/// What became of a checkpoint that was to be remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remembered {
    /// It is remembered, and is to be stored and passed on.
    Added,
    /// It was remembered before.
    Known,
    /// There is no room for one of this size.
    Full,
    /// The log has signed another root for this size: the two are evidence. The earlier one is still remembered.
    Contradiction(Box<SignedCheckpoint>),
}

/// What was stored makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UnresolvedError {
    /// There are more than [`UNRESOLVED_PER_LOG_MAX`], or two of one size.
    #[error("more than {UNRESOLVED_PER_LOG_MAX} unresolved checkpoints, or two of one size")]
    TooMany,
    /// The text is no list of checkpoints and times.
    #[error("unresolved checkpoints cannot be read")]
    Form,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    checkpoint: String,
    since: u64,
}

impl UnresolvedCheckpoints {
    /// Remembers a checkpoint whose log signature was verified. All must be of one log.
    pub fn remember(&mut self, signed: SignedCheckpoint, now_s: u64) -> Remembered {
        let (size, root) = (signed.checkpoint().size(), signed.checkpoint().root());
        if let Some(known) = self.0.get(&size) {
            return if known.signed.checkpoint().root() == root {
                Remembered::Known
            } else {
                Remembered::Contradiction(Box::new(known.signed.clone()))
            };
        }
        if self.0.len() >= UNRESOLVED_PER_LOG_MAX {
            let largest = self.0.last_key_value().map(|(largest, _)| *largest);
            if largest.is_some_and(|largest| largest < size) {
                return Remembered::Full;
            }
            self.0.pop_last();
        }
        self.0.insert(
            size,
            UnresolvedCheckpoint {
                signed,
                since_s: now_s,
            },
        );
        Remembered::Added
    }

    /// Compares with what the node has verified by now. Forgets what is of the same history, and returns what is of another
    /// one. That is remembered until [`forget`](Self::forget), so that a crash before the evidence is stored loses nothing.
    ///
    /// `root_at` gives the root of the node's own tree at a smaller size, if the node knows it.
    ///
    /// # Errors
    /// Those of `root_at`. Call it again.
    pub fn settle<E>(
        &mut self,
        newest: &Checkpoint,
        mut root_at: impl FnMut(u64) -> Result<Option<Hash>, E>,
    ) -> Result<Vec<SignedCheckpoint>, E> {
        let mut contradictions = Vec::new();
        let mut settled = Vec::new();
        for (size, unresolved) in self.0.range(..=newest.size()) {
            match place(unresolved.signed.checkpoint(), Some(newest), &mut root_at)? {
                LogPlace::Same | LogPlace::Older => settled.push(*size),
                LogPlace::Contradiction => contradictions.push(unresolved.signed.clone()),
                LogPlace::Newer | LogPlace::Unknown => (),
            }
        }
        for size in settled {
            self.0.remove(&size);
        }
        Ok(contradictions)
    }

    /// Forgets the one of this size, once what follows from it is stored.
    pub fn forget(&mut self, size: u64) {
        self.0.remove(&size);
    }

    /// All of them, the smallest first.
    pub fn iter(&self) -> impl Iterator<Item = &UnresolvedCheckpoint> {
        self.0.values()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text to store.
    #[must_use]
    pub fn to_json(&self) -> String {
        let stored = |one: &UnresolvedCheckpoint| Stored {
            checkpoint: one.signed.to_string(),
            since: one.since_s,
        };
        let all: Vec<Stored> = self.iter().map(stored).collect();
        serde_json::to_string(&all).expect("the fields are strings and numbers")
    }

    /// Reads what was stored. The signatures are not verified again.
    ///
    /// # Errors
    /// The text makes no sense.
    pub fn parse(json: &str) -> Result<Self, UnresolvedError> {
        let stored: Vec<Stored> = serde_json::from_str(json).map_err(|_| UnresolvedError::Form)?;
        if stored.len() > UNRESOLVED_PER_LOG_MAX {
            return Err(UnresolvedError::TooMany);
        }
        let mut by_size = BTreeMap::new();
        for one in stored {
            let signed: SignedCheckpoint = one.checkpoint.parse().map_err(|_| UnresolvedError::Form)?;
            let unresolved = UnresolvedCheckpoint {
                since_s: one.since,
                signed,
            };
            let size = unresolved.signed.checkpoint().size();
            if by_size.insert(size, unresolved).is_some() {
                return Err(UnresolvedError::TooMany);
            }
        }
        Ok(Self(by_size))
    }
}
