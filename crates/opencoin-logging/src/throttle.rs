//! Throttles for log lines that an overloaded or broken server would write for every request: at most one
//! line a second, with a count of the events, or one a minute for a failure that persists.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_secs(1);
const SAME_FAILURE_PAUSE: Duration = Duration::from_secs(60);

/// Counts a frequent event and lets through one log line a second.
pub struct LogThrottle {
    pause: Duration,
    state: Mutex<State>,
}

/// Counts the failures of a repeated operation: lets through the same failure once a minute, and a different
/// one at once.
pub struct FailureThrottle(Mutex<Option<(String, LogThrottle)>>);

struct State {
    written: Option<Instant>,
    unwritten: u64,
}

impl Default for LogThrottle {
    fn default() -> Self {
        Self::new()
    }
}

impl LogThrottle {
    /// A throttle that has counted no event.
    pub const fn new() -> Self {
        Self::with_pause(PAUSE)
    }

    const fn with_pause(pause: Duration) -> Self {
        let state = State {
            written: None,
            unwritten: 0,
        };
        Self {
            pause,
            state: Mutex::new(state),
        }
    }

    /// Counts an event at `now`. Returns `Some` when a line is due: the number of events since the last line,
    /// including this one.
    pub fn count(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.unwritten += 1;
        if state
            .written
            .is_some_and(|written| now.saturating_duration_since(written) < self.pause)
        {
            return None;
        }
        state.written = Some(now);
        Some(std::mem::take(&mut state.unwritten))
    }
}

impl Default for FailureThrottle {
    fn default() -> Self {
        Self::new()
    }
}

impl FailureThrottle {
    /// A throttle that has counted no failure.
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Counts a failure at `now`. Returns `Some` when a line is due: how often this failure occurred since
    /// the last line, including this time.
    pub fn count(&self, failure: &str, now: Instant) -> Option<u64> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_none_or(|(text, _)| text != failure) {
            *last = Some((failure.to_owned(), LogThrottle::with_pause(SAME_FAILURE_PAUSE)));
        }
        last.as_ref().and_then(|(_, throttle)| throttle.count(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_counts_the_others() {
        let throttle = LogThrottle::new();
        let begun = Instant::now();
        let count_after = |milliseconds| throttle.count(begun + Duration::from_millis(milliseconds));
        assert_eq!(
            [0, 1, 999, 1000, 1999, 2000, 9000].map(count_after),
            [Some(1), None, None, Some(3), None, Some(2), Some(1)]
        );
    }

    #[test]
    fn the_same_failure_is_written_once_a_minute_and_a_different_one_at_once() {
        let throttle = FailureThrottle::new();
        let begun = Instant::now();
        let count = |(failure, seconds)| throttle.count(failure, begun + Duration::from_secs(seconds));
        assert_eq!(
            [
                ("a", 0),
                ("a", 1),
                ("a", 59),
                ("a", 60),
                ("b", 61),
                ("b", 62),
                ("a", 63)
            ]
            .map(count),
            [Some(1), None, None, Some(3), Some(1), None, Some(1)]
        );
    }
}
