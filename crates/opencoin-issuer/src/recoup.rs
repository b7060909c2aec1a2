//! Recoup: the bearer of an honest coin of a revoked mint key proves its origin.
//!
//! A thief with a stolen mint key can make coins, but not blinds that the issuer has accepted. A wallet names the
//! transaction in which its blind was accepted, and reveals the payload and the seed of the blinding. They open the
//! blind to this payload and no other, even for the owner of the private key (see [`opencoin_crypto::BlindingSeed`]).
//! This module verifies that. The ledger checks the rest: the key was stopped, neither coin nor blind was honoured
//! before, and the values are equal.
//!
//! Each coin takes some RSA public operations and a modular inversion. So coins of keys that were not stopped are not
//! verified, and other tasks get a turn after each coin.

use std::collections::{BTreeMap, HashMap};

use opencoin_crypto::{BlindingSeed, PublicKey};
use opencoin_keys::Currency;
use opencoin_ledger::log::CoinLeaf;
use opencoin_ledger::view::MintKeyNo;
use opencoin_ledger::{
    Accepted, BLIND_REFERENCE_BYTES_MAX, Ledger, LedgerError, MintKeyId, MintKeyStatus, RevokedBlind,
    SpentDigest, StoredBlind, StoredNumber, Transaction,
};
use opencoin_log::leaf::issued_leaf;
use opencoin_schema::{BigInt, RevealedCoin};
use serde::Serialize;
use thiserror::Error;

use crate::admission::{self, Item, KnownKeys};
use crate::refusal::{Reason, Refusal, coins_expired, unavailable};

/// The most transactions that a recoup may name. Each is read from the books with all of its blinds.
pub const RECOUP_TRANSACTIONS_MAX: usize = 100;

/// A mint key whose coins are accepted by recoup only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RevokedMintKey {
    /// Its id.
    pub id: BigInt,
    /// The operator's reason, or that more coins were returned than signed.
    pub reason: String,
}

/// Why the origin of a coin is not proven.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
enum Unproven {
    #[error("coins name {0} transactions, more than {RECOUP_TRANSACTIONS_MAX}; split the request")]
    TooManyTransactions(usize),
    #[error("coins[{0}].transaction_reference: nothing was accepted under it")]
    UnknownTransaction(usize),
    #[error("coins[{0}].blind_reference: the transaction has no such blind")]
    UnknownBlind(usize),
    #[error("coins[{0}].payload.mint_key_id: not the mint key of the blind")]
    OtherMintKey(usize),
    #[error("coins[{0}].payload.mint_key_id: this mint key was not revoked")]
    NotRevoked(usize),
    #[error("coins[{0}].blinding_seed: more than 32 bytes")]
    LongSeed(usize),
    #[error("coins[{0}].blinding_seed: does not open the blind to this payload")]
    BadSeed(usize),
}

impl From<Unproven> for Refusal {
    fn from(unproven: Unproven) -> Self {
        let (reason, coins) = match unproven {
            Unproven::TooManyTransactions(_) => (Reason::TooLarge, vec![]),
            Unproven::UnknownTransaction(coin)
            | Unproven::UnknownBlind(coin)
            | Unproven::OtherMintKey(coin)
            | Unproven::NotRevoked(coin)
            | Unproven::LongSeed(coin)
            | Unproven::BadSeed(coin) => (Reason::Invalid, vec![coin]),
        };
        Self::new(reason, unproven.to_string()).about_coins(coins)
    }
}

/// Verifies that each coin came from an accepted blind, and converts coins and blinds to the ledger's type.
pub(crate) async fn revoked_blinds(
    currency: &Currency,
    ledger: &dyn Ledger,
    coins: &[RevealedCoin],
) -> Result<Vec<RevokedBlind>, Refusal> {
    admission::check_count("coins", coins.len())?;
    let mut by_transaction: BTreeMap<&BigInt, Vec<usize>> = BTreeMap::new();
    for (index, coin) in coins.iter().enumerate() {
        admission::check_payload(index, &coin.payload)?;
        let reference = &coin.blind_reference;
        admission::check_length(
            Item::Coin(index),
            "blind_reference",
            reference,
            BLIND_REFERENCE_BYTES_MAX,
        )?;
        by_transaction
            .entry(&coin.transaction_reference)
            .or_default()
            .push(index);
    }
    if by_transaction.len() > RECOUP_TRANSACTIONS_MAX {
        return Err(Unproven::TooManyTransactions(by_transaction.len()).into());
    }
    let mut proven: Vec<Option<RevokedBlind>> = vec![None; coins.len()];
    // Only one transaction at a time is in memory, because each may have as many blinds as a request.
    for (reference, indices) in by_transaction {
        let unknown = Unproven::UnknownTransaction(indices[0]);
        let reference = admission::transaction_reference(reference).map_err(|_| unknown.clone())?;
        let accepted = match ledger.transaction(&reference).await.map_err(unavailable)? {
            Some(Transaction::Accepted(accepted)) => accepted,
            Some(Transaction::Expired) => return Err(coins_expired()),
            Some(Transaction::GivenUp) | None => return Err(unknown.into()),
        };
        for index in indices {
            proven[index] = Some(prove(currency, &accepted, index, &coins[index])?);
            tokio::task::yield_now().await;
        }
    }
    Ok(proven
        .into_iter()
        .map(|proven| proven.expect("every coin names a transaction"))
        .collect())
}

/// Verifies that a coin came from a blind of this transaction.
fn prove(
    currency: &Currency,
    accepted: &Accepted,
    index: usize,
    coin: &RevealedCoin,
) -> Result<RevokedBlind, Refusal> {
    let payload = &coin.payload;
    let key = admission::payload(&mut KnownKeys::new(currency), index, payload)?;
    let blind = accepted
        .blinds
        .iter()
        .find(|blind| blind.reference == coin.blind_reference);
    let blind = blind.ok_or(Unproven::UnknownBlind(index))?;
    if blind.mint_key != key.ledger_id {
        return Err(Unproven::OtherMintKey(index).into());
    }
    if !accepted.stopped.contains(&blind.mint_key) {
        return Err(Unproven::NotRevoked(index).into());
    }
    let seed = BlindingSeed::from_revealed(&coin.blinding_seed).map_err(|_| Unproven::LongSeed(index))?;
    let (suite, public_key) = (currency.cipher_suite(), key.verified.public_key());
    let blinded = blinded_number(public_key, &blind.number)?;
    if !suite.opens(public_key, payload, &seed, &blinded) {
        return Err(Unproven::BadSeed(index).into());
    }
    Ok(RevokedBlind {
        mint_key: blind.mint_key,
        issued_digest: key.identity.issued_digest(blinded.as_be_bytes()),
        spent_digest: SpentDigest::of(key.identity.fingerprint(), &suite.payload_hash(payload)),
    })
}

/// The leaves of the blinds of a request that was accepted before.
///
/// # Errors
/// When the books name a mint key that this process does not know yet, or a kept signature makes no sense.
pub(crate) fn issued_leaves(
    currency: &Currency,
    numbers: &HashMap<MintKeyId, MintKeyNo>,
    accepted: &Accepted,
) -> Result<Vec<CoinLeaf>, Refusal> {
    let leaf = |blind: &StoredBlind| {
        let id = BigInt::from_be_bytes(blind.mint_key.as_bytes());
        let key = currency.mint_key(&id).zip(numbers.get(&blind.mint_key));
        let (key, no) = key.ok_or_else(Refusal::unavailable)?;
        let blinded = blinded_number(key.verified.public_key(), &blind.number)?;
        let digest = key.identity.issued_digest(blinded.as_be_bytes());
        Ok(issued_leaf(no.key_no(), &digest))
    };
    accepted.blinds.iter().map(leaf).collect()
}

/// The blinded number. If its signature is kept instead, computes the number with the public exponent.
fn blinded_number(key: &PublicKey, stored: &StoredNumber) -> Result<BigInt, Refusal> {
    let signature = match stored {
        StoredNumber::Blinded(number) => return Ok(BigInt::from_be_bytes(number)),
        StoredNumber::Signature(signature) => BigInt::from_be_bytes(signature),
    };
    let corrupt = || {
        unavailable(LedgerError::corrupt(
            "kept signature",
            "not a number of its mint key",
        ))
    };
    key.signed_number(&signature).ok_or_else(corrupt)
}

/// The revoked keys among these, without pruned ones.
pub(crate) fn revoked_mint_keys(all: Vec<MintKeyStatus>) -> Vec<RevokedMintKey> {
    let revoked = all
        .into_iter()
        .filter(|status| !status.pruned)
        .filter_map(|status| {
            let reason = status.stopped?.to_string();
            Some(RevokedMintKey {
                id: BigInt::from_be_bytes(status.id.as_bytes()),
                reason,
            })
        });
    revoked.collect()
}
