//! Checks of a request before it goes to the ledger: known mint keys, numbers in range, signatures of coins.
//!
//! These checks need only the request and the currency's documents. The ledger decides in its transaction what
//! depends on the books or the time: spent coins, windows, funds, repeated requests.

use std::fmt;

use opencoin_crypto::blind_in_range;
use opencoin_keys::{CertifiedMintKey, Currency};
use opencoin_ledger::{BLIND_REFERENCE_BYTES_MAX, Blind, CoinIn, SpentDigest, TransactionReference};
use opencoin_schema::{BigInt, Coin, Payload};
use thiserror::Error;

use crate::refusal::{Reason, Refusal};

/// The most blinds of a request, and the most coins.
pub const ITEMS_MAX: usize = 1000;

/// The longest address of a CDD in a coin, in bytes.
pub const CDD_LOCATION_BYTES_MAX: usize = 2048;

/// The longest version of the protocol in a coin, in bytes.
pub const PROTOCOL_VERSION_BYTES_MAX: usize = 256;

/// Coins that are verified before other tasks get a turn: some tenths of a millisecond with keys of 2,048 bits, or half
/// a tenth in lanes.
const COINS_PER_TURN: usize = 16;

/// The hex digits of a mint key's id, a SHA-1.
const ID_CHARS_MAX: usize = 2 * opencoin_ledger::MINT_KEY_ID_BYTES;

/// Why a request is refused before it reaches the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Inadmissible {
    /// More than [`ITEMS_MAX`] items.
    #[error("{field}: {count} are more than {ITEMS_MAX}; split the request")]
    TooMany {
        /// The field of the request.
        field: &'static str,
        /// The number of items.
        count: usize,
    },
    /// A text is too long.
    #[error("{item}.{field}: more than {bytes_max} bytes")]
    TooLong {
        /// The item with the text.
        item: Item,
        /// The field of the item.
        field: &'static str,
        /// The limit in bytes.
        bytes_max: usize,
    },
    /// No certificate of this issuer names the key.
    #[error("{item}.mint_key_id: unknown mint key {id}")]
    UnknownMintKey {
        /// The item that names the key.
        item: Item,
        /// The id, cut to the length of a valid one.
        id: String,
    },
    /// The number is outside the range of its mint key.
    #[error("blinds[{index}].blinded_payload_hash: not in 2..n-2 of its mint key")]
    BlindOutOfRange {
        /// The index of the blind.
        index: usize,
    },
    /// The coin is of another issuer.
    #[error("coins[{index}].payload.issuer_id: a coin of another issuer")]
    WrongIssuer {
        /// The index of the coin.
        index: usize,
    },
    /// The signature of the coin does not verify.
    #[error("coins[{index}].signature: does not verify")]
    BadSignature {
        /// The index of the coin.
        index: usize,
    },
    /// The transaction reference is too long.
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
    /// The index of the wrong coin.
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

/// Converts a transaction reference to the ledger's type.
pub(crate) fn transaction_reference(reference: &BigInt) -> Result<TransactionReference, Inadmissible> {
    let bytes = reference.as_be_bytes();
    Ok(TransactionReference::new(if bytes.is_empty() {
        &[0][..]
    } else {
        bytes
    })?)
}

/// Checks blinds and converts them to the ledger's type.
pub(crate) fn blinds(
    currency: &Currency,
    blinds: &[opencoin_schema::Blind],
) -> Result<Vec<Blind>, Inadmissible> {
    check_count("blinds", blinds.len())?;
    let mut keys = KnownKeys::new(currency);
    let admit = |(index, blind): (usize, &opencoin_schema::Blind)| {
        check_length(
            Item::Blind(index),
            "reference",
            &blind.reference,
            BLIND_REFERENCE_BYTES_MAX,
        )?;
        let key = keys.find(&blind.mint_key_id, Item::Blind(index))?;
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

/// Verifies coins and converts them to the ledger's type. Coins of one key are verified together, which takes less time.
/// After a few coins it yields to other tasks, which is cheaper than another thread and keeps a large request from
/// delaying small ones.
pub(crate) async fn coins(currency: &Currency, coins: Vec<Coin>) -> Result<Vec<CoinIn>, Inadmissible> {
    check_count("coins", coins.len())?;
    let mut known = KnownKeys::new(currency);
    let keys = coins
        .iter()
        .enumerate()
        .map(|(index, coin)| payload(&mut known, index, &coin.payload))
        .collect::<Result<Vec<_>, _>>()?;
    let mut by_key: Vec<usize> = (0..coins.len()).collect();
    by_key.sort_by_key(|index| keys[*index].ledger_id);

    let mut admitted = vec![None; coins.len()];
    for (turn, places) in by_key.chunks(COINS_PER_TURN).enumerate() {
        if turn > 0 {
            tokio::task::yield_now().await;
        }
        let pairs: Vec<_> = places
            .iter()
            .map(|index| (keys[*index].verified.public_key(), &coins[*index]))
            .collect();
        let results = currency.cipher_suite().verify_coins(&pairs);
        for (index, payload_hash) in places.iter().zip(results) {
            let key = keys[*index];
            admitted[*index] = payload_hash.ok().map(|payload_hash| CoinIn {
                mint_key: key.ledger_id,
                spent_digest: SpentDigest::of(key.identity.fingerprint(), &payload_hash),
            });
        }
    }
    let admitted = admitted.into_iter().enumerate();
    admitted
        .map(|(index, coin)| coin.ok_or(Inadmissible::BadSignature { index }))
        .collect()
}

/// Checks the payload of a coin and returns its mint key.
pub(crate) fn payload<'currency>(
    keys: &mut KnownKeys<'currency>,
    index: usize,
    payload: &Payload,
) -> Result<&'currency CertifiedMintKey, Inadmissible> {
    check_payload(index, payload)?;
    if payload.issuer_id != *keys.currency.issuer_id() {
        return Err(Inadmissible::WrongIssuer { index });
    }
    keys.find(&payload.mint_key_id, Item::Payload(index))
}

/// Checks the lengths of the texts in a payload.
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

/// Finds the mint keys of a request's items. Those of one key usually follow each other, so the key that was found last
/// is tried first.
pub(crate) struct KnownKeys<'currency> {
    currency: &'currency Currency,
    last: Option<&'currency CertifiedMintKey>,
}

impl<'currency> KnownKeys<'currency> {
    pub(crate) fn new(currency: &'currency Currency) -> Self {
        Self { currency, last: None }
    }

    fn find(&mut self, id: &BigInt, item: Item) -> Result<&'currency CertifiedMintKey, Inadmissible> {
        let unknown = || Inadmissible::UnknownMintKey {
            item,
            id: id.to_string().chars().take(ID_CHARS_MAX).collect(),
        };
        let last = self.last.filter(|key| key.verified.mint_key().id == *id);
        self.last = last.or_else(|| self.currency.mint_key(id));
        self.last.ok_or_else(unknown)
    }
}
