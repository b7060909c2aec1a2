//! Public keys.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, ML_DSA_44, UnparsedPublicKey};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{KEY_ID_BYTES, KeyName, KeyType};
use crate::encoding::{from_base64, from_hex, to_base64};

/// A public key with its name and type. As text (a *vkey*): `<name>+<id in hex>+<base64 of type and key>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerifierKey {
    name: KeyName,
    key_type: KeyType,
    public_key: Vec<u8>,
    id: [u8; KEY_ID_BYTES],
}

/// The text is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum VerifierKeyError {
    /// It does not consist of name, id and key.
    #[error("not a key: name, id and key with a `+` between them")]
    Form,
    /// The type is none that this crate knows.
    #[error("a key of an unknown type")]
    Type,
    /// The key has the wrong length for its type.
    #[error("a key of the wrong length")]
    Length,
    /// The id does not follow from name, type and key.
    #[error("the id does not belong to the key")]
    Id,
}

impl VerifierKey {
    /// The key with these bytes.
    ///
    /// # Errors
    /// The key has the wrong length.
    pub fn new(name: KeyName, key_type: KeyType, public_key: &[u8]) -> Result<Self, VerifierKeyError> {
        if public_key.len() != key_type.key_bytes() {
            return Err(VerifierKeyError::Length);
        }
        let digest = Sha256::new()
            .chain_update(name.as_str())
            .chain_update("\n")
            .chain_update(key_type.prefix())
            .chain_update(public_key)
            .finalize();
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&digest[..KEY_ID_BYTES]);
        Ok(Self {
            name,
            key_type,
            public_key: public_key.to_vec(),
            id,
        })
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The type.
    #[must_use]
    pub const fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// The bytes of the key, without its type. Two keys with the same bytes are one key to a policy.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// The id, by which signature lines name the key together with its name.
    #[must_use]
    pub const fn id(&self) -> [u8; KEY_ID_BYTES] {
        self.id
    }

    /// Whether this is the key's signature of the message. What the message is depends on the type of the key.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let result = match self.key_type {
            KeyType::Ed25519Note | KeyType::Ed25519Cosignature | KeyType::Ed25519Promise => {
                UnparsedPublicKey::new(&ED25519, &self.public_key).verify(message, signature)
            }
            KeyType::MlDsa44Cosignature => {
                UnparsedPublicKey::new(&ML_DSA_44, &self.public_key).verify(message, signature)
            }
        };
        result.is_ok()
    }
}

impl FromStr for VerifierKey {
    type Err = VerifierKeyError;

    fn from_str(text: &str) -> Result<Self, VerifierKeyError> {
        // The base64 may have more of them.
        let mut parts = text.splitn(3, '+');
        let mut part = || parts.next().ok_or(VerifierKeyError::Form);
        let (name, id, key) = (part()?, part()?, part()?);
        let name = name.parse().map_err(|_| VerifierKeyError::Form)?;
        let id: [u8; KEY_ID_BYTES] = from_hex(id).ok_or(VerifierKeyError::Form)?;
        let key = from_base64(key).ok_or(VerifierKeyError::Form)?;
        let (key_type, public_key) = KeyType::ALL
            .into_iter()
            .find_map(|key_type| Some((key_type, key.strip_prefix(key_type.prefix())?)))
            .ok_or(VerifierKeyError::Type)?;
        let key = Self::new(name, key_type, public_key)?;
        if key.id == id {
            Ok(key)
        } else {
            Err(VerifierKeyError::Id)
        }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = to_base64(&[self.key_type.prefix(), &self.public_key].concat());
        write!(formatter, "{}+{}+{key}", self.name, const_hex::encode(self.id))
    }
}
