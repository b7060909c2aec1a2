//! Byte strings of fixed length that are shown as hex and are no secrets.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! hex_bytes {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $bytes]);

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&const_hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}({self})", stringify!($name))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                read(&String::deserialize(deserializer)?)
                    .map(Self)
                    .ok_or_else(|| D::Error::custom(concat!("expected ", $bytes, " bytes in lower-case hex")))
            }
        }
    };
}

hex_bytes! {
    /// The SHA-256 of a compact coin stack.
    Digest, 32
}
hex_bytes! {
    /// The Ed25519 public key of a participant of one transfer.
    PublicKey, 32
}
hex_bytes! {
    /// The id of a transfer. Both ends derive it from the invitation.
    TransferId, 16
}
hex_bytes! {
    /// What a participant shows to the relay so that only they can replace their own connection.
    ClientToken, 16
}

/// Reads lower-case hex without a prefix.
fn read<const BYTES: usize>(text: &str) -> Option<[u8; BYTES]> {
    let is_lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 2 * BYTES || !text.bytes().all(is_lower) {
        return None;
    }
    const_hex::decode_to_array(text).ok()
}
