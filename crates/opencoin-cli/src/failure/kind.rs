//! Exit codes, which tell scripts how to react to a failed command.
//!
//! | code | meaning |
//! | --- | --- |
//! | 0 | success |
//! | 1 | refused or failed: the same command will fail again |
//! | 2 | wrong command line, or an amount that the currency cannot express |
//! | 3 | try again later: no answer, another process is at work, or the issuer asks to wait |
//! | 4 | what the command names does not exist |
//! | 13 | the file is not one that the command can read |

use std::process::ExitCode;

/// The kinds of failures, with their exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    Refused = 1,
    Usage = 2,
    TryLater = 3,
    NotFound = 4,
    Unreadable = 13,
}

impl Failure {
    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(self as u8)
    }

    /// The code of errors that have no more precise one, see `code.rs`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Usage => "usage",
            Self::TryLater => "try-later",
            Self::NotFound => "not-found",
            Self::Unreadable => "unreadable",
        }
    }
}
