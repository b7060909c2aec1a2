//! EMSA-PSS-ENCODE with a salt from the caller (RFC 8017 section 9.1.1).
//!
//! AWS-LC always chooses a random salt itself. The vectors of RFC 9474 and reproducible fixtures need a given salt,
//! and blinding needs the encoded message. AWS-LC does the verification.

use sha2::Digest;
use thiserror::Error;

/// The last byte of every encoded message.
const TRAILER: u8 = 0xbc;

/// The eight zero bytes before the hash and the salt in M'.
const ZEROS: [u8; 8] = [0; 8];

/// The modulus is too short for the hash, the salt and two more bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the key is too small for this hash and salt")]
pub(crate) struct EncodingError;

/// The longest salt that a key of `modulus_bits` allows with the hash `D`. An error when even an empty one does not
/// fit.
pub(crate) fn salt_bytes_max<D: Digest>(modulus_bits: usize) -> Result<usize, EncodingError> {
    let encoded_bytes = (modulus_bits - 1).div_ceil(8);
    encoded_bytes
        .checked_sub(<D as Digest>::output_size() + 2)
        .ok_or(EncodingError)
}

/// The encoded message EM of `digest = D(message)`: `ceil((modulus_bits - 1) / 8)` bytes that, read as a
/// number, are less than any modulus of `modulus_bits`. MGF1 uses `D` as well.
pub(crate) fn encode<D: Digest>(
    digest: &[u8],
    salt: &[u8],
    modulus_bits: usize,
) -> Result<Vec<u8>, EncodingError> {
    let hash_bytes = <D as Digest>::output_size();
    assert_eq!(digest.len(), hash_bytes, "the digest is one of D");
    let padding_bytes = salt_bytes_max::<D>(modulus_bits)?
        .checked_sub(salt.len())
        .ok_or(EncodingError)?;

    let hash = D::new()
        .chain_update(ZEROS)
        .chain_update(digest)
        .chain_update(salt)
        .finalize();
    let mut encoded = vec![0; padding_bytes];
    encoded.push(1);
    encoded.extend_from_slice(salt);
    mask::<D>(&mut encoded, &hash);
    let bits_unused = (8 - (modulus_bits - 1) % 8) % 8;
    encoded[0] &= 0xff >> bits_unused;
    encoded.extend_from_slice(&hash);
    encoded.push(TRAILER);
    Ok(encoded)
}

/// XORs MGF1 of `seed` (RFC 8017 appendix B.2.1) into `data`.
fn mask<D: Digest>(data: &mut [u8], seed: &[u8]) {
    for (counter, block) in (0_u32..).zip(data.chunks_mut(<D as Digest>::output_size())) {
        let mask = D::new()
            .chain_update(seed)
            .chain_update(counter.to_be_bytes())
            .finalize();
        block.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Sha256, Sha384};

    use super::*;

    #[test]
    fn the_longest_salt_fills_the_modulus() {
        // 64 bytes, less a hash of 32, less the trailer and the byte before the salt.
        assert_eq!(salt_bytes_max::<Sha256>(512), Ok(30));
        // One bit over a whole number of bytes: the encoded message is a byte shorter than the modulus.
        assert_eq!(salt_bytes_max::<Sha256>(513), Ok(30));
        assert_eq!(salt_bytes_max::<Sha384>(2048), Ok(206));
        assert_eq!(salt_bytes_max::<Sha384>(392), Err(EncodingError));
        let digest = Sha256::digest(b"message");
        assert_eq!(
            encode::<Sha256>(&digest, &[7; 30], 512).map(|encoded| encoded.len()),
            Ok(64)
        );
        assert_eq!(encode::<Sha256>(&digest, &[7; 31], 512), Err(EncodingError));
    }

    #[test]
    fn the_encoded_message_is_less_than_every_modulus_of_its_size() {
        let digest = Sha256::digest(b"message");
        for modulus_bits in 512..=528 {
            for salt_byte in 0..64 {
                let encoded = encode::<Sha256>(&digest, &[salt_byte; 16], modulus_bits).unwrap();
                let bits = encoded.len() * 8 - encoded[0].leading_zeros() as usize;
                assert!(bits < modulus_bits, "{modulus_bits} bits, salt of {salt_byte}");
            }
        }
    }
}
