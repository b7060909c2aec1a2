//! Errors of the account client.

use thiserror::Error;

use crate::file_error::FileError;
use crate::refusal::{self, word};

/// Why a request to the account API has no result.
#[derive(Debug, Error)]
pub enum AccountError {
    /// The issuer refuses the request and has not carried it out.
    #[error("{}", refusal::of_account(word, description))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The error word.
        word: String,
        /// The issuer's text.
        description: String,
    },
    /// The issuer's rate limit refuses the request, which was not carried out.
    #[error("the issuer asks to wait: {description}; try again in {wait_s} seconds")]
    TooSoon {
        /// The wait that the issuer asks for, in seconds.
        wait_s: u64,
        /// The issuer's text.
        description: String,
    },
    /// The outcome is unknown: no answer arrived, or one that does not tell it.
    #[error("{0}")]
    Open(String),
    /// A file of the wallet's folder cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
}

impl AccountError {
    /// Whether the issuer does not accept the token or the password.
    #[must_use]
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Refused { status: 401, .. })
    }

    /// Whether the account does not hold enough money for what was asked.
    #[must_use]
    pub fn is_too_little_money(&self) -> bool {
        matches!(self, Self::Refused { word, .. } if word == word::INSUFFICIENT_FUNDS)
    }
}
