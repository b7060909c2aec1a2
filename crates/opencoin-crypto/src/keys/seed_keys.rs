//! Private keys that are a seed of 32 bytes, such as those of a public log and its witnesses. This module only stores
//! them; `opencoin-log` signs with them.

use rsa::pkcs8::der::asn1::{ContextSpecific, OctetStringRef};
use rsa::pkcs8::der::{Decode, Encode, TagMode, TagNumber};
use rsa::pkcs8::spki::AlgorithmIdentifier;
use rsa::pkcs8::{ObjectIdentifier, PrivateKeyInfo};
use rsa::rand_core::CryptoRngCore;
use zeroize::Zeroizing;

use super::encrypted_pem;
use crate::key_error::KeyError;

/// The length of a seed in bytes.
pub const SEED_BYTES: usize = 32;

/// The signature scheme of a key that is a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeedScheme {
    /// Ed25519 (RFC 8032), stored as RFC 8410 says.
    Ed25519,
    /// ML-DSA-44 (FIPS 204), stored as RFC 9881 says, as a seed alone.
    MlDsa44,
}

impl SeedScheme {
    fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Ed25519 => ObjectIdentifier::new_unwrap("1.3.101.112"),
            Self::MlDsa44 => ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17"),
        }
    }

    /// The seed as the standard encodes it within PKCS#8.
    fn encode(self, seed: &[u8; SEED_BYTES]) -> Zeroizing<Vec<u8>> {
        let octets = OctetStringRef::new(seed).expect("a seed is short");
        Zeroizing::new(match self {
            Self::Ed25519 => octets.to_der().expect("a seed can be encoded"),
            Self::MlDsa44 => ContextSpecific {
                tag_number: TagNumber::N0,
                tag_mode: TagMode::Implicit,
                value: octets,
            }
            .to_der()
            .expect("a seed can be encoded"),
        })
    }

    fn decode(self, bytes: &[u8]) -> Option<Zeroizing<[u8; SEED_BYTES]>> {
        let octets = match self {
            Self::Ed25519 => OctetStringRef::from_der(bytes).ok()?.as_bytes(),
            // The tag of the standard's choice, and the length.
            Self::MlDsa44 => bytes.strip_prefix(&[0x80, SEED_BYTES as u8])?,
        };
        octets.try_into().ok().map(Zeroizing::new)
    }
}

/// Encrypts a seed as PKCS#8 in PEM, as mint keys are.
#[must_use]
pub fn encrypt_seed(
    scheme: SeedScheme,
    seed: &[u8; SEED_BYTES],
    passphrase: &[u8],
    rng: &mut (impl CryptoRngCore + ?Sized),
) -> Zeroizing<String> {
    let algorithm = AlgorithmIdentifier {
        oid: scheme.oid(),
        parameters: None,
    };
    let encoded = scheme.encode(seed);
    encrypted_pem::encrypt(&PrivateKeyInfo::new(algorithm, &encoded), passphrase, rng)
}

/// Decrypts what [`encrypt_seed`] or OpenSSL has written.
///
/// # Errors
/// [`KeyError::NotEncryptedPem`] when the text is something else or a key of another kind, [`KeyError::Passphrase`] when
/// the passphrase is wrong.
pub fn decrypt_seed(
    scheme: SeedScheme,
    pem: &str,
    passphrase: &[u8],
) -> Result<Zeroizing<[u8; SEED_BYTES]>, KeyError> {
    let document = encrypted_pem::decrypt(pem, passphrase)?;
    let info = PrivateKeyInfo::try_from(document.as_bytes()).map_err(|_| KeyError::Passphrase)?;
    let is_of_scheme = info.algorithm.oid == scheme.oid() && info.algorithm.parameters.is_none();
    let seed = is_of_scheme.then(|| scheme.decode(info.private_key)).flatten();
    seed.ok_or(KeyError::NotEncryptedPem)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rsa::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn a_seed_is_read_back_with_its_passphrase_and_as_its_kind_alone() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for (scheme, other) in [
            (SeedScheme::Ed25519, SeedScheme::MlDsa44),
            (SeedScheme::MlDsa44, SeedScheme::Ed25519),
        ] {
            let pem = encrypt_seed(scheme, &[7; SEED_BYTES], b"p", &mut rng);
            assert_eq!(*decrypt_seed(scheme, &pem, b"p").unwrap(), [7; SEED_BYTES]);
            assert_eq!(
                decrypt_seed(scheme, &pem, b"q").unwrap_err(),
                KeyError::Passphrase
            );
            assert_eq!(
                decrypt_seed(other, &pem, b"p").unwrap_err(),
                KeyError::NotEncryptedPem
            );
            assert_eq!(
                decrypt_seed(scheme, "nothing", b"p").unwrap_err(),
                KeyError::NotEncryptedPem
            );
        }
    }
}
