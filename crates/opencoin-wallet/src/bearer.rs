//! The credential of the account that pays for a mint or receives a redeem.

use thiserror::Error;

use crate::account::StoredSession;
use crate::holder::Holder;
use opencoin_api::Secret;

/// The longest token, in bytes: longer than any issuer's, shorter than the limit of an HTTP header.
const TOKEN_BYTES_MAX: usize = 1_024;

/// Why a text is not a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenError {
    /// The text is empty.
    #[error("the token is empty")]
    Empty,
    /// The text has this many lines. A token is one line.
    #[error("the token must be one line, but this has {0}; keep only the line of the token")]
    SeveralLines(usize),
    /// The text has characters that an HTTP header cannot carry.
    #[error("the token has characters other than visible ASCII, for example a space")]
    NotVisibleAscii,
    /// The text is longer than any issuer's token.
    #[error("the token is longer than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
}

/// Reads an account's token from user input: one line of visible ASCII. White space around it is removed.
///
/// # Errors
/// The text is not a token. The error does not quote it.
pub fn read_token(text: &str) -> Result<Secret, TokenError> {
    let token = text.trim();
    match token.lines().count() {
        0 => Err(TokenError::Empty),
        1 if token.len() > TOKEN_BYTES_MAX => Err(TokenError::TooLong),
        1 if token.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Secret::new(token)),
        1 => Err(TokenError::NotVisibleAscii),
        lines => Err(TokenError::SeveralLines(lines)),
    }
}

/// The credential of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    pub(crate) token: Secret,
    /// The session's owner; `None` for the account's own token, which does not expire.
    pub(crate) holder: Option<Holder>,
}

impl From<&Secret> for Bearer {
    fn from(token: &Secret) -> Self {
        Self {
            token: token.clone(),
            holder: None,
        }
    }
}

impl From<&StoredSession> for Bearer {
    fn from(session: &StoredSession) -> Self {
        Self {
            token: session.token.clone(),
            holder: Some(session.holder.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_line_of_visible_ascii() {
        assert_eq!(read_token(" oc_12ab\r\n").unwrap().expose(), "oc_12ab");
        let several = "account: carol\ntoken: oc_12ab\nkeep it safe\n";
        assert_eq!(read_token(several), Err(TokenError::SeveralLines(3)));
        assert_eq!(read_token(" \n"), Err(TokenError::Empty));
        for text in ["oc 12", "oc_\u{e4}", "\u{feff}oc_12", "oc\t12", "oc\u{0}12"] {
            assert_eq!(read_token(text), Err(TokenError::NotVisibleAscii), "{text:?}");
        }
        assert_eq!(read_token(&"o".repeat(1_025)), Err(TokenError::TooLong));
    }
}
