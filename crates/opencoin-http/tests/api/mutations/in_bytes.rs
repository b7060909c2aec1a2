//! Mutations of a message's bytes, whether or not they are JSON.

use super::answers::body_bytes_max;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, RngCore};

/// One in this many long bodies is about as long as allowed, because such a body costs milliseconds.
const ONE_IN_HUGE: u32 = 100;
const GARBAGE_BYTES_MAX: usize = 600;
const INSERTED_BYTES_MAX: usize = 8;
const CHANGED_BYTES_MAX: usize = 3;
const SPACES_MAX: usize = 5_000;

/// A mutation of any body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum InBytes {
    FlipBits,
    SetBytes,
    Truncate,
    InsertBytes,
    RemoveBytes,
    RepeatBytes,
    Splice,
    Garbage,
    Endless,
}

impl InBytes {
    pub(crate) const ALL: [Self; 9] = [
        Self::FlipBits,
        Self::SetBytes,
        Self::Truncate,
        Self::InsertBytes,
        Self::RemoveBytes,
        Self::RepeatBytes,
        Self::Splice,
        Self::Garbage,
        Self::Endless,
    ];

    /// Changes a body. `other` is the body of another message.
    pub(crate) fn apply(self, body: &mut Vec<u8>, other: &[u8], rng: &mut StdRng) {
        let (from, to) = some_range(body.len(), rng);
        match self {
            Self::FlipBits | Self::SetBytes if body.is_empty() => {}
            Self::FlipBits => (0..rng.gen_range(1..=CHANGED_BYTES_MAX))
                .for_each(|_| *body.choose_mut(rng).unwrap() ^= 1 << rng.gen_range(0..8)),
            Self::SetBytes => (0..rng.gen_range(1..=CHANGED_BYTES_MAX))
                .for_each(|_| *body.choose_mut(rng).unwrap() = rng.r#gen()),
            Self::Truncate => body.truncate(from),
            Self::InsertBytes => {
                let inserted = garbage(INSERTED_BYTES_MAX, rng);
                body.splice(from..from, inserted);
            }
            Self::RemoveBytes => drop(body.drain(from..to)),
            Self::RepeatBytes => {
                let repeated = body[from..to].to_vec();
                body.splice(to..to, repeated);
            }
            Self::Splice => {
                body.truncate(from);
                body.extend_from_slice(&other[some_range(other.len(), rng).0..]);
            }
            Self::Garbage => *body = garbage(GARBAGE_BYTES_MAX, rng),
            Self::Endless => {
                // White space at the end is valid JSON, up to the limit.
                let is_huge = rng.gen_ratio(1, ONE_IN_HUGE);
                let length = if is_huge {
                    body_bytes_max() - 1 + rng.gen_range(0..3)
                } else {
                    body.len() + rng.gen_range(0..SPACES_MAX)
                };
                body.resize(length.max(body.len()), b' ');
            }
        }
    }
}

/// A random range of positions, often a short one.
pub(crate) fn some_range(length: usize, rng: &mut StdRng) -> (usize, usize) {
    let from = rng.gen_range(0..=length);
    let longest = if rng.r#gen() { 8 } else { length };
    (from, (from + rng.gen_range(0..=longest)).min(length))
}

pub(crate) fn garbage(bytes_max: usize, rng: &mut StdRng) -> Vec<u8> {
    let mut bytes = vec![0; rng.gen_range(0..=bytes_max)];
    rng.fill_bytes(&mut bytes);
    if rng.r#gen() {
        // Only characters that JSON uses.
        let structure = br#"{}[]",:\u0 a1-e."#;
        bytes
            .iter_mut()
            .for_each(|byte| *byte = structure[usize::from(*byte) % structure.len()]);
    }
    bytes
}
