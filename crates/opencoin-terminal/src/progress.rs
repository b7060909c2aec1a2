//! A progress bar on stderr for work that may take over a second. Draws nothing when stderr is not a terminal.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

const BAR_WIDTH: usize = 30;
const NOTHING_DRAWN: usize = usize::MAX;
/// Returns to the start of the line and clears it.
const CLEAR_LINE: &str = "\r\x1b[K";

/// A progress bar. Dropping it clears its line.
pub struct ProgressBar {
    title: &'static str,
    is_shown: bool,
    /// The drawn part of the bar. The bar is drawn again only when this changes, so it does not slow the work down.
    filled: AtomicUsize,
}

impl ProgressBar {
    /// A bar that is first drawn by [`Self::set`].
    pub fn new(title: &'static str) -> Self {
        Self {
            title,
            is_shown: io::stderr().is_terminal(),
            filled: AtomicUsize::new(NOTHING_DRAWN),
        }
    }

    /// Draws the bar for `done` of `total` steps.
    pub fn set(&self, done: usize, total: usize) {
        let filled = BAR_WIDTH * done.min(total) / total.max(1);
        if self.is_shown && self.filled.swap(filled, Ordering::Relaxed) != filled {
            let rest = BAR_WIDTH - filled;
            // A failure to draw does not fail the work.
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
