//! The time of cosignatures.
//!
//! The times of the cosignatures for one log never go back, because a reader takes the latest one for the latest
//! state. A clock that was set back by a little repeats the last time; by more, it is wrong now or was wrong before, and
//! nothing is cosigned until an operator has looked.

use std::sync::Arc;

use opencoin_log::cosignature::TIME_MAX;
use thiserror::Error;

/// Tells the present time, in seconds since 1970.
pub type Now = Arc<dyn Fn() -> u64 + Send + Sync>;

/// How far the clock may be behind the last cosignature for a log, in seconds.
pub const CLOCK_BEHIND_MAX_S: u64 = 60;

/// The clock cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ClockError {
    /// It is behind the last cosignature.
    #[error("the clock is {0} s behind the last cosignature")]
    Behind(u64),
    /// It shows no time that can be written into a cosignature.
    #[error("the clock shows no time after 1970")]
    None,
}

/// The time for the next cosignature for a log whose last one had the time `last`.
///
/// # Errors
/// The clock is too far behind, or shows no time.
pub fn cosigning_time(now: u64, last: Option<u64>) -> Result<u64, ClockError> {
    if now == 0 || now > TIME_MAX {
        return Err(ClockError::None);
    }
    match last {
        Some(last) if last > now && last - now > CLOCK_BEHIND_MAX_S => Err(ClockError::Behind(last - now)),
        Some(last) => Ok(last.max(now)),
        None => Ok(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_goes_back_and_a_wrong_clock_is_noticed() {
        let last = 1_700_000_000;
        assert_eq!(cosigning_time(last, None), Ok(last));
        assert_eq!(cosigning_time(last + 9, Some(last)), Ok(last + 9));
        assert_eq!(cosigning_time(last - CLOCK_BEHIND_MAX_S, Some(last)), Ok(last));
        assert_eq!(
            cosigning_time(last - CLOCK_BEHIND_MAX_S - 1, Some(last)),
            Err(ClockError::Behind(CLOCK_BEHIND_MAX_S + 1))
        );
        for impossible in [0, TIME_MAX + 1] {
            assert_eq!(cosigning_time(impossible, None), Err(ClockError::None));
        }
    }
}
