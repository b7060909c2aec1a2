//! The in-memory ledger: the reference for all stores, and a store for tests and demonstrations.
//!
//! It keeps the whole state in one [`View`]. The state is lost when the process ends.

mod accounts;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;

use crate::journal::{Record, ReferenceKey};
use crate::stored::{self, StoredUnsigned};
use crate::view::MintKeyState;
use crate::{
    BATCH_COMMANDS_MAX, Command, KeptSignatures, Ledger, LedgerError, MintKeyId, MintKeyStatus, Outcome,
    Prepared, Transaction, TransactionNo, TransactionReference, UnsignedPage, View, decide,
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
    /// The encoded blinds of the waiting mints in the view.
    waiting_blinds: HashMap<ReferenceKey, Vec<u8>>,
}

impl MemoryLedger {
    /// Empty books.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives `reader`, for example an audit, one snapshot of everything: the state, the journal in the order
    /// of its numbers from 1, and the encoded blinds of each waiting mint.
    pub fn read<T>(&self, reader: impl FnOnce(&View, &[Record], &HashMap<ReferenceKey, Vec<u8>>) -> T) -> T {
        let state = self.state();
        reader(&state.view, &state.journal, &state.waiting_blinds)
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
        if batch.len() > BATCH_COMMANDS_MAX {
            return Err(LedgerError::BatchTooLarge(batch.len()));
        }
        let prepared = Prepared::batch(batch);
        let mut state = self.state();
        let outcomes = prepared
            .iter()
            .map(|command| decide(&mut state.view, command))
            .collect();
        state.append();
        Ok(outcomes)
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
        let entry = &state.journal[index];
        let (code, at) = (entry.kind.code(), entry.at.unix_micros());
        let paused = state.view.signing().paused;
        let stopped = state.view.mint_keys().filter(|key| key.stopped.is_some());
        let stopped: Vec<Vec<u8>> = stopped.map(|key| key.id.as_bytes().to_vec()).collect();
        stored::transaction(number(index), code, at, entry.blinds.as_deref(), paused, &stopped).map(Some)
    }

    async fn unsigned(
        &self,
        key: &MintKeyStatus,
        after: TransactionNo,
        transactions_max: usize,
    ) -> Result<UnsignedPage, LedgerError> {
        assert!(transactions_max > 0, "a page has room for a transaction");
        let state = self.state();
        let in_window = |(index, entry): &(usize, &Record)| {
            number(*index) > after.get() && entry.kind.holds_blinds() && key.terms.signs_at(entry.at)
        };
        let row = |(index, entry): (usize, &Record)| StoredUnsigned {
            id: number(index),
            reference: entry.reference.as_bytes().to_vec(),
            blinds: entry.blinds.clone(),
        };
        let rows = state
            .journal
            .iter()
            .enumerate()
            .filter(in_window)
            .take(transactions_max)
            .map(row)
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

    async fn forget_coins(&self, _id: MintKeyId, _coins_max: u32) -> Result<u64, LedgerError> {
        Ok(0) // the prune has removed them already
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

/// The number of the record at this index of the journal.
fn number(index: usize) -> i64 {
    index as i64 + 1
}

impl State {
    fn keep(&mut self, kept: &KeptSignatures) -> bool {
        let index = usize::try_from(kept.transaction().get() - 1).ok();
        let blinds = index.and_then(|index| self.journal.get_mut(index)?.blinds.as_mut());
        match blinds {
            Some(blinds) if blinds[..] == *kept.before() => {
                *blinds = kept.after().to_vec();
                true
            }
            _ => false,
        }
    }

    fn append(&mut self) {
        let changes = self.view.take_changes();
        for opened in changes.opened {
            self.holders.open(opened);
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
        for entry in changes.journal {
            self.journal_by_reference
                .insert(entry.reference.clone(), self.journal.len());
            self.journal.push(entry);
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
            no: _,
            id,
            terms,
            issued,
            returned,
            recouped,
            stopped,
            retired,
            pruned,
        } = key;
        Self {
            id,
            terms,
            issued,
            returned,
            recouped,
            stopped,
            retired,
            pruned,
        }
    }
}
