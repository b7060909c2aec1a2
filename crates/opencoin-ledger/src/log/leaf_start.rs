//! What finds a leaf in the log.

use opencoin_log::key_account::AccountKey;
use opencoin_log::leaf::{KEY_ACCOUNT_PREFIX_BYTES_MAX, introduced_prefix, paid_prefix};

use super::CoinLeaf;

/// The length of a leaf of a coin or of the longest prefix of another one, whichever is longer.
const BYTES_MAX: usize = {
    assert!(KEY_ACCOUNT_PREFIX_BYTES_MAX >= size_of::<CoinLeaf>());
    KEY_ACCOUNT_PREFIX_BYTES_MAX
};

/// The first bytes of a leaf, with which no other leaf of the log begins: all of the leaf of a coin or blind, or what
/// identifies the introduction or the payment of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LeafStart {
    /// Zeros follow the bytes.
    bytes: [u8; BYTES_MAX],
    length: usize,
}

impl LeafStart {
    /// A leaf of a coin or blind.
    #[must_use]
    pub fn of_coin(leaf: &CoinLeaf) -> Self {
        Self::new(leaf)
    }

    /// The leaf that introduces a key.
    #[must_use]
    pub fn of_introduction(key: &AccountKey) -> Self {
        Self::new(&introduced_prefix(key))
    }

    /// The leaf of the payment of a key with this number.
    #[must_use]
    pub fn of_payment(key: &AccountKey, seq: u64) -> Self {
        Self::new(&paid_prefix(key, seq))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn new(start: &[u8]) -> Self {
        let mut bytes = [0; BYTES_MAX];
        bytes[..start.len()].copy_from_slice(start);
        let length = start.len();
        Self { bytes, length }
    }
}
