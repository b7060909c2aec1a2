//! Asks for confirmation on the terminal before something that cannot be undone.

use std::io::{self, BufRead, IsTerminal};

use anyhow::{Context, Result};
use opencoin_terminal::output;

use crate::failure;

/// Asks `question` and returns whether the answer is `yes`. Without a terminal it fails with the advice `instead`.
pub(crate) fn confirm(question: &str, instead: &str) -> Result<bool> {
    if !io::stdin().is_terminal() {
        return Err(failure::refused(format!(
            "this needs a confirmation on a terminal; {instead}"
        )));
    }
    output::line(question)?;
    output::line("Type yes to go on:")?;
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .context("cannot read from the terminal")?;
    Ok(answer.trim() == "yes")
}
