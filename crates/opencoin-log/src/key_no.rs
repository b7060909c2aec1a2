//! The short numbers of mint keys in the log.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// A mint key's number: 1, 2, 3 ... in the order in which the keys appear in the log, one for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyNo(NonZeroU32);

impl KeyNo {
    /// The first key of a log.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// The key with this number; `None` for 0.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        match NonZeroU32::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// The number of the key after this one; `None` after 2^32 - 1.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}
