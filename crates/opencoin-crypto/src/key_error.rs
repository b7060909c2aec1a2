//! Errors of keys, and the key lengths that they name.

use thiserror::Error;

/// The shortest modulus that can be read, in bits. The specification's examples use keys of this size. New
/// currencies need [`MINT_KEY_BITS_MIN`](crate::MINT_KEY_BITS_MIN).
pub const KEY_BITS_MIN: usize = 512;

/// The longest modulus that can be read, in bits, so that a document of a stranger costs little time.
pub const KEY_BITS_MAX: usize = 8192;

/// New keys have a multiple of this many bits, as AWS-LC generates them.
pub const KEY_BITS_STEP: usize = 128;

/// The shortest modulus of a new key with three primes, in bits, as in OpenSSL. Primes of shorter keys would be short
/// enough to be found one by one.
pub const THREE_PRIMES_KEY_BITS_MIN: usize = 1024;

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

/// The public exponent of all keys that this crate makes, required for mint keys of RFC 9474.
pub(crate) const PUBLIC_EXPONENT: u64 = 65537;

/// Numbers or a text are not a usable key. The texts repeat no secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The modulus is shorter than [`KEY_BITS_MIN`] or longer than [`KEY_BITS_MAX`].
    #[error("the modulus has {0} bits; {KEY_BITS_MIN} to {KEY_BITS_MAX} are supported")]
    ModulusBits(usize),
    /// The length of a key to be generated is not a multiple of [`KEY_BITS_STEP`].
    #[error("a key of {0} bits cannot be generated: lengths are multiples of {KEY_BITS_STEP} bits")]
    BitsStep(usize),
    /// A key of this length has two primes: it is shorter than [`THREE_PRIMES_KEY_BITS_MIN`].
    #[error("a key of {0} bits is too short for three primes; {THREE_PRIMES_KEY_BITS_MIN} bits are enough")]
    TooShortForThreePrimes(usize),
    /// A number of primes that keys cannot have.
    #[error("a key has 2 or 3 primes")]
    Primes,
    /// The modulus is even.
    #[error("the modulus is even")]
    EvenModulus,
    /// The public exponent is not an odd number from 3 to 2^32 - 1.
    #[error("the public exponent {0} is not an odd number from 3 to 2^32 - 1")]
    PublicExponent(u64),
    /// The parts of a private key do not belong together.
    #[error("the numbers do not make an RSA key")]
    Inconsistent,
    /// The text is not a PKCS#8 private key for RSA, with two or three primes, in PEM.
    #[error("not an RSA private key in PKCS#8 PEM")]
    NotPem,
    /// The text is not an encrypted PKCS#8 private key in PEM.
    #[error("not an encrypted private key in PKCS#8 PEM; the file is damaged, or something else")]
    NotEncryptedPem,
    /// Decryption with the passphrase does not give a key.
    #[error("the passphrase is not this key's, or the file is damaged")]
    Passphrase,
}

/// The signature is not the key's signature of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the signature is not valid")]
pub struct BadSignature;

/// The number is out of range, or the result of a private operation failed the check with the public exponent,
/// because the machine or the key is faulty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the RSA operation failed")]
pub struct OperationError;
