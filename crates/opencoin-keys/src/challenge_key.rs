//! The key behind the challenges that precede an introduction of a key account.
//!
//! A challenge says until when it counts and has a code that only the issuer can make, so the issuer stores nothing
//! between giving a challenge and seeing the proof of work for it. All processes of an issuer accept each other's
//! challenges: the key is derived from the secret of the promise key, which each of them has. HKDF with a salt of its own
//! makes a key that tells nothing about that secret (RFC 5869).

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::hmac;
use opencoin_crypto::SEED_BYTES;
use opencoin_log::key::KeyName;
use opencoin_log::key_account::{AccountKey, Challenge};
use zeroize::Zeroizing;

/// The salt of HKDF: the purpose of the key and the version of its derivation.
const DOMAIN: &[u8] = b"OpenCoin key account challenge, version 1";
/// The length of the code of a challenge.
const CODE_BYTES: usize = 16;

/// Makes and recognises challenges. `Debug` does not show it.
pub struct ChallengeKey(hmac::Key);

impl ChallengeKey {
    pub(crate) fn derive(promise_seed: &Zeroizing<[u8; SEED_BYTES]>, origin: &KeyName) -> Self {
        let extracted = Salt::new(HKDF_SHA256, DOMAIN).extract(&promise_seed[..]);
        let info = [origin.as_str().as_bytes()];
        let expanded = extracted.expand(&info, hmac::HMAC_SHA256);
        Self(expanded.expect("a key of HMAC is one block of HKDF").into())
    }

    /// The challenge for a key until `expiry_s`, in seconds since 1970.
    #[must_use]
    pub fn challenge(&self, key: AccountKey, expiry_s: u64) -> Challenge {
        let tag = self.tag(key, expiry_s);
        let code = tag.as_ref().first_chunk::<CODE_BYTES>();
        Challenge {
            expiry_s,
            code: *code.expect("a tag of HMAC-SHA-256 is longer"),
        }
    }

    /// Whether the issuer has made this challenge for this key. When it ends is another question.
    #[must_use]
    pub fn has_made(&self, challenge: Challenge, key: AccountKey) -> bool {
        let made = self.challenge(key, challenge.expiry_s);
        verify_slices_are_equal(&made.code, &challenge.code).is_ok()
    }

    fn tag(&self, key: AccountKey, expiry_s: u64) -> hmac::Tag {
        let message = [&key.as_bytes()[..], &expiry_s.to_be_bytes()].concat();
        hmac::sign(&self.0, &message)
    }
}

impl fmt::Debug for ChallengeKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ChallengeKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8, origin: &str) -> ChallengeKey {
        ChallengeKey::derive(&Zeroizing::new([seed; SEED_BYTES]), &origin.parse().unwrap())
    }

    #[test]
    fn a_challenge_counts_for_one_key_one_time_and_one_log() {
        let ours = key(1, "issuer.example/log");
        let [one, other] = [1, 2].map(|byte| AccountKey::of_stored([byte; 32]));
        let challenge = ours.challenge(one, 1_800_000_000);
        assert!(ours.has_made(challenge, one));
        assert!(
            key(1, "issuer.example/log").has_made(challenge, one),
            "another process"
        );
        assert!(!ours.has_made(challenge, other));
        let later = Challenge {
            expiry_s: challenge.expiry_s + 1,
            ..challenge
        };
        assert!(!ours.has_made(later, one));
        for byte in 0..CODE_BYTES {
            let mut changed = challenge;
            changed.code[byte] ^= 0x80;
            assert!(!ours.has_made(changed, one));
        }
        assert!(!key(2, "issuer.example/log").has_made(challenge, one));
        assert!(!key(1, "other.example/log").has_made(challenge, one));
    }
}
