//! The changes of a batch, which a store has to save.

use std::mem;

use super::{AccountState, KeyOwner, MintKeyNo, MintKeyState, PayoutState, Signing, View, WaitingState};
use crate::journal::{Record, ReferenceKey};
use crate::log::{LogBatchNo, LogTotals, PendingLeaves};
use crate::{
    AccountId, AccountStatus, Action, Amount, EntryNo, IssuedDigest, LedgerTime, PasswordHash, Proposal,
    SpentDigest,
};

/// The rows to write. Each list is sorted by key, except the journal, which is in the order of the commands.
#[derive(Debug, Default)]
pub struct Changes {
    /// Records to append.
    pub journal: Vec<Record>,
    /// Coins to insert.
    pub spent: Vec<(MintKeyNo, SpentDigest)>,
    /// Recouped blinds to insert.
    pub recouped: Vec<Recouped>,
    /// Recovered blinds to insert, with the batch of the log that is open. Equal ones of a batch count once.
    pub recovered: Vec<(MintKeyNo, IssuedDigest)>,
    /// Recovered blinds to delete, with the batch of the log that has them. All of them must be there.
    pub claimed: Vec<(MintKeyNo, IssuedDigest, LogBatchNo)>,
    /// Accounts to insert.
    pub opened: Vec<Opened>,
    /// Existing accounts with new balances, and so new entries.
    pub balances: Vec<Balance>,
    /// Accounts whose status changed, new ones among them. A closed account also loses its token, password, listing,
    /// sessions, services and start code.
    pub statuses: Vec<(AccountId, AccountStatus)>,
    /// Payouts to insert. If the same batch settled one, it is inserted as settled.
    pub requested: Vec<PayoutState>,
    /// Existing payouts that were settled.
    pub settled: Vec<PayoutState>,
    /// Proposals to insert. If the same batch carried one out, it is inserted with the verdict.
    pub proposed: Vec<Proposal>,
    /// Existing proposals that were carried out.
    pub decided: Vec<Proposal>,
    /// Waiting mints to insert, and their blinds as [`encode_blinds`](crate::encode_blinds) writes them.
    pub waiting: Vec<(WaitingState, Vec<u8>)>,
    /// Existing waiting mints and their new expiry.
    pub extended: Vec<(ReferenceKey, LedgerTime)>,
    /// Waiting mints to delete.
    pub waited: Vec<ReferenceKey>,
    /// Mint keys to insert.
    pub registered: Vec<MintKeyState>,
    /// Existing mint keys with new counters, or stopped, retired or pruned.
    pub mint_keys: Vec<MintKeyState>,
    /// The new state of signing, if it changed.
    pub signing: Option<Signing>,
    /// The log that was opened, if it was.
    pub log_opening: Option<LogOpening>,
    /// The batch of the log that is open; `None` without a log. It is stored with records and spent coins.
    pub log_batch: Option<LogBatchNo>,
    /// What the batch adds to the log. Empty without a log.
    pub pending: PendingLeaves,
    /// Actions of operators to append, in the order of the commands.
    pub actions: Vec<Action>,
}

/// The beginning of the public log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogOpening {
    /// The totals of the money that was there before.
    pub totals: LogTotals,
    /// Whether the currency had coins or money before it had a log.
    pub began_late: bool,
    /// Mint keys with coins from before: their numbers, issued and returned coins.
    pub counts: Vec<(MintKeyNo, u64, u64)>,
}

/// The new balance of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// The account.
    pub account: AccountId,
    /// Its balance after the batch.
    pub balance: Amount,
    /// The number of its newest entry.
    pub last_entry: EntryNo,
    /// What the log counts for it; `None` for a holder's account.
    pub key: Option<KeyOwner>,
}

/// An account to insert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The new account, with the balance after the batch.
    pub account: AccountState,
    /// The initial password, if any. The account of a key has none.
    pub password: Option<PasswordHash>,
}

/// A row of the table of recouped blinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recouped {
    /// The short number of the stopped key.
    pub mint_key: MintKeyNo,
    /// The digest of the blind.
    pub issued_digest: IssuedDigest,
    /// The digest of its coin.
    pub spent_digest: SpentDigest,
}

impl Changes {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        // Every other change writes a record.
        self.journal.is_empty()
            && self.statuses.is_empty()
            && self.proposed.is_empty()
            && self.decided.is_empty()
            && self.waiting.is_empty()
            && self.extended.is_empty()
            && self.waited.is_empty()
    }
}

impl View {
    /// Returns the changes since the view was loaded or since the last call.
    ///
    /// # Panics
    /// A mint key has more returned or recouped coins than it signed.
    #[must_use]
    pub fn take_changes(&mut self) -> Changes {
        let dirty = mem::take(&mut self.dirty);
        let old_accounts = dirty.balances.iter().filter(|id| !dirty.opened.contains_key(id));
        let old_proposals = dirty.decided.difference(&dirty.proposed);
        let old_payouts = dirty.settled.difference(&dirty.requested);
        let mut registered: Vec<_> = dirty
            .registered
            .iter()
            .map(|id| self.mint_keys[id].clone())
            .collect();
        let old_keys = dirty.mint_keys.difference(&dirty.registered);
        let mut mint_keys: Vec<_> = old_keys.map(|id| self.mint_keys[id].clone()).collect();
        registered.sort_unstable_by_key(|key| key.no);
        mint_keys.sort_unstable_by_key(|key| key.no);
        let mut spent = dirty.spent;
        spent.sort_unstable(); // neighbouring rows are written together
        let mut recouped = dirty.recouped;
        recouped.sort_unstable();
        let mut recovered = dirty.recovered;
        recovered.sort_unstable();
        recovered.dedup();
        let mut claimed = dirty.claimed;
        claimed.sort_unstable();
        let changes = Changes {
            claimed,
            spent,
            recouped,
            recovered,
            balances: old_accounts
                .map(|id| Balance {
                    account: *id,
                    balance: self.accounts[id].balance,
                    last_entry: self.accounts[id].last_entry,
                    key: self.accounts[id].key(),
                })
                .collect(),
            statuses: dirty
                .statuses
                .iter()
                .map(|id| (*id, self.accounts[id].status))
                .collect(),
            requested: dirty
                .requested
                .iter()
                .map(|no| self.payouts[no].clone())
                .collect(),
            proposed: dirty
                .proposed
                .iter()
                .map(|no| self.proposals[no].clone())
                .collect(),
            decided: old_proposals.map(|no| self.proposals[no].clone()).collect(),
            settled: old_payouts.map(|no| self.payouts[no].clone()).collect(),
            opened: dirty
                .opened
                .into_iter()
                .map(|(id, password)| Opened {
                    account: self.accounts[&id].clone(),
                    password,
                })
                .collect(),
            waiting: dirty
                .waiting
                .into_iter()
                .map(|(reference, blinds)| (self.waiting[&reference].clone(), blinds))
                .collect(),
            extended: dirty
                .extended
                .into_iter()
                .map(|reference| {
                    let expires = self.waiting[&reference].expires;
                    (reference, expires)
                })
                .collect(),
            waited: dirty.waited.into_iter().collect(),
            registered,
            mint_keys,
            signing: dirty.signing.then_some(self.signing),
            log_opening: dirty.log_opening,
            log_batch: self.log.map(|log| log.batch),
            actions: dirty.actions,
            pending: match self.log {
                Some(_) => PendingLeaves {
                    totals: dirty.journal.iter().map(Record::log_totals).sum(),
                    ..dirty.pending
                },
                None => PendingLeaves::default(),
            },
            journal: dirty.journal,
        };
        let counted = |key: &MintKeyState| key.returned <= key.issued && key.recouped <= key.issued;
        assert!(
            changes.registered.iter().chain(&changes.mint_keys).all(counted),
            "no more coins are returned or recouped than were signed"
        );
        changes
    }
}
