//! The log of the in-memory ledger.

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::Arc;

use async_trait::async_trait;
use opencoin_log::batch::KeyCounts;
use opencoin_log::hash::Hash;
use opencoin_log::key_account::AccountKey;
use opencoin_log::key_ledger::KeyLedger;
use opencoin_log::key_no::KeyNo;
use opencoin_log::tile::{TileId, right_edge};

use super::{LogSnapshot, MemoryLedger};
use crate::journal::{IssuedCounts, Record, ReferenceKey, waiting_since};
use crate::log::{
    CopiedBatch, Edge, LogBatch, LogBatchNo, LogHead, LogKey, LogTerms, LoggedKeyAccounts, OpenLog,
    PendingLeaves, SealInput, Sealed, WaitingRow, seal, seal_copied,
};
use crate::log_store::{
    LEASE_HOLDER_BYTES, LogStore, LoggedCounts, PUBLISHED_KEPT_MAX, PendingSummary, PublishedCheckpoint,
    SealOutcome, TileOfLog,
};
use crate::recovered_entry::RecoveredEntry;
use crate::view::{Changes, LogOpening, MintKeyNo, MintKeyState};
use crate::{AccountId, IssuedDigest, LedgerError, LedgerTime, MintKeyId, SpentDigest, View};

/// A log in memory.
#[derive(Debug)]
pub(super) struct MemoryLog {
    head: LogHead,
    pending: Vec<(LedgerTime, PendingLeaves)>,
    bundles: BTreeMap<u64, TileOfLog>,
    tiles: HashMap<TileId, TileOfLog>,
    batches: Vec<LogBatch>,
    /// What has been counted so far.
    keys: BTreeMap<KeyNo, LogKey>,
    key_accounts: KeyLedger,
    spent: HashMap<(MintKeyNo, SpentDigest), LogBatchNo>,
    recovered: Vec<(MintKeyNo, IssuedDigest, LogBatchNo)>,
    /// By the size of their trees; the last one is the published one.
    published: BTreeMap<u64, PublishedCheckpoint>,
    joint: Option<PublishedCheckpoint>,
    lease: Option<([u8; LEASE_HOLDER_BYTES], LedgerTime)>,
}

impl MemoryLog {
    /// Takes what a batch adds to the log, if there is one.
    pub(super) fn append(log: &mut Option<Self>, changes: &mut Changes, view: &View) {
        if let Some(opening) = changes.log_opening.take() {
            *log = Some(Self::open(opening, view));
        }
        let (Some(log), Some(batch)) = (log.as_mut(), changes.log_batch) else {
            return;
        };
        log.spent.extend(changes.spent.iter().map(|coin| (*coin, batch)));
        let recovered = changes.recovered.iter().map(|(no, blind)| (*no, *blind, batch));
        log.recovered.extend(recovered);
        log.recovered.retain(|row| !changes.claimed.contains(row));
        let pending = mem::take(&mut changes.pending);
        if !pending.is_empty() {
            log.pending.push((waiting_since(&changes.journal), pending));
        }
    }

    pub(super) fn snapshot(&self) -> LogSnapshot<'_> {
        LogSnapshot {
            head: &self.head,
            keys: &self.keys,
            pending: &self.pending,
            key_accounts: &self.key_accounts,
        }
    }

    fn open(opening: LogOpening, view: &View) -> Self {
        let LogOpening {
            totals,
            began_late,
            counts,
        } = opening;
        let mut keys = BTreeMap::new();
        for (no, issued, spent) in counts {
            let key = view.mint_keys().find(|key| key.no == no);
            let key = LogKey {
                issued,
                spent,
                ..key.expect("it was counted").log_key()
            };
            keys.insert(key.no, key);
        }
        Self {
            head: LogHead {
                size: 0,
                root: Hash::EMPTY_TREE,
                batch: LogBatchNo::FIRST,
                previous: None,
                time_s: 0,
                totals,
                ledger_root: Hash::EMPTY_TREE,
                began_late,
                recovered_to: None,
                halted: None,
            },
            pending: Vec::new(),
            bundles: BTreeMap::new(),
            tiles: HashMap::new(),
            batches: Vec::new(),
            keys,
            key_accounts: KeyLedger::default(),
            spent: HashMap::new(),
            recovered: Vec::new(),
            published: BTreeMap::new(),
            joint: None,
            lease: None,
        }
    }

    fn open_log(&self) -> OpenLog {
        OpenLog {
            batch: self.head.batch,
            is_halted: self.head.halted.is_some(),
        }
    }

    /// Everything that a batch is made of.
    fn input(&self, view: &View, at: LedgerTime, terms: &LogTerms) -> SealInput {
        let mut keys: Vec<LogKey> = view
            .mint_keys()
            .map(|key| {
                let new = key.log_key();
                let (is_retired, is_pruned) = (new.is_retired, new.is_pruned);
                self.keys.get(&new.no).map_or(new, |counted| LogKey {
                    is_retired,
                    is_pruned,
                    ..*counted
                })
            })
            .collect();
        keys.sort_unstable_by_key(|key| key.no);
        let mut edge = Edge::default();
        for (id, _) in right_edge(self.head.size) {
            if id.level == 0 {
                edge.bundle = self.bundles[&id.index].clone();
            } else {
                edge.tiles.insert(id, self.tiles[&id].clone());
            }
        }
        SealInput {
            head: self.head.clone(),
            keys,
            edge,
            waiting: self.pending.clone(),
            key_accounts: Some(self.key_accounts.clone()),
            terms: terms.clone(),
            closings: None,
            at,
        }
    }

    fn save(&mut self, sealed: Sealed) {
        let Sealed {
            batch,
            head,
            bundles,
            tiles,
            keys,
            key_accounts,
            left,
        } = sealed;
        self.head = head;
        self.batches.push(batch);
        self.pending = left;
        self.bundles
            .extend(bundles.into_iter().map(|bundle| (bundle.index, bundle.data)));
        self.tiles
            .extend(tiles.into_iter().map(|tile| (tile.id, tile.bytes)));
        self.keys.extend(keys.into_iter().map(|key| (key.no, key)));
        self.key_accounts.set(key_accounts);
    }
}

#[async_trait]
impl LogStore for MemoryLedger {
    async fn head(&self) -> Result<Option<LogHead>, LedgerError> {
        Ok(self.state().log.as_ref().map(|log| log.head.clone()))
    }

    async fn pending(&self) -> Result<PendingSummary, LedgerError> {
        let state = self.state();
        let Some(log) = &state.log else {
            return Ok(PendingSummary::default());
        };
        let coins: u64 = log.pending.iter().map(|(_, pending)| pending.coin_count()).sum();
        Ok(PendingSummary {
            coins,
            has_others: log.pending.iter().any(|(_, pending)| !pending.others.is_empty()),
            has_statements: log
                .pending
                .iter()
                .any(|(_, pending)| !pending.statements.is_empty()),
            oldest: log.pending.iter().map(|(at, _)| *at).min(),
        })
    }

    async fn seal(
        &self,
        open: LogBatchNo,
        at: LedgerTime,
        terms: &LogTerms,
    ) -> Result<SealOutcome, LedgerError> {
        let mut state = self.state();
        let super::State { view, log, .. } = &mut *state;
        let Some(log) = log.as_mut().filter(|log| log.head.batch == open) else {
            return Ok(SealOutcome::Moved);
        };
        if log.head.halted.is_some() {
            return Ok(SealOutcome::Nothing);
        }
        let outcome = match seal(log.input(view, at, terms)) {
            Ok(None) => SealOutcome::Nothing,
            Ok(Some(sealed)) => {
                let batch = sealed.batch;
                log.save(sealed);
                SealOutcome::Sealed(batch)
            }
            Err(broken) => {
                log.head.halted = Some(broken.to_string());
                SealOutcome::Broken(broken)
            }
        };
        view.load_log(Some(log.open_log()));
        Ok(outcome)
    }

    async fn waiting(&self) -> Result<Vec<WaitingRow>, LedgerError> {
        let state = self.state();
        Ok(state
            .log
            .as_ref()
            .map(|log| log.pending.clone())
            .unwrap_or_default())
    }

    async fn seal_copied(
        &self,
        batch: Arc<CopiedBatch>,
        terms: &LogTerms,
    ) -> Result<SealOutcome, LedgerError> {
        let mut state = self.state();
        let super::State { view, log, .. } = &mut *state;
        let Some(log) = log.as_mut().filter(|log| log.head.batch == batch.no) else {
            return Ok(SealOutcome::Moved);
        };
        let input = log.input(view, LedgerTime::from_unix_micros(0), terms);
        let outcome = match seal_copied(input, &batch) {
            Ok(sealed) => {
                let sealed_batch = sealed.batch;
                log.save(sealed);
                SealOutcome::Sealed(sealed_batch)
            }
            Err(broken) => SealOutcome::Broken(broken),
        };
        view.load_log(Some(log.open_log()));
        Ok(outcome)
    }

    async fn recovered_in(
        &self,
        mint_key: MintKeyNo,
        blind: IssuedDigest,
    ) -> Result<Vec<LogBatchNo>, LedgerError> {
        let state = self.state();
        let recovered = state.log.iter().flat_map(|log| &log.recovered);
        let of_it = recovered.filter(|(no, digest, _)| (*no, *digest) == (mint_key, blind));
        let is_kept = |no: MintKeyNo| state.view.mint_keys().any(|key| key.no == no && !key.pruned);
        Ok(of_it
            .filter(|(no, ..)| is_kept(*no))
            .map(|(.., batch)| *batch)
            .collect())
    }

    async fn recovered_entries(&self) -> Result<Vec<RecoveredEntry>, LedgerError> {
        let state = self.state();
        let is_of_it = |record: &&Record| [record.debit, record.credit].contains(&Some(AccountId::RECOVERED));
        let entry = |record: &Record| {
            let accounts = [record.debit, record.credit].map(|account| account.map_or(0, AccountId::get));
            let issued = record.issued.as_ref().map(IssuedCounts::to_bytes);
            RecoveredEntry::from_columns(
                record.kind.code(),
                accounts,
                record.amount.as_i64(),
                issued.as_deref(),
                record.at.unix_micros(),
            )
        };
        state.journal.iter().filter(is_of_it).map(entry).collect()
    }

    async fn key_accounts(&self) -> Result<Option<LoggedKeyAccounts>, LedgerError> {
        let state = self.state();
        Ok(state.log.as_ref().map(|log| LoggedKeyAccounts {
            open: log.head.batch,
            ledger: log.key_accounts.clone(),
        }))
    }

    async fn key_payment(&self, key: &AccountKey, seq: u64) -> Result<Option<LogBatchNo>, LedgerError> {
        let state = self.state();
        let record = state.view.record(&ReferenceKey::of_key_payment(key, seq));
        Ok(record.and_then(|record| record.log_batch))
    }

    async fn batch(&self, no: LogBatchNo) -> Result<Option<LogBatch>, LedgerError> {
        let state = self.state();
        let found = |log: &super::MemoryLog| log.batches.iter().find(|batch| batch.no == no).copied();
        Ok(state.log.as_ref().and_then(found))
    }

    async fn bundle(&self, index: u64) -> Result<Option<TileOfLog>, LedgerError> {
        let state = self.state();
        Ok(state
            .log
            .as_ref()
            .and_then(|log| log.bundles.get(&index).cloned()))
    }

    async fn tile(&self, level: u8, index: u64) -> Result<Option<TileOfLog>, LedgerError> {
        let state = self.state();
        let found = |log: &super::MemoryLog| log.tiles.get(&TileId { level, index }).cloned();
        Ok(state.log.as_ref().and_then(found))
    }

    async fn published(&self) -> Result<Option<PublishedCheckpoint>, LedgerError> {
        let state = self.state();
        let newest = state.log.as_ref().and_then(|log| log.published.values().last());
        Ok(newest.cloned())
    }

    async fn publish(&self, checkpoint: &PublishedCheckpoint) -> Result<bool, LedgerError> {
        let mut state = self.state();
        let Some(log) = &mut state.log else {
            return Ok(false);
        };
        let newest = log.published.keys().last().copied();
        let is_published = newest <= Some(checkpoint.size);
        if is_published {
            log.published.insert(checkpoint.size, checkpoint.clone());
            if log.published.len() > PUBLISHED_KEPT_MAX {
                log.published.pop_first();
            }
        }
        Ok(is_published)
    }

    async fn published_of_size(&self, size: u64) -> Result<Option<PublishedCheckpoint>, LedgerError> {
        let state = self.state();
        Ok(state
            .log
            .as_ref()
            .and_then(|log| log.published.get(&size).cloned()))
    }

    async fn joint(&self) -> Result<Option<PublishedCheckpoint>, LedgerError> {
        Ok(self.state().log.as_ref().and_then(|log| log.joint.clone()))
    }

    async fn publish_joint(&self, checkpoint: &PublishedCheckpoint) -> Result<bool, LedgerError> {
        let mut state = self.state();
        let Some(log) = &mut state.log else {
            return Ok(false);
        };
        let is_newer = |before: &PublishedCheckpoint| before.size <= checkpoint.size;
        let is_published = log.joint.as_ref().is_none_or(is_newer);
        if is_published {
            log.joint = Some(checkpoint.clone());
        }
        Ok(is_published)
    }

    async fn take_lease(
        &self,
        holder: [u8; LEASE_HOLDER_BYTES],
        now: LedgerTime,
        until: LedgerTime,
    ) -> Result<bool, LedgerError> {
        let mut state = self.state();
        let Some(log) = &mut state.log else {
            return Ok(false);
        };
        let is_free = log
            .lease
            .is_none_or(|(other, held_until)| other == holder || held_until < now);
        if is_free {
            log.lease = Some((holder, until));
        }
        Ok(is_free)
    }

    async fn keys_to_release(&self, size: u64) -> Result<Vec<MintKeyId>, LedgerError> {
        let state = self.state();
        let Some(log) = &state.log else {
            return Ok(Vec::new());
        };
        let is_in = |key: &&MintKeyState| {
            let batch = log.keys.get(&key.no.key_no()).and_then(|key| key.batch);
            let batch = batch.and_then(|no| log.batches.iter().find(|batch| batch.no.get() == no));
            key.awaits_log && key.stopped.is_none() && batch.is_some_and(|batch| batch.end() <= size)
        };
        Ok(state
            .mint_keys()
            .into_iter()
            .filter(is_in)
            .map(|key| key.id)
            .collect())
    }

    async fn key_batches(&self) -> Result<Vec<(KeyNo, LogBatchNo)>, LedgerError> {
        let state = self.state();
        let keys = state.log.iter().flat_map(|log| log.keys.values());
        let logged = keys.filter_map(|key| Some((key.no, LogBatchNo::new(key.batch?))));
        Ok(logged.collect())
    }

    async fn key_counts(&self) -> Result<Option<LoggedCounts>, LedgerError> {
        let state = self.state();
        let counts = |key: &LogKey| KeyCounts {
            key_no: key.no,
            issued: key.issued,
            spent: key.spent,
        };
        Ok(state.log.as_ref().map(|log| LoggedCounts {
            size: log.head.size,
            keys: log.keys.values().map(counts).collect(),
        }))
    }

    async fn batch_of_spent(
        &self,
        mint_key: MintKeyNo,
        coin: SpentDigest,
    ) -> Result<Option<LogBatchNo>, LedgerError> {
        let state = self.state();
        let found = |log: &super::MemoryLog| log.spent.get(&(mint_key, coin)).copied();
        Ok(state.log.as_ref().and_then(found))
    }
}
