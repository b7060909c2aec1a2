//! What is in the rows of a wallet. JSON, except for coins, of which there are many.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use opencoin_crypto::verify_cddc;
use opencoin_schema::{BigInt, Cddc, CoinStack, Mkc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::seal::KeyDerivation;
use crate::coins::{CoinPlace, CoinSecret, Held, Origin};
use crate::currency::{Currency, RequestNumbers};
use crate::event::{CoinId, OperationId, RevokedKey};
use crate::public_log::memory::{
    Challenged, LogChallenge, LogFault, LogMemory, LoggedKey, OpenPromise, PromisedLeaf, RefusedCoin,
    SeenCheckpoint,
};
use crate::state::Status;
use opencoin_api::Secret;

/// How the rows are written.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) format: u64,
    /// `None` if the wallet is not encrypted.
    pub(super) encryption: Option<KeyDerivation>,
}

/// The wallet's own data.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) last_id: OperationId,
    /// A random number, in hex, so that others cannot choose the numbers of rows.
    pub(super) row_key: Secret,
    /// The entropy of the backup phrase, in hex; `None` in a wallet without one.
    pub(super) entropy: Option<Secret>,
    /// How many backup phrases the wallet has had.
    pub(super) phrase: u8,
    /// Whether the phrase is that of a lost wallet, whose requests must be looked for before new ones are made.
    pub(super) is_restored: bool,
    /// The SHA-256, in hex, of the journal of an earlier version that was moved here.
    pub(super) journal: Option<String>,
    /// The numbers of derived requests, by the number of the currency.
    pub(super) numbers: BTreeMap<u64, RequestNumbers>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct CurrencyRow {
    url: String,
    cddc: Cddc,
    older: Vec<Cddc>,
    mkcs: Vec<Mkc>,
    current: Option<BTreeSet<BigInt>>,
    revoked: Vec<RevokedKey>,
}

impl CurrencyRow {
    pub(super) fn of(currency: &Currency) -> Self {
        let newest = currency.cddc.cdd().cdd_serial;
        let older = currency.cddcs.iter().filter(|(serial, _)| **serial != newest);
        let revoked = currency.revoked.iter();
        Self {
            url: currency.url.clone(),
            cddc: currency.cddc.cddc().clone(),
            older: older.map(|(_, cddc)| cddc.cddc().clone()).collect(),
            mkcs: currency.mint_keys.values().map(|key| key.mkc().clone()).collect(),
            current: currency.current.clone(),
            revoked: revoked
                .map(|(id, reason)| RevokedKey {
                    id: id.clone(),
                    reason: reason.clone(),
                })
                .collect(),
        }
    }

    /// Verifies the documents again, and makes a currency without coins.
    pub(super) fn into_currency(self, no: u64) -> Result<Currency, String> {
        let cddc = verify_cddc(&self.cddc).map_err(|error| error.to_string())?;
        let mut currency = Currency::new(no, self.url, cddc.clone());
        let learned = currency.learn(cddc, &self.older, &self.mkcs, self.current);
        learned.map_err(|error| error.to_string())?;
        currency.revoked = self.revoked.into_iter().map(|key| (key.id, key.reason)).collect();
        Ok(currency)
    }
}

/// An operation or a send in the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HistoryRow {
    pub(crate) at: DateTime<Utc>,
    /// The name of the kind.
    pub(crate) kind: String,
    pub(crate) amount: u64,
    pub(crate) currency: BigInt,
    pub(crate) subject: String,
    pub(crate) status: Status,
    pub(crate) note: String,
}

#[derive(Serialize, Deserialize)]
pub(super) struct LogRow {
    checkpoint: Option<(String, DateTime<Utc>)>,
    keys: Vec<LoggedKey>,
    /// The requests that have not ended and whose promises were kept.
    kept: BTreeSet<OperationId>,
    kept_count: u64,
    unchecked_uses: usize,
    faults: Vec<LogFault>,
    #[serde(default)]
    refused: Vec<RefusedCoin>,
    /// Without those about requests that have ended.
    #[serde(default)]
    challenges: Vec<LogChallenge>,
}

impl LogRow {
    pub(super) fn of(memory: &LogMemory, is_open: impl Fn(&OperationId) -> bool) -> Self {
        let newest = memory.newest.as_ref();
        let is_left = |challenge: &&LogChallenge| match &challenge.about {
            Challenged::Signatures(operation) => is_open(operation),
            Challenged::Coin(_) => true,
        };
        Self {
            checkpoint: newest.map(|seen| (seen.note.to_string(), seen.at)),
            keys: memory.keys.values().cloned().collect(),
            kept: memory.kept.iter().copied().filter(&is_open).collect(),
            kept_count: memory.kept_count,
            unchecked_uses: memory.unchecked_uses,
            faults: memory.faults.clone(),
            refused: memory.refused.clone(),
            challenges: memory.challenges.iter().filter(is_left).cloned().collect(),
        }
    }

    pub(super) fn into_memory(self) -> Result<LogMemory, String> {
        let seen = |(note, at): (String, DateTime<Utc>)| {
            let note = note
                .parse()
                .map_err(|_| "a checkpoint cannot be read".to_owned())?;
            Ok::<_, String>(SeenCheckpoint { note, at })
        };
        Ok(LogMemory {
            newest: self.checkpoint.map(seen).transpose()?,
            keys: self.keys.into_iter().map(|key| (key.id.clone(), key)).collect(),
            promises: BTreeMap::new(),
            kept: self.kept,
            kept_count: self.kept_count,
            unchecked_uses: self.unchecked_uses,
            faults: self.faults,
            refused: self.refused,
            challenges: self.challenges,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct PromiseRow {
    pub(super) currency: BigInt,
    promise: String,
    cdd_serial: u64,
    leaves: Vec<PromisedLeaf>,
    is_verified: bool,
}

impl PromiseRow {
    pub(super) fn of(currency: &BigInt, open: &OpenPromise) -> Self {
        Self {
            currency: currency.clone(),
            promise: open.promise.to_string(),
            cdd_serial: open.cdd_serial,
            leaves: open.leaves.clone(),
            is_verified: open.is_verified,
        }
    }

    pub(super) fn into_open(self) -> Result<OpenPromise, String> {
        Ok(OpenPromise {
            promise: self.promise.parse().map_err(|_| "a promise cannot be read")?,
            cdd_serial: self.cdd_serial,
            leaves: self.leaves,
            is_verified: self.is_verified,
        })
    }
}

pub(super) fn to_json(row: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(row).expect("rows have string keys and no failing values")
}

/// Reads JSON. The error quotes nothing.
pub(super) fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("not valid at column {}", error.column()))
}

/// Writes what the wallet must know of a coin: its place, its backup phrase, its id, and the id of its mint key.
pub(super) fn head(id: &CoinId, held: &Held) -> Vec<u8> {
    let place = match held.place {
        CoinPlace::Here => 0,
        CoinPlace::Given => 1,
        CoinPlace::Sent => 2,
        CoinPlace::Received => 3,
    };
    let id = id.as_be_bytes();
    let length = u8::try_from(id.len()).expect("a coin's id is a hash of at most 64 bytes");
    [&[place, held.phrase, length], id, held.mint_key.as_be_bytes()].concat()
}

/// Reads what [`head`] wrote: the place, the backup phrase, the id, and the id of the mint key.
pub(super) fn read_head(body: &[u8]) -> Option<(CoinPlace, u8, CoinId, BigInt)> {
    let (&[place, phrase, length], rest) = body.split_first_chunk()?;
    let place = match place {
        0 => CoinPlace::Here,
        1 => CoinPlace::Given,
        2 => CoinPlace::Sent,
        3 => CoinPlace::Received,
        _ => return None,
    };
    let (id, mint_key) = rest.split_at_checked(length.into())?;
    Some((
        place,
        phrase,
        BigInt::from_be_bytes(id),
        BigInt::from_be_bytes(mint_key),
    ))
}

#[derive(Serialize, Deserialize)]
struct OriginRow {
    transaction_reference: BigInt,
    blind_reference: String,
    seed: Secret,
}

/// Writes a coin: its origin as JSON, a zero byte, and the compact form of a coin stack with this coin.
pub(super) fn secret(secret: &CoinSecret) -> Vec<u8> {
    let origin = secret.origin.as_ref().map(|origin| OriginRow {
        transaction_reference: origin.transaction_reference.clone(),
        blind_reference: origin.blind_reference.clone(),
        seed: origin.seed.clone(),
    });
    let mut body = to_json(&origin);
    body.push(0);
    let stack = CoinStack {
        coins: vec![secret.coin.clone()],
        subject: String::new(),
    };
    body.extend_from_slice(&opencoin_stack::encode(&stack));
    body
}

/// Reads what [`secret`] wrote.
pub(super) fn read_secret(body: &Zeroizing<Vec<u8>>) -> Option<CoinSecret> {
    let end = body.iter().position(|byte| *byte == 0)?;
    let origin: Option<OriginRow> = from_json(&body[..end]).ok()?;
    let stack = opencoin_stack::decode(&body[end + 1..]).ok()?;
    Some(CoinSecret {
        coin: stack.coins.into_iter().next()?,
        origin: origin.map(|origin| Origin {
            transaction_reference: origin.transaction_reference,
            blind_reference: origin.blind_reference,
            seed: origin.seed,
        }),
    })
}
