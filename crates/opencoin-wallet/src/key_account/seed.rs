//! The seed of a key, from which its private half is made.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use opencoin_log::key::ED25519_SIGNATURE_BYTES;
use opencoin_log::key_account::AccountKey;
use zeroize::Zeroizing;

/// The length of a seed (RFC 8032 section 5.1.5).
pub(crate) const SEED_BYTES: usize = 32;

/// The seed of an account's key. Whoever has it can pay. `Debug` hides it.
#[derive(Clone)]
pub(crate) struct KeySeed(Zeroizing<[u8; SEED_BYTES]>);

impl KeySeed {
    pub(crate) const fn new(bytes: Zeroizing<[u8; SEED_BYTES]>) -> Self {
        Self(bytes)
    }

    /// Reads the bytes of a stored seed; `None` if they are of another length.
    pub(crate) fn of_stored(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; SEED_BYTES] = bytes.try_into().ok()?;
        Some(Self(Zeroizing::new(bytes)))
    }

    /// Returns the bytes, to be stored.
    pub(crate) fn expose(&self) -> &[u8] {
        self.0.as_slice()
    }

    pub(crate) fn public_key(&self) -> AccountKey {
        let pair = self.pair();
        let bytes = pair.public_key().as_ref().try_into();
        let key = AccountKey::new(bytes.expect("an Ed25519 key has 32 bytes"));
        key.expect("a key that is made of a seed is a good one")
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; ED25519_SIGNATURE_BYTES] {
        let signature = self.pair().sign(message);
        let signature = signature.as_ref().try_into();
        signature.expect("an Ed25519 signature has 64 bytes")
    }

    /// Makes the private key, which AWS-LC clears when it is dropped.
    fn pair(&self) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(self.expose()).expect("it has the length of a seed")
    }
}

impl fmt::Debug for KeySeed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeySeed(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032 section 7.1, test 2.
    #[test]
    fn keys_and_signatures_are_those_of_the_rfc() {
        let seed = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
        let seed = KeySeed::of_stored(&const_hex::decode(seed).unwrap()).unwrap();
        let key = seed.public_key();
        assert_eq!(
            key.to_string(),
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
        );
        let signature = seed.sign(&[0x72]);
        assert!(const_hex::encode(signature).starts_with("92a009a9f0d4cab8720e820b5f642540"));
        assert!(key.verifies(&[0x72], &signature));
        assert!(!format!("{seed:?}").contains("4c"));
    }
}
