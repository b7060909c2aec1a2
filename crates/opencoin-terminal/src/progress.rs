//! A progress bar on stderr for work that may take over a second; nothing when stderr is not a terminal.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

const BAR_WIDTH: usize = 30;
const NOTHING_DRAWN: usize = usize::MAX;
/// Returns to the start of the line and clears it.
const CLEAR_LINE: &str = "\r\x1b[K";

/// A bar with a title. It disappears when it is dropped.
pub struct ProgressBar {
    title: &'static str,
    is_shown: bool,
    /// How much of the bar is drawn; drawing only when this changes does not slow the work down.
    filled: AtomicUsize,
}

impl ProgressBar {
    /// A bar with this title; nothing is drawn before [`Self::set`].
    pub fn new(title: &'static str) -> Self {
        Self {
            title,
            is_shown: io::stderr().is_terminal(),
            filled: AtomicUsize::new(NOTHING_DRAWN),
        }
    }

    /// `done` of `total` steps are done.
    pub fn set(&self, done: usize, total: usize) {
        let filled = BAR_WIDTH * done.min(total) / total.max(1);
        if self.is_shown && self.filled.swap(filled, Ordering::Relaxed) != filled {
            let rest = BAR_WIDTH - filled;
            // A bar that cannot be drawn is no reason to fail.
            let _ = write!(
                io::stderr(),
                "{CLEAR_LINE}{} {:#<filled$}{:-<rest$} {done}/{total}",
                self.title,
                "",
                ""
            );
        }
    }
}

impl Drop for ProgressBar {
    fn drop(&mut self) {
        if self.is_shown && *self.filled.get_mut() != NOTHING_DRAWN {
            let _ = write!(io::stderr(), "{CLEAR_LINE}");
        }
    }
}
