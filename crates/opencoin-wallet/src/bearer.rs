//! Whose account a mint takes from and a redeem gives to.

use thiserror::Error;

use crate::account::StoredSession;
use crate::holder::Holder;
use crate::secret::Secret;

/// The longest token, in bytes: more than any issuer's, less than a header may have.
const TOKEN_BYTES_MAX: usize = 1_024;

/// Why a text is not a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenError {
    /// There is nothing in it.
    #[error("the account token is empty")]
    Empty,
    /// A token is one line; a file with more of them holds something else besides.
    #[error("the account token is one line, and this has {0}; keep only the line of the token")]
    SeveralLines(usize),
    /// A token consists of characters that a header can carry.
    #[error("the account token has characters other than visible ASCII, for example a space")]
    NotVisibleAscii,
    /// No issuer has such long ones.
    #[error("the account token is longer than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
}

/// Reads an account's token as a person gives it: one line of visible ASCII, blanks around it left out.
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

/// What the issuer knows an account by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    pub(crate) token: Secret,
    /// Whose session it is; `None` for the account's own token, which does not end.
    pub(crate) holder: Option<Holder>,
}

impl From<&Secret> for Bearer {
    /// The account's own token.
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
