//! What a request must be before it may knock at the ledger: blinds that a known key can sign, coins that
//! verify.
//!
//! Everything here is decided from the request and the currency's documents alone. What depends on the books
//! or on the time (spent coins, windows, funds, repeated requests) is the ledger's to decide, in its
//! transaction.

use std::fmt;

use opencoin_crypto::blind_in_range;
use opencoin_keys::{CertifiedMintKey, Currency};
use opencoin_ledger::{BLIND_REFERENCE_BYTES_MAX, Blind, CoinIn, TransactionReference};
use opencoin_schema::{BigInt, Coin, Payload};
use thiserror::Error;

use crate::refusal::{Reason, Refusal};

/// The most blinds of a request, and the most coins.
pub const ITEMS_MAX: usize = 1000;

/// The longest address of a CDD in a coin, in bytes.
pub const CDD_LOCATION_BYTES_MAX: usize = 2048;

/// The longest version of the protocol in a coin, in bytes.
pub const PROTOCOL_VERSION_BYTES_MAX: usize = 256;

/// Coins that are verified in one go: a tenth of a millisecond with keys of 2,048 bits.
const COINS_PER_TURN: usize = 8;

/// The hex digits of a mint key's id, a SHA-1.
const ID_CHARS_MAX: usize = 2 * opencoin_ledger::MINT_KEY_ID_BYTES;

/// Why a request is refused before the books are asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Inadmissible {
    /// More than [`ITEMS_MAX`].
    #[error("{field}: {count} are more than {ITEMS_MAX}; make several requests of it")]
    TooMany {
        /// `blinds` or `coins`.
        field: &'static str,
        /// How many there are.
        count: usize,
    },
    /// A text that is longer than its field may be.
    #[error("{item}.{field}: more than {bytes_max} bytes")]
    TooLong {
        /// Of which item.
        item: Item,
        /// Which field of it.
        field: &'static str,
        /// The limit.
        bytes_max: usize,
    },
    /// No certificate of this issuer names the key.
    #[error("{item}.mint_key_id: unknown mint key {id}")]
    UnknownMintKey {
        /// Of which item.
        item: Item,
        /// What it says, cut to the length of an id.
        id: String,
    },
    /// Not a number that the key signs.
    #[error("blinds[{index}].blinded_payload_hash: not in 2..n-2 of its mint key")]
    BlindOutOfRange {
        /// Which blind.
        index: usize,
    },
    /// A coin of somebody else.
    #[error("coins[{index}].payload.issuer_id: a coin of another issuer")]
    WrongIssuer {
        /// Which coin.
        index: usize,
    },
    /// A coin that its mint key did not sign.
    #[error("coins[{index}].signature: does not verify")]
    BadSignature {
        /// Which coin.
        index: usize,
    },
    /// Not a reference that can be stored.
    #[error("transaction_reference: {0}")]
    Reference(#[from] opencoin_ledger::TransactionReferenceError),
}

/// A part of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// The blind with this index.
    Blind(usize),
    /// The coin with this index.
    Coin(usize),
    /// Its payload.
    Payload(usize),
}

impl fmt::Display for Item {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blind(index) => write!(formatter, "blinds[{index}]"),
            Self::Coin(index) => write!(formatter, "coins[{index}]"),
            Self::Payload(index) => write!(formatter, "coins[{index}].payload"),
        }
    }
}

impl Inadmissible {
    /// The coin that is to blame.
    fn coin(&self) -> Option<usize> {
        match self {
            Self::UnknownMintKey { item, .. } | Self::TooLong { item, .. } => match item {
                Item::Coin(index) | Item::Payload(index) => Some(*index),
                Item::Blind(_) => None,
            },
            Self::WrongIssuer { index } | Self::BadSignature { index } => Some(*index),
            Self::TooMany { .. } | Self::BlindOutOfRange { .. } | Self::Reference(_) => None,
        }
    }
}

impl From<Inadmissible> for Refusal {
    fn from(inadmissible: Inadmissible) -> Self {
        let reason = match inadmissible {
            Inadmissible::TooMany { .. } => Reason::TooLarge,
            Inadmissible::TooLong { .. }
            | Inadmissible::UnknownMintKey { .. }
            | Inadmissible::BlindOutOfRange { .. }
            | Inadmissible::WrongIssuer { .. }
            | Inadmissible::BadSignature { .. }
            | Inadmissible::Reference(_) => Reason::Invalid,
        };
        Self::new(reason, inadmissible.to_string()).about_coins(inadmissible.coin().into_iter().collect())
    }
}

/// The ledger's form of a transaction reference.
pub(crate) fn transaction_reference(reference: &BigInt) -> Result<TransactionReference, Inadmissible> {
    let bytes = reference.as_be_bytes();
    Ok(TransactionReference::new(if bytes.is_empty() {
        &[0][..]
    } else {
        bytes
    })?)
}

/// Checks blinds and gives them the ledger's form.
pub(crate) fn blinds(
    currency: &Currency,
    blinds: &[opencoin_schema::Blind],
) -> Result<Vec<Blind>, Inadmissible> {
    check_count("blinds", blinds.len())?;
    let admit = |(index, blind): (usize, &opencoin_schema::Blind)| {
        check_length(
            Item::Blind(index),
            "reference",
            &blind.reference,
            BLIND_REFERENCE_BYTES_MAX,
        )?;
        let key = known_key(currency, &blind.mint_key_id, Item::Blind(index))?;
        if !blind_in_range(key.verified.public_key(), &blind.blinded_payload_hash) {
            return Err(Inadmissible::BlindOutOfRange { index });
        }
        let blinded = blind.blinded_payload_hash.as_be_bytes().to_vec();
        Ok(Blind {
            reference: blind.reference.clone(),
            mint_key: key.ledger_id,
            blinded,
        })
    };
    blinds.iter().enumerate().map(admit).collect()
}

/// Verifies coins and gives them the ledger's form. One RSA public operation a coin, and after a few of them
/// other requests have their turn: cheaper than another thread, and a large request does not hold up a small
/// one.
pub(crate) async fn coins(currency: &Currency, coins: Vec<Coin>) -> Result<Vec<CoinIn>, Inadmissible> {
    check_count("coins", coins.len())?;
    let mut admitted = Vec::with_capacity(coins.len());
    for (index, coin) in coins.iter().enumerate() {
        if index > 0 && index % COINS_PER_TURN == 0 {
            tokio::task::yield_now().await;
        }
        admitted.push(admit_coin(currency, index, coin)?);
    }
    Ok(admitted)
}

fn admit_coin(currency: &Currency, index: usize, coin: &Coin) -> Result<CoinIn, Inadmissible> {
    let key = payload(currency, index, &coin.payload)?;
    let payload_hash = currency
        .cipher_suite()
        .verify_coin(key.verified.public_key(), coin)
        .map_err(|_| Inadmissible::BadSignature { index })?;
    Ok(CoinIn {
        mint_key: key.ledger_id,
        payload_hash,
    })
}

/// Checks the payload of a coin, and finds its mint key.
pub(crate) fn payload<'currency>(
    currency: &'currency Currency,
    index: usize,
    payload: &Payload,
) -> Result<&'currency CertifiedMintKey, Inadmissible> {
    check_payload(index, payload)?;
    if payload.issuer_id != *currency.issuer_id() {
        return Err(Inadmissible::WrongIssuer { index });
    }
    known_key(currency, &payload.mint_key_id, Item::Payload(index))
}

/// Checks how long the texts of a payload are.
pub(crate) fn check_payload(index: usize, payload: &Payload) -> Result<(), Inadmissible> {
    let item = Item::Payload(index);
    check_length(
        item,
        "cdd_location",
        &payload.cdd_location,
        CDD_LOCATION_BYTES_MAX,
    )?;
    check_length(
        item,
        "protocol_version",
        &payload.protocol_version,
        PROTOCOL_VERSION_BYTES_MAX,
    )
}

pub(crate) fn check_length(
    item: Item,
    field: &'static str,
    text: &str,
    bytes_max: usize,
) -> Result<(), Inadmissible> {
    if text.len() <= bytes_max {
        return Ok(());
    }
    Err(Inadmissible::TooLong {
        item,
        field,
        bytes_max,
    })
}

pub(crate) fn check_count(field: &'static str, count: usize) -> Result<(), Inadmissible> {
    if count > ITEMS_MAX {
        Err(Inadmissible::TooMany { field, count })
    } else {
        Ok(())
    }
}

fn known_key<'currency>(
    currency: &'currency Currency,
    id: &BigInt,
    item: Item,
) -> Result<&'currency CertifiedMintKey, Inadmissible> {
    let unknown = || Inadmissible::UnknownMintKey {
        item,
        id: id.to_string().chars().take(ID_CHARS_MAX).collect(),
    };
    currency.mint_key(id).ok_or_else(unknown)
}
