//! What a request must be before it may knock at the ledger: blinds that a known key can sign, coins that
//! verify.
//!
//! Everything here is decided from the request and the currency's documents alone. What depends on the books
//! or on the time (spent coins, windows, funds, repeated requests) is the ledger's to decide, in its
//! transaction.

use opencoin_crypto::blind_in_range;
use opencoin_keys::{CertifiedMintKey, Currency};
use opencoin_ledger::{Blind, CoinIn, PayloadHash, TransactionReference};
use opencoin_schema::{BigInt, Coin};
use thiserror::Error;

use crate::refusal::{Reason, Refusal};

/// The most blinds of a request, and the most coins.
pub const ITEMS_MAX: usize = 1000;

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
    /// No certificate of this issuer names the key.
    #[error("{path}: unknown mint key {id}")]
    UnknownMintKey {
        /// The field.
        path: String,
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

impl From<Inadmissible> for Refusal {
    fn from(inadmissible: Inadmissible) -> Self {
        let reason = match inadmissible {
            Inadmissible::TooMany { .. } => Reason::TooLarge,
            Inadmissible::UnknownMintKey { .. }
            | Inadmissible::BlindOutOfRange { .. }
            | Inadmissible::WrongIssuer { .. }
            | Inadmissible::BadSignature { .. }
            | Inadmissible::Reference(_) => Reason::Invalid,
        };
        Self::new(reason, inadmissible.to_string())
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
    blinds: Vec<opencoin_schema::Blind>,
) -> Result<Vec<Blind>, Inadmissible> {
    check_count("blinds", blinds.len())?;
    let admit = |(index, blind): (usize, opencoin_schema::Blind)| {
        let key = known_key(currency, &blind.mint_key_id, || {
            format!("blinds[{index}].mint_key_id")
        })?;
        if !blind_in_range(key.verified.public_key(), &blind.blinded_payload_hash) {
            return Err(Inadmissible::BlindOutOfRange { index });
        }
        let blinded = blind.blinded_payload_hash.as_be_bytes().to_vec();
        Ok(Blind {
            reference: blind.reference,
            mint_key: key.ledger_id,
            blinded,
        })
    };
    blinds.into_iter().enumerate().map(admit).collect()
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
    if coin.payload.issuer_id != *currency.issuer_id() {
        return Err(Inadmissible::WrongIssuer { index });
    }
    let id = &coin.payload.mint_key_id;
    let key = known_key(currency, id, || format!("coins[{index}].payload.mint_key_id"))?;
    let hash = currency
        .cipher_suite()
        .verify_coin(key.verified.public_key(), coin)
        .map_err(|_| Inadmissible::BadSignature { index })?;
    let payload_hash =
        PayloadHash::new(hash.as_bytes()).expect("the hash of every suite fits the ledger's width");
    Ok(CoinIn {
        mint_key: key.ledger_id,
        payload_hash,
    })
}

pub(crate) fn check_count(field: &'static str, count: usize) -> Result<(), Inadmissible> {
    if count > ITEMS_MAX {
        Err(Inadmissible::TooMany { field, count })
    } else {
        Ok(())
    }
}

pub(crate) fn known_key<'currency>(
    currency: &'currency Currency,
    id: &BigInt,
    path: impl FnOnce() -> String,
) -> Result<&'currency CertifiedMintKey, Inadmissible> {
    let unknown = || Inadmissible::UnknownMintKey {
        path: path(),
        id: id.to_string().chars().take(ID_CHARS_MAX).collect(),
    };
    currency.mint_key(id).ok_or_else(unknown)
}
