//! RSA keys. A [`PublicKey`] or [`PrivateKey`] that exists has passed every check, so that later code need
//! not ask again.

mod private;
mod public;

use thiserror::Error;

pub use private::PrivateKey;
pub use public::PublicKey;

use crate::aws_lc;

/// The shortest modulus that is read, in bits. The specification's documentation uses keys of this size;
/// whoever creates a currency demands [`MINT_KEY_BITS_MIN`](crate::MINT_KEY_BITS_MIN).
pub const KEY_BITS_MIN: usize = 512;

/// The longest modulus that is read, in bits: a larger one in a stranger's document would only cost us time.
pub const KEY_BITS_MAX: usize = 8192;

/// New keys have a multiple of this many bits, as AWS-LC generates them.
pub const KEY_BITS_STEP: usize = 128;

/// Checks the length of a key to be generated.
///
/// # Errors
/// [`KeyError::ModulusBits`] outside of [`KEY_BITS_MIN`]`..=`[`KEY_BITS_MAX`], [`KeyError::BitsStep`] if `bits` is
/// not a multiple of [`KEY_BITS_STEP`].
pub fn check_key_length(bits: usize) -> Result<(), KeyError> {
    if !(KEY_BITS_MIN..=KEY_BITS_MAX).contains(&bits) {
        return Err(KeyError::ModulusBits(bits));
    }
    if !bits.is_multiple_of(KEY_BITS_STEP) {
        return Err(KeyError::BitsStep(bits));
    }
    Ok(())
}

/// The public exponent of the keys that are made here, and the one that mint keys of RFC 9474 must have.
pub(crate) const PUBLIC_EXPONENT: u64 = 65537;

/// Why numbers, or a text, are not a key that can be used. Never repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The modulus is shorter than [`KEY_BITS_MIN`] or longer than [`KEY_BITS_MAX`].
    #[error("the modulus has {0} bits; {KEY_BITS_MIN} to {KEY_BITS_MAX} are supported")]
    ModulusBits(usize),
    /// The length of a key to be generated is not a multiple of [`KEY_BITS_STEP`].
    #[error("a key of {0} bits cannot be generated: lengths are multiples of {KEY_BITS_STEP} bits")]
    BitsStep(usize),
    /// The modulus is even.
    #[error("the modulus is even")]
    EvenModulus,
    /// The public exponent is not an odd number from 3 to 2^32 - 1.
    #[error("the public exponent {0} is not an odd number from 3 to 2^32 - 1")]
    PublicExponent(u64),
    /// The parts of a private key do not belong together.
    #[error("the numbers do not make an RSA key")]
    Inconsistent,
    /// The text is not a PKCS#8 private key for RSA, with two primes, in PEM.
    #[error("not an RSA private key in PKCS#8 PEM")]
    NotPem,
    /// The text is not an encrypted PKCS#8 private key in PEM.
    #[error("not an encrypted private key in PKCS#8 PEM; the file is damaged, or something else")]
    NotEncryptedPem,
    /// What the passphrase opens is no key.
    #[error("the passphrase is not this key's, or the file is damaged")]
    Passphrase,
}

/// The signature is not the key's signature of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the signature is not valid")]
pub struct BadSignature;

/// An operation with a key was refused: the number is out of range, or the result of a private one failed the
/// check with the public exponent (which means a fault of the machine or a damaged key).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the RSA operation failed")]
pub struct OperationError;

impl From<aws_lc::BadKey> for KeyError {
    fn from(_: aws_lc::BadKey) -> Self {
        Self::Inconsistent
    }
}

impl From<aws_lc::OperationFailed> for OperationError {
    fn from(_: aws_lc::OperationFailed) -> Self {
        Self
    }
}
