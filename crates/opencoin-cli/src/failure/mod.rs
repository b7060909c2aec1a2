//! Failed commands: how they end and what they say.
//!
//! `kind.rs` has the exit codes, `cause.rs` says which error has which, `code.rs` has the codes for programs, and
//! `report.rs` writes the error for the user or, with `--json`, for a program.

mod cause;
mod code;
mod command_error;
mod kind;
mod report;

pub(crate) use self::kind::Failure;
pub(crate) use self::report::{DetailArgs, Report};

use self::command_error::CommandError;

/// An error in the command line.
pub(crate) fn usage(text: impl Into<String>) -> anyhow::Error {
    CommandError::new(Failure::Usage, text).into()
}

/// An error about a name that does not exist.
pub(crate) fn not_found(text: impl Into<String>) -> anyhow::Error {
    CommandError::new(Failure::NotFound, text).into()
}

/// An error about a refused command.
pub(crate) fn refused(text: impl Into<String>) -> anyhow::Error {
    CommandError::new(Failure::Refused, text).into()
}

/// An error about a file that is not of the form that the command reads.
pub(crate) fn unreadable(text: impl Into<String>) -> anyhow::Error {
    CommandError::new(Failure::Unreadable, text).into()
}

/// An error about a session that is missing or has ended.
pub(crate) fn needs_login(text: impl Into<String>) -> anyhow::Error {
    CommandError {
        code: "needs-login",
        ..CommandError::new(Failure::Refused, text)
    }
    .into()
}

/// An error about something that a later attempt may finish.
pub(crate) fn later(text: impl Into<String>) -> anyhow::Error {
    CommandError::new(Failure::TryLater, text).into()
}

/// An error about coins of a stack that could not be received, while others were. `details` names each.
pub(crate) fn left_out(text: impl Into<String>, details: Vec<String>) -> anyhow::Error {
    CommandError {
        code: "left-out",
        details,
        ..CommandError::new(Failure::Refused, text)
    }
    .into()
}

/// Adds advice to an error, on a line of its own. Exit code, code and details stay the same.
pub(crate) fn explained(error: anyhow::Error, advice: &str) -> anyhow::Error {
    Report::of(&error).advise(advice).into_error()
}

/// Replaces the text of an error. Exit code, code and details stay the same.
pub(crate) fn reworded(error: &anyhow::Error, text: impl Into<String>) -> anyhow::Error {
    Report::of(error).reword(text).into_error()
}
