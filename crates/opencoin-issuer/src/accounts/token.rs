//! Tokens and keys: shown once, stored hashed.

use std::fmt;

use opencoin_ledger::TokenHash;
use rand::{CryptoRng, RngCore};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// How much randomness a token has. That much needs no slow hash: it cannot be guessed.
const TOKEN_BYTES: usize = 32;

/// What a token is for. Each has a prefix that lets people and secret scanners see what it is; what it may do
/// the books say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// The account's own.
    Account,
    /// A session's.
    Session,
    /// The key with which a service logs in.
    ServiceKey,
    /// An operator's.
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

/// The secret with which somebody shows over HTTP who he is.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// A new token of an account.
    pub fn generate(rng: &mut (impl RngCore + CryptoRng)) -> Self {
        Self::generate_kind(TokenKind::Account, rng)
    }

    /// A new token of some kind.
    pub(crate) fn generate_kind(kind: TokenKind, rng: &mut (impl RngCore + CryptoRng + ?Sized)) -> Self {
        let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
        rng.fill_bytes(bytes.as_mut());
        let hex = Zeroizing::new(const_hex::encode(bytes.as_ref()));
        Self(Zeroizing::new(format!("{}{}", kind.prefix(), hex.as_str())))
    }

    /// What a client sent as its token; whether it is one, the ledger knows.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// The token itself: to be shown once and to be kept nowhere.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored and looked up.
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
