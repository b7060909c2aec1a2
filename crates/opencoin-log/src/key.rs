//! Keys that sign notes, checkpoints and promises, and the names they have.
//!
//! Name and type are hashed into a key's id, so one public key with two types or names is two keys. Source: C2SP
//! signed-note, "Verifier keys"; types of cosignatures: C2SP tlog-cosignature.

mod name;
mod signing;
mod verifier;

pub use name::{KEY_NAME_BYTES_MAX, KeyName, KeyNameError};
pub use signing::{SEED_BYTES, SigningKey, SigningKeyError};
pub use verifier::{VerifierKey, VerifierKeyError};

/// The length of a key's id in bytes.
pub const KEY_ID_BYTES: usize = 4;

/// The length of an Ed25519 public key in bytes.
pub const ED25519_KEY_BYTES: usize = 32;
/// The length of an Ed25519 signature in bytes.
pub const ED25519_SIGNATURE_BYTES: usize = 64;
/// The length of an ML-DSA-44 public key in bytes (FIPS 204, table 2).
pub const ML_DSA_44_KEY_BYTES: usize = 1312;
/// The length of an ML-DSA-44 signature in bytes.
pub const ML_DSA_44_SIGNATURE_BYTES: usize = 2420;

/// What a key signs, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyType {
    /// 0x01: Ed25519 over the text of a note. Logs sign their checkpoints so.
    Ed25519Note,
    /// 0x04: Ed25519 over a checkpoint and a time. Witnesses.
    Ed25519Cosignature,
    /// 0x06: ML-DSA-44 over a checkpoint and a time. Witnesses and logs.
    MlDsa44Cosignature,
    /// 0xff and the identifier `opencoin.org/log-promise/v1`: Ed25519 over a promise of the issuer.
    Ed25519Promise,
}

impl KeyType {
    const ALL: [Self; 4] = [
        Self::Ed25519Note,
        Self::Ed25519Cosignature,
        Self::MlDsa44Cosignature,
        Self::Ed25519Promise,
    ];

    /// The bytes before the public key, in its text and in the hash that gives its id.
    #[must_use]
    pub const fn prefix(self) -> &'static [u8] {
        match self {
            Self::Ed25519Note => &[0x01],
            Self::Ed25519Cosignature => &[0x04],
            Self::MlDsa44Cosignature => &[0x06],
            Self::Ed25519Promise => b"\xffopencoin.org/log-promise/v1",
        }
    }

    /// The length of a public key in bytes.
    #[must_use]
    pub const fn key_bytes(self) -> usize {
        match self {
            Self::Ed25519Note | Self::Ed25519Cosignature | Self::Ed25519Promise => ED25519_KEY_BYTES,
            Self::MlDsa44Cosignature => ML_DSA_44_KEY_BYTES,
        }
    }

    /// The length of a signature in bytes.
    #[must_use]
    pub const fn signature_bytes(self) -> usize {
        match self {
            Self::Ed25519Note | Self::Ed25519Cosignature | Self::Ed25519Promise => ED25519_SIGNATURE_BYTES,
            Self::MlDsa44Cosignature => ML_DSA_44_SIGNATURE_BYTES,
        }
    }
}
