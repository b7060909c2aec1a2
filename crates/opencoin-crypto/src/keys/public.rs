//! Public keys: parsing, identifiers and verification.

use std::fmt;
use std::sync::{Arc, OnceLock};

use num_bigint_dig::BigUint;
use opencoin_lanes::{LANES, PublicOperation};
use opencoin_schema::{BigInt, RsaPublicKey};
use sha2::{Digest, Sha256};

use crate::aws_lc::{PssHash, PublicHandle};
use crate::emsa_pss;
use crate::key_error::{BadSignature, KEY_BITS_MAX, KEY_BITS_MIN, KeyError, OperationError};
use crate::lanes;
use crate::numbers::{to_big_int, to_biguint};

/// The largest public exponent. A larger one makes verification slower but not safer, and cryptographic libraries
/// refuse it (AWS-LC above 33 bits, and the crate `rsa`).
const PUBLIC_EXPONENT_MAX: u64 = u32::MAX as u64;

/// The fewest numbers for which a group in lanes takes less time than one after the other in AWS-LC. A group takes
/// between a third and two fifths of the time of eight.
const GROUP_MIN: usize = 4;

/// An RSA public key of a supported size. Cheap to clone.
#[derive(Clone)]
pub struct PublicKey(Arc<Parsed>);

struct Parsed {
    document: RsaPublicKey,
    id: BigInt,
    modulus: BigUint,
    modulus_less_one: BigInt,
    handle: PublicHandle,
    /// Made by the first group; `None` if this process uses no lanes, or the modulus is too long.
    lanes: OnceLock<Option<PublicOperation>>,
}

impl PublicKey {
    /// Checks a key that came in a document.
    ///
    /// The exponent may be any odd number from 3 to 2^32 - 1, because the specification does not restrict it and
    /// certificates with a small exponent are secure.
    /// [`CipherSuite::check_mint_key`](crate::CipherSuite::check_mint_key) requires more of mint keys.
    ///
    /// # Errors
    /// When the modulus is even or of an unsupported size, or the exponent out of range.
    pub fn parse(document: &RsaPublicKey) -> Result<Self, KeyError> {
        let modulus_bits = document.modulus.bits();
        if !(KEY_BITS_MIN..=KEY_BITS_MAX).contains(&modulus_bits) {
            return Err(KeyError::ModulusBits(modulus_bits));
        }
        let modulus = document.modulus.as_be_bytes();
        if modulus.last().is_none_or(|byte| byte % 2 == 0) {
            return Err(KeyError::EvenModulus);
        }
        let exponent = document.public_exponent;
        if !(3..=PUBLIC_EXPONENT_MAX).contains(&exponent) || exponent.is_multiple_of(2) {
            return Err(KeyError::PublicExponent(exponent));
        }
        let handle = PublicHandle::new(modulus, &exponent.to_be_bytes())?;
        let (document, id) = (document.clone(), document.id());
        let modulus = to_biguint(&document.modulus);
        let modulus_less_one = to_big_int(&(&modulus - 1_u8));
        Ok(Self(Arc::new(Parsed {
            document,
            id,
            modulus,
            modulus_less_one,
            handle,
            lanes: OnceLock::new(),
        })))
    }

    /// The document that the key was read from.
    #[must_use]
    pub fn document(&self) -> &RsaPublicKey {
        &self.0.document
    }

    /// The identifier: SHA-1 of the document's compact text.
    #[must_use]
    pub fn id(&self) -> &BigInt {
        &self.0.id
    }

    /// The length of the modulus in bits.
    #[must_use]
    pub fn modulus_bits(&self) -> usize {
        self.0.document.modulus.bits()
    }

    /// The length of the modulus in bytes.
    #[must_use]
    pub fn modulus_bytes(&self) -> usize {
        self.0.handle.modulus_bytes()
    }

    /// Verifies the signature of a certificate over `text`, the pretty text of its document: RSASSA-PSS with
    /// SHA-256, MGF1 with SHA-256 and exactly the longest salt that the key allows. All cipher suites sign
    /// certificates like this.
    ///
    /// # Errors
    /// When the signature is not valid.
    pub fn verify_certificate(&self, text: &str, signature: &BigInt) -> Result<(), BadSignature> {
        let salt_bytes =
            emsa_pss::salt_bytes_max::<Sha256>(self.modulus_bits()).expect("SHA-256 fits into KEY_BITS_MIN");
        self.verify_pss(PssHash::Sha256, &Sha256::digest(text), salt_bytes, signature)
    }

    pub(crate) fn verify_pss(
        &self,
        hash: PssHash,
        digest: &[u8],
        salt_bytes: usize,
        signature: &BigInt,
    ) -> Result<(), BadSignature> {
        let signature = signature
            .to_padded_be_bytes(self.modulus_bytes())
            .ok_or(BadSignature)?;
        let encoded = self.raw_public(&signature).map_err(|_| BadSignature)?;
        if self.verify_pss_encoding(hash, digest, salt_bytes, &encoded) {
            Ok(())
        } else {
            Err(BadSignature)
        }
    }

    /// `input ^ e mod n` on big-endian bytes, as many as the modulus has. It verifies nothing on its own; outside
    /// this crate it serves to measure the cost of RSA.
    ///
    /// # Errors
    /// When `input` has another length or is not less than n.
    pub fn raw_public(&self, input: &[u8]) -> Result<Vec<u8>, OperationError> {
        self.0.handle.public_operation(input)
    }

    /// [`Self::raw_public`] for several inputs, eight at once if this process uses lanes. Their results are not checked.
    ///
    /// # Errors
    /// As [`Self::raw_public`], for each input.
    pub fn raw_public_all(&self, inputs: &[&[u8]]) -> Vec<Result<Vec<u8>, OperationError>> {
        let in_lanes = |group: &[&[u8]], lanes: &PublicOperation| -> Vec<_> {
            let results = lanes.raise(group);
            results
                .into_iter()
                .map(|result| result.ok_or(OperationError))
                .collect()
        };
        let of_group = |group: &[&[u8]]| match self.lanes() {
            Some(lanes) if group.len() >= GROUP_MIN => in_lanes(group, lanes),
            _ => group.iter().map(|input| self.raw_public(input)).collect(),
        };
        inputs.chunks(LANES).flat_map(of_group).collect()
    }

    /// Whether each of the `signatures` passes `is_valid`, which gets its index and the number that it signs. A
    /// signature that is not less than n does not.
    ///
    /// A wrong result of lanes must not refuse a good signature, so what they find invalid, AWS-LC computes again.
    fn verify_all(&self, signatures: &[&BigInt], is_valid: impl Fn(usize, &[u8]) -> bool) -> Vec<bool> {
        let mut valid = vec![false; signatures.len()];
        let padded = signatures
            .iter()
            .map(|signature| signature.to_padded_be_bytes(self.modulus_bytes()));
        let (places, inputs): (Vec<usize>, Vec<Vec<u8>>) = padded
            .enumerate()
            .filter_map(|(place, input)| Some((place, input?)))
            .unzip();
        let slices: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
        let results = self.raw_public_all(&slices);
        for ((place, input), result) in places.into_iter().zip(&slices).zip(results) {
            valid[place] = result.is_ok_and(|number| is_valid(place, &number))
                || self.lanes().is_some()
                    && self
                        .raw_public(input)
                        .is_ok_and(|number| is_valid(place, &number))
                    && {
                        lanes::count_fault();
                        true
                    };
        }
        valid
    }

    /// Whether the private key signs this number: it is as long as the modulus, and in 2..=n-2.
    pub(super) fn signs(&self, input: &[u8]) -> bool {
        let (last, leading) = match input.split_last() {
            Some((last, leading)) if input.len() == self.modulus_bytes() => (*last, leading),
            _ => return false,
        };
        let is_large = last > 1 || leading.iter().any(|byte| *byte != 0);
        // The modulus is odd, and so as long as the number before it.
        is_large && *input < *self.modulus_less_one().as_be_bytes()
    }

    fn lanes(&self) -> Option<&PublicOperation> {
        let new = || {
            let document = &self.0.document;
            PublicOperation::new(
                lanes::instructions()?,
                document.modulus.as_be_bytes(),
                document.public_exponent,
            )
        };
        self.0.lanes.get_or_init(new).as_ref()
    }

    /// The number that `signature` signs: `signature ^ e mod n`. Signatures of an engine that may calculate wrongly
    /// are checked with it before they are used. `None` when `signature` is not less than n.
    #[must_use]
    pub fn signed_number(&self, signature: &BigInt) -> Option<BigInt> {
        let signature = signature.to_padded_be_bytes(self.modulus_bytes())?;
        self.raw_public(&signature)
            .ok()
            .map(|number| BigInt::from_be_bytes(&number))
    }

    /// As [`Self::verify_pss`], for the number that a signature signs.
    pub(crate) fn verify_pss_encoding(
        &self,
        hash: PssHash,
        digest: &[u8],
        salt_bytes: usize,
        encoded: &[u8],
    ) -> bool {
        self.0
            .handle
            .verify_pss_encoding(hash, digest, salt_bytes, encoded)
    }

    pub(crate) fn modulus(&self) -> &BigUint {
        &self.0.modulus
    }

    pub(crate) fn modulus_less_one(&self) -> &BigInt {
        &self.0.modulus_less_one
    }
}

/// Whether each of the signatures is its key's of the number beside it: (key, signature, number). Signatures of one key
/// are verified together, which takes less time.
#[must_use]
pub fn are_signed(signatures: &[(&PublicKey, &BigInt, &BigInt)]) -> Vec<bool> {
    let pairs: Vec<(&PublicKey, &BigInt)> = signatures
        .iter()
        .map(|(key, signature, _)| (*key, *signature))
        .collect();
    verify_by_key(&pairs, |place, number| {
        let (key, _, expected) = signatures[place];
        expected
            .to_padded_be_bytes(key.modulus_bytes())
            .is_some_and(|expected| expected == number)
    })
}

/// Whether each of the signatures passes `is_valid`, which gets its index and the number that it signs, as long as the
/// modulus. Signatures of one key are raised together.
pub(crate) fn verify_by_key(
    signatures: &[(&PublicKey, &BigInt)],
    is_valid: impl Fn(usize, &[u8]) -> bool,
) -> Vec<bool> {
    let mut valid = vec![false; signatures.len()];
    let mut rest: Vec<usize> = (0..signatures.len()).collect();
    while let Some(first) = rest.first() {
        let key = signatures[*first].0;
        let (same, others) = rest
            .into_iter()
            .partition::<Vec<_>, _>(|place| signatures[*place].0 == key);
        rest = others;
        let of_key: Vec<&BigInt> = same.iter().map(|place| signatures[*place].1).collect();
        let results = key.verify_all(&of_key, |index, number| is_valid(same[index], number));
        for (place, is_valid) in same.into_iter().zip(results) {
            valid[place] = is_valid;
        }
    }
    valid
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.document == other.0.document
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "PublicKey({}, {} bits)",
            self.id(),
            self.modulus_bits()
        )
    }
}

#[cfg(test)]
mod tests {
    use opencoin_lanes::Instructions;

    use super::*;
    use crate::PrivateKey;

    fn document(modulus: &[u8], public_exponent: u64) -> RsaPublicKey {
        RsaPublicKey {
            modulus: BigInt::from_be_bytes(modulus),
            public_exponent,
        }
    }

    #[test]
    fn key_sizes_beyond_the_limits_are_refused() {
        let of_bits = |bits: usize| {
            let mut modulus = vec![0xff; bits.div_ceil(8)];
            modulus[0] >>= (8 - bits % 8) % 8;
            PublicKey::parse(&document(&modulus, 65537)).map(|key| key.modulus_bits())
        };
        assert_eq!(of_bits(511), Err(KeyError::ModulusBits(511)));
        assert_eq!(of_bits(512), Ok(512));
        assert_eq!(of_bits(8192), Ok(8192));
        assert_eq!(of_bits(8193), Err(KeyError::ModulusBits(8193)));
        assert_eq!(
            PublicKey::parse(&document(&[], 65537)),
            Err(KeyError::ModulusBits(0))
        );
    }

    #[test]
    fn even_numbers_and_extreme_exponents_are_refused() {
        let odd = [0xff; 64];
        let mut even = odd;
        even[63] = 0xfe;
        assert_eq!(
            PublicKey::parse(&document(&even, 65537)),
            Err(KeyError::EvenModulus)
        );
        for exponent in [3, 65537, (1 << 32) - 1] {
            assert!(PublicKey::parse(&document(&odd, exponent)).is_ok(), "{exponent}");
        }
        for exponent in [0, 1, 2, 65536, 1 << 32, (1 << 32) + 1, u64::MAX] {
            assert_eq!(
                PublicKey::parse(&document(&odd, exponent)),
                Err(KeyError::PublicExponent(exponent))
            );
        }
    }

    fn signed_by(key: &PublicKey, pairs: &[(&BigInt, &BigInt)]) -> Vec<bool> {
        let signed: Vec<_> = pairs
            .iter()
            .map(|(signature, number)| (key, *signature, *number))
            .collect();
        are_signed(&signed)
    }

    /// A key whose lanes raise to another exponent.
    fn spoiled(key: &PublicKey, instructions: Instructions) -> PublicKey {
        let spoiled = PublicKey::parse(key.document()).unwrap();
        let operation = PublicOperation::new(instructions, key.document().modulus.as_be_bytes(), 3);
        assert!(
            spoiled.0.lanes.set(operation).is_ok(),
            "a new key has no lanes yet"
        );
        spoiled
    }

    #[test]
    fn a_wrong_result_of_lanes_refuses_no_good_signature_and_is_counted() {
        let key = PrivateKey::generate(512).unwrap();
        let sign = |number: u64| {
            let number = BigInt::from_be_bytes(&number.to_be_bytes());
            let input = number.to_padded_be_bytes(64).unwrap();
            (BigInt::from_be_bytes(&key.raw_sign(&input).unwrap()), number)
        };
        let signed: Vec<(BigInt, BigInt)> = (2..12).map(sign).collect();
        // The last pair is wrong, so neither lanes nor AWS-LC accept it.
        let pairs: Vec<(&BigInt, &BigInt)> = (0..10)
            .map(|place| (&signed[place].0, &signed[place.min(8)].1))
            .collect();
        let expected = [&[true; 9][..], &[false]].concat();
        assert_eq!(signed_by(key.public_key(), &pairs), expected);
        for instructions in [Some(Instructions::PORTABLE), Instructions::detect()]
            .into_iter()
            .flatten()
        {
            let before = lanes::lanes_faults();
            let spoiled = spoiled(key.public_key(), instructions);
            assert_eq!(signed_by(&spoiled, &pairs), expected);
            // The ninth and tenth are too few for lanes.
            assert!(lanes::lanes_faults() - before >= LANES as u64);
        }
    }
}
