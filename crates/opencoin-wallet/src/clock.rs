//! The clock of a wallet.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

/// Returns the current time.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// The tolerated difference between the clocks of wallet and issuer. If they differ more and no key signs, the error
/// names the clock.
pub(crate) const CLOCK_DIFFERENCE_MAX: TimeDelta = TimeDelta::minutes(5);
