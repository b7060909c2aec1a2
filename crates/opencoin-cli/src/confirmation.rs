//! Asking the person at the terminal before something that cannot be undone.

use std::io::{self, BufRead, IsTerminal};

use anyhow::{Context, Result};
use opencoin_terminal::output;

use crate::failure;

/// Waits for `yes` on the terminal; without a terminal it is an error that says what to do `instead`.
pub(crate) fn confirm(question: &str, instead: &str) -> Result<bool> {
    if !io::stdin().is_terminal() {
        return Err(failure::refused(format!(
            "nobody is there to confirm it; {instead}"
        )));
    }
    output::line(question)?;
    output::line("Type yes to go on:")?;
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .context("nothing can be typed here")?;
    Ok(answer.trim() == "yes")
}
