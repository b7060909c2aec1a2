//! The primes of an RSA key. AWS-LC tests the candidates: its arithmetic is ten times as fast as that of
//! `num-bigint-dig`, and a key of 2048 bits takes some hundred candidates.
//!
//! Candidates and private exponent are those of the crate `rsa` 0.9, so that a generator in a given state makes the
//! same key as it does there.

use num_bigint_dig::{BigUint, ModInverse};
use rsa::RsaPrivateKey;
use rsa::rand_core::CryptoRngCore;
use zeroize::Zeroizing;

use super::{KeyError, PUBLIC_EXPONENT};
use crate::aws_lc;

/// Candidates that one of these divides are left out without a test. Their product fits into a u64.
const SMALL_PRIMES: [u64; 15] = [3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53];
const SMALL_PRIMES_PRODUCT: u64 = 16_294_579_238_595_022_365;
/// How far above a random number a candidate is looked for.
const DISTANCE_MAX: u64 = 1 << 20;

/// A key of `bits` with two primes of the same size.
pub(super) fn key(bits: usize, rng: &mut (impl CryptoRngCore + ?Sized)) -> Result<RsaPrivateKey, KeyError> {
    let exponent = BigUint::from(PUBLIC_EXPONENT);
    loop {
        let [p, q] = [prime(bits / 2, rng), prime(bits / 2, rng)];
        let totient = (&p - 1u32) * (&q - 1u32);
        if p == q {
            continue;
        }
        let Some(d) = (&exponent).mod_inverse(totient).and_then(|d| d.to_biguint()) else {
            continue;
        };
        let key = RsaPrivateKey::from_components(&p * &q, exponent, d, vec![p, q]);
        return key.map_err(|_| KeyError::Inconsistent);
    }
}

/// A random prime whose two highest bits are set, so that the product of two has twice as many bits.
fn prime(bits: usize, rng: &mut (impl CryptoRngCore + ?Sized)) -> BigUint {
    let mut bytes = Zeroizing::new(vec![0u8; bits.div_ceil(8)]);
    let unused_bits = bytes.len() * 8 - bits;
    assert!(
        unused_bits < 7,
        "keys of an even number of bits, none of them small"
    );
    loop {
        rng.fill_bytes(&mut bytes);
        bytes[0] &= 0xff >> unused_bits;
        bytes[0] |= 0b1100_0000 >> unused_bits;
        *bytes.last_mut().expect("a prime has bytes") |= 1;
        let start = BigUint::from_bytes_be(&bytes);
        let remainder = &start % SMALL_PRIMES_PRODUCT;
        let remainder = remainder
            .to_bytes_be()
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let has_small_factor = |distance: &u64| {
            let number = u128::from(remainder) + u128::from(*distance);
            SMALL_PRIMES.iter().any(|prime| number % u128::from(*prime) == 0)
        };
        let distance = (0..DISTANCE_MAX)
            .step_by(2)
            .find(|distance| !has_small_factor(distance));
        let candidate = start + distance.unwrap_or(0);
        // The distance may have made it longer.
        if candidate.bits() == bits && aws_lc::is_prime(&Zeroizing::new(candidate.to_bytes_be())) {
            return candidate;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn the_keys_are_those_of_the_crate_rsa() {
        for (seed, bits) in [(1, 512), (2, 1022), (3, 1024), (4, 2048)] {
            let ours = key(bits, &mut ChaCha20Rng::seed_from_u64(seed)).unwrap();
            let theirs = RsaPrivateKey::new(&mut ChaCha20Rng::seed_from_u64(seed), bits).unwrap();
            assert_eq!(ours, theirs, "{bits} bits, seed {seed}");
        }
    }
}
