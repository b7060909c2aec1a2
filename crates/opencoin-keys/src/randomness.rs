//! Randomness for keys and tokens.

use opencoin_crypto::CryptoRngCore;

/// A cryptographic generator, seeded by the operating system.
pub trait Randomness: CryptoRngCore + Send {}

impl<R: CryptoRngCore + Send> Randomness for R {}
