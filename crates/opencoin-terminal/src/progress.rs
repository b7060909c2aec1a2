//! A progress bar on stderr for work that takes over a second; nothing when stderr is not a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar that is told how many of how many are done.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar with a title.
    pub fn new(title: &'static str) -> Self {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        bar.set_message(title);
        Self { bar }
    }

    /// So many are done.
    pub fn set(&self, done: usize, total: usize) {
        self.bar.set_length(total as u64);
        self.bar.set_position(done as u64);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
