//! When batches of the log are sealed.

use std::time::Duration;

use opencoin_ledger::SEAL_PAUSE_MIN;

/// When what waits is sealed: `every` so often if at least `leaves_min` leaves wait, and at the latest after `latest`.
///
/// A batch hides which of its leaves belong together. More leaves hide more, and take longer to be in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// The pause between two batches, at least [`SEAL_PAUSE_MIN`].
    pub every: Duration,
    /// The least number of leaves of a batch, unless `latest` is over.
    pub leaves_min: u64,
    /// The longest that a leaf waits.
    pub latest: Duration,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(60),
            leaves_min: 32,
            latest: Duration::from_secs(15 * 60),
        }
    }
}

impl Rhythm {
    /// The pause between two batches.
    pub(super) fn pause(&self) -> Duration {
        self.every.max(SEAL_PAUSE_MIN)
    }
}
