//! What the issuer owes, and what nobody can prove that it withholds: signatures of blinds that are in the log, and the leaf of
//! a coin that it has refused as spent.
//!
//! A challenge is settled when the issuer shows what it owes. The wallet therefore asks once more for signatures before it
//! complains, and looks itself for the leaf of a refused coin. A coin that came back so long ago that its leaf is published
//! is refused with the index of the leaf. Otherwise the leaf comes in time, in a batch that is sealed around the refusal. So
//! an honest issuer is not challenged.

use opencoin_evidence::{Claim, FalseRefusal, WithheldSignature, included};
use opencoin_log::digest::{KeyFingerprint, SpentDigest};
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::{Leaf, coin_recouped_leaf, spent_leaf};
use opencoin_log::log_block::LogBlock;
use opencoin_log_reader::checkpoint::is_later_than;
use opencoin_log_reader::{Batch, Place};
use opencoin_schema::{BigInt, Blind, Coin, PayloadHash, Request};

use super::super::answer::Answer;
use super::super::operations::spent_coins;
use super::checkpoint::NewestLog;
use super::{Wallet, evidence};
use crate::clock::CLOCK_DIFFERENCE_MAX;
use crate::error::WalletError;
use crate::event::{Operation, OperationId};
use crate::public_log::memory::{Challenged, LogChallenge, LogEvent, RefusedCoin};
use crate::state::Status;

/// The most batches around a refusal in which its leaf is looked for.
const BATCHES_MAX: usize = 512;

impl Wallet {
    /// Makes the challenge for the signatures of a request whose leaves are in the log, the first one at this index. It is over
    /// when they are there.
    pub(super) async fn challenge_signatures(
        &mut self,
        id: &BigInt,
        newest: &mut NewestLog,
        operation: OperationId,
        index: u64,
        due: u64,
    ) -> Result<(), WalletError> {
        let tracked = self.state.operations.get(&operation);
        let pending = tracked.filter(|tracked| tracked.status == Status::Pending);
        let Some(blind) = pending.and_then(|tracked| first_blind(&tracked.item)) else {
            return Ok(());
        };
        let key = self.currency(id)?.mint_keys.get(&blind.mint_key_id);
        let width = key.map(|key| key.public_key().modulus_bytes());
        let logged = self
            .log_memory(id)
            .and_then(|memory| memory.keys.get(&blind.mint_key_id));
        let (Some(width), Some(key)) = (width, logged.map(|key| key.index)) else {
            return Ok(());
        };
        let leaf = included(&mut newest.tree, index).await?;
        let key = included(&mut newest.tree, key).await?;
        let claim = WithheldSignature::new(&newest.note, leaf, key, &blind.blinded_payload_hash, width);
        let claim = Claim::WithheldSignature(Box::new(claim));
        self.note_challenge(id, Challenged::Signatures(operation), due, claim)
    }

    /// Asks once more for signatures that are due.
    pub(super) async fn ask_for_signatures(&mut self, id: &BigInt) -> Result<(), WalletError> {
        let now = u64::try_from(self.now.timestamp()).unwrap_or(0);
        let due = |challenge: &&LogChallenge| challenge.due < now;
        let due: Vec<LogChallenge> = self.owed(id).filter(due).cloned().collect();
        for challenge in due {
            let Challenged::Signatures(operation) = challenge.about else {
                continue;
            };
            match self.resume_operation(operation).await {
                Ok(()) => continue,
                Err(error @ (WalletError::Storage(_) | WalletError::Inconsistent(_))) => return Err(error),
                Err(_) if challenge.stands => continue,
                Err(_) => {}
            }
            let (stands, at) = (true, self.now);
            self.record_log(
                id,
                LogEvent::Challenge(LogChallenge {
                    stands,
                    at,
                    ..challenge
                }),
            )?;
        }
        Ok(())
    }

    /// Returns what the issuer has not shown although it was asked.
    pub(super) fn challenges(&self, id: &BigInt) -> impl Iterator<Item = &LogChallenge> {
        self.owed(id).filter(|challenge| challenge.stands)
    }

    /// Returns what the issuer owes, due or not.
    fn owed(&self, id: &BigInt) -> impl Iterator<Item = &LogChallenge> {
        let all = self
            .log_memory(id)
            .into_iter()
            .flat_map(|memory| &memory.challenges);
        all.filter(|challenge| match &challenge.about {
            Challenged::Signatures(operation) => {
                let tracked = self.state.operations.get(operation);
                tracked.is_some_and(|tracked| tracked.status == Status::Pending)
            }
            Challenged::Coin(_) => true,
        })
    }

    /// Remembers the coin that the issuer refuses as spent, with the place of its leaf if the answer names it.
    pub(in super::super) fn note_refusal(
        &mut self,
        id: OperationId,
        answer: &Answer,
    ) -> Result<(), WalletError> {
        let operation = &self.state.operations[&id].item;
        let Err(refused) = &answer.result else {
            return Ok(());
        };
        let currency = operation.currency.clone();
        let first = spent_coins(refused, operation.gives.len()).first().copied();
        let coin = first.and_then(|first| coins(operation).into_iter().nth(first));
        let (Some(coin), Ok(Some(_))) = (coin, self.log_block(&currency)) else {
            return Ok(());
        };
        let suite = self.currency(&currency)?.cddc.cipher_suite();
        let refused = RefusedCoin {
            payload_hash: const_hex::encode(suite.payload_hash(&coin.payload).as_bytes()),
            mint_key: coin.payload.mint_key_id,
            index: answer.log_index,
            at: self.now,
        };
        self.record_log(&currency, LogEvent::Refused(refused))
    }

    /// Looks for the leaves of coins that were refused as spent.
    pub(super) async fn check_refusals(
        &mut self,
        id: &BigInt,
        block: &LogBlock,
        newest: &mut NewestLog,
    ) -> Result<(), WalletError> {
        let refused = self.log_memory(id).map(|memory| memory.refused.clone());
        for coin in refused.unwrap_or_default() {
            newest.tree.begin_part();
            self.check_refusal(id, block, newest, coin).await?;
        }
        Ok(())
    }

    async fn check_refusal(
        &mut self,
        id: &BigInt,
        block: &LogBlock,
        newest: &mut NewestLog,
        coin: RefusedCoin,
    ) -> Result<(), WalletError> {
        let key = self.currency(id)?.mint_keys.get(&coin.mint_key);
        let fingerprint = key.map(|key| KeyFingerprint::of(key.public_key().document()));
        let logged = self
            .log_memory(id)
            .and_then(|memory| memory.keys.get(&coin.mint_key));
        let place = logged.map(|key| (key.key_no, key.index));
        let bytes = const_hex::decode(&coin.payload_hash).unwrap_or_default();
        let (Some(fingerprint), Some((key_no, key)), Ok(hash)) =
            (fingerprint, place, PayloadHash::new(&bytes))
        else {
            return Ok(());
        };
        let leaves = leaves_of(key_no, &SpentDigest::of(&fingerprint, &hash));
        let at = u64::try_from(coin.at.timestamp()).unwrap_or(0);
        let due = at.saturating_add(u64::from(block.within_s()));
        if self.is_spent(newest, &leaves, &coin, due).await? {
            let payload_hash = coin.payload_hash;
            return self.record_log(id, LogEvent::Spent { payload_hash });
        }
        if !is_later_than(block.policy(), &newest.verified, due) {
            return Ok(());
        }
        if self.is_older_than_log(id, newest, key).await? {
            let payload_hash = coin.payload_hash;
            return self.record_log(id, LogEvent::Spent { payload_hash });
        }
        let key = included(&mut newest.tree, key).await?;
        let claim = FalseRefusal::new(&newest.note, key, &bytes, at);
        let claim = Claim::FalseRefusal(Box::new(claim));
        self.note_challenge(id, Challenged::Coin(coin.payload_hash), due, claim)
    }

    /// Whether coins of the mint key with the leaf at this index may have come back before the log opened. Nobody attests those.
    async fn is_older_than_log(
        &mut self,
        id: &BigInt,
        newest: &mut NewestLog,
        key: u64,
    ) -> Result<bool, WalletError> {
        let hint = self.batch_hint(id, newest, 1).await?;
        let (Some(last), Some(_)) = (Batch::last(&mut newest.tree).await?, hint) else {
            return Ok(false);
        };
        let first = Batch::numbered(&mut newest.tree, 1, hint, &last).await?;
        let opened_late = match Leaf::decode(newest.tree.leaf(first.end).await?) {
            Ok(Leaf::Batch(batch)) => batch.opening,
            Ok(_) | Err(_) => false,
        };
        Ok(opened_late && key < first.end)
    }

    /// Whether one of the leaves stands where the issuer says, or in a batch that was sealed around the refusal.
    async fn is_spent(
        &mut self,
        newest: &mut NewestLog,
        leaves: &[Vec<u8>],
        coin: &RefusedCoin,
        due: u64,
    ) -> Result<bool, WalletError> {
        if let Some(index) = coin.index.filter(|index| *index < newest.tree.size()) {
            let leaf = newest.tree.leaf(index).await?;
            if leaves.iter().any(|spent| spent == leaf) {
                return Ok(true);
            }
        }
        // Clocks differ.
        let margin = CLOCK_DIFFERENCE_MAX.num_seconds().unsigned_abs();
        let at = u64::try_from(coin.at.timestamp()).unwrap_or(0);
        let (begin, end) = (at.saturating_sub(due - at + margin), due.saturating_add(margin));
        let mut batch = Batch::last(&mut newest.tree).await?;
        for _ in 0..BATCHES_MAX {
            let Some(around) = batch.filter(|batch| batch.time >= begin) else {
                break;
            };
            if around.time <= end {
                let places = around.locate(&mut newest.tree, leaves, &mut self.rng).await?;
                if places.iter().any(|place| matches!(place, Place::At(_))) {
                    return Ok(true);
                }
            }
            batch = around.before(&mut newest.tree).await?;
        }
        Ok(false)
    }

    fn note_challenge(
        &mut self,
        id: &BigInt,
        about: Challenged,
        due: u64,
        claim: Claim,
    ) -> Result<(), WalletError> {
        let Some(evidence) = evidence(self.currency(id)?, claim) else {
            return Ok(());
        };
        let challenge = LogChallenge {
            stands: matches!(about, Challenged::Coin(_)),
            about,
            due,
            evidence: Box::new(evidence),
            at: self.now,
        };
        self.record_log(id, LogEvent::Challenge(challenge))
    }
}

/// The leaves that say that a coin is spent.
fn leaves_of(key_no: KeyNo, digest: &SpentDigest) -> [Vec<u8>; 2] {
    [
        spent_leaf(key_no, digest).to_vec(),
        coin_recouped_leaf(key_no, digest).to_vec(),
    ]
}

/// The first blind of a request.
fn first_blind(operation: &Operation) -> Option<Blind> {
    let blinds = match Request::from_json(operation.request.expose().as_bytes()).ok()? {
        Request::RequestMint(request) => request.blinds,
        Request::RequestRenew(request) => request.blinds,
        _ => return None,
    };
    blinds.into_iter().next()
}

/// The coins of a request.
fn coins(operation: &Operation) -> Vec<Coin> {
    match Request::from_json(operation.request.expose().as_bytes()) {
        Ok(Request::RequestRenew(request)) => request.coins,
        Ok(Request::RequestRedeem(request)) => request.coins,
        Ok(_) | Err(_) => Vec::new(),
    }
}
