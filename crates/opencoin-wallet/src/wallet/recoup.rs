//! Recoup: fresh coins for those of revoked mint keys.
//!
//! A mint key that was stolen is revoked: no coin of it is taken any more, because nobody can tell forged
//! ones from others. For each of its own coins a wallet shows the accepted blind that it came from, the
//! payload, and the seed by which the payload was blinded; the issuer looks the blind up and signs fresh
//! ones. That tells the issuer where the coin was minted, which is why nothing is recouped before the
//! wallet's owner asks for it, and coins in a stack that was sent only when they say so: when their receiver
//! has spent them already, the issuer learns who sent them.
//!
//! Besides coins there may be blinds that were accepted and never signed because of the revocation (the
//! answer was `recoup`). They are shown in the same way: the proof needs no signature.

use std::collections::BTreeSet;

use opencoin_crypto::BlindingSeed;
use opencoin_schema::{BigInt, Payload, RequestRecoup, RevealedCoin, text};

use super::blinding::{blinds, random_number};
use super::{ITEMS_MAX, Wallet};
use crate::client::ExchangeError;
use crate::currency::{Currency, Origin, Place};
use crate::error::WalletError;
use crate::event::{CoinId, Event, Given, Kind, Operation, OperationId};
use crate::secret::Secret;
use crate::state::{Fate, Past};
use crate::tokenizing::{Counts, complete_set, count, number};

/// How many coins are shown in one request: the fresh ones must fit into it, too.
const RECOUP_COINS_MAX: usize = 500;
/// How many transactions a request may name: the issuer's limit.
const RECOUP_TRANSACTIONS_MAX: usize = 100;

/// What a recoup has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recouped {
    /// What became fresh coins.
    pub value: u64,
    /// What is of revoked keys, too, and cannot be shown to come from a blind: it was minted by a version of
    /// the wallet that did not keep what this takes.
    pub unprovable: u64,
    /// What is of revoked keys and in stacks that were sent; left alone unless asked for.
    pub sent: u64,
}

/// A coin, or an accepted blind, of a revoked key.
struct Revoked {
    coin: CoinId,
    payload: Payload,
    value: u64,
    /// Where it was held; `None` for a blind that was never signed.
    place: Option<Place>,
    origin: Option<Origin>,
}

impl Wallet {
    /// Makes fresh coins of all coins whose mint keys were revoked, and of accepted blinds that were not
    /// signed because of that; with `sent` also of coins in stacks that were sent.
    ///
    /// # Errors
    /// When the issuer refuses, delays or does not answer. Coins that turn out to be spent are dropped: that
    /// is no error.
    pub async fn recoup(&mut self, currency: Option<&str>, sent: bool) -> Result<Recouped, WalletError> {
        self.tick();
        let id = self.choose(currency)?;
        self.refresh(&id).await?;
        let mut recouped = Recouped {
            value: 0,
            unprovable: 0,
            sent: 0,
        };
        let is_wanted =
            |revoked: &Revoked| revoked.origin.is_some() && (sent || revoked.place != Some(Place::Sent));
        // Each round leaves fewer coins: they become fresh ones, or turn out to be spent.
        loop {
            let (wanted, left): (Vec<Revoked>, Vec<Revoked>) =
                self.revoked(&id)?.into_iter().partition(is_wanted);
            let value_of = |is_unprovable: bool| {
                let is_it = |revoked: &&Revoked| revoked.origin.is_none() == is_unprovable;
                left.iter()
                    .filter(is_it)
                    .map(|revoked| revoked.value)
                    .sum::<u64>()
            };
            (recouped.unprovable, recouped.sent) = (value_of(true), value_of(false));
            if wanted.is_empty() {
                break;
            }
            let before = wanted.len();
            let operations = self.recoup_operations(&id, wanted)?;
            let ids: Vec<OperationId> = operations.iter().map(|operation| operation.id).collect();
            let run = self.begin_and_run(operations).await;
            let is_done = |id: &&OperationId| self.state.operations[*id].fate == Fate::Done;
            recouped.value += ids
                .iter()
                .filter(is_done)
                .map(|id| self.state.operations[id].what.amount)
                .sum::<u64>();
            match run {
                Ok(()) => {}
                Err(WalletError::Exchange(refused @ ExchangeError::Refused { .. })) => {
                    let left = self
                        .revoked(&id)?
                        .iter()
                        .filter(|revoked| is_wanted(revoked))
                        .count();
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

    /// All coins and unsigned blinds of revoked keys, unless they have expired or are being recouped, by
    /// transaction.
    fn revoked(&self, id: &BigInt) -> Result<Vec<Revoked>, WalletError> {
        let (currency, now) = (self.currency(id)?, self.now);
        let is_pending = |past: &&Past<Operation>| past.fate == Fate::Pending && past.what.currency == *id;
        let pending = self.state.operations.values().filter(is_pending);
        let given: BTreeSet<&CoinId> = pending
            .flat_map(|past| &past.what.gives)
            .map(|given| &given.coin)
            .collect();
        let coins = currency
            .coins
            .iter()
            .filter(|(_, held)| currency.is_revoked(&held.coin.payload) && now <= held.expiry);
        let coins = coins.map(|(coin, held)| Revoked {
            coin: coin.clone(),
            payload: held.coin.payload.clone(),
            value: held.value,
            place: Some(held.place),
            origin: held.origin.clone(),
        });
        let waits = |past: &&Past<Operation>| past.fate == Fate::AwaitsRecoup && past.what.currency == *id;
        let waiting = self.state.operations.values().filter(waits);
        let unsigned = waiting
            .flat_map(|past| unsigned(currency, &past.what))
            .filter(|(_, expiry)| now <= *expiry);
        let all = coins.chain(unsigned.map(|(revoked, _)| revoked));
        let mut all: Vec<Revoked> = all.filter(|revoked| !given.contains(&revoked.coin)).collect();
        all.sort_by(|a, b| a.transaction().cmp(&b.transaction()));
        Ok(all)
    }

    /// Requests for fresh coins in place of these, in parts that the issuer takes.
    fn recoup_operations(
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
            // Coins like those that are given fit in any case, unless their denomination was dropped since.
            let set =
                complete_set(amount, &denominations).map(|set| if fits(&set) { set } else { values })?;
            let blinded = self.blind_now(id, &set, &mut |_| {})?;
            let reference = random_number(&mut self.rng);
            let request = RequestRecoup {
                blinds: blinds(&blinded),
                coins: part.iter().map(Revoked::reveal).collect::<Result<_, _>>()?,
                message_reference: 0,
                transaction_reference: reference.clone(),
            };
            let gives = part.into_iter().map(|revoked| Given {
                is_own: revoked.place == Some(Place::Here),
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
                blinded: blinded.into_iter().map(|(blinded, _)| blinded).collect(),
                gives: gives.collect(),
                replaces: None,
                at: self.now,
            });
        }
        Ok(operations)
    }

    /// Sends of which every coin turned out to be spent.
    fn end_taken_sends(&mut self, id: &BigInt) -> Result<(), WalletError> {
        let currency = self.currency(id)?;
        let is_out = |coin: &CoinId| currency.coins.contains_key(coin);
        let pending = self
            .state
            .sends
            .values()
            .filter(|past| past.fate == Fate::Pending && past.what.currency == *id);
        let taken: Vec<OperationId> = pending
            .filter(|past| !past.what.coins.iter().any(is_out))
            .map(|past| past.what.id)
            .collect();
        taken
            .into_iter()
            .try_for_each(|send| self.record(Event::Taken { send, at: self.now }))
    }
}

impl Revoked {
    fn transaction(&self) -> Option<&BigInt> {
        self.origin.as_ref().map(|origin| &origin.transaction_reference)
    }

    /// What the issuer is shown.
    fn reveal(&self) -> Result<RevealedCoin, WalletError> {
        let origin = self.origin.as_ref().expect("only what can be shown is recouped");
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

/// The blinds of an operation that await a recoup, and until when.
fn unsigned<'a>(
    currency: &'a Currency,
    operation: &'a Operation,
) -> impl Iterator<Item = (Revoked, chrono::DateTime<chrono::Utc>)> + 'a {
    operation
        .blinded
        .iter()
        .filter(|blinded| currency.is_revoked(&blinded.payload))
        .filter_map(|blinded| {
            let key = currency.mint_keys.get(&blinded.payload.mint_key_id)?.mint_key();
            let revoked = Revoked {
                coin: currency.coin_id(&blinded.payload),
                payload: blinded.payload.clone(),
                value: key.denomination,
                place: None,
                origin: Origin::new(operation.reference.as_ref(), blinded),
            };
            Some((revoked, key.coins_expiry_date.to_utc()))
        })
}

/// Cuts what is ordered by transaction into parts of few enough coins and transactions.
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
