//! Writes the results of commands, as text or as JSON, and formats errors.

use std::io::{self, Write};

use anyhow::{Context, Result, anyhow};
use clap::Args;
use opencoin_text::printable_lines;
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

/// The output format of a command.
#[derive(Debug, Clone, Copy, Args)]
pub struct OutputArgs {
    /// Write the result as one line of JSON, with amounts in the smallest unit (docs/COMMANDS.md has the
    /// fields).
    #[arg(long, global = true)]
    pub json: bool,
}

impl OutputArgs {
    /// Writes a result to stdout: the value as JSON with `--json`, else the lines.
    pub fn show<L: Into<String>>(self, value: Value, lines: impl IntoIterator<Item = L>) -> Result<()> {
        if self.json {
            return json(&value);
        }
        lines.into_iter().try_for_each(|text| line(&text.into()))
    }

    /// As [`Self::show`], for a result that cannot be shown again, such as a new token: a closed pipe is an error.
    pub fn show_once<L: Into<String>>(self, value: Value, lines: impl IntoIterator<Item = L>) -> Result<()> {
        once(self.show(value, lines))
    }
}

/// Turns a closed pipe, which otherwise ends the program without a message, into an error that is reported.
pub fn once(shown: Result<()>) -> Result<()> {
    shown.map_err(|error| anyhow!("the output could not be written completely: {error:#}"))
}

/// Writes a line to stdout. Escapes misleading characters; line breaks stay.
pub fn line(text: &str) -> Result<()> {
    write(&format!("{}\n", printable_lines(text)))
}

/// Writes the text to stdout as it is, without a newline after it.
pub fn exact(text: &str) -> Result<()> {
    write(text)
}

/// Writes one JSON value as a line to stdout.
pub fn json(value: &impl Serialize) -> Result<()> {
    write(&(serde_json::to_string(value)? + "\n"))
}

/// Writes a line to stderr. Ignores failures, which could not be reported anyway.
pub fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", printable_lines(text));
}

/// Formats an error with its causes, from the outside in. Omits a cause that the text before it quotes.
pub fn error_text(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |mut text, cause| {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
        text
    })
}

/// The reader of stdout (`head`, a pager) has closed the pipe.
#[derive(Debug, Error)]
#[error("the pipe is closed")]
struct ClosedOutput;

/// Whether the command ended because the reader of its output closed the pipe.
pub fn is_closed(error: &anyhow::Error) -> bool {
    error.is::<ClosedOutput>()
}

fn write(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(ClosedOutput.into()),
        written => written.context("the output could not be written completely"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_reported_once() {
        for (errors, text) in [
            (
                &[
                    "the modulus is even",
                    "the key cannot be used: the modulus is even",
                    "mint key 7 is bad",
                ][..],
                "mint key 7 is bad: the key cannot be used: the modulus is even",
            ),
            (
                &["permission denied", "cannot open a.json"],
                "cannot open a.json: permission denied",
            ),
            (
                &["connection refused", "connection refused; start it"],
                "connection refused; start it",
            ),
        ] {
            let error = errors[1..]
                .iter()
                .fold(anyhow!(errors[0]), |error, outer| error.context(*outer));
            assert_eq!(error_text(&error), text);
        }
    }
}
