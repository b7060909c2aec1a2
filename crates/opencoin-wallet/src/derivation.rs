//! Secrets of requests that are derived from one secret, so that they can be derived again.
//!
//! The secret is that of the wallet's backup phrase, or that of a short code. Request number `n` with an issuer has a
//! transaction reference, and its blind number `i` has a serial and a blinding seed. Each is the output of HKDF-SHA256
//! (RFC 5869): the salt names the kind of secret, and the info is
//!
//! ```text
//! purpose || 0x00 || length of the issuer's id, one byte || issuer's id || n, eight bytes || i, four bytes
//! ```
//!
//! with the purpose `transaction reference` (16 bytes, `i` is 0), `serial` (16 bytes) or `blinding seed` (32 bytes). Key
//! account number `n` of the currency has the seed of an Ed25519 key, with the purpose `account key` (32 bytes, `i` is 0).
//! Whoever knows the secret can spend the coins, and the money of the key accounts.

use std::fmt;

use hkdf::Hkdf;
use opencoin_crypto::BlindingSeed;
use opencoin_schema::BigInt;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::key_account::seed::KeySeed;

/// The length of serials and transaction references.
pub(crate) const NUMBER_BYTES: usize = 16;
const SEED_BYTES: usize = 32;

/// The kind of a secret, so that no secret gives the same numbers for two uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SecretKind {
    BackupPhrase,
    ShortCode,
}

impl SecretKind {
    fn salt(self) -> &'static [u8] {
        match self {
            Self::BackupPhrase => b"opencoin backup phrase 1",
            Self::ShortCode => b"opencoin short code 1",
        }
    }
}

/// The numbers of requests with one issuer.
#[derive(Clone)]
pub(crate) struct Derivation {
    hkdf: Hkdf<Sha256>,
    issuer: BigInt,
}

impl Derivation {
    pub(crate) fn new(kind: SecretKind, secret: &[u8], issuer: &BigInt) -> Self {
        Self {
            hkdf: Hkdf::new(Some(kind.salt()), secret),
            issuer: issuer.clone(),
        }
    }

    pub(crate) fn transaction_reference(&self, request: u64) -> BigInt {
        BigInt::from_be_bytes(&*self.expand::<NUMBER_BYTES>("transaction reference", request, 0))
    }

    pub(crate) fn serial(&self, request: u64, blind: u32) -> BigInt {
        BigInt::from_be_bytes(&*self.expand::<NUMBER_BYTES>("serial", request, blind))
    }

    pub(crate) fn blinding_seed(&self, request: u64, blind: u32) -> BlindingSeed {
        let bytes = self.expand::<SEED_BYTES>("blinding seed", request, blind);
        BlindingSeed::from_revealed(&BigInt::from_be_bytes(&*bytes)).expect("it has the length of a seed")
    }

    pub(crate) fn account_key(&self, number: u64) -> KeySeed {
        KeySeed::new(self.expand::<SEED_BYTES>("account key", number, 0))
    }

    fn expand<const LENGTH: usize>(
        &self,
        purpose: &str,
        request: u64,
        blind: u32,
    ) -> Zeroizing<[u8; LENGTH]> {
        let id = self.issuer.as_be_bytes();
        let length = u8::try_from(id.len()).expect("the id of an issuer is a hash");
        let parts: [&[u8]; 6] = [
            purpose.as_bytes(),
            &[0],
            &[length],
            id,
            &request.to_be_bytes(),
            &blind.to_be_bytes(),
        ];
        let mut output = Zeroizing::new([0; LENGTH]);
        self.hkdf
            .expand_multi_info(&parts, &mut *output)
            .expect("it is shorter than HKDF's longest output");
        output
    }
}

impl fmt::Debug for Derivation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Derivation(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of docs/TRANSFER.md.
    #[test]
    fn the_numbers_are_those_of_the_vectors() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../fixtures/transfer/derivation.json")).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let phrase: crate::Phrase = text(&vectors["phrase"]).parse().unwrap();
        let code = const_hex::decode(text(&vectors["code_secret"])).unwrap();
        let issuer: BigInt = text(&vectors["issuer_id"]).parse().unwrap();
        for vector in vectors["requests"].as_array().unwrap() {
            let derivation = match vector["secret"].as_str().unwrap() {
                "phrase" => Derivation::new(SecretKind::BackupPhrase, &*phrase.seed(), &issuer),
                _ => Derivation::new(SecretKind::ShortCode, &code, &issuer),
            };
            let number = |name: &str| vector[name].as_u64().unwrap();
            let (request, blind) = (number("request"), u32::try_from(number("blind")).unwrap());
            let actual = [
                derivation.transaction_reference(request),
                derivation.serial(request, blind),
                derivation.blinding_seed(request, blind).reveal(),
            ];
            let expected =
                ["transaction_reference", "serial", "blinding_seed"].map(|name| text(&vector[name]));
            assert_eq!(actual.map(|number| number.to_string()), expected, "{vector}");
        }
        let derivation = Derivation::new(SecretKind::BackupPhrase, &*phrase.seed(), &issuer);
        for vector in vectors["account_keys"].as_array().unwrap() {
            let seed = derivation.account_key(vector["number"].as_u64().unwrap());
            let actual = [const_hex::encode(seed.expose()), seed.public_key().to_string()];
            assert_eq!(
                actual,
                ["seed", "key"].map(|name| text(&vector[name])),
                "{vector}"
            );
        }
    }

    #[test]
    fn every_number_is_another_one() {
        let issuers = [BigInt::from_be_bytes(&[1]), BigInt::from_be_bytes(&[1, 0])];
        let mut all = Vec::new();
        for kind in [SecretKind::BackupPhrase, SecretKind::ShortCode] {
            for issuer in &issuers {
                let derivation = Derivation::new(kind, &[7; 32], issuer);
                for request in [0, 1, 1 << 40] {
                    all.push(BigInt::from_be_bytes(derivation.account_key(request).expose()));
                    all.push(derivation.transaction_reference(request));
                    for blind in [0, 1, 1 << 20] {
                        all.push(derivation.serial(request, blind));
                        all.push(derivation.blinding_seed(request, blind).reveal());
                    }
                }
            }
        }
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
