//! What may be in the log once: coins that came back, and coins and blinds that were recouped.
//!
//! The index grows with the log, so where it is kept is the caller's business.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;

use opencoin_log::digest::DIGEST_BYTES;
use opencoin_log::key_no::KeyNo;
use serde::{Deserialize, Serialize};

/// Digests that must differ from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Series {
    /// The mint key.
    pub key_no: KeyNo,
    /// What the digests stand for.
    pub kind: SeriesKind,
}

/// What the digests of a [`Series`] stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SeriesKind {
    /// Coins that were spent or recouped: a coin ends once.
    Coins,
    /// Blinds that were recouped.
    RecoupedBlinds,
}

/// A set of digests for each series.
pub trait SpentIndex {
    /// Why the index cannot be used.
    type Error;

    /// Adds digests, and appends to `known` the positions of those that were there before. The digests differ from each
    /// other, and are in ascending order if the log is in order.
    ///
    /// # Errors
    /// The index cannot be read or written.
    fn insert(
        &mut self,
        series: Series,
        digests: &[[u8; DIGEST_BYTES]],
        known: &mut Vec<usize>,
    ) -> Result<(), Self::Error>;

    /// Forgets a series of which no digest may come any more.
    ///
    /// # Errors
    /// The index cannot be written.
    fn forget(&mut self, series: Series) -> Result<(), Self::Error>;
}

/// An index in memory, for tests and small logs.
#[derive(Debug, Clone, Default)]
pub struct MemorySpentIndex(HashMap<Series, HashSet<[u8; DIGEST_BYTES]>>);

impl SpentIndex for MemorySpentIndex {
    type Error = Infallible;

    fn insert(
        &mut self,
        series: Series,
        digests: &[[u8; DIGEST_BYTES]],
        known: &mut Vec<usize>,
    ) -> Result<(), Infallible> {
        let set = self.0.entry(series).or_default();
        for (place, digest) in digests.iter().enumerate() {
            if !set.insert(*digest) {
                known.push(place);
            }
        }
        Ok(())
    }

    fn forget(&mut self, series: Series) -> Result<(), Infallible> {
        self.0.remove(&series);
        Ok(())
    }
}
