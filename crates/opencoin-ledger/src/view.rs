//! The state that a decision reads and changes.
//!
//! A store gets from [`Touches`] what a batch can read, loads exactly that into a [`View`], lets
//! [`decide`](crate::decide) change it, and saves the [`Changes`]. The in-memory ledger keeps everything in
//! one view. A decision takes rows that are not loaded as missing, so a store must load everything that
//! `Touches` names.

mod changes;
mod state;
mod touches;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

pub use changes::{Balance, Changes, LogOpening, Opened, Recouped};
pub use state::{AccountOwner, AccountState, KeyOwner, MintKeyState, PayoutState, Signing, WaitingState};
pub use touches::Touches;

pub use crate::mint_key_no::MintKeyNo;

use opencoin_log::key_account::AccountKey;

use crate::journal::{Kind, Record, Recorded, ReferenceKey};
use crate::log::{BooksBeforeLog, LogBatchNo, OpenLog, PendingLeaves};
use crate::{
    AccountId, AccountName, AccountStatus, Action, Amount, EntryNo, IssuedDigest, LedgerTime, MintKeyId,
    MintKeyIdentity, MintKeyTerms, PasswordHash, PayoutNo, Proposal, ProposalNo, ProposalVerdict,
    RevokedBlind, Settlement, SpentDigest, StopReason, TokenHash,
};

/// A part of the books, or all of them.
#[derive(Debug, Clone, Default)]
pub struct View {
    accounts: HashMap<AccountId, AccountState>,
    accounts_by_name: HashMap<AccountName, AccountId>,
    accounts_by_token: HashMap<TokenHash, AccountId>,
    mint_keys: HashMap<MintKeyId, MintKeyState>,
    spent: HashSet<(MintKeyNo, SpentDigest)>,
    recouped_blinds: HashSet<(MintKeyNo, IssuedDigest)>,
    recouped_coins: HashSet<(MintKeyNo, SpentDigest)>,
    payouts: HashMap<PayoutNo, PayoutState>,
    proposals: BTreeMap<ProposalNo, Proposal>,
    waiting: HashMap<ReferenceKey, WaitingState>,
    records: HashMap<ReferenceKey, Recorded>,
    signing: Signing,
    log: Option<OpenLog>,
    before_log: BooksBeforeLog,
    /// Recovered blinds whose signatures nobody has got, as far as they are loaded.
    recovered_blinds: HashSet<(MintKeyNo, IssuedDigest, LogBatchNo)>,
    /// The balance of the system account of recovered money, if that was loaded.
    recovered_balance: i128,
    last: LastNumbers,
    last_proposal: Option<ProposalNo>,
    dirty: Dirty,
}

/// The numbers that were assigned last; `None` if there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LastNumbers {
    /// Of holders' accounts.
    pub account: Option<AccountId>,
    /// Of key accounts.
    pub key_account: Option<AccountId>,
    /// Of mint keys.
    pub mint_key: Option<MintKeyNo>,
    /// Of payouts.
    pub payout: Option<PayoutNo>,
}

/// The changes since the last [`View::take_changes`].
#[derive(Debug, Clone, Default)]
struct Dirty {
    journal: Vec<Record>,
    spent: Vec<(MintKeyNo, SpentDigest)>,
    recouped: Vec<Recouped>,
    recovered: Vec<(MintKeyNo, IssuedDigest)>,
    claimed: Vec<(MintKeyNo, IssuedDigest, LogBatchNo)>,
    opened: BTreeMap<AccountId, Option<PasswordHash>>,
    balances: BTreeSet<AccountId>,
    statuses: BTreeSet<AccountId>,
    requested: BTreeSet<PayoutNo>,
    settled: BTreeSet<PayoutNo>,
    proposed: BTreeSet<ProposalNo>,
    decided: BTreeSet<ProposalNo>,
    /// New waiting mints and their encoded blinds.
    waiting: BTreeMap<ReferenceKey, Vec<u8>>,
    /// Stored waiting mints whose expiry has changed.
    extended: BTreeSet<ReferenceKey>,
    /// Stored waiting mints to delete.
    waited: BTreeSet<ReferenceKey>,
    registered: BTreeSet<MintKeyId>,
    mint_keys: BTreeSet<MintKeyId>,
    signing: bool,
    log_opening: Option<LogOpening>,
    pending: PendingLeaves,
    actions: Vec<Action>,
}

/// Loading.
impl View {
    /// Adds a stored account.
    pub fn load_account(&mut self, account: AccountState) {
        let last = match account.owner {
            AccountOwner::Holder { .. } => &mut self.last.account,
            AccountOwner::Key(_) => &mut self.last.key_account,
        };
        *last = (*last).max(Some(account.id));
        self.accounts_by_name.insert(account.name.clone(), account.id);
        if let Some(token_hash) = account.token_hash() {
            self.accounts_by_token.insert(token_hash, account.id);
        }
        self.accounts.insert(account.id, account);
    }

    /// Adds a stored mint key.
    pub fn load_mint_key(&mut self, key: MintKeyState) {
        self.last.mint_key = self.last.mint_key.max(Some(key.no));
        self.mint_keys.insert(key.id, key);
    }

    /// Adds a spent coin.
    pub fn load_spent(&mut self, mint_key: MintKeyNo, spent_digest: SpentDigest) {
        self.spent.insert((mint_key, spent_digest));
    }

    /// Adds a recouped blind and its coin.
    pub fn load_recouped(&mut self, recouped: Recouped) {
        self.recouped_blinds
            .insert((recouped.mint_key, recouped.issued_digest));
        self.recouped_coins
            .insert((recouped.mint_key, recouped.spent_digest));
    }

    /// Adds a payout.
    pub fn load_payout(&mut self, payout: PayoutState) {
        self.last.payout = self.last.payout.max(Some(payout.no));
        self.payouts.insert(payout.no, payout);
    }

    /// Adds a proposal.
    pub fn load_proposal(&mut self, proposal: Proposal) {
        self.load_last_proposal(proposal.no);
        self.proposals.insert(proposal.no, proposal);
    }

    /// Sets the number of the newest proposal in the whole store.
    pub fn load_last_proposal(&mut self, last: ProposalNo) {
        self.last_proposal = self.last_proposal.max(Some(last));
    }

    /// Adds a waiting mint.
    pub fn load_waiting(&mut self, waiting: WaitingState) {
        self.waiting.insert(waiting.reference.clone(), waiting);
    }

    /// Adds a record of the journal.
    pub fn load_record(&mut self, key: ReferenceKey, record: Recorded) {
        self.records.insert(key, record);
    }

    /// Sets the state of signing.
    pub fn load_signing(&mut self, signing: Signing) {
        self.signing = signing;
    }

    /// Adds a recovered blind whose signature nobody has got.
    pub fn load_recovered_blind(&mut self, mint_key: MintKeyNo, blind: IssuedDigest, batch: LogBatchNo) {
        self.recovered_blinds.insert((mint_key, blind, batch));
    }

    /// Sets the balance of the system account of recovered money. Only a batch that assigns some needs this.
    pub fn load_recovered_balance(&mut self, balance: i128) {
        self.recovered_balance = balance;
    }

    /// Sets the money in the books. Only a batch that opens the log needs this.
    pub fn load_before_log(&mut self, before: BooksBeforeLog) {
        self.before_log = before;
    }

    /// Sets the state of the log; `None` if the currency has none.
    pub fn load_log(&mut self, log: Option<OpenLog>) {
        self.log = log;
    }

    /// Sets the numbers that were assigned last in the whole store.
    pub fn load_last_numbers(&mut self, stored: LastNumbers) {
        self.last = LastNumbers {
            account: self.last.account.max(stored.account),
            key_account: self.last.key_account.max(stored.key_account),
            mint_key: self.last.mint_key.max(stored.mint_key),
            payout: self.last.payout.max(stored.payout),
        };
    }
}

/// Reading.
impl View {
    pub(crate) fn account(&self, id: AccountId) -> Option<&AccountState> {
        self.accounts.get(&id)
    }

    pub(crate) fn account_by_name(&self, name: &AccountName) -> Option<&AccountState> {
        self.accounts_by_name.get(name).map(|id| &self.accounts[id])
    }

    /// Replaces the token of a holder's account; `None` if there is no such account.
    pub(crate) fn replace_token(&mut self, id: AccountId, token_hash: TokenHash) -> Option<()> {
        let account = self.accounts.get_mut(&id)?;
        if let Some(before) = account.token_hash() {
            self.accounts_by_token.remove(&before);
        }
        account.owner = AccountOwner::Holder {
            token_hash: Some(token_hash),
        };
        self.accounts_by_token.insert(token_hash, id);
        Some(())
    }

    pub(crate) fn account_by_token(&self, token_hash: &TokenHash) -> Option<&AccountState> {
        self.accounts_by_token
            .get(token_hash)
            .map(|id| &self.accounts[id])
    }

    /// All loaded accounts, in no order.
    pub fn accounts(&self) -> impl Iterator<Item = &AccountState> {
        self.accounts.values()
    }

    /// The loaded key with this id. A store needs its number for the rows of spent coins.
    #[must_use]
    pub fn mint_key(&self, id: MintKeyId) -> Option<&MintKeyState> {
        self.mint_keys.get(&id)
    }

    /// All loaded mint keys, in no order.
    pub fn mint_keys(&self) -> impl Iterator<Item = &MintKeyState> {
        self.mint_keys.values()
    }

    pub(crate) fn is_spent(&self, mint_key: MintKeyNo, spent_digest: SpentDigest) -> bool {
        self.spent.contains(&(mint_key, spent_digest))
    }

    /// The mint key of every loaded spent coin, in no order.
    pub fn spent(&self) -> impl Iterator<Item = MintKeyNo> {
        self.spent.iter().map(|(mint_key, _)| *mint_key)
    }

    /// Whether the blind or its coin was recouped.
    pub(crate) fn is_recouped(&self, mint_key: MintKeyNo, revoked: &RevokedBlind) -> bool {
        self.recouped_blinds.contains(&(mint_key, revoked.issued_digest))
            || self.recouped_coins.contains(&(mint_key, revoked.spent_digest))
    }

    /// The mint key of every loaded recouped blind, in no order.
    pub fn recouped(&self) -> impl Iterator<Item = MintKeyNo> {
        self.recouped_blinds.iter().map(|(mint_key, _)| *mint_key)
    }

    pub(crate) fn payout(&self, no: PayoutNo) -> Option<&PayoutState> {
        self.payouts.get(&no)
    }

    /// All loaded payouts, in no order. A store needs them to load their accounts.
    pub fn payouts(&self) -> impl Iterator<Item = &PayoutState> + Clone {
        self.payouts.values()
    }

    pub(crate) fn proposal(&self, no: ProposalNo) -> Option<&Proposal> {
        self.proposals.get(&no)
    }

    /// All loaded proposals, ascending.
    pub(crate) fn proposals(&self) -> impl Iterator<Item = &Proposal> {
        self.proposals.values()
    }

    /// The proposal of this operation that waits, if there is one.
    pub(crate) fn waiting_proposal(&self, reference: &ReferenceKey) -> Option<&Proposal> {
        let mut waiting = self.proposals().filter(|proposal| proposal.verdict.is_none());
        waiting.find(|proposal| proposal.proposed.reference() == *reference)
    }

    /// The number of the next proposal: one more than the last.
    pub(crate) fn next_proposal(&self) -> ProposalNo {
        self.last_proposal.unwrap_or(ProposalNo::BEFORE_ALL).next()
    }

    pub(crate) fn waiting(&self, reference: &ReferenceKey) -> Option<&WaitingState> {
        self.waiting.get(reference)
    }

    /// All loaded waiting mints, in no order.
    pub fn all_waiting(&self) -> impl Iterator<Item = &WaitingState> {
        self.waiting.values()
    }

    /// The number of the next payout: one more than the last.
    pub(crate) fn next_payout(&self) -> PayoutNo {
        PayoutNo::new(self.last.payout.unwrap_or(PayoutNo::BEFORE_ALL).get() + 1)
    }

    pub(crate) fn record(&self, key: &ReferenceKey) -> Option<&Recorded> {
        self.records.get(key)
    }

    pub(crate) fn signing(&self) -> Signing {
        self.signing
    }

    /// Whether the books have had money, if that was loaded.
    pub(crate) fn has_moved_money(&self) -> bool {
        self.before_log.has_moved_money || self.dirty.journal.iter().any(|record| record.kind.moves_money())
    }

    /// The money in the books before this batch, if that was loaded.
    pub(crate) fn before_log(&self) -> BooksBeforeLog {
        self.before_log
    }

    /// The balance of the system account of recovered money, if that was loaded, with what this batch has moved.
    pub(crate) fn recovered_balance(&self) -> i128 {
        let moved = |record: &Record| match (record.debit, record.credit) {
            (Some(AccountId::RECOVERED), _) => -i128::from(record.amount.as_i64()),
            (_, Some(AccountId::RECOVERED)) => i128::from(record.amount.as_i64()),
            _ => 0,
        };
        self.recovered_balance + self.dirty.journal.iter().map(moved).sum::<i128>()
    }

    /// The log; `None` if the currency has none.
    pub(crate) fn open_log(&self) -> Option<OpenLog> {
        self.log
    }
}

/// Changing. The callers have checked that the change is allowed. A failed assertion is a bug in a caller.
impl View {
    pub(crate) fn open_account(
        &mut self,
        name: AccountName,
        token_hash: Option<TokenHash>,
        password: Option<PasswordHash>,
    ) -> AccountId {
        let id = next_account(self.last.account, AccountId::FIRST_HOLDER);
        assert!(id.is_custodial(), "a number of a holder's account");
        self.load_account(AccountState {
            id,
            name,
            owner: AccountOwner::Holder { token_hash },
            balance: Amount::ZERO,
            last_entry: EntryNo::BEFORE_ALL,
            status: AccountStatus::Open,
        });
        self.dirty.opened.insert(id, password);
        id
    }

    /// Changes what the holder of an account can do. A closed account loses its token.
    pub(crate) fn set_account_status(&mut self, id: AccountId, status: AccountStatus) {
        let account = self
            .accounts
            .get_mut(&id)
            .expect("the caller has read this account");
        assert!(
            account.id.is_custodial() && account.status != AccountStatus::Closed,
            "only holders' accounts have a status, and a closed one keeps it"
        );
        account.status = status;
        if status == AccountStatus::Closed {
            assert!(account.balance.is_zero(), "a closed account is empty");
            if let Some(token_hash) = account.token_hash() {
                self.accounts_by_token.remove(&token_hash);
            }
            account.owner = AccountOwner::Holder { token_hash: None };
        }
        self.dirty.statuses.insert(id);
    }

    pub(crate) fn open_key_account(&mut self, key: AccountKey) -> AccountId {
        let id = next_account(self.last.key_account, AccountId::FIRST_KEY_ACCOUNT);
        assert!(
            id.is_key_account() && self.log.is_some(),
            "a number of a key account, which only books with a log have"
        );
        let (seq, credits) = (0, 0);
        self.load_account(AccountState {
            id,
            name: AccountName::of_key(key),
            owner: AccountOwner::Key(KeyOwner { key, seq, credits }),
            balance: Amount::ZERO,
            last_entry: EntryNo::BEFORE_ALL,
            status: AccountStatus::Open,
        });
        self.dirty.opened.insert(id, None);
        id
    }

    /// Counts a payment of a key account, and returns its number.
    pub(crate) fn count_payment(&mut self, id: AccountId) -> u64 {
        let owner = self.key_owner(id);
        owner.seq += 1;
        owner.seq
    }

    /// Counts a credit of a key account, and returns its number.
    pub(crate) fn count_credit(&mut self, id: AccountId) -> u64 {
        let owner = self.key_owner(id);
        owner.credits += 1;
        owner.credits
    }

    fn key_owner(&mut self, id: AccountId) -> &mut KeyOwner {
        assert!(
            self.dirty.balances.contains(&id),
            "a payment or credit comes with a new balance"
        );
        let account = self.accounts.get_mut(&id);
        match &mut account.expect("the caller has read this account").owner {
            AccountOwner::Key(owner) => owner,
            AccountOwner::Holder { .. } => unreachable!("the caller has checked that it belongs to a key"),
        }
    }

    pub(crate) fn set_balance(&mut self, id: AccountId, balance: Amount) {
        let account = self
            .accounts
            .get_mut(&id)
            .expect("the caller has read this account");
        account.balance = balance;
        self.dirty.balances.insert(id);
    }

    pub(crate) fn request_payout(&mut self, payout: PayoutState) {
        assert!(
            payout.no == self.next_payout() && payout.settled.is_none(),
            "a new payout has the next number and is not settled"
        );
        self.dirty.requested.insert(payout.no);
        self.load_payout(payout);
    }

    pub(crate) fn settle_payout(&mut self, no: PayoutNo, settlement: Settlement, at: LedgerTime) {
        let payout = self
            .payouts
            .get_mut(&no)
            .expect("the caller has read this payout");
        assert!(payout.settled.is_none(), "a payout is settled once");
        payout.settled = Some((settlement, at));
        self.dirty.settled.insert(no);
    }

    pub(crate) fn propose(&mut self, proposal: Proposal) {
        assert!(
            proposal.no == self.next_proposal() && proposal.verdict.is_none(),
            "a new proposal has the next number and waits"
        );
        self.dirty.proposed.insert(proposal.no);
        self.load_proposal(proposal);
    }

    pub(crate) fn decide_proposal(&mut self, no: ProposalNo, verdict: ProposalVerdict) {
        let proposal = self
            .proposals
            .get_mut(&no)
            .expect("the caller has read this proposal");
        assert!(proposal.verdict.is_none(), "a proposal is decided once");
        proposal.verdict = Some(verdict);
        self.dirty.decided.insert(no);
    }

    pub(crate) fn begin_to_wait(&mut self, waiting: WaitingState, blinds: Vec<u8>) {
        let reference = waiting.reference.clone();
        let before = self.waiting.insert(reference.clone(), waiting);
        assert!(before.is_none(), "a mint begins to wait once");
        assert!(
            !self.dirty.waited.contains(&reference),
            "a mint that has waited does not wait again"
        );
        self.dirty.waiting.insert(reference, blinds);
    }

    pub(crate) fn extend_waiting(&mut self, reference: &ReferenceKey, expires: LedgerTime) {
        let waiting = self
            .waiting
            .get_mut(reference)
            .expect("the caller has read this mint");
        assert!(
            waiting.expires < expires,
            "the expiry of a waiting mint only grows"
        );
        waiting.expires = expires;
        if !self.dirty.waiting.contains_key(reference) {
            self.dirty.extended.insert(reference.clone());
        }
    }

    /// Removes a waiting mint, if there is one: it was applied or given up.
    pub(crate) fn end_waiting(&mut self, reference: &ReferenceKey) {
        if self.waiting.remove(reference).is_none() {
            return;
        }
        self.dirty.extended.remove(reference);
        if self.dirty.waiting.remove(reference).is_none() {
            self.dirty.waited.insert(reference.clone());
        }
    }

    /// Opens the log, with the counts of the loaded mint keys, which are all.
    pub(crate) fn begin_log(&mut self, opening: LogOpening) {
        assert!(self.log.is_none(), "the log is opened once");
        assert!(
            !self.before_log.has_key_accounts,
            "only books with a log have key accounts"
        );
        self.log = Some(OpenLog {
            batch: LogBatchNo::FIRST,
            is_halted: false,
        });
        let used = self.mint_keys.values().filter(|key| key.issued > 0);
        let mut counts: Vec<_> = used.map(|key| (key.no, key.issued, key.returned)).collect();
        counts.sort_unstable();
        self.dirty.log_opening = Some(LogOpening { counts, ..opening });
    }

    /// Adds leaves of coins and blinds to what the log waits for.
    pub(crate) fn add_coin_leaves(&mut self, leaves: &[u8]) {
        self.dirty.pending.coins.extend_from_slice(leaves);
    }

    /// Adds the leaf of a document.
    pub(crate) fn add_other_leaf(&mut self, leaf: &[u8]) {
        self.dirty.pending.add_other(leaf);
    }

    /// Adds the leaf of a key account.
    pub(crate) fn add_statement(&mut self, leaf: &[u8]) {
        self.dirty.pending.add_statement(leaf);
    }

    /// Keeps a mint key from signing until its leaf is published.
    pub(crate) fn wait_for_log(&mut self, id: MintKeyId) {
        self.touch_mint_key(id).awaits_log = true;
    }

    pub(crate) fn release_mint_key(&mut self, id: MintKeyId) {
        let key = self.touch_mint_key(id);
        assert!(key.awaits_log, "a mint key is released once");
        key.awaits_log = false;
    }

    pub(crate) fn register_mint_key(
        &mut self,
        id: MintKeyId,
        terms: MintKeyTerms,
        identity: MintKeyIdentity,
    ) {
        let no = MintKeyNo::new(self.last.mint_key.unwrap_or_default().get() + 1);
        let (issued, returned, recouped) = (0, 0, 0);
        let key = MintKeyState {
            no,
            id,
            identity,
            terms,
            issued,
            returned,
            recouped,
            stopped: None,
            retired: false,
            pruned: false,
            awaits_log: self.log.is_some(),
        };
        assert!(!self.mint_keys.contains_key(&id), "a mint key is registered once");
        self.load_mint_key(key);
        self.dirty.registered.insert(id);
    }

    pub(crate) fn stop_mint_key(&mut self, id: MintKeyId, reason: StopReason) {
        let key = self.touch_mint_key(id);
        assert!(key.stopped.is_none(), "a mint key is stopped once");
        key.stopped = Some(reason);
    }

    pub(crate) fn retire_mint_key(&mut self, id: MintKeyId) {
        let key = self.touch_mint_key(id);
        assert!(!key.retired, "a mint key is retired once");
        key.retired = true;
    }

    /// Marks the key as pruned and forgets its spent and recouped coins. Stored rows are deleted later by
    /// [`Ledger::forget_rows`](crate::Ledger::forget_rows).
    pub(crate) fn prune_mint_key(&mut self, id: MintKeyId) {
        let key = self.touch_mint_key(id);
        assert!(!key.pruned, "a mint key is pruned once");
        key.pruned = true;
        let no = key.no;
        self.spent.retain(|coin| coin.0 != no);
        self.recouped_blinds.retain(|blind| blind.0 != no);
        self.recouped_coins.retain(|coin| coin.0 != no);
        self.dirty.spent.retain(|coin| coin.0 != no);
        self.dirty.recouped.retain(|recouped| recouped.mint_key != no);
        self.dirty.recovered.retain(|blind| blind.0 != no);
        self.recovered_blinds.retain(|blind| blind.0 != no);
    }

    pub(crate) fn count_issued(&mut self, id: MintKeyId, signatures: u64) {
        let key = self.touch_mint_key(id);
        assert!(
            !key.pruned && !key.retired && !key.awaits_log,
            "a pruned or retired key signs nothing, nor one that is not in the log yet"
        );
        key.issued += signatures;
    }

    /// Spends coins of one mint key.
    pub(crate) fn spend(&mut self, id: MintKeyId, coins: impl ExactSizeIterator<Item = SpentDigest>) {
        let key = self.touch_mint_key(id);
        assert!(!key.pruned, "the coins of a pruned key are refused");
        key.returned += coins.len() as u64;
        assert!(key.returned <= key.issued, "over-redemption was ruled out");
        let no = key.no;
        for spent_digest in coins {
            assert!(
                self.spent.insert((no, spent_digest)),
                "double spend was ruled out"
            );
            self.dirty.spent.push((no, spent_digest));
        }
    }

    pub(crate) fn recoup(&mut self, revoked: &RevokedBlind) {
        let &RevokedBlind {
            mint_key,
            issued_digest,
            spent_digest,
        } = revoked;
        let key = self.touch_mint_key(mint_key);
        assert!(
            key.stopped.is_some() && !key.pruned,
            "only a key that is stopped and not pruned has a recoup"
        );
        key.recouped += 1;
        assert!(key.recouped <= key.issued, "no more is recouped than was signed");
        let recouped = Recouped {
            mint_key: key.no,
            issued_digest,
            spent_digest,
        };
        assert!(
            !self.is_recouped(recouped.mint_key, revoked),
            "a blind and a coin are recouped once"
        );
        self.load_recouped(recouped);
        self.dirty.recouped.push(recouped);
    }

    /// Notes blinds of a mint key that were accepted in a lost time, so that they are signed again when a wallet asks.
    pub(crate) fn recover_blinds(
        &mut self,
        mint_key: MintKeyNo,
        blinds: impl IntoIterator<Item = IssuedDigest>,
    ) {
        let batch = self.log.expect("the log is open").batch;
        for digest in blinds {
            self.recovered_blinds.insert((mint_key, digest, batch));
            self.dirty.recovered.push((mint_key, digest));
        }
    }

    /// Takes recovered blinds, so that nobody else gets their signatures. Returns whether all of them were there.
    pub(crate) fn claim_blinds(&mut self, batch: LogBatchNo, blinds: &[(MintKeyNo, IssuedDigest)]) -> bool {
        let rows: BTreeSet<_> = blinds.iter().map(|(no, digest)| (*no, *digest, batch)).collect();
        if !rows.iter().all(|row| self.recovered_blinds.contains(row)) {
            return false;
        }
        for row in rows {
            self.recovered_blinds.remove(&row);
            self.dirty.claimed.push(row);
        }
        true
    }

    pub(crate) fn set_signing_paused(&mut self, paused: bool) {
        self.signing = Signing {
            paused,
            changes: self.signing.changes + 1,
        };
        self.dirty.signing = true;
    }

    /// Records what an operator does.
    pub(crate) fn note_action(&mut self, action: Action) {
        self.dirty.actions.push(action);
    }

    /// Appends a record, and numbers the entries of its accounts.
    pub(crate) fn write(&mut self, mut record: Record) {
        assert!(
            record.kind.fits(record.debit, record.credit),
            "the accounts fit the kind of the record"
        );
        assert!(
            record.kind.fits_amount(record.amount.as_i64()),
            "the amount is zero exactly if the kind moves no money"
        );
        let recorded = Recorded {
            kind: record.kind,
            content: record.content,
            amount: record.amount,
            log_batch: record.log_batch(self.log.map(|log| log.batch)),
        };
        assert!(
            record.label.is_none() || record.kind == Kind::Transfer,
            "only a transfer has a label"
        );
        assert_eq!(
            record.kind.holds_blinds(),
            record.blinds.is_some(),
            "a record has blinds exactly if its kind signs"
        );
        assert_eq!(
            record.kind.counts_signatures(record.debit, record.credit),
            record.issued.is_some(),
            "a record counts signatures exactly if there are some"
        );
        record.debit_entry = self.next_entry(record.debit);
        record.credit_entry = self.next_entry(record.credit);
        let before = self.records.insert(record.reference.clone(), recorded);
        assert!(before.is_none(), "a reference is written once");
        self.dirty.journal.push(record);
    }

    /// Numbers an entry of this account; `None` if it is a system account.
    fn next_entry(&mut self, account: Option<AccountId>) -> Option<EntryNo> {
        let id = account.filter(|id| *id >= AccountId::FIRST_HOLDER)?;
        assert!(
            self.dirty.balances.contains(&id),
            "an entry of an account comes with its new balance"
        );
        let account = self
            .accounts
            .get_mut(&id)
            .expect("the caller has read this account");
        account.last_entry = account.last_entry.next();
        Some(account.last_entry)
    }

    fn touch_mint_key(&mut self, id: MintKeyId) -> &mut MintKeyState {
        self.dirty.mint_keys.insert(id);
        self.mint_keys
            .get_mut(&id)
            .expect("the caller has read this mint key")
    }
}

/// The number after the last one, or the first one.
fn next_account(last: Option<AccountId>, first: AccountId) -> AccountId {
    last.map_or(first, |last| AccountId::new(last.get() + 1))
}
