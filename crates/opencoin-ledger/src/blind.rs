//! Blinds that wait for their signature, and the bytes in which a transaction keeps them.
//!
//! The stored form is version 1: the version, the number of mint keys and their ids, the number of blinds, then for each
//! blind the index of its key, its reference and its number, lengths before contents. Integers are big-endian. A mint key
//! is written once, whatever the number of blinds, because a large request uses few keys.

use std::collections::HashMap;
use std::fmt;

use crate::MintKeyId;
use crate::mint_key::MINT_KEY_ID_BYTES;

const VERSION: u8 = 1;

/// One number to sign: what a wallet sends as `blind`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Blind {
    /// The wallet's name for it, unique in its request.
    pub reference: String,
    /// Which key is to sign.
    pub mint_key: MintKeyId,
    /// The blinded payload hash, a big-endian number.
    pub blinded: Vec<u8>,
}

impl fmt::Debug for Blind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blind").field("mint_key", &self.mint_key).finish_non_exhaustive()
    }
}

/// Stored blinds that cannot be read: written by a newer version, or damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoredBlindsError {
    /// Another version of the format.
    #[error("stored blinds have version {0}, known is {VERSION}")]
    Version(u8),
    /// The bytes end early, go on too long, or contradict themselves.
    #[error("stored blinds are damaged")]
    Damaged,
}

/// Writes blinds as a transaction stores them.
///
/// # Panics
/// When a count or length is above 2^32: such a request cannot have been read.
#[must_use]
pub fn encode_blinds(blinds: &[Blind]) -> Vec<u8> {
    let mut keys: Vec<MintKeyId> = Vec::new();
    let mut key_indices: HashMap<MintKeyId, usize> = HashMap::new();
    for blind in blinds {
        key_indices.entry(blind.mint_key).or_insert_with(|| {
            keys.push(blind.mint_key);
            keys.len() - 1
        });
    }
    let contents: usize = blinds.iter().map(|blind| 12 + blind.reference.len() + blind.blinded.len()).sum();
    let mut bytes = Vec::with_capacity(9 + keys.len() * MINT_KEY_ID_BYTES + contents);
    bytes.push(VERSION);
    put_count(&mut bytes, keys.len());
    keys.iter().for_each(|key| bytes.extend_from_slice(key.as_bytes()));
    put_count(&mut bytes, blinds.len());
    for blind in blinds {
        put_count(&mut bytes, key_indices[&blind.mint_key]);
        put_count(&mut bytes, blind.reference.len());
        bytes.extend_from_slice(blind.reference.as_bytes());
        put_count(&mut bytes, blind.blinded.len());
        bytes.extend_from_slice(&blind.blinded);
    }
    bytes
}

/// Reads blinds that [`encode_blinds`] wrote.
///
/// # Errors
/// The bytes are of another version or damaged; every byte must be accounted for.
pub fn decode_blinds(bytes: &[u8]) -> Result<Vec<Blind>, StoredBlindsError> {
    let mut blinds = Vec::new();
    for_each_blind(bytes, |mint_key, reference, blinded| {
        blinds.push(Blind { reference: reference.to_owned(), mint_key, blinded: blinded.to_vec() });
    })?;
    Ok(blinds)
}

/// Counts stored blinds by mint key, without keeping them: what an audit compares with the counters of the keys.
///
/// # Errors
/// As [`decode_blinds`].
pub fn count_blinds(bytes: &[u8]) -> Result<Vec<(MintKeyId, u64)>, StoredBlindsError> {
    let mut counts: Vec<(MintKeyId, u64)> = Vec::new();
    for_each_blind(bytes, |mint_key, _, _| match counts.iter_mut().find(|(key, _)| *key == mint_key) {
        Some((_, count)) => *count += 1,
        None => counts.push((mint_key, 1)),
    })?;
    Ok(counts)
}

fn for_each_blind(mut bytes: &[u8], mut visit: impl FnMut(MintKeyId, &str, &[u8])) -> Result<(), StoredBlindsError> {
    let rest = &mut bytes;
    match take(rest, 1)? {
        [VERSION] => {}
        [other] => return Err(StoredBlindsError::Version(*other)),
        _ => return Err(StoredBlindsError::Damaged),
    }
    let key_count = take_count(rest)?;
    let key_bytes = key_count.checked_mul(MINT_KEY_ID_BYTES).ok_or(StoredBlindsError::Damaged)?;
    let (keys, remainder) = take(rest, key_bytes)?.as_chunks::<MINT_KEY_ID_BYTES>();
    debug_assert!(remainder.is_empty(), "a whole number of keys was taken");
    for _ in 0..take_count(rest)? {
        let key = keys.get(take_count(rest)?).ok_or(StoredBlindsError::Damaged)?;
        let reference_bytes = take_count(rest)?;
        let reference = str::from_utf8(take(rest, reference_bytes)?).map_err(|_| StoredBlindsError::Damaged)?;
        let blinded_bytes = take_count(rest)?;
        visit(MintKeyId::new(*key), reference, take(rest, blinded_bytes)?);
    }
    if rest.is_empty() { Ok(()) } else { Err(StoredBlindsError::Damaged) }
}

fn put_count(bytes: &mut Vec<u8>, count: usize) {
    let count = u32::try_from(count).expect("requests are far shorter than 4 GiB");
    bytes.extend_from_slice(&count.to_be_bytes());
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], StoredBlindsError> {
    rest.split_off(..count).ok_or(StoredBlindsError::Damaged)
}

fn take_count(rest: &mut &[u8]) -> Result<usize, StoredBlindsError> {
    let (count, after) = rest.split_first_chunk::<4>().ok_or(StoredBlindsError::Damaged)?;
    *rest = after;
    usize::try_from(u32::from_be_bytes(*count)).map_err(|_| StoredBlindsError::Damaged)
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

    proptest! {
        #[test]
        fn what_was_written_is_read(blinds in vec(blind(), 0..20)) {
            let bytes = encode_blinds(&blinds);
            prop_assert_eq!(decode_blinds(&bytes).unwrap(), blinds.clone());
            for (key, count) in count_blinds(&bytes).unwrap() {
                prop_assert_eq!(blinds.iter().filter(|blind| blind.mint_key == key).count() as u64, count);
            }
        }

        #[test]
        fn a_cut_or_lengthened_text_is_refused(blinds in vec(blind(), 0..6), cut in any::<prop::sample::Index>()) {
            let mut bytes = encode_blinds(&blinds);
            prop_assert!(decode_blinds(&bytes[..cut.index(bytes.len())]).is_err());
            bytes.push(0);
            prop_assert_eq!(decode_blinds(&bytes), Err(StoredBlindsError::Damaged));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
            let _ = decode_blinds(&bytes);
            let mut versioned = vec![VERSION];
            versioned.extend(bytes);
            let _ = decode_blinds(&versioned);
        }
    }

    #[test]
    fn another_version_is_named() {
        assert_eq!(decode_blinds(&[9, 0]), Err(StoredBlindsError::Version(9)));
        assert_eq!(decode_blinds(&[]), Err(StoredBlindsError::Damaged));
    }

    #[test]
    fn a_blind_is_not_printed() {
        let blind = Blind { reference: "a0".into(), mint_key: MintKeyId::new([1; 20]), blinded: vec![0x5e; 4] };
        let text = format!("{blind:?}");
        assert!(!text.contains("a0") && !text.contains("5e") && !text.contains("94"), "{text}");
    }
}
