//! Points in time as the ledger stores them.
//!
//! The ledger reads no clock: every command carries the issuer's time.

/// Microseconds since 1970-01-01T00:00:00 UTC; negative before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LedgerTime(i64);

impl LedgerTime {
    /// The time `micros` microseconds after the epoch.
    #[must_use]
    pub const fn from_unix_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn unix_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch; 0 before it.
    #[must_use]
    pub fn unix_seconds(self) -> u64 {
        u64::try_from(self.0 / 1_000_000).unwrap_or_default()
    }
}
