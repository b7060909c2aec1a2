//! A request as it is counted: a hash and a number of blinds for each of its mint keys.

use std::collections::BTreeMap;

use opencoin_crypto::BlindToSign;
use opencoin_ledger::{MintKeyId, MintKeyIdError, TransactionReference};
use sha2::{Digest, Sha256};

/// Bytes of a [`TransactionHash`].
pub(super) const HASH_BYTES: usize = 16;

/// Separates the hash from every other use of SHA-256.
const DOMAIN: &[u8] = b"opencoin signer: transaction of a mint key\0";

/// The hash of what a mint key signs in a transaction: the reference *and* the numbers. If the numbers of a signed
/// transaction are changed in the books, this is another transaction, which is counted.
///
/// It is a truncated SHA-256. Signing two transactions with one count takes a collision, which needs 2^64 attempts.
pub(super) type TransactionHash = [u8; HASH_BYTES];

/// The part of a transaction that a mint key signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyPart {
    pub(super) key: MintKeyId,
    pub(super) hash: TransactionHash,
    pub(super) blinds: u64,
}

/// Splits a transaction by mint key, in the order of the keys.
///
/// # Errors
/// When an identifier has the wrong length.
pub(crate) fn key_parts(
    reference: &TransactionReference,
    blinds: &[BlindToSign],
) -> Result<Vec<KeyPart>, MintKeyIdError> {
    let mut parts: BTreeMap<MintKeyId, (Sha256, u64)> = BTreeMap::new();
    for blind in blinds {
        let key = MintKeyId::from_be_bytes(blind.mint_key_id.as_be_bytes())?;
        let (hash, count) = parts.entry(key).or_insert_with(|| (begin(reference, &key), 0));
        update(hash, blind.blinded.as_be_bytes());
        *count += 1;
    }
    let part = |(key, (hash, blinds)): (MintKeyId, (Sha256, u64))| {
        let hash = *hash.finalize().first_chunk().expect("SHA-256 is longer");
        KeyPart { key, hash, blinds }
    };
    Ok(parts.into_iter().map(part).collect())
}

fn begin(reference: &TransactionReference, key: &MintKeyId) -> Sha256 {
    let mut hash = Sha256::new_with_prefix(DOMAIN);
    hash.update(key.as_bytes());
    update(&mut hash, reference.as_bytes());
    hash
}

/// Hashes the length too, so that a concatenation cannot be split in two ways.
fn update(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

#[cfg(test)]
mod tests {
    use opencoin_schema::BigInt;

    use super::*;

    fn parts(reference: &[u8], blinds: &[(u8, &[u8])]) -> Vec<KeyPart> {
        let number = BigInt::from_be_bytes;
        let blind = |(key, blinded): &(u8, &[u8])| BlindToSign {
            mint_key_id: number(&[*key]),
            blinded: number(blinded),
        };
        key_parts(
            &TransactionReference::new(reference).unwrap(),
            &blinds.iter().map(blind).collect::<Vec<_>>(),
        )
        .unwrap()
    }

    #[test]
    fn each_key_has_its_part() {
        let parts = parts(b"r", &[(2, &[1]), (1, &[2]), (2, &[3])]);
        assert_eq!(
            parts
                .iter()
                .map(|part| (part.key.as_bytes()[19], part.blinds))
                .collect::<Vec<_>>(),
            [(1, 1), (2, 2)]
        );
        assert_ne!(parts[0].hash, parts[1].hash);
    }

    #[test]
    fn the_hash_depends_on_reference_key_and_numbers() {
        let one = |reference: &[u8], blinds: &[(u8, &[u8])]| parts(reference, blinds)[0].hash;
        let hash = one(b"r", &[(1, &[1, 2]), (1, &[3])]);
        assert_eq!(
            hash,
            one(b"r", &[(1, &[1, 2]), (1, &[3]), (2, &[9])]),
            "another key's blinds are another part"
        );
        for other in [
            one(b"s", &[(1, &[1, 2]), (1, &[3])]),
            one(b"r", &[(2, &[1, 2]), (2, &[3])]),
            one(b"r", &[(1, &[1]), (1, &[2, 3])]),
            one(b"r", &[(1, &[3]), (1, &[1, 2])]),
            one(b"r", &[(1, &[1, 2])]),
            one(b"r\x01", &[(1, &[2]), (1, &[3])]),
        ] {
            assert_ne!(hash, other);
        }
    }
}
