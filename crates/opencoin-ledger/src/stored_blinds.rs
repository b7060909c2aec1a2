//! The encoding of a transaction's stored blinds.
//!
//! Version 1, for fresh transactions, has only blinded numbers:
//!
//! - the version, in one byte
//! - the number of mint keys, and their ids; each key is written once, because a large request uses few keys
//! - the number of blinds, and for each the index of its key, the length of its reference, the reference,
//!   the length of its number and the number
//!
//! Counts, indices and lengths are unsigned LEB128: seven bits a byte, the lowest first, and the highest bit
//! of a byte says that another follows. These bytes are by far the most in the books, so each one counts.
//! Version 2 has a byte before the length of each number: 0 for a blinded number, 1 for a signature. It has at
//! least one signature, and counts have no superfluous bytes, so blinds have only one encoding, and stored
//! bytes can be compared.

use std::collections::HashMap;

use crate::mint_key::MINT_KEY_ID_BYTES;
use crate::{Blind, MintKeyId, StoredBlind, StoredNumber};

const BLINDED_ALONE: u8 = 1;
const WITH_SIGNATURES: u8 = 2;

/// The bits of a count in one byte, and the bit that says that another byte follows.
const COUNT_BITS: u32 = 7;
const MORE: u8 = 1 << COUNT_BITS;

/// Usually enough for the index, the tag and the lengths of a blind.
const BLIND_OVERHEAD_BYTES: usize = 8;

const BLINDED: u8 = 0;
const SIGNATURE: u8 = 1;

/// Why stored blinds cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoredBlindsError {
    /// They have another version, probably from a newer program.
    #[error("stored blinds have the unknown version {0}; update the program")]
    Version(u8),
    /// The bytes are too short or too long, or a value is not valid.
    #[error("stored blinds are damaged")]
    Damaged,
}

/// Encodes the blinds of a fresh transaction, in version 1.
///
/// # Panics
/// A count or length is 2^32 or more. No request is that large.
#[must_use]
pub fn encode_blinds(blinds: &[Blind]) -> Vec<u8> {
    let item = |blind: &Blind| (blind.mint_key, BLINDED);
    encode(BLINDED_ALONE, blinds, item, |blind| {
        (&blind.reference, &blind.blinded)
    })
}

/// Encodes blinds, some of which may be replaced by signatures. The inverse of [`decode_blinds`].
///
/// # Panics
/// As [`encode_blinds`].
#[must_use]
pub fn encode_stored_blinds(blinds: &[StoredBlind]) -> Vec<u8> {
    let is_signed = |blind: &StoredBlind| matches!(blind.number, StoredNumber::Signature(_));
    let version = if blinds.iter().any(is_signed) {
        WITH_SIGNATURES
    } else {
        BLINDED_ALONE
    };
    let item = |blind: &StoredBlind| (blind.mint_key, if is_signed(blind) { SIGNATURE } else { BLINDED });
    encode(version, blinds, item, |blind| match &blind.number {
        StoredNumber::Blinded(number) | StoredNumber::Signature(number) => (&blind.reference, number),
    })
}

/// Decodes stored blinds.
///
/// # Errors
/// The bytes have another version or are damaged. No bytes may follow the last blind.
pub fn decode_blinds(bytes: &[u8]) -> Result<Vec<StoredBlind>, StoredBlindsError> {
    let mut blinds = Vec::new();
    for_each_blind(bytes, |mint_key, reference, is_signed, number| {
        let number = if is_signed {
            StoredNumber::Signature(number.to_vec())
        } else {
            StoredNumber::Blinded(number.to_vec())
        };
        blinds.push(StoredBlind {
            reference: reference.to_owned(),
            mint_key,
            number,
        });
    })?;
    Ok(blinds)
}

/// Counts stored blinds by mint key, signed or not, without copying them. An audit compares the counts with
/// the counters of the keys.
///
/// # Errors
/// As [`decode_blinds`].
pub fn count_blinds(bytes: &[u8]) -> Result<Vec<(MintKeyId, u64)>, StoredBlindsError> {
    let mut counts: Vec<(MintKeyId, u64)> = Vec::new();
    for_each_blind(bytes, |mint_key, _, _, _| {
        match counts.iter_mut().find(|(key, _)| *key == mint_key) {
            Some((_, count)) => *count += 1,
            None => counts.push((mint_key, 1)),
        }
    })?;
    Ok(counts)
}

/// Encodes blinds of any type. `key_and_tag` and `reference_and_number` return the parts of a blind.
fn encode<B>(
    version: u8,
    blinds: &[B],
    key_and_tag: impl Fn(&B) -> (MintKeyId, u8),
    reference_and_number: impl Fn(&B) -> (&String, &Vec<u8>),
) -> Vec<u8> {
    let mut keys: Vec<MintKeyId> = Vec::new();
    let mut places: HashMap<MintKeyId, usize> = HashMap::new();
    let mut key_indices: Vec<usize> = Vec::with_capacity(blinds.len());
    for (mint_key, _) in blinds.iter().map(&key_and_tag) {
        // The blinds of one key usually follow each other.
        let index = key_indices
            .last()
            .copied()
            .filter(|index| keys[*index] == mint_key);
        key_indices.push(index.unwrap_or_else(|| {
            *places.entry(mint_key).or_insert_with(|| {
                keys.push(mint_key);
                keys.len() - 1
            })
        }));
    }
    let contents = blinds
        .iter()
        .map(&reference_and_number)
        .map(|(reference, number)| BLIND_OVERHEAD_BYTES + reference.len() + number.len());
    let mut bytes =
        Vec::with_capacity(BLIND_OVERHEAD_BYTES + keys.len() * MINT_KEY_ID_BYTES + contents.sum::<usize>());
    bytes.push(version);
    put_count(&mut bytes, keys.len());
    keys.iter()
        .for_each(|key| bytes.extend_from_slice(key.as_bytes()));
    put_count(&mut bytes, blinds.len());
    for (blind, key_index) in blinds.iter().zip(key_indices) {
        let ((_, tag), (reference, number)) = (key_and_tag(blind), reference_and_number(blind));
        put_count(&mut bytes, key_index);
        put_count(&mut bytes, reference.len());
        bytes.extend_from_slice(reference.as_bytes());
        if version == WITH_SIGNATURES {
            bytes.push(tag);
        }
        put_count(&mut bytes, number.len());
        bytes.extend_from_slice(number);
    }
    bytes
}

/// Calls `visit` for each blind with its mint key, reference, whether its number is a signature, and the
/// number.
fn for_each_blind(
    mut bytes: &[u8],
    mut visit: impl FnMut(MintKeyId, &str, bool, &[u8]),
) -> Result<(), StoredBlindsError> {
    let rest = &mut bytes;
    let tagged = match take(rest, 1)? {
        [BLINDED_ALONE] => false,
        [WITH_SIGNATURES] => true,
        [other] => return Err(StoredBlindsError::Version(*other)),
        _ => return Err(StoredBlindsError::Damaged),
    };
    let key_count = take_count(rest)?;
    let key_bytes = key_count
        .checked_mul(MINT_KEY_ID_BYTES)
        .ok_or(StoredBlindsError::Damaged)?;
    let (keys, remainder) = take(rest, key_bytes)?.as_chunks::<MINT_KEY_ID_BYTES>();
    debug_assert!(remainder.is_empty(), "a whole number of keys was taken");
    let mut signatures = 0_usize;
    for _ in 0..take_count(rest)? {
        let key = keys.get(take_count(rest)?).ok_or(StoredBlindsError::Damaged)?;
        let reference_bytes = take_count(rest)?;
        let reference =
            str::from_utf8(take(rest, reference_bytes)?).map_err(|_| StoredBlindsError::Damaged)?;
        let is_signed = tagged && take_tag(rest)?;
        signatures += usize::from(is_signed);
        let number_bytes = take_count(rest)?;
        visit(
            MintKeyId::new(*key),
            reference,
            is_signed,
            take(rest, number_bytes)?,
        );
    }
    if rest.is_empty() && tagged == (signatures > 0) {
        Ok(())
    } else {
        Err(StoredBlindsError::Damaged)
    }
}

fn put_count(bytes: &mut Vec<u8>, count: usize) {
    let mut count = u32::try_from(count).expect("requests are far shorter than 4 GiB");
    while count >= 1 << COUNT_BITS {
        bytes.push(count as u8 | MORE); // the lowest bits
        count >>= COUNT_BITS;
    }
    bytes.push(count as u8); // less than 2^7
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], StoredBlindsError> {
    rest.split_off(..count).ok_or(StoredBlindsError::Damaged)
}

fn take_count(rest: &mut &[u8]) -> Result<usize, StoredBlindsError> {
    let mut count = 0_u64;
    for shift in (0..u32::BITS).step_by(COUNT_BITS as usize) {
        let [byte] = *take(rest, 1)? else {
            return Err(StoredBlindsError::Damaged);
        };
        count |= u64::from(byte & !MORE) << shift;
        if byte & MORE == 0 {
            let is_shortest = byte > 0 || shift == 0;
            let count = u32::try_from(count).ok().filter(|_| is_shortest);
            return count
                .and_then(|count| usize::try_from(count).ok())
                .ok_or(StoredBlindsError::Damaged);
        }
    }
    Err(StoredBlindsError::Damaged)
}

/// Reads a tag and returns whether a signature follows.
fn take_tag(rest: &mut &[u8]) -> Result<bool, StoredBlindsError> {
    match take(rest, 1)? {
        [BLINDED] => Ok(false),
        [SIGNATURE] => Ok(true),
        _ => Err(StoredBlindsError::Damaged),
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn blind()(reference in ".{0,12}", key in 0_u8..4, blinded in vec(any::<u8>(), 0..40)) -> Blind {
            Blind { reference, mint_key: MintKeyId::new([key; MINT_KEY_ID_BYTES]), blinded }
        }
    }

    prop_compose! {
        fn stored()(blind in blind(), is_signed in any::<bool>()) -> StoredBlind {
            let Blind { reference, mint_key, blinded } = blind;
            let number = if is_signed { StoredNumber::Signature(blinded) } else { StoredNumber::Blinded(blinded) };
            StoredBlind { reference, mint_key, number }
        }
    }

    proptest! {
        #[test]
        fn fresh_blinds_are_decoded_and_encoded_again(blinds in vec(blind(), 0..20)) {
            let bytes = encode_blinds(&blinds);
            prop_assert_eq!(bytes[0], 1);
            let stored: Vec<_> = blinds.into_iter().map(StoredBlind::from).collect();
            prop_assert_eq!(&decode_blinds(&bytes).unwrap(), &stored);
            prop_assert_eq!(encode_stored_blinds(&stored), bytes);
        }

        #[test]
        fn stored_blinds_are_decoded_and_counted(blinds in vec(stored(), 0..20)) {
            let bytes = encode_stored_blinds(&blinds);
            prop_assert_eq!(&decode_blinds(&bytes).unwrap(), &blinds);
            for (key, count) in count_blinds(&bytes).unwrap() {
                prop_assert_eq!(blinds.iter().filter(|blind| blind.mint_key == key).count() as u64, count);
            }
        }

        #[test]
        fn missing_or_extra_bytes_are_refused(blinds in vec(stored(), 0..6), cut in any::<prop::sample::Index>()) {
            let mut bytes = encode_stored_blinds(&blinds);
            prop_assert!(decode_blinds(&bytes[..cut.index(bytes.len())]).is_err());
            bytes.push(0);
            prop_assert_eq!(decode_blinds(&bytes), Err(StoredBlindsError::Damaged));
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(version in 0_u8..4, bytes in vec(any::<u8>(), 0..200)) {
            let mut versioned = vec![version];
            versioned.extend(bytes);
            if let Ok(blinds) = decode_blinds(&versioned) {
                prop_assert_eq!(decode_blinds(&encode_stored_blinds(&blinds)), Ok(blinds));
            }
        }
    }

    #[test]
    fn an_unknown_version_is_an_error() {
        assert_eq!(decode_blinds(&[9, 0]), Err(StoredBlindsError::Version(9)));
        assert_eq!(decode_blinds(&[]), Err(StoredBlindsError::Damaged));
    }

    #[test]
    fn counts_have_one_encoding() {
        for (count, expected) in [
            (0, &[0][..]),
            (127, &[0x7f]),
            (128, &[0x80, 1]),
            (300, &[0xac, 2]),
            (u32::MAX as usize, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        ] {
            let mut bytes = Vec::new();
            put_count(&mut bytes, count);
            assert_eq!(bytes, expected);
            assert_eq!(take_count(&mut &bytes[..]), Ok(count));
        }
        for damaged in [
            &[0x80, 0][..],
            &[0xff, 0xff, 0xff, 0xff, 0x1f],
            &[0x80, 0x80, 0x80, 0x80, 0x80, 1],
            &[0x80],
            &[],
        ] {
            assert_eq!(take_count(&mut &damaged[..]), Err(StoredBlindsError::Damaged));
        }
    }

    #[test]
    fn version_2_without_a_signature_or_with_an_unknown_tag_is_damaged() {
        let signed = StoredBlind {
            reference: "a".into(),
            mint_key: MintKeyId::new([1; MINT_KEY_ID_BYTES]),
            number: StoredNumber::Signature(vec![7]),
        };
        let bytes = encode_stored_blinds(&[signed]);
        let tag = bytes.len() - 3;
        assert_eq!((bytes[0], bytes[tag]), (2, 1));
        for other in [0, 2] {
            let mut bytes = bytes.clone();
            bytes[tag] = other;
            assert_eq!(decode_blinds(&bytes), Err(StoredBlindsError::Damaged));
        }
    }
}
