//! What can be wrong with a log and with the files of it.

use thiserror::Error;

/// Why a log is not believed, or cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LogReadError {
    /// The log does not answer, or not with what was asked for.
    #[error("the public log cannot be read: {url}: {reason}")]
    Unreachable {
        /// The URL of the request.
        url: String,
        /// The cause.
        reason: String,
    },
    /// Reading takes more files or bytes than a part of a check may take.
    #[error("the public log cannot be read: a check takes more files or bytes than it should")]
    TooMuch,
    /// The log's key did not sign the checkpoint.
    #[error("the checkpoint of the public log is not signed by the log: {0}")]
    NotSigned(String),
    /// Too few witnesses have cosigned the checkpoint.
    #[error("the checkpoint of the public log is not cosigned by the witnesses that the currency names: {0}")]
    NoQuorum(String),
    /// The files do not belong to the checkpoint.
    #[error("the files of the public log do not belong to its checkpoint; another copy of it may be good")]
    OtherFiles,
    /// The batches of the log are not as they must be.
    #[error("the public log is in disorder: {0}")]
    Disorder(&'static str),
}

impl LogReadError {
    /// Whether another attempt or another copy of the log may succeed, and nothing is wrong with the issuer.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::TooMuch | Self::OtherFiles)
    }
}
