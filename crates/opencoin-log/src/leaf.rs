//! Leaves: the statements in the log.
//!
//! A leaf is `version || type || body`, with integers in big-endian order and documents in their compact text. A leaf
//! about a coin names only the key and a digest: no account, no time and nothing that ties it to another leaf.

mod close_reason;

use opencoin_schema::{Cddc, Mkc, from_json, text};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::batch::BatchLeaf;
use crate::bundle::ENTRY_BYTES_MAX;
use crate::digest::{DIGEST_BYTES, IssuedDigest, SpentDigest};
use crate::encoding::Reader;
use crate::key::ED25519_KEY_BYTES;
use crate::key_account::{AccountKey, Credit, Introduction, Payment};
use crate::key_no::KeyNo;

pub use close_reason::CloseReason;

/// The length in bytes of a leaf about a coin or a blind.
pub const COIN_LEAF_BYTES: usize = 2 + size_of::<u32>() + DIGEST_BYTES;

/// The first bytes of a leaf about a key account, which no other leaf of a log has: type, key, and the number of the
/// credit or payment.
pub const KEY_ACCOUNT_PREFIX_BYTES_MAX: usize = 2 + ED25519_KEY_BYTES + size_of::<u64>();

const KEY_INTRODUCED_PREFIX_BYTES: usize = 2 + ED25519_KEY_BYTES;

/// The first byte of every leaf.
const VERSION: u8 = 0x01;

const CURRENCY: u8 = 0x01;
const MINT_KEY: u8 = 0x02;
const KEY_CLOSED: u8 = 0x03;
const ISSUED: u8 = 0x10;
const SPENT: u8 = 0x11;
const COIN_RECOUPED: u8 = 0x12;
const BLIND_RECOUPED: u8 = 0x13;
const KEY_INTRODUCED: u8 = 0x20;
const KEY_CREDITED: u8 = 0x21;
const KEY_PAID: u8 = 0x22;
/// Sorts after all others, so the batch leaf is the last one of its batch.
const BATCH: u8 = 0xff;

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaf {
    /// 0x01: the currency has this description from now on.
    Currency(Box<Cddc>),
    /// 0x02: the key may sign once this leaf is under a cosigned checkpoint.
    MintKey {
        /// The key's number in the log.
        key_no: KeyNo,
        /// The key and its dates.
        certificate: Box<Mkc>,
    },
    /// 0x03: nothing more is signed with the key, or accepted of its coins.
    KeyClosed {
        /// The key.
        key_no: KeyNo,
        /// Why.
        reason: CloseReason,
        /// The coins that it ever signed.
        issued: u64,
        /// The coins that ever came back.
        spent: u64,
    },
    /// 0x10: a blinded number was accepted, and is signed after the leaf is durable.
    Issued {
        /// The key that signs.
        key_no: KeyNo,
        /// The blinded number.
        digest: IssuedDigest,
    },
    /// 0x11: a coin came back.
    Spent {
        /// The key of the coin.
        key_no: KeyNo,
        /// The coin.
        digest: SpentDigest,
    },
    /// 0x12: a coin of a revoked key was exchanged at the issuer's expense.
    CoinRecouped {
        /// The revoked key.
        key_no: KeyNo,
        /// The coin.
        digest: SpentDigest,
    },
    /// 0x13: a blind of a revoked key, signed or not, was exchanged at the issuer's expense.
    BlindRecouped {
        /// The revoked key.
        key_no: KeyNo,
        /// The blinded number.
        digest: IssuedDigest,
    },
    /// 0x20: a key has an account from now on.
    KeyIntroduced(Box<Introduction>),
    /// 0x21: the issuer put money on a key account.
    KeyCredited(Box<Credit>),
    /// 0x22: a key account has paid.
    KeyPaid(Box<Payment>),
    /// 0xff: the end of a batch.
    Batch(Box<BatchLeaf>),
}

/// The bytes are not a leaf, or the leaf cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LeafError {
    /// The first byte is another version.
    #[error("a leaf of an unknown version")]
    Version,
    /// The second byte is no known type.
    #[error("a leaf of the unknown type {0:#04x}")]
    Type(u8),
    /// There are too few or too many bytes for the type, or more than an entry can have.
    #[error("a leaf of the wrong length")]
    Length,
    /// A number or a document has a value that it must not have.
    #[error("a leaf with a wrong value")]
    Value,
    /// The text is not the compact text of a document.
    #[error("a leaf whose text is not the compact text of its document")]
    Text,
}

/// A leaf for a blinded number that was accepted.
#[must_use]
pub fn issued_leaf(key_no: KeyNo, digest: &IssuedDigest) -> [u8; COIN_LEAF_BYTES] {
    coin_leaf(ISSUED, key_no, digest.as_bytes())
}

/// A leaf for a coin that came back.
#[must_use]
pub fn spent_leaf(key_no: KeyNo, digest: &SpentDigest) -> [u8; COIN_LEAF_BYTES] {
    coin_leaf(SPENT, key_no, digest.as_bytes())
}

/// A leaf for a coin of a revoked key.
#[must_use]
pub fn coin_recouped_leaf(key_no: KeyNo, digest: &SpentDigest) -> [u8; COIN_LEAF_BYTES] {
    coin_leaf(COIN_RECOUPED, key_no, digest.as_bytes())
}

/// A leaf for a blind of a revoked key.
#[must_use]
pub fn blind_recouped_leaf(key_no: KeyNo, digest: &IssuedDigest) -> [u8; COIN_LEAF_BYTES] {
    coin_leaf(BLIND_RECOUPED, key_no, digest.as_bytes())
}

fn coin_leaf(leaf_type: u8, key_no: KeyNo, digest: &[u8; DIGEST_BYTES]) -> [u8; COIN_LEAF_BYTES] {
    let mut leaf = [0; COIN_LEAF_BYTES];
    leaf[..2].copy_from_slice(&[VERSION, leaf_type]);
    leaf[2..6].copy_from_slice(&key_no.get().to_be_bytes());
    leaf[6..].copy_from_slice(digest);
    leaf
}

/// Whether these bytes are a leaf about a key account, if they are a leaf at all.
#[must_use]
pub const fn is_about_key_account(leaf: &[u8]) -> bool {
    matches!(leaf, [VERSION, KEY_INTRODUCED | KEY_CREDITED | KEY_PAID, ..])
}

/// The first bytes of the leaf that introduces this account.
#[must_use]
pub fn introduced_prefix(key: &AccountKey) -> Vec<u8> {
    [&[VERSION, KEY_INTRODUCED], key.as_bytes().as_slice()].concat()
}

/// The first bytes of the leaf of the account's credit with this number.
#[must_use]
pub fn credited_prefix(key: &AccountKey, number: u64) -> Vec<u8> {
    [
        &[VERSION, KEY_CREDITED],
        key.as_bytes().as_slice(),
        &number.to_be_bytes(),
    ]
    .concat()
}

/// The first bytes of the leaf of the account's payment with this number.
#[must_use]
pub fn paid_prefix(key: &AccountKey, seq: u64) -> Vec<u8> {
    [
        &[VERSION, KEY_PAID],
        key.as_bytes().as_slice(),
        &seq.to_be_bytes(),
    ]
    .concat()
}

impl Leaf {
    /// The bytes of the entry.
    ///
    /// # Errors
    /// A document is too long for an entry, or the keys of a batch leaf are out of order.
    pub fn encode(&self) -> Result<Vec<u8>, LeafError> {
        let bytes = match self {
            Self::Currency(certificate) => [
                &[VERSION, CURRENCY],
                text::compact(certificate.as_ref()).as_bytes(),
            ]
            .concat(),
            Self::MintKey { key_no, certificate } => [
                &[VERSION, MINT_KEY],
                key_no.get().to_be_bytes().as_slice(),
                text::compact(certificate.as_ref()).as_bytes(),
            ]
            .concat(),
            Self::KeyClosed {
                key_no,
                reason,
                issued,
                spent,
            } => [
                &[VERSION, KEY_CLOSED],
                key_no.get().to_be_bytes().as_slice(),
                &[reason.code()],
                &issued.to_be_bytes(),
                &spent.to_be_bytes(),
            ]
            .concat(),
            Self::Issued { key_no, digest } => issued_leaf(*key_no, digest).to_vec(),
            Self::Spent { key_no, digest } => spent_leaf(*key_no, digest).to_vec(),
            Self::CoinRecouped { key_no, digest } => coin_recouped_leaf(*key_no, digest).to_vec(),
            Self::BlindRecouped { key_no, digest } => blind_recouped_leaf(*key_no, digest).to_vec(),
            Self::KeyIntroduced(introduction) => [
                introduced_prefix(&introduction.key),
                introduction.to_text().into_bytes(),
            ]
            .concat(),
            Self::KeyCredited(credit) => [
                credited_prefix(&credit.key, credit.number),
                credit.to_text().into_bytes(),
            ]
            .concat(),
            Self::KeyPaid(payment) => [
                paid_prefix(&payment.order.from, payment.order.seq),
                payment.to_text().into_bytes(),
            ]
            .concat(),
            Self::Batch(batch) if !batch.is_well_formed() => return Err(LeafError::Value),
            Self::Batch(batch) => [&[VERSION, BATCH], batch.to_text().as_bytes()].concat(),
        };
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(LeafError::Length);
        }
        Ok(bytes)
    }

    /// Reads the bytes of an entry.
    ///
    /// # Errors
    /// The bytes are not exactly those that [`encode`](Self::encode) would give.
    pub fn decode(bytes: &[u8]) -> Result<Self, LeafError> {
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(LeafError::Length);
        }
        let mut reader = Reader::new(bytes);
        if reader.u8().ok_or(LeafError::Length)? != VERSION {
            return Err(LeafError::Version);
        }
        match reader.u8().ok_or(LeafError::Length)? {
            CURRENCY => Ok(Self::Currency(Box::new(document(reader.rest())?))),
            MINT_KEY => Ok(Self::MintKey {
                key_no: key_no(&mut reader)?,
                certificate: Box::new(document(reader.rest())?),
            }),
            KEY_CLOSED => key_closed(reader),
            ISSUED => coin(reader, |key_no, digest| Self::Issued {
                key_no,
                digest: IssuedDigest::new(digest),
            }),
            SPENT => coin(reader, |key_no, digest| Self::Spent {
                key_no,
                digest: SpentDigest::new(digest),
            }),
            COIN_RECOUPED => coin(reader, |key_no, digest| Self::CoinRecouped {
                key_no,
                digest: SpentDigest::new(digest),
            }),
            BLIND_RECOUPED => coin(reader, |key_no, digest| Self::BlindRecouped {
                key_no,
                digest: IssuedDigest::new(digest),
            }),
            KEY_INTRODUCED => statement(bytes, KEY_INTRODUCED_PREFIX_BYTES, |text| {
                Introduction::from_text(text).map(|read| Self::KeyIntroduced(Box::new(read)))
            }),
            KEY_CREDITED => statement(bytes, KEY_ACCOUNT_PREFIX_BYTES_MAX, |text| {
                Credit::from_text(text).map(|read| Self::KeyCredited(Box::new(read)))
            }),
            KEY_PAID => statement(bytes, KEY_ACCOUNT_PREFIX_BYTES_MAX, |text| {
                Payment::from_text(text).map(|read| Self::KeyPaid(Box::new(read)))
            }),
            BATCH => {
                let text = reader.rest();
                let batch = BatchLeaf::from_text(text).ok_or(LeafError::Text)?;
                if batch.to_text().as_bytes() == text {
                    Ok(Self::Batch(Box::new(batch)))
                } else {
                    Err(LeafError::Text)
                }
            }
            other => Err(LeafError::Type(other)),
        }
    }
}

/// Reads a statement about a key account, whose text repeats what is in the bytes before it.
fn statement(
    bytes: &[u8],
    prefix_bytes: usize,
    read: impl FnOnce(&[u8]) -> Option<Leaf>,
) -> Result<Leaf, LeafError> {
    let text = bytes.get(prefix_bytes..).ok_or(LeafError::Length)?;
    let leaf = read(text).ok_or(LeafError::Text)?;
    if leaf.encode()? == bytes {
        Ok(leaf)
    } else {
        Err(LeafError::Value)
    }
}

fn key_no(reader: &mut Reader<'_>) -> Result<KeyNo, LeafError> {
    let number = reader.u32().ok_or(LeafError::Length)?;
    KeyNo::new(number).ok_or(LeafError::Value)
}

fn key_closed(mut reader: Reader<'_>) -> Result<Leaf, LeafError> {
    let key_no = key_no(&mut reader)?;
    let code = reader.u8().ok_or(LeafError::Length)?;
    let reason = CloseReason::of_code(code).ok_or(LeafError::Value)?;
    let issued = reader.u64().ok_or(LeafError::Length)?;
    let spent = reader.u64().ok_or(LeafError::Length)?;
    if !reader.rest().is_empty() {
        return Err(LeafError::Length);
    }
    Ok(Leaf::KeyClosed {
        key_no,
        reason,
        issued,
        spent,
    })
}

fn coin(
    mut reader: Reader<'_>,
    leaf: impl FnOnce(KeyNo, [u8; DIGEST_BYTES]) -> Leaf,
) -> Result<Leaf, LeafError> {
    let key_no = key_no(&mut reader)?;
    let digest = reader.array().ok_or(LeafError::Length)?;
    if !reader.rest().is_empty() {
        return Err(LeafError::Length);
    }
    Ok(leaf(key_no, digest))
}

/// Reads a document whose text must be the compact one.
fn document<D: Serialize + DeserializeOwned>(json: &[u8]) -> Result<D, LeafError> {
    let document = from_json(json).map_err(|_| LeafError::Text)?;
    if text::compact(&document).as_bytes() == json {
        Ok(document)
    } else {
        Err(LeafError::Text)
    }
}
