//! The in-memory ledger: the reference for all stores, and a store for tests and demonstrations.
//!
//! It keeps the whole state in one [`View`]. The state is lost when the process ends.

mod accounts;
mod bank;
mod exports;
mod log;
mod operators;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;

use opencoin_log::key_ledger::KeyLedger;
use opencoin_log::key_no::KeyNo;

use self::log::MemoryLog;
use crate::bank::PayoutExport;
use crate::journal::{IssuedCounts, Record, ReferenceKey};
use crate::log::{BooksBeforeLog, LogHead, LogKey, PendingLeaves};
use crate::log_store::{HasLog, LogStore};
use crate::stored::{self, StoredTransaction, StoredUnsigned};
use crate::view::MintKeyState;
use crate::{
    AccountId, AccountStatus, Action, BATCH_COMMANDS_MAX, Command, KeptSignatures, Ledger, LedgerError,
    LedgerTime, MintKeyId, MintKeyStatus, OperatorCommand, Outcome, PayoutNo, Prepared, Transaction,
    TransactionNo, TransactionReference, UnsignedPage, View, decide,
};

/// Books in memory. A clone is another handle to the same books.
#[derive(Debug, Clone, Default)]
pub struct MemoryLedger {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    view: View,
    holders: accounts::Holders,
    journal: Vec<Record>,
    journal_by_reference: HashMap<ReferenceKey, usize>,
    /// The encoded blinds of records that have not expired, by the number of the record.
    blinds: BTreeMap<i64, Vec<u8>>,
    /// The encoded blinds of the waiting mints in the view.
    waiting_blinds: HashMap<ReferenceKey, Vec<u8>>,
    log: Option<MemoryLog>,
    /// What operators have done, in the order of the numbers from 1.
    actions: Vec<Action>,
    bank: bank::MemoryBank,
}

/// Everything in the books at one time.
#[derive(Debug, Clone, Copy)]
pub struct MemorySnapshot<'a> {
    /// The state.
    pub view: &'a View,
    /// The journal in the order of its numbers from 1. The blinds of its records are in `blinds`.
    pub journal: &'a [Record],
    /// The encoded blinds of records whose coins have not expired, by the number of the record.
    pub blinds: &'a BTreeMap<i64, Vec<u8>>,
    /// The encoded blinds of each waiting mint.
    pub waiting_blinds: &'a HashMap<ReferenceKey, Vec<u8>>,
    /// Accounts with a password, session, service or start code.
    pub accessible: &'a BTreeSet<AccountId>,
    /// The public log; `None` if the currency has none.
    pub log: Option<LogSnapshot<'a>>,
    files: &'a exports::MemoryFiles,
}

impl<'a> MemorySnapshot<'a> {
    /// The files of payouts, ascending, each with its payouts.
    pub fn files(&self) -> impl Iterator<Item = (&'a PayoutExport, &'a [PayoutNo])> {
        self.files.with_payouts()
    }
}

/// The public log at one time.
#[derive(Debug, Clone, Copy)]
pub struct LogSnapshot<'a> {
    /// Its end.
    pub head: &'a LogHead,
    /// What it has counted for each mint key.
    pub keys: &'a BTreeMap<KeyNo, LogKey>,
    /// What waits to be sealed, one item for each commit.
    pub pending: &'a [(LedgerTime, PendingLeaves)],
    /// The key accounts at its end.
    pub key_accounts: &'a KeyLedger,
}

impl MemoryLedger {
    /// Empty books.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives `reader`, for example an audit, one snapshot of everything.
    pub fn read<T>(&self, reader: impl FnOnce(MemorySnapshot<'_>) -> T) -> T {
        let state = self.state();
        let accessible = state.holders.accessible();
        reader(MemorySnapshot {
            accessible: &accessible,
            view: &state.view,
            journal: &state.journal,
            blinds: &state.blinds,
            waiting_blinds: &state.waiting_blinds,
            log: state.log.as_ref().map(MemoryLog::snapshot),
            files: &state.bank.files,
        })
    }

    fn apply_prepared(&self, batch: &[Prepared<'_>]) -> Result<Vec<Outcome>, LedgerError> {
        if batch.len() > BATCH_COMMANDS_MAX {
            return Err(LedgerError::BatchTooLarge(batch.len()));
        }
        let mut state = self.state();
        let before = state.before_log();
        state.view.load_before_log(before);
        let recovered = state.recovered_balance();
        state.view.load_recovered_balance(recovered);
        let outcomes = batch
            .iter()
            .map(|command| decide(&mut state.view, command))
            .collect();
        state.append();
        Ok(outcomes)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("no decision has panicked and left a broken state")
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn apply(&self, batch: &[Command]) -> Result<Vec<Outcome>, LedgerError> {
        self.apply_prepared(&Prepared::batch(batch))
    }

    async fn apply_for_operator(&self, batch: &[OperatorCommand]) -> Result<Vec<Outcome>, LedgerError> {
        self.apply_prepared(&Prepared::operator_batch(batch))
    }

    async fn transaction(
        &self,
        reference: &TransactionReference,
    ) -> Result<Option<Transaction>, LedgerError> {
        let state = self.state();
        let key = ReferenceKey::of_transaction(reference);
        let Some(&index) = state.journal_by_reference.get(&key) else {
            return Ok(None);
        };
        let record = &state.journal[index];
        let stopped = state.view.mint_keys().filter(|key| key.stopped.is_some());
        let pruned = state.view.mint_keys().filter(|key| key.pruned);
        let row = StoredTransaction {
            id: number(index),
            kind: record.kind.code(),
            log_batch: state
                .view
                .record(&key)
                .and_then(|record| record.log_batch)
                .map(stored::log_batch_column),
            applied_at: record.at.unix_micros(),
            issued: record.issued.as_ref().map(IssuedCounts::to_bytes),
            blinds: state.blinds.get(&number(index)).cloned(),
            signing_paused: state.view.signing().paused,
            stopped: stopped.map(|key| key.id.as_bytes().to_vec()).collect(),
            pruned: pruned.map(|key| key.no.get()).collect(),
        };
        stored::transaction(&row).map(Some)
    }

    async fn unsigned(
        &self,
        key: &MintKeyStatus,
        after: TransactionNo,
        transactions_max: usize,
    ) -> Result<UnsignedPage, LedgerError> {
        assert!(transactions_max > 0, "a page has room for a transaction");
        let state = self.state();
        let row = |(id, blinds): (&i64, &Vec<u8>)| {
            let record = &state.journal[index(*id)];
            let row = || StoredUnsigned {
                id: *id,
                reference: record.reference.as_bytes().to_vec(),
                blinds: blinds.clone(),
            };
            key.terms.signs_at(record.at).then(row)
        };
        let rows = state
            .blinds
            .range((Bound::Excluded(after.get()), Bound::Unbounded))
            .filter_map(row)
            .take(transactions_max)
            .collect();
        stored::unsigned(key.id, transactions_max, rows)
    }

    async fn keep_signatures(&self, kept: &[KeptSignatures]) -> Result<Vec<bool>, LedgerError> {
        KeptSignatures::check_batch(kept)?;
        let mut state = self.state();
        Ok(kept.iter().map(|kept| state.keep(kept)).collect())
    }

    async fn check_coins(&self, _id: MintKeyId) -> Result<(), LedgerError> {
        Ok(()) // the view keeps counters and coins together
    }

    /// The prune has removed the coins already.
    async fn forget_rows(&self, id: MintKeyId, rows_max: u32) -> Result<u64, LedgerError> {
        let State {
            view,
            journal,
            blinds,
            ..
        } = &mut *self.state();
        let Some(no) = view.mint_key(id).filter(|key| key.pruned).map(|key| key.no) else {
            return Ok(0);
        };
        let expired = |id: &&i64| {
            let recorded = journal[index(**id)].blinds.as_ref();
            recorded.is_some_and(|recorded| recorded.expires_with == no)
        };
        let forgotten: Vec<i64> = blinds
            .keys()
            .filter(expired)
            .take(rows_max as usize)
            .copied()
            .collect();
        for id in &forgotten {
            blinds.remove(id);
        }
        Ok(forgotten.len() as u64)
    }

    async fn mint_keys(&self) -> Result<Vec<MintKeyStatus>, LedgerError> {
        Ok(self
            .state()
            .mint_keys()
            .into_iter()
            .cloned()
            .map(MintKeyStatus::from)
            .collect())
    }

    async fn signing_paused(&self) -> Result<bool, LedgerError> {
        Ok(self.state().view.signing().paused)
    }

    async fn ready(&self) -> Result<(), LedgerError> {
        Ok(())
    }
}

impl HasLog for MemoryLedger {
    fn log(&self) -> Arc<dyn LogStore> {
        Arc::new(self.clone())
    }
}

/// The number of the record at this index of the journal.
fn number(index: usize) -> i64 {
    index as i64 + 1
}

/// The index of the record with this number.
fn index(number: i64) -> usize {
    usize::try_from(number - 1).expect("numbers begin at 1")
}

impl State {
    fn keep(&mut self, kept: &KeptSignatures) -> bool {
        let index = self.journal_by_reference.get(kept.reference());
        match index.and_then(|index| self.blinds.get_mut(&number(*index))) {
            Some(blinds) if blinds[..] == *kept.before() => {
                *blinds = kept.after().to_vec();
                true
            }
            _ => false,
        }
    }

    fn recovered_balance(&self) -> i128 {
        let moved = |record: &Record| {
            let amount = i128::from(record.amount.as_i64());
            match (record.debit, record.credit) {
                (Some(AccountId::RECOVERED), _) => -amount,
                (_, Some(AccountId::RECOVERED)) => amount,
                _ => 0,
            }
        };
        self.journal.iter().map(moved).sum()
    }

    fn before_log(&self) -> BooksBeforeLog {
        let unsettled = self.view.payouts().filter(|payout| payout.settled.is_none());
        let unsettled: i128 = unsettled.map(|payout| i128::from(payout.amount.as_i64())).sum();
        let (mut accounts, mut entries) = (unsettled, 0);
        for account in self.view.accounts() {
            accounts += i128::from(account.balance.as_i64());
            entries += i128::from(account.last_entry.get());
        }
        BooksBeforeLog {
            has_key_accounts: self.view.accounts().any(|account| account.id.is_key_account()),
            has_moved_money: self.journal.iter().any(|record| record.kind.moves_money()),
            accounts,
            entries,
        }
    }

    fn append(&mut self) {
        let mut changes = self.view.take_changes();
        MemoryLog::append(&mut self.log, &mut changes, &self.view);
        self.actions.extend(changes.actions);
        for opened in changes.opened {
            self.holders.open(opened);
        }
        for (account, status) in changes.statuses {
            if status == AccountStatus::Closed {
                self.holders.close(account);
            }
        }
        self.waiting_blinds.extend(
            changes
                .waiting
                .into_iter()
                .map(|(waiting, blinds)| (waiting.reference, blinds)),
        );
        for reference in &changes.waited {
            self.waiting_blinds.remove(reference);
        }
        for mut record in changes.journal {
            let index = self.journal.len();
            self.journal_by_reference.insert(record.reference.clone(), index);
            if let Some(blinds) = &mut record.blinds {
                self.blinds.insert(number(index), mem::take(&mut blinds.encoded));
            }
            self.journal.push(record);
        }
    }

    fn mint_keys(&self) -> Vec<&MintKeyState> {
        let mut keys: Vec<_> = self.view.mint_keys().collect();
        keys.sort_unstable_by_key(|key| key.no);
        keys
    }
}

impl From<MintKeyState> for MintKeyStatus {
    fn from(key: MintKeyState) -> Self {
        let MintKeyState {
            no,
            id,
            identity,
            terms,
            issued,
            returned,
            recouped,
            stopped,
            retired,
            pruned,
            awaits_log,
        } = key;
        Self {
            no,
            id,
            identity,
            terms,
            issued,
            returned,
            recouped,
            stopped,
            retired,
            pruned,
            awaits_log,
        }
    }
}
