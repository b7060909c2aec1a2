//! Tokens and keys: shown once, stored as hashes.

use std::fmt;

use opencoin_ledger::TokenHash;
use rand::{CryptoRng, RngCore};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The random bytes of a token. So many cannot be guessed, so a fast hash suffices.
const TOKEN_BYTES: usize = 32;

/// The kind of a token, shown by a prefix for people and secret scanners. The rights of a token are in the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// The token of an account.
    Account,
    /// The token of a session.
    Session,
    /// The key with which a service logs in.
    ServiceKey,
    /// The token of an operator.
    Admin,
}

impl TokenKind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Account => "oc_",
            Self::Session => "ocs_",
            Self::ServiceKey => "ock_",
            Self::Admin => "oca_",
        }
    }
}

/// A secret that authenticates its bearer over HTTP.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// Generates a token.
    pub(crate) fn generate(kind: TokenKind, rng: &mut (impl RngCore + CryptoRng + ?Sized)) -> Self {
        let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
        rng.fill_bytes(bytes.as_mut());
        let hex = Zeroizing::new(const_hex::encode(bytes.as_ref()));
        Self(Zeroizing::new(format!("{}{}", kind.prefix(), hex.as_str())))
    }

    /// The token that a client has sent. It may be unknown or malformed.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// Whether it has the form of a token of this kind.
    pub(crate) fn is_of(&self, kind: TokenKind) -> bool {
        let digits = self.0.strip_prefix(kind.prefix());
        digits.is_some_and(|digits| {
            digits.len() == 2 * TOKEN_BYTES
                && digits
                    .bytes()
                    .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
        })
    }

    /// The secret text, to be shown once and not stored.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The hash, which is stored and looked up.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash::new(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(..)")
    }
}
