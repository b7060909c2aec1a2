//! Waiting for a state that a background task or another process brings about.

use std::fmt::Debug;
use std::thread;
use std::time::{Duration, Instant};

/// The longest wait. Long enough for a busy machine, because a test waits this long only when it fails.
pub const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(20);

/// Waits until the condition holds.
///
/// # Panics
/// It does not hold within [`PATIENCE`].
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    wait_for(what, || holds().then_some(()).ok_or("it does not hold"));
}

/// Calls `look` until it returns `Ok`, and returns that value. `Err` holds the state that was found instead.
///
/// # Panics
/// `look` returns `Err` for longer than [`PATIENCE`]; the message shows the last one.
pub fn wait_for<T, State: Debug>(what: &str, mut look: impl FnMut() -> Result<T, State>) -> T {
    let begun = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(state) => assert!(
                begun.elapsed() < PATIENCE,
                "timed out waiting for: {what}; the state is {state:#?}"
            ),
        }
        thread::sleep(POLL);
    }
}
