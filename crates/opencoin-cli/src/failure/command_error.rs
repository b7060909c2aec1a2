//! An error as the command line itself words it.

use thiserror::Error;

use super::kind::Failure;

/// An error whose text, code and advice are settled. It has no cause: `details` quotes what is worth knowing of them.
#[derive(Debug, Error)]
#[error("{text}{}", advice.iter().map(|line| format!("\n{line}")).collect::<String>())]
pub(super) struct CommandError {
    pub(super) failure: Failure,
    /// See `code.rs`.
    pub(super) code: &'static str,
    pub(super) text: String,
    /// What the user can do, one line each.
    pub(super) advice: Vec<String>,
    /// For `--verbose`, one line each.
    pub(super) details: Vec<String>,
}

impl CommandError {
    /// An error that the command line itself has detected.
    pub(super) fn new(failure: Failure, text: impl Into<String>) -> Self {
        Self {
            failure,
            code: failure.word(),
            text: text.into(),
            advice: Vec::new(),
            details: Vec::new(),
        }
    }
}
