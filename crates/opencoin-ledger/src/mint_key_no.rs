//! The short numbers of mint keys.

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
}
