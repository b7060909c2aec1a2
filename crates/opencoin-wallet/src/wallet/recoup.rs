//! Recoup: new coins for coins of revoked mint keys.
//!
//! A stolen mint key is revoked. The issuer then accepts no coin of it, because forged coins cannot be told
//! from others. For each of its own coins the wallet reveals the accepted blind, the payload and the blinding
//! seed; the issuer looks up the blind and signs new coins. This tells the issuer in which transaction the
//! coin was minted, so a recoup happens only when the user asks for it. Sent coins need a separate request of
//! the user: if their receiver has spent them, the issuer learns who sent them.
//!
//! Blinds that were accepted and never signed because of the revocation (the answer was `recoup`) are
//! revealed in the same way: the proof needs no signature.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use opencoin_crypto::BlindingSeed;
use opencoin_schema::{BigInt, Payload, RequestRecoup, RevealedCoin, text};

use super::{ITEMS_MAX, Wallet};
use crate::client::ExchangeError;
use crate::coins::{CoinPlace, Origin};
use crate::currency::Currency;
use crate::error::WalletError;
use crate::event::{CoinId, Event, Given, Kind, Operation, OperationId};
use crate::state::Status;
use crate::tokenizing::{Counts, complete_set, count, number, sum};
use opencoin_api::Secret;

/// The most coins that one request reveals. The new coins must fit into it too.
const RECOUP_COINS_MAX: usize = 500;
/// The most transactions that a request names (the issuer's limit).
const RECOUP_TRANSACTIONS_MAX: usize = 100;

/// The result of a recoup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recouped {
    /// The value of the new coins.
    pub value: u64,
    /// The value of coins of revoked keys without a proof: an older version of the wallet, which did not
    /// store seeds, has minted them.
    pub unprovable: u64,
    /// The value of coins of revoked keys in sent stacks that were not recouped.
    pub sent: u64,
}

/// A coin or an unsigned accepted blind of a revoked key.
struct Revoked {
    coin: CoinId,
    payload: Payload,
    value: u64,
    /// Where the coin is; `None` for an unsigned blind.
    place: Option<CoinPlace>,
    origin: Option<Origin>,
}

impl Wallet {
    /// Exchanges all coins of revoked mint keys, and accepted blinds of revoked keys, for new coins; with
    /// `sent` also the coins in sent stacks. Coins that were spent are removed, which is no error.
    ///
    /// # Errors
    /// The issuer refuses, delays or does not answer.
    pub async fn recoup(&mut self, currency: Option<&str>, sent: bool) -> Result<Recouped, WalletError> {
        self.read_clock();
        let id = self.choose(currency)?;
        self.refresh(&id).await?;
        let mut recouped = Recouped {
            value: 0,
            unprovable: 0,
            sent: 0,
        };
        let is_wanted =
            |revoked: &Revoked| revoked.origin.is_some() && (sent || revoked.place != Some(CoinPlace::Sent));
        // Each round leaves fewer coins: they are exchanged, or were spent before.
        loop {
            let (wanted, left): (Vec<Revoked>, Vec<Revoked>) =
                self.revoked(&id)?.into_iter().partition(is_wanted);
            let value_of = |is_unprovable: bool| {
                let matching = left
                    .iter()
                    .filter(|revoked| revoked.origin.is_none() == is_unprovable);
                sum(matching.map(|revoked| revoked.value))
            };
            (recouped.unprovable, recouped.sent) = (value_of(true), value_of(false));
            if wanted.is_empty() {
                break;
            }
            let before = wanted.len();
            let operations = self.recoup_operations(&id, wanted).await?;
            let ids: Vec<OperationId> = operations.iter().map(|operation| operation.id).collect();
            let run = self.begin_and_run(operations).await;
            let is_done = |id: &&OperationId| self.state.operations[*id].status == Status::Done;
            let done = ids.iter().filter(is_done);
            recouped.value += sum(done.map(|id| self.state.operations[id].item.amount));
            match run {
                Ok(()) => {}
                Err(WalletError::Exchange(refused @ ExchangeError::Refused { .. })) => {
                    let left = self.revoked(&id)?.into_iter().filter(is_wanted).count();
                    if !refused.is_double_spend() || left == before {
                        return Err(refused.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        self.end_taken_sends(&id)?;
        Ok(recouped)
    }

    /// Returns all coins and unsigned blinds of revoked keys that have not expired and are in no pending
    /// request, ordered by transaction.
    fn revoked(&self, id: &BigInt) -> Result<Vec<Revoked>, WalletError> {
        let (currency, now) = (self.currency(id)?, self.now);
        let pending = self.state.operations_of(id, Status::Pending);
        let given = pending.flat_map(|operation| &operation.gives);
        let given: BTreeSet<&CoinId> = given.map(|given| &given.coin).collect();
        let coins = currency
            .coins
            .iter()
            .filter(|(_, held)| currency.is_revoked(&held.mint_key) && now <= held.expiry);
        let mut all = Vec::new();
        for (coin, held) in coins.filter(|(coin, _)| !given.contains(coin)) {
            let secret = self.store.coin(held.no)?;
            all.push(Revoked {
                coin: coin.clone(),
                payload: secret.coin.payload,
                value: held.value,
                place: Some(held.place),
                origin: secret.origin,
            });
        }
        let waiting = self.state.operations_of(id, Status::AwaitsRecoup);
        let waiting = waiting.flat_map(|operation| unsigned(currency, operation, now));
        all.extend(waiting.filter(|revoked| !given.contains(&revoked.coin)));
        all.sort_by(|a, b| a.transaction().cmp(&b.transaction()));
        Ok(all)
    }

    /// Makes requests for new coins in place of these, in parts that the issuer accepts.
    async fn recoup_operations(
        &mut self,
        id: &BigInt,
        wanted: Vec<Revoked>,
    ) -> Result<Vec<Operation>, WalletError> {
        let mut operations: Vec<Operation> = Vec::new();
        for part in parts(wanted) {
            let values = count(part.iter().map(|revoked| revoked.value));
            let amount = part.iter().map(|revoked| revoked.value).sum();
            let denominations = self.currency(id)?.denominations(self.now);
            let fits = |set: &Counts| number(set) as usize <= ITEMS_MAX;
            // Coins of the same values fit in any case, unless their denomination was dropped.
            let set =
                complete_set(amount, &denominations).map(|set| if fits(&set) { set } else { values })?;
            self.require_signing_keys(id, &set).await?;
            let secrets = self.next_secrets(id)?;
            let (blinded, blinds) = self.blind_now(id, &set, &secrets, &mut |_| {})?;
            let request_number = secrets.number();
            let reference = secrets.reference;
            let request = RequestRecoup {
                blinds,
                coins: part.iter().map(Revoked::reveal).collect::<Result<_, _>>()?,
                message_reference: 0,
                transaction_reference: reference.clone(),
            };
            let gives = part.into_iter().map(|revoked| Given {
                is_own: revoked.place == Some(CoinPlace::Here),
                coin: revoked.coin,
            });
            operations.push(Operation {
                id: self.state.next_id() + operations.len() as OperationId,
                currency: id.clone(),
                kind: Kind::Recoup,
                amount,
                request: Secret::new(text::compact(&request)),
                token: None,
                holder: None,
                reference: Some(reference),
                blinded,
                gives: gives.collect(),
                replaces: None,
                phrase: secrets.phrase,
                number: request_number,
                key_order: None,
                at: self.now,
            });
        }
        Ok(operations)
    }

    /// Ends sends whose coins were all spent.
    fn end_taken_sends(&mut self, id: &BigInt) -> Result<(), WalletError> {
        let currency = self.currency(id)?;
        let is_out = |coin: &CoinId| currency.coins.contains_key(coin);
        let pending = self
            .state
            .sends
            .values()
            .filter(|tracked| tracked.status == Status::Pending && tracked.item.currency == *id);
        let taken: Vec<OperationId> = pending
            .filter(|tracked| !tracked.item.coins.iter().any(is_out))
            .map(|tracked| tracked.item.id)
            .collect();
        let mut taken = taken.into_iter();
        taken.try_for_each(|send| self.record(Event::Taken { send }))
    }
}

impl Revoked {
    fn transaction(&self) -> Option<&BigInt> {
        self.origin.as_ref().map(|origin| &origin.transaction_reference)
    }

    /// Returns the proof for the issuer.
    fn reveal(&self) -> Result<RevealedCoin, WalletError> {
        let origin = self
            .origin
            .as_ref()
            .expect("only coins with an origin are recouped");
        let seed = BlindingSeed::from_secret_hex(origin.seed.expose());
        Ok(RevealedCoin {
            blind_reference: origin.blind_reference.clone(),
            blinding_seed: seed
                .map_err(|error| WalletError::Blinding(error.to_string()))?
                .reveal(),
            payload: self.payload.clone(),
            transaction_reference: origin.transaction_reference.clone(),
        })
    }
}

/// Returns the blinds of an operation that wait for a recoup and have not expired.
fn unsigned<'a>(
    currency: &'a Currency,
    operation: &'a Operation,
    now: DateTime<Utc>,
) -> impl Iterator<Item = Revoked> + 'a {
    operation.blinded.iter().filter_map(move |blinded| {
        let key = currency.mint_keys.get(&blinded.payload.mint_key_id)?.mint_key();
        let is_wanted =
            currency.is_revoked(&blinded.payload.mint_key_id) && now <= key.coins_expiry_date.to_utc();
        is_wanted.then(|| Revoked {
            coin: currency.coin_id(&blinded.payload),
            payload: blinded.payload.clone(),
            value: key.denomination,
            place: None,
            origin: Origin::new(operation.reference.as_ref(), blinded),
        })
    })
}

/// Splits a list ordered by transaction into parts within the limits of coins and transactions.
fn parts(all: Vec<Revoked>) -> Vec<Vec<Revoked>> {
    let mut parts: Vec<Vec<Revoked>> = Vec::new();
    let mut transactions = BTreeSet::new();
    for revoked in all {
        transactions.insert(revoked.transaction().cloned());
        let is_full = parts.last().is_none_or(|part| part.len() == RECOUP_COINS_MAX);
        if is_full || transactions.len() > RECOUP_TRANSACTIONS_MAX {
            transactions = BTreeSet::from([revoked.transaction().cloned()]);
            parts.push(Vec::new());
        }
        parts.last_mut().expect("there is one").push(revoked);
    }
    parts
}
