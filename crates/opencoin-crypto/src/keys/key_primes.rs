//! The number of primes of a new key.

use std::fmt;
use std::str::FromStr;

use crate::key_error::KeyError;

/// How many primes the modulus of a new key is made of. The public key does not show it.
///
/// With three primes the private operation takes about half of the multiplications. `docs/KEYS.md` says what speaks for
/// either.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeyPrimes {
    /// As every program and token for RSA supports it.
    #[default]
    Two,
    /// Multi-prime RSA (RFC 8017).
    Three,
}

impl KeyPrimes {
    /// Why a token makes no keys with three primes, for operators.
    pub const NOT_IN_TOKENS: &str =
        "PKCS#11 tokens make RSA keys with 2 primes only; keys with 3 primes are kept in files";

    /// The number.
    #[must_use]
    pub const fn count(self) -> u64 {
        match self {
            Self::Two => 2,
            Self::Three => 3,
        }
    }
}

impl TryFrom<u64> for KeyPrimes {
    type Error = KeyError;

    fn try_from(count: u64) -> Result<Self, KeyError> {
        match count {
            2 => Ok(Self::Two),
            3 => Ok(Self::Three),
            _ => Err(KeyError::Primes),
        }
    }
}

impl FromStr for KeyPrimes {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let count: u64 = text.parse().map_err(|_| KeyError::Primes)?;
        count.try_into()
    }
}

impl fmt::Display for KeyPrimes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.count().fmt(formatter)
    }
}
