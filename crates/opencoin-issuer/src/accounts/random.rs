//! The random number generator of tokens, salts and ids, shared by all requests.

use std::sync::{Mutex, PoisonError};

use opencoin_keys::Randomness;
use rand::RngCore;

use super::token::{Token, TokenKind};

/// A generator behind a lock.
pub(crate) struct Random(Mutex<Box<dyn Randomness>>);

impl Random {
    pub(crate) fn new(rng: Box<dyn Randomness>) -> Self {
        Self(Mutex::new(rng))
    }

    pub(crate) fn bytes<const COUNT: usize>(&self) -> [u8; COUNT] {
        let mut bytes = [0; COUNT];
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fill_bytes(&mut bytes);
        bytes
    }

    pub(crate) fn token(&self, kind: TokenKind) -> Token {
        Token::generate(kind, &mut **self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
