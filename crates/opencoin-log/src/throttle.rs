//! Log lines that an overloaded or broken server would write for every request: one a second is enough, with
//! a count.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_secs(1);

/// Counts an event that may come often, and says when to write of it.
pub struct LogThrottle(Mutex<State>);

struct State {
    written: Option<Instant>,
    unwritten: u64,
}

impl LogThrottle {
    /// A throttle that has counted nothing.
    pub const fn new() -> Self {
        Self(Mutex::new(State {
            written: None,
            unwritten: 0,
        }))
    }

    /// Counts one more event at `now`. When the last line is a second old: how many there were since, this
    /// one included.
    pub fn count(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.unwritten += 1;
        if state
            .written
            .is_some_and(|written| now.saturating_duration_since(written) < PAUSE)
        {
            return None;
        }
        state.written = Some(now);
        Some(std::mem::take(&mut state.unwritten))
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
}
