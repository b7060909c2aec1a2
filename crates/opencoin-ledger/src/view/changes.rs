//! What a batch changed: exactly what a store has to save.

use std::mem;

use super::{AccountState, MintKeyNo, MintKeyState, PayoutState, Signing, View, WaitingState};
use crate::journal::{Record, ReferenceKey};
use crate::{AccountId, Amount, BlindDigest, LedgerTime, PasswordHash, PayloadHash};

/// The rows to write, each list sorted by key, but for the journal, which is in the order of the commands.
#[derive(Debug, Default)]
pub struct Changes {
    /// Records to append.
    pub journal: Vec<Record>,
    /// Coins to insert.
    pub spent: Vec<(MintKeyNo, PayloadHash)>,
    /// Recouped blinds to insert.
    pub recouped: Vec<Recouped>,
    /// Accounts to insert.
    pub opened: Vec<Opened>,
    /// Accounts that were there, and their new balances.
    pub balances: Vec<(AccountId, Amount)>,
    /// Payouts to insert. One that was settled in the same batch is so already.
    pub requested: Vec<PayoutState>,
    /// Payouts that were there, settled.
    pub settled: Vec<PayoutState>,
    /// Waiting mints to insert, and their blinds as [`encode_blinds`](crate::encode_blinds) writes them.
    pub waiting: Vec<(WaitingState, Vec<u8>)>,
    /// Waiting mints that were there, and when their time is over now.
    pub extended: Vec<(ReferenceKey, LedgerTime)>,
    /// Waiting mints that were there, to delete.
    pub waited: Vec<ReferenceKey>,
    /// Mint keys to insert.
    pub registered: Vec<MintKeyState>,
    /// Mint keys that were there, with new counters, stopped, retired or pruned.
    pub mint_keys: Vec<MintKeyState>,
    /// The new state of signing, where it changed.
    pub signing: Option<Signing>,
}

/// An account to insert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The account.
    pub account: AccountState,
    /// The password that it begins with.
    pub password: Option<PasswordHash>,
}

/// A row of recouped blinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recouped {
    /// The stopped key.
    pub mint_key: MintKeyNo,
    /// Which blind.
    pub blind: BlindDigest,
    /// The coin that it had become.
    pub payload_hash: PayloadHash,
}

impl Changes {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        // Every other change leaves a record.
        self.journal.is_empty()
            && self.waiting.is_empty()
            && self.extended.is_empty()
            && self.waited.is_empty()
    }
}

impl View {
    /// What changed since the view was loaded, or since this was last asked.
    #[must_use]
    pub fn take_changes(&mut self) -> Changes {
        let dirty = mem::take(&mut self.dirty);
        let old_accounts = dirty.balances.iter().filter(|id| !dirty.opened.contains_key(id));
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
        spent.sort_unstable(); // neighbours in the table are written together
        let mut recouped = dirty.recouped;
        recouped.sort_unstable();
        let changes = Changes {
            spent,
            recouped,
            balances: old_accounts.map(|id| (*id, self.accounts[id].balance)).collect(),
            requested: dirty
                .requested
                .iter()
                .map(|no| self.payouts[no].clone())
                .collect(),
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
            journal: dirty.journal,
        };
        let counted = |key: &MintKeyState| key.returned <= key.issued && key.recouped <= key.issued;
        assert!(
            changes.registered.iter().chain(&changes.mint_keys).all(counted),
            "no coin comes back or is recouped unsigned"
        );
        changes
    }
}
