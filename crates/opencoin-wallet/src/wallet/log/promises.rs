//! The issuer's promises: verified and stored before an answer takes effect.
//!
//! Only a promise makes it provable that the issuer has left something out of its log. The wallet therefore computes
//! what must have been promised from its own request, and treats a missing or wrong promise as a fault. The coins are
//! taken all the same.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use opencoin_crypto::BlindingSeed;
use opencoin_log::digest::{IssuedDigest, KeyFingerprint, SpentDigest};
use opencoin_log::hash::Hash;
use opencoin_log::log_block::LogBlock;
use opencoin_log::promise::Promise;
use opencoin_schema::{BigInt, Blind, Coin, Request};

use super::super::answer::Answer;
use super::{Wallet, block_of};
use crate::client::ExchangeError;
use crate::currency::Currency;
use crate::error::WalletError;
use crate::event::{Blinded, BlindingSecret, Kind, Operation, OperationId};
use crate::public_log::LogError;
use crate::public_log::memory::{LogEvent, LogMemory, OpenPromise, PromisedLeaf, encode, root_of};

/// How far ahead of the wallet's clock a promise may be dated. A clock that is wrong by some hours must not look like a
/// fault of the issuer, and a promise is due later by this time at most.
const AHEAD_MAX: TimeDelta = TimeDelta::days(1);

impl Wallet {
    /// Verifies and stores the promise that came with an answer. Returns the fault if there should have been another one.
    ///
    /// # Errors
    /// The wallet cannot be written.
    pub(in super::super) async fn take_promise(
        &mut self,
        id: OperationId,
        answer: &Answer,
    ) -> Result<Option<LogError>, WalletError> {
        let operation = &self.state.operations[&id].item;
        let currency = operation.currency.clone();
        let is_known = |memory: &LogMemory| memory.has_promise(id);
        let Ok(Some(block)) = self.log_block(&currency) else {
            return Ok(None);
        };
        if self.log_memory(&currency).is_some_and(is_known) {
            return Ok(None);
        }
        let mut taken = self.read_promise(operation, &block, answer);
        if taken.is_err() {
            // The issuer may have another promise key, or no log any more.
            self.refresh_for_promise(&currency).await?;
            taken = match self.log_block(&currency) {
                Ok(Some(newer)) => self.read_promise(&self.state.operations[&id].item, &newer, answer),
                Ok(None) | Err(_) => return Ok(None),
            };
        }
        self.note_promise(&currency, id, taken, answer.promise.as_ref())
    }

    /// Verifies and stores the promise of a statement about a key account, which the issuer has accepted. Returns the
    /// fault if there should have been another one.
    ///
    /// # Errors
    /// The wallet cannot be written.
    pub(in super::super) async fn take_statement_promise(
        &mut self,
        currency: &BigInt,
        id: OperationId,
        leaf: &[u8],
        promise: Option<&String>,
    ) -> Result<Option<LogError>, WalletError> {
        if self
            .log_memory(currency)
            .is_some_and(|memory| memory.has_promise(id))
        {
            return Ok(None);
        }
        let leaves = vec![PromisedLeaf::Statement {
            leaf: const_hex::encode(leaf),
        }];
        let read = |wallet: &Self, block: &LogBlock| {
            let promise = promise.cloned().ok_or(LogError::NoPromise(id))?;
            wallet.promised(currency, id, block, promise, leaves.clone())
        };
        let mut taken = match self.log_block(currency) {
            Ok(Some(block)) => read(self, &block),
            Ok(None) | Err(_) => return Ok(None),
        };
        if taken.is_err() {
            self.refresh_for_promise(currency).await?;
            taken = match self.log_block(currency) {
                Ok(Some(newer)) => read(self, &newer),
                Ok(None) | Err(_) => return Ok(None),
            };
        }
        self.note_promise(currency, id, taken, promise)
    }

    fn note_promise(
        &mut self,
        currency: &BigInt,
        id: OperationId,
        taken: Result<Option<LogEvent>, LogError>,
        promise: Option<&String>,
    ) -> Result<Option<LogError>, WalletError> {
        match taken {
            Ok(None) => Ok(None),
            Ok(Some(event)) => self.record_log(currency, event).map(|()| None),
            Err(fault) => self
                .promise_fault(currency, id, fault, promise.cloned())
                .map(Some),
        }
    }

    /// Fetches the newest description, if the issuer answers. Whatever it answers, the coins of the request are taken.
    async fn refresh_for_promise(&mut self, currency: &BigInt) -> Result<(), WalletError> {
        match self.refresh(currency).await {
            Err(error @ (WalletError::Storage(_) | WalletError::Inconsistent(_))) => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Reads and verifies the promise of an answer. `None` if there need not be one.
    fn read_promise(
        &self,
        operation: &Operation,
        block: &LogBlock,
        answer: &Answer,
    ) -> Result<Option<LogEvent>, LogError> {
        let is_expected = match &answer.result {
            Ok(_) => true,
            // A mint may wait for the money of a custodial account. Then it is not accepted yet, which the answer does
            // not tell.
            Err(ExchangeError::Delayed { .. }) => {
                operation.kind != Kind::Mint || operation.key_order.is_some()
            }
            Err(ExchangeError::Recoup) => false,
            Err(_) => return Ok(None),
        };
        let Some(promise) = answer.promise.clone() else {
            return match is_expected {
                true => Err(LogError::NoPromise(operation.id)),
                false => Ok(None),
            };
        };
        let Some(leaves) = self.promised_leaves(operation, answer.is_resume) else {
            return Ok(None);
        };
        self.promised(&operation.currency, operation.id, block, promise, leaves)
    }

    /// Verifies a promise for these leaves of the request with this number.
    fn promised(
        &self,
        currency: &BigInt,
        operation: OperationId,
        block: &LogBlock,
        promise: String,
        leaves: Vec<PromisedLeaf>,
    ) -> Result<Option<LogEvent>, LogError> {
        let verified = self.verify_promise(currency, block, &promise, &leaves);
        let is_verified = verified.map_err(|reason| LogError::WrongPromise { operation, reason })?;
        let currency = self.state.currencies.get(currency);
        Ok(currency.map(|currency| LogEvent::Promised {
            operation,
            promise,
            cdd_serial: currency.cddc.cdd().cdd_serial,
            leaves,
            is_verified,
        }))
    }

    fn promise_fault(
        &mut self,
        currency: &BigInt,
        id: OperationId,
        fault: LogError,
        promise: Option<String>,
    ) -> Result<LogError, WalletError> {
        // A promise is at most some kilobytes long; what is longer is none.
        let shown = promise.map(|text| {
            text.chars()
                .take(opencoin_log::promise::PROMISE_TEXT_BYTES_MAX)
                .collect()
        });
        self.note_fault(currency, Some(id), fault.to_string(), shown, None)?;
        Ok(fault)
    }

    /// Verifies a promise, in words for what is wrong with it. `false` if the numbers of the mint keys are unknown, because
    /// keys were used without a look at the log.
    fn verify_promise(
        &self,
        currency: &BigInt,
        block: &LogBlock,
        text: &str,
        leaves: &[PromisedLeaf],
    ) -> Result<bool, String> {
        let promise: Promise = text.parse().map_err(|_| "it cannot be read".to_owned())?;
        let latest = (self.now + AHEAD_MAX).timestamp();
        if promise.time > u64::try_from(latest).unwrap_or(0) {
            return Err("it is dated in the future".to_owned());
        }
        if promise.within > block.within_s() {
            return Err("it gives the issuer more time than the currency's description does".to_owned());
        }
        let none = BTreeMap::new();
        let keys = self.log_memory(currency).map_or(&none, |memory| &memory.keys);
        let Some(leaves) = encode(leaves, keys) else {
            return Ok(false);
        };
        let root = root_of(&leaves);
        let verified = promise.verify(block.promise_key(), block.origin().as_str(), &root);
        verified.map(|()| true).map_err(|error| error.to_string())
    }

    /// Verifies the promises that could not be verified at first.
    pub(super) fn verify_late(&mut self, currency: &BigInt, block: &LogBlock) -> Result<(), WalletError> {
        let open = self
            .log_memory(currency)
            .into_iter()
            .flat_map(|memory| &memory.promises);
        let unverified: Vec<(OperationId, OpenPromise)> = open
            .filter(|(_, open)| !open.is_verified)
            .map(|(operation, open)| (*operation, open.clone()))
            .collect();
        for (operation, open) in unverified {
            let text = open.promise.to_string();
            let then = block_of(self.currency(currency)?, open.cdd_serial);
            let block = then.as_ref().unwrap_or(block);
            match self.verify_promise(currency, block, &text, &open.leaves) {
                Ok(true) => {
                    self.record_log(currency, LogEvent::Verified { operation })?;
                }
                Ok(false) => {}
                Err(reason) => {
                    let wrong = LogError::WrongPromise { operation, reason };
                    self.promise_fault(currency, operation, wrong, Some(text))?;
                }
            }
        }
        Ok(())
    }

    /// Returns what the issuer must have promised; `None` if a journal of an older wallet does not tell.
    fn promised_leaves(&self, operation: &Operation, is_resume: bool) -> Option<Vec<PromisedLeaf>> {
        let currency = self.state.currencies.get(&operation.currency)?;
        let request = operation.request.expose();
        if request.is_empty() {
            // The request was abandoned.
            let blinds = operation
                .blinded
                .iter()
                .map(|blinded| blind_again(currency, blinded));
            return blinds.map(|blind| issued(currency, &blind?)).collect();
        }
        let (blinds, coins): (Vec<Blind>, Vec<Coin>) = match Request::from_json(request.as_bytes()).ok()? {
            Request::RequestMint(request) => (request.blinds, Vec::new()),
            Request::RequestRenew(request) => (request.blinds, request.coins),
            Request::RequestRedeem(request) => (Vec::new(), request.coins),
            Request::RequestRecoup(request) => (request.blinds, Vec::new()),
            _ => return None,
        };
        let coins = if is_resume { Vec::new() } else { coins };
        let issued = blinds.iter().map(|blind| issued(currency, blind));
        issued
            .chain(coins.iter().map(|coin| spent(currency, coin)))
            .collect()
    }
}

impl Wallet {
    /// Returns the leaves of blinds, in their order; `None` if mint keys were not looked for in the log.
    pub(in super::super) fn issued_leaves(&self, id: &BigInt, blinds: &[Blind]) -> Option<Vec<Vec<u8>>> {
        let currency = self.state.currencies.get(id)?;
        let leaves = blinds.iter().map(|blind| issued(currency, blind));
        encode(&leaves.collect::<Option<Vec<_>>>()?, &self.log_memory(id)?.keys)
    }

    /// Returns the leaves of coins that are spent, in their order; `None` if mint keys were not looked for in the log.
    pub(in super::super) fn spent_leaves(&self, id: &BigInt, coins: &[Coin]) -> Option<Vec<Vec<u8>>> {
        let currency = self.state.currencies.get(id)?;
        let leaves = coins.iter().map(|coin| spent(currency, coin));
        encode(&leaves.collect::<Option<Vec<_>>>()?, &self.log_memory(id)?.keys)
    }
}

/// Blinds a payload with its stored seed once more.
fn blind_again(currency: &Currency, blinded: &Blinded) -> Option<Blind> {
    let BlindingSecret::Seed(seed) = &blinded.secret else {
        return None;
    };
    let seed = BlindingSeed::from_secret_hex(seed.expose()).ok()?;
    let mint_key_id = blinded.payload.mint_key_id.clone();
    let key = currency.mint_keys.get(&mint_key_id)?.public_key();
    let (blinded_payload_hash, _) = currency
        .cddc
        .cipher_suite()
        .blind(key, &blinded.payload, &seed)
        .ok()?;
    Some(Blind {
        blinded_payload_hash,
        mint_key_id,
        reference: blinded.reference.clone(),
    })
}

fn issued(currency: &Currency, blind: &Blind) -> Option<PromisedLeaf> {
    let key = currency.mint_keys.get(&blind.mint_key_id)?.public_key();
    let fingerprint = KeyFingerprint::of(key.document());
    let digest = IssuedDigest::of(&fingerprint, key.modulus_bytes(), &blind.blinded_payload_hash).ok()?;
    Some(PromisedLeaf::Coin {
        is_issued: true,
        mint_key: blind.mint_key_id.clone(),
        digest: Hash::new(*digest.as_bytes()),
    })
}

fn spent(currency: &Currency, coin: &Coin) -> Option<PromisedLeaf> {
    let key = currency.mint_keys.get(&coin.payload.mint_key_id)?.public_key();
    let hash = currency.cddc.cipher_suite().payload_hash(&coin.payload);
    let digest = SpentDigest::of(&KeyFingerprint::of(key.document()), &hash);
    Some(PromisedLeaf::Coin {
        is_issued: false,
        mint_key: coin.payload.mint_key_id.clone(),
        digest: Hash::new(*digest.as_bytes()),
    })
}
