//! Ids of requests.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Makes unique request ids that cannot be guessed: a keyed hash of a counter, with a random key of this process.
pub(super) struct RequestIds {
    keys: [RandomState; 2],
    made: AtomicU64,
}

impl RequestIds {
    pub(super) fn new() -> Self {
        Self {
            keys: [RandomState::new(), RandomState::new()],
            made: AtomicU64::new(0),
        }
    }

    pub(super) fn next(&self) -> String {
        let count = self.made.fetch_add(1, Ordering::Relaxed);
        let [high, low] = [0, 1].map(|half| self.keys[half].hash_one((half, count)));
        format!("{high:016x}{low:016x}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_unique_within_and_across_processes() {
        let (one, other) = (RequestIds::new(), RequestIds::new());
        let ids: BTreeSet<String> = (0..1000).flat_map(|_| [one.next(), other.next()]).collect();
        assert_eq!(ids.len(), 2000);
        assert!(ids.iter().all(|id| id.len() == 32));
    }
}
