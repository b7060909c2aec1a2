//! What was taken before: the newest ids, first in, first out.

use std::collections::{HashSet, VecDeque};

use opencoin_log::hash::Hash;

/// The most ids of valid texts that a node remembers.
pub const SEEN_MAX: usize = 4096;

/// A bounded set of hashes that forgets the oldest.
#[derive(Debug)]
pub(crate) struct Seen {
    max: usize,
    members: HashSet<Hash>,
    order: VecDeque<Hash>,
}

impl Seen {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            members: HashSet::new(),
            order: VecDeque::new(),
        }
    }

    pub(crate) fn has(&self, hash: &Hash) -> bool {
        self.members.contains(hash)
    }

    /// Adds a hash. Returns whether it is new.
    pub(crate) fn add(&mut self, hash: Hash) -> bool {
        if !self.members.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > self.max
            && let Some(oldest) = self.order.pop_front()
        {
            self.members.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let mut seen = Seen::new(2);
        let [a, b, c] = [1, 2, 3].map(|byte| Hash::new([byte; 32]));
        assert!(seen.add(a) && seen.add(b));
        assert!(!seen.add(a), "a is there already, and does not become younger");
        assert!(seen.add(c));
        assert_eq!([a, b, c].map(|hash| seen.has(&hash)), [false, true, true]);
        assert!(seen.add(a));
        assert_eq!([a, b, c].map(|hash| seen.has(&hash)), [true, false, true]);
    }
}
