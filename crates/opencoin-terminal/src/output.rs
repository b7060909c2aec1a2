//! The results of commands: text for people, JSON for programs, and how errors are told.

use std::fmt;
use std::io::{self, Write};

use anyhow::{Context, Result, anyhow};
use clap::Args;
use opencoin_text::is_misleading;
use serde::Serialize;
use serde_json::Value;

/// In which form a command shows its result.
#[derive(Debug, Clone, Copy, Args)]
pub struct OutputArgs {
    /// Write the result as one line of JSON, with amounts in the smallest unit (docs/COMMANDS.md has the
    /// fields).
    #[arg(long, global = true)]
    pub json: bool,
}

impl OutputArgs {
    /// Shows a result: the value for a program, or the lines for a person.
    pub fn show<L: Into<String>>(self, value: Value, lines: impl IntoIterator<Item = L>) -> Result<()> {
        if self.json {
            return json(&value);
        }
        lines.into_iter().try_for_each(|text| line(&text.into()))
    }

    /// Shows a result that cannot be had again, such as a new token: it is an error when nobody reads it.
    pub fn show_once<L: Into<String>>(self, value: Value, lines: impl IntoIterator<Item = L>) -> Result<()> {
        once(self.show(value, lines))
    }
}

/// Turns a closed pipe, which otherwise ends the program quietly, into an error that is told.
pub fn once(shown: Result<()>) -> Result<()> {
    shown.map_err(|error| anyhow!("the output could not be written to its end: {error:#}"))
}

/// Writes a line to stdout. What could mislead the reader of a terminal is escaped; line breaks stay.
pub fn line(text: &str) -> Result<()> {
    write(&format!("{}\n", shown(text)))
}

/// Writes exact bytes to stdout, nothing after them.
pub fn exact(text: &str) -> Result<()> {
    write(text)
}

/// Writes one JSON value as a line to stdout.
pub fn json(value: &impl Serialize) -> Result<()> {
    write(&(serde_json::to_string(value)? + "\n"))
}

/// Writes a line to stderr. There is nobody to tell when that fails.
pub fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", shown(text));
}

/// An error with its causes, from the outside in. A cause that the text before it quotes is not said again.
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

/// Whoever was reading the output (`head`, a pager) has stopped.
#[derive(Debug)]
struct ClosedOutput;

impl fmt::Display for ClosedOutput {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("nobody reads it")
    }
}

impl std::error::Error for ClosedOutput {}

/// Whether the command ended because nobody reads its output any more.
pub fn is_closed(error: &anyhow::Error) -> bool {
    error.is::<ClosedOutput>()
}

fn write(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(ClosedOutput.into()),
        written => written.context("the output could not be written to its end"),
    }
}

/// The text with every misleading character but line breaks as an escape.
fn shown(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\n' => character.to_string(),
            _ if is_misleading(character) => character.escape_default().to_string(),
            _ => character.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(&'static str, Inner);

    #[derive(Debug)]
    struct Inner(&'static str);

    impl fmt::Display for Outer {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str(self.0)
        }
    }

    impl fmt::Display for Inner {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str(self.0)
        }
    }

    impl std::error::Error for Inner {}

    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.1)
        }
    }

    #[test]
    fn a_cause_is_told_once() {
        let quoted = anyhow!(Outer(
            "the key cannot be used: the modulus is even",
            Inner("the modulus is even")
        ));
        let text = error_text(&quoted.context("mint key 7 does not verify"));
        assert_eq!(
            text,
            "mint key 7 does not verify: the key cannot be used: the modulus is even"
        );
        let more = anyhow!(Outer("cannot open a.json", Inner("permission denied")));
        assert_eq!(error_text(&more), "cannot open a.json: permission denied");
        let explained = anyhow!(Outer(
            "connection refused; start the server",
            Inner("connection refused")
        ));
        assert_eq!(error_text(&explained), "connection refused; start the server");
    }

    #[test]
    fn a_line_keeps_its_breaks_and_shows_what_would_mislead() {
        assert_eq!(
            shown("a\nb\u{1b}[8mc\u{202e}d\u{9b}"),
            "a\nb\\u{1b}[8mc\\u{202e}d\\u{9b}"
        );
        assert_eq!(shown("Café 👩\u{200d}🚀"), "Café 👩\u{200d}🚀");
    }
}
