//! A mint key as the public log has it.

use opencoin_log::digest::KeyFingerprint;
use opencoin_log::key_no::KeyNo;

/// A mint key in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogKey {
    /// Its number.
    pub no: KeyNo,
    /// The SHA-256 of its public key.
    pub fingerprint: KeyFingerprint,
    /// The value of each of its coins.
    pub denomination: u64,
    /// The last second in which it signs.
    pub signing_end_s: u64,
    /// The last second in which its coins are taken.
    pub coins_expiry_s: u64,
    /// The number of issued leaves, and of signatures from before the log.
    pub issued: u64,
    /// The number of spent leaves, and of returned coins from before the log.
    pub spent: u64,
    /// The batch that has its leaf; `None` if none has.
    pub batch: Option<u64>,
    /// Whether it signs no more, by the books.
    pub is_retired: bool,
    /// Whether its coins are taken no more, by the books.
    pub is_pruned: bool,
    /// Whether the log has stated that it signs no more.
    pub signing_closed: bool,
    /// Whether the log has stated that its coins are no longer taken.
    pub coins_closed: bool,
}
