//! The short numbers of mint keys.

use opencoin_log::key_no::KeyNo;

/// The short number of a mint key, which other rows use instead of its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MintKeyNo(i32);

impl MintKeyNo {
    /// The key with this number.
    #[must_use]
    pub const fn new(number: i32) -> Self {
        Self(number)
    }

    /// The number, as it is stored.
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0
    }

    /// The number in the log.
    ///
    /// # Panics
    /// The number is not positive. No registered key has such a number.
    #[must_use]
    pub fn key_no(self) -> KeyNo {
        let number = u32::try_from(self.0).ok().and_then(KeyNo::new);
        number.expect("numbers of mint keys begin at 1")
    }
}
