//! What an account's client says when it has not got what it asked for.

use thiserror::Error;

use crate::file_error::FileError;

/// Why an account's request has no result.
#[derive(Debug, Error)]
pub enum AccountError {
    /// The issuer says no, with one of its fixed words: this request has done nothing.
    #[error("the issuer refuses: {description}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The fixed word.
        word: String,
        /// The issuer's words.
        description: String,
    },
    /// Too many requests, and a longer wait than is bearable. This request has done nothing.
    #[error("the issuer refuses: {description}; try again in {wait_s} seconds")]
    TooSoon {
        /// How long the issuer asks to wait, in seconds.
        wait_s: u64,
        /// The issuer's words.
        description: String,
    },
    /// No answer, or one that does not say what was done.
    #[error("{0}")]
    Open(String),
    /// A file of the wallet's folder cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
}

impl AccountError {
    /// Whether the issuer does not take the token or the password.
    #[must_use]
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Refused { status: 401, .. })
    }
}
