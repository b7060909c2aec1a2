//! Turns the stored rows of the books into facts. It takes the values as the columns hold them and checks
//! them itself.
//!
//! It can start from the [`Sums`] of records that were read before. Then only the later records are needed.

use std::collections::{HashMap, HashSet};

use crate::logged_accounts::LoggedAccounts;
use crate::sums::{KeySums, Sums};
use crate::{
    AccountFacts, AuditFacts, ClosedAccountFacts, FilePayoutRow, FileRow, INVALID_ROWS_DESCRIBED_MAX,
    KeyAccountFacts, LogFacts, MintKeyFacts, PayoutFacts,
};
use opencoin_ledger::journal::{IssuedCounts, Kind, ReferenceKey};
use opencoin_ledger::stored::StoredMintKey;
use opencoin_ledger::{
    AccountId, AccountName, AccountStatus, Amount, Blind, LedgerTime, LogTotals, MintKeyId, MintKeyTerms,
    PayoutNo, StoredBlind, count_blinds, decode_blinds, mint_content,
};
use opencoin_log::hash::Hash;
use opencoin_log::key_account::AccountKey;
use opencoin_log::leaf::{COIN_LEAF_BYTES, Leaf};

/// Collects facts from rows: first accounts, mint keys, payouts, waiting mints and the public log; then spent coins, recouped
/// coins and the journal, in any order.
#[derive(Default)]
pub struct Collector {
    facts: AuditFacts,
    /// Descriptions of invalid rows outside the journal. Those of the journal are in `facts`.
    invalid_tables: Vec<String>,
    invalid_table_rows: u64,
    /// The earlier sums of accounts, mint keys and payouts whose rows have not been taken yet.
    earlier: Sums,
    accounts: HashMap<AccountId, usize>,
    mint_keys: HashMap<MintKeyId, usize>,
    mint_keys_by_no: HashMap<i64, usize>,
    /// The index and the account of each payout, by the references of its request and of its settlement.
    payouts: HashMap<Box<[u8]>, (usize, AccountId)>,
    /// The references of waiting mints.
    waiting: HashSet<Box<[u8]>>,
    /// The key accounts of the public log.
    logged_accounts: LoggedAccounts,
}

/// A row of `accounts`.
#[derive(Debug, Clone, Copy)]
pub struct AccountRow<'a> {
    /// The number of the account.
    pub id: i64,
    /// Its name.
    pub name: &'a str,
    /// Its balance, in the smallest unit.
    pub balance: i64,
    /// The number of its newest entry.
    pub last_entry: i64,
    /// The numbers of payments and credits of a key.
    pub counts: [Option<i64>; 2],
    /// The stored number of its [`AccountStatus`].
    pub status: i16,
}

/// A row of `payouts`.
#[derive(Debug, Clone, Copy)]
pub struct PayoutRow<'a> {
    /// The number of the payout.
    pub no: i64,
    /// The account that asked for it.
    pub account: i64,
    /// The amount, in the smallest unit.
    pub amount: i64,
    /// The reference key of its request in the journal.
    pub reference: &'a [u8],
    /// How it was settled: paid, or failed (`false`). `None` if it is not settled.
    pub paid: Option<bool>,
}

/// A row of `waiting_mints`.
#[derive(Debug, Clone, Copy)]
pub struct WaitingRow<'a> {
    /// The reference key of the mint.
    pub reference: &'a [u8],
    /// The account that will pay.
    pub account: i64,
    /// The digest of the request's content.
    pub content: &'a [u8],
    /// The value of the blinds, in the smallest unit.
    pub amount: i64,
    /// The encoded blinds.
    pub blinds: &'a [u8],
}

/// A row of `transactions`, the journal.
#[derive(Debug, Clone, Copy)]
pub struct JournalRow<'a> {
    /// The number of the record.
    pub id: i64,
    /// The stored code of the record's [`Kind`].
    pub kind: i64,
    /// The account that gives the amount; `None` if no money moves.
    pub debit: Option<i64>,
    /// The number of this entry in that account; `None` if it is not a holder's.
    pub debit_entry: Option<i64>,
    /// The account that receives the amount; `None` if no money moves.
    pub credit: Option<i64>,
    /// The number of this entry in that account; `None` if it is not a holder's.
    pub credit_entry: Option<i64>,
    /// The amount, in the smallest unit.
    pub amount: i64,
    /// The time by the issuer's clock, in microseconds since the epoch.
    pub at: i64,
    /// The key under which the record is unique.
    pub reference: &'a [u8],
    /// The digest of the command's content.
    pub content: &'a [u8],
    /// How many signatures each mint key gives, encoded; `None` if nothing is signed.
    pub issued: Option<&'a [u8]>,
    /// The encoded blinds, or signatures in their place, and the number of the mint key that they expire with;
    /// `None` if nothing is signed, or the row was deleted because the coins have expired.
    pub blinds: Option<(&'a [u8], i64)>,
}

impl Collector {
    /// A collector that continues from these sums.
    pub(crate) fn resume(mut earlier: Sums) -> Self {
        let facts = std::mem::take(&mut earlier.totals);
        Self {
            facts,
            earlier,
            ..Self::default()
        }
    }

    /// The sums of the journal so far. All accounts, mint keys and payouts must have been taken before.
    pub(crate) fn sums(&self) -> Sums {
        let mut sums = self.earlier.clone(); // sums whose rows are missing
        sums.accounts.extend(
            self.facts
                .accounts
                .iter()
                .map(|account| (account.id, account.journal)),
        );
        sums.mint_keys
            .extend(self.facts.mint_keys.iter().map(|key| (key.id, key_sums(key))));
        let counts = |payout: &PayoutFacts| (payout.no, (payout.requests, payout.settlements));
        sums.payouts.extend(self.facts.payouts.iter().map(counts));
        let (accounts, mint_keys, payouts) = (Vec::new(), Vec::new(), Vec::new());
        sums.totals = AuditFacts {
            accounts,
            mint_keys,
            payouts,
            files: Vec::new(),
            waiting_mints: 0,
            waited_for: 0,
            waiting_although_given_up: 0,
            records_with_blinds: 0,
            blinds_rows: None,
            log: None,
            ..self.facts.clone()
        };
        sums
    }

    /// Takes an account of a holder or key.
    pub fn account(&mut self, row: AccountRow<'_>) {
        let AccountRow {
            id,
            name,
            balance,
            last_entry,
            counts,
            status,
        } = row;
        let number = AccountId::new(id);
        if number < AccountId::FIRST_HOLDER {
            self.invalid_table_row(format!("account {id}: the number is reserved"));
        }
        let is_key = name.parse().is_ok_and(|name: AccountName| name.key().is_some());
        let key = match (number.is_key_account(), counts) {
            (false, [None, None]) => None,
            (true, [Some(seq), Some(credits)]) if is_key => Some(KeyAccountFacts {
                seq,
                credits,
                logged: None,
            }),
            _ => {
                self.invalid_table_row(format!("account {id}: it is neither a holder's nor a key's"));
                None
            }
        };
        let status = AccountStatus::from_code(status);
        if status.is_none() || number.is_key_account() && status != Some(AccountStatus::Open) {
            self.invalid_table_row(format!("account {id}: its status makes no sense"));
        }
        self.accounts.insert(number, self.facts.accounts.len());
        let (name, journal) = (
            name.to_owned(),
            self.earlier.accounts.remove(&number).unwrap_or_default(),
        );
        self.facts.accounts.push(AccountFacts {
            id: number,
            name,
            balance: balance.into(),
            last_entry,
            journal,
            key,
            closed: (status == Some(AccountStatus::Closed)).then(ClosedAccountFacts::default),
        });
    }

    /// Takes a closed account that has a session, a service or a start code.
    pub fn way_in(&mut self, account: i64) {
        if let Some(closed) = self.closed(account) {
            closed.is_accessible = true;
        }
    }

    /// What a closed account still has; `None` if the account is not closed.
    fn closed(&mut self, account: i64) -> Option<&mut ClosedAccountFacts> {
        let index = *self.accounts.get(&AccountId::new(account))?;
        self.facts.accounts[index].closed.as_mut()
    }

    /// Takes a mint key.
    pub fn mint_key(&mut self, row: &StoredMintKey) {
        let Ok(id) = row.id[..].try_into().map(MintKeyId::new) else {
            return self.invalid_table_row(format!(
                "mint key number {}: its id has {} bytes",
                row.no,
                row.id.len()
            ));
        };
        let [not_before, not_after, expiry] = row.dates.map(LedgerTime::from_unix_micros);
        let denomination = Amount::try_from(row.denomination);
        let terms = denomination.map(|value| MintKeyTerms::new(value, not_before, not_after, expiry));
        let terms = match terms {
            Ok(Ok(terms)) => Ok(terms),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = &terms {
            self.invalid_table_row(format!("{id:?}: {error}"));
        }
        let earlier = self.earlier.mint_keys.remove(&id).unwrap_or_default();
        self.mint_keys.insert(id, self.facts.mint_keys.len());
        self.mint_keys_by_no
            .insert(row.no.into(), self.facts.mint_keys.len());
        self.facts.mint_keys.push(MintKeyFacts {
            id,
            denomination: row.denomination.into(),
            terms: terms.ok(),
            issued: row.issued.into(),
            returned: row.returned.into(),
            recouped: row.recouped.into(),
            blinds: earlier.blinds,
            recovered: earlier.recovered,
            again: earlier.again,
            logged_issued: 0,
            logged_spent: 0,
            counted: true,
            spent: 0,
            recouped_rows: 0,
            stopped: row.stopped_reason.is_some(),
            retired: row.retired,
            pruned: row.pruned,
        });
    }

    /// Takes a payout.
    pub fn payout(&mut self, row: PayoutRow<'_>) {
        let (no, place) = (
            PayoutNo::new(row.no),
            (self.facts.payouts.len(), AccountId::new(row.account)),
        );
        self.payouts.insert(row.reference.into(), place);
        self.payouts
            .insert(ReferenceKey::of_settlement(no).as_bytes().into(), place);
        let (amount, paid) = (row.amount.into(), row.paid);
        if let (None, Some(closed)) = (paid, self.closed(row.account)) {
            closed.waiting += 1;
        }
        let (requests, settlements) = self.earlier.payouts.remove(&no).unwrap_or_default();
        self.facts.payouts.push(PayoutFacts {
            no,
            amount,
            paid,
            requests,
            settlements,
            files: 0,
        });
    }

    /// Takes a file of payouts. Call it after the last payout.
    pub fn file(&mut self, row: FileRow) {
        if let Err(reason) = self.facts.take_file(row) {
            self.invalid_table_row(reason);
        }
    }

    /// Takes a payout of a file. Call it after the last file.
    pub fn file_payout(&mut self, row: FilePayoutRow) {
        if let Err(reason) = self.facts.take_file_payout(row) {
            self.invalid_table_row(reason);
        }
    }

    /// Takes a waiting mint.
    pub fn waiting(&mut self, row: &WaitingRow<'_>) {
        self.facts.waiting_mints += 1;
        self.facts.waited_for += i128::from(row.amount);
        self.waiting.insert(row.reference.into());
        if let Some(closed) = self.closed(row.account) {
            closed.waiting += 1;
        }
        if let Err(reason) = self.check_waiting(row) {
            self.invalid_table_row(format!("waiting mint of account {}: {reason}", row.account));
        }
    }

    fn check_waiting(&self, row: &WaitingRow<'_>) -> Result<(), String> {
        let account = AccountId::new(row.account);
        if !self.accounts.contains_key(&account) {
            return Err(format!("{account:?} does not exist"));
        }
        let blinds = decode_blinds(row.blinds).map_err(|error| error.to_string())?;
        let blinds: Option<Vec<Blind>> = blinds.into_iter().map(StoredBlind::blinded).collect();
        let blinds = blinds.ok_or("its blinds are already signed")?;
        if mint_content(account, &blinds).as_bytes()[..] != *row.content {
            return Err("its digest is not that of its blinds".to_owned());
        }
        let denomination = |blind: &Blind| {
            let key = self.mint_keys.get(&blind.mint_key);
            key.map(|index| self.facts.mint_keys[*index].denomination)
        };
        let value: Option<i128> = blinds.iter().map(denomination).sum();
        let value = value.ok_or("its blinds name an unknown mint key")?;
        if value == row.amount.into() {
            Ok(())
        } else {
            Err(format!(
                "its blinds are worth {value}, its amount is {}",
                row.amount
            ))
        }
    }

    /// Takes the number of spent coins of one mint key.
    pub fn spent(&mut self, mint_key_no: i64, coins: i64) {
        match self.mint_keys_by_no.get(&mint_key_no) {
            Some(&index) => self.facts.mint_keys[index].spent += i128::from(coins),
            None => self.invalid_table_row(format!(
                "{coins} spent coins: mint key number {mint_key_no} does not exist"
            )),
        }
    }

    /// Takes the number of recouped coins of one mint key.
    pub fn recouped(&mut self, mint_key_no: i64, coins: i64) {
        match self.mint_keys_by_no.get(&mint_key_no) {
            Some(&index) => self.facts.mint_keys[index].recouped_rows += i128::from(coins),
            None => self.invalid_table_row(format!(
                "{coins} recouped coins: mint key number {mint_key_no} does not exist"
            )),
        }
    }

    /// Takes the end of the public log: its totals as [`LogTotals::columns`], the root over key accounts, and why it is
    /// halted.
    pub fn log_head(&mut self, totals: [i64; 5], ledger_root: &[u8], halted: Option<&str>) {
        let halted = halted.map(str::to_owned);
        self.facts.log = Some(LogFacts {
            totals: Some(LogTotals::default()),
            ledger_root: ledger_root.try_into().ok().map(Hash::new),
            computed_root: Hash::EMPTY_TREE,
            halted,
        });
        self.log_totals(totals);
    }

    /// Takes what the public log has counted for a mint key.
    pub fn log_key(&mut self, mint_key_no: i64, issued: i64, spent: i64) {
        let Some(&index) = self.mint_keys_by_no.get(&mint_key_no) else {
            return self.invalid_table_row(format!(
                "the public log has counts of mint key number {mint_key_no}, which does not exist"
            ));
        };
        let key = &mut self.facts.mint_keys[index];
        key.logged_issued += i128::from(issued);
        key.logged_spent += i128::from(spent);
    }

    /// Takes the account of a key as the public log has it.
    pub fn log_key_account(&mut self, key: &[u8], balance: i64, seq: i64, credits: i64) {
        if let Err(reason) = self.logged_accounts.take(key, balance, seq, credits) {
            self.invalid_table_row(reason);
        }
    }

    /// Takes a row that waits to be sealed: the leaves of coins and blinds, those of key accounts, and the changes of the
    /// totals.
    pub fn log_pending(&mut self, coins: &[u8], statements: &[u8], totals: [i64; 5]) {
        self.log_totals(totals);
        if let Err(reason) = self.logged_accounts.add(statements) {
            self.invalid_table_row(format!("what waits for the public log: {reason}"));
        }
        for leaf in coins.chunks(COIN_LEAF_BYTES) {
            match Leaf::decode(leaf) {
                Ok(Leaf::Issued { key_no, .. }) => self.log_key(key_no.get().into(), 1, 0),
                Ok(Leaf::Spent { key_no, .. }) => self.log_key(key_no.get().into(), 0, 1),
                Ok(Leaf::CoinRecouped { .. } | Leaf::BlindRecouped { .. }) => {}
                Ok(_) | Err(_) => {
                    self.invalid_table_row("what waits for the public log has an invalid leaf".to_owned());
                }
            }
        }
    }

    fn log_totals(&mut self, columns: [i64; 5]) {
        let Some(log) = &mut self.facts.log else {
            return self.invalid_table_row("something waits for a public log that does not exist".to_owned());
        };
        let sum = log.totals.map(|totals| totals + LogTotals::from_columns(columns));
        log.totals =
            sum.filter(|sum| LogTotals::TOO_LARGE != columns && sum.columns() != LogTotals::TOO_LARGE);
    }

    /// Takes the number of rows of stored blinds.
    pub(crate) fn blinds_rows(&mut self, rows: i64) {
        self.facts.blinds_rows = Some(u64::try_from(rows).expect("a count is not below zero"));
    }

    /// Notes that only the coins of the mint key with this number are counted.
    pub(crate) fn counted_only(&mut self, mint_key_no: Option<i64>) {
        let counted = mint_key_no.and_then(|no| self.mint_keys_by_no.get(&no).copied());
        for (index, key) in self.facts.mint_keys.iter_mut().enumerate() {
            key.counted = counted == Some(index);
        }
    }

    /// Takes a record of the journal.
    pub fn journal(&mut self, row: &JournalRow<'_>) {
        self.facts.transactions += 1;
        if let Err(reason) = self.record(row) {
            self.invalid_row(format!("transaction {}: {reason}", row.id));
        }
    }

    /// Notes that a record has the number of the one before it.
    pub(crate) fn repeated_number(&mut self, id: i64) {
        self.invalid_row(format!("transaction {id}: another one has the same number"));
    }

    /// Returns the facts.
    #[must_use]
    pub fn finish(mut self) -> AuditFacts {
        let Sums {
            accounts,
            mint_keys,
            payouts,
            totals: _,
        } = std::mem::take(&mut self.earlier);
        for id in accounts.into_keys() {
            self.invalid_table_row(format!("{id:?} is missing, but the journal names it"));
        }
        for id in mint_keys.into_keys() {
            self.invalid_table_row(format!("{id:?} is missing, but the journal names it"));
        }
        for no in payouts.into_keys() {
            let no = no.get();
            self.invalid_table_row(format!("payout {no} is missing, but the journal names it"));
        }
        self.compare_logged_accounts();
        self.facts.invalid_rows += self.invalid_table_rows;
        self.invalid_tables.append(&mut self.facts.invalid);
        self.invalid_tables.truncate(INVALID_ROWS_DESCRIBED_MAX);
        self.facts.invalid = self.invalid_tables;
        self.facts
    }

    fn compare_logged_accounts(&mut self) {
        let mut logged = std::mem::take(&mut self.logged_accounts);
        if let Some(log) = &mut self.facts.log {
            log.computed_root = logged.root();
        }
        for account in &mut self.facts.accounts {
            if let Some(facts) = &mut account.key {
                let key = AccountKey::of_stored_text(&account.name);
                facts.logged = key.and_then(|key| logged.remove(&key));
            }
        }
        for key in logged.keys() {
            self.invalid_table_row(format!(
                "the public log has an account of key {key}, which has none"
            ));
        }
    }

    /// Notes an invalid row of the journal. The description must name the row and contain no secret.
    fn invalid_row(&mut self, description: String) {
        self.facts.invalid_rows += 1;
        if self.facts.invalid.len() < INVALID_ROWS_DESCRIBED_MAX {
            self.facts.invalid.push(description);
        }
    }

    /// Notes an invalid row of another table.
    fn invalid_table_row(&mut self, description: String) {
        self.invalid_table_rows += 1;
        if self.invalid_tables.len() < INVALID_ROWS_DESCRIBED_MAX {
            self.invalid_tables.push(description);
        }
    }

    fn record(&mut self, row: &JournalRow<'_>) -> Result<(), String> {
        let kind = i16::try_from(row.kind).ok().and_then(Kind::from_code);
        let kind = kind.ok_or_else(|| format!("unknown kind {}", row.kind))?;
        self.facts.retirements += u64::from(kind == Kind::RetireMintKey);
        self.facts.prunes += u64::from(kind == Kind::PruneMintKey);
        let [debit, credit] = [row.debit, row.credit].map(|account| account.map(AccountId::new));
        let amount = i128::from(row.amount);
        // The money is counted before the record is checked, so that an invalid record shows in the sums too.
        for (account, amount) in [(debit, -amount), (credit, amount)] {
            if let Some(account) = account {
                self.post(kind, account, amount)?;
            }
        }
        for (account, entry) in [(debit, row.debit_entry), (credit, row.credit_entry)] {
            self.number(account, entry)?;
        }
        self.count_statements(kind, debit, credit);
        if !kind.fits(debit, credit) {
            return Err(format!("its accounts do not fit the kind {kind:?}"));
        }
        if !kind.fits_amount(row.amount) {
            return Err(format!("the amount {amount} does not fit the kind {kind:?}"));
        }
        match kind {
            Kind::RequestPayout => self.payout_moved(row, debit, None)?,
            Kind::PayPayout => self.payout_moved(row, None, Some(true))?,
            Kind::ReturnPayout => self.payout_moved(row, credit, Some(false))?,
            // Its number is the first one that the lost state has not assigned.
            Kind::AcceptState => self.facts.entries_above = row.id - 1,
            Kind::GiveUpMint if self.waiting.contains(row.reference) => {
                self.facts.waiting_although_given_up += 1;
            }
            _ => {}
        }
        let counts = kind.counts_signatures(debit, credit);
        match (counts, kind.holds_blinds(), row.issued, row.blinds) {
            (true, true, Some(issued), blinds) => {
                let keys = self.issued(kind, issued, amount)?;
                self.stored_blinds(&keys, blinds)
            }
            (true, false, Some(issued), None) => self.issued(kind, issued, amount).map(drop),
            (false, false, None, None) => Ok(()),
            _ => Err(format!("the presence of blinds does not fit the kind {kind:?}")),
        }
    }

    fn post(&mut self, kind: Kind, account: AccountId, amount: i128) -> Result<(), String> {
        match account {
            AccountId::COINS => self.facts.coins_outstanding += amount,
            AccountId::PAYOUTS => self.facts.unsettled_payouts += amount,
            AccountId::RECOUPED => {
                self.facts.recouped -= amount;
                if kind == Kind::BearShortfall {
                    self.facts.borne -= amount;
                }
            }
            AccountId::RECOVERED => self.facts.recovered_unassigned += amount,
            AccountId::OUTSIDE if matches!(kind, Kind::Debit | Kind::PayPayout) => {
                self.facts.paid_out += amount
            }
            AccountId::OUTSIDE if kind == Kind::Recover && amount > 0 => self.facts.paid_out += amount,
            AccountId::OUTSIDE => self.facts.paid_in -= amount,
            holder => {
                let index = *self
                    .accounts
                    .get(&holder)
                    .ok_or_else(|| format!("{holder:?} does not exist"))?;
                self.facts.accounts[index].journal.balance += amount;
            }
        }
        Ok(())
    }

    /// Counts the payment or the credit of a key. A mint of a lost time that is signed again was paid before.
    fn count_statements(&mut self, kind: Kind, debit: Option<AccountId>, credit: Option<AccountId>) {
        let [payer, payee] = [debit, credit].map(|account| account.filter(|id| id.is_key_account()));
        let place = |account: AccountId| self.accounts.get(&account).copied();
        if let Some(index) = payer.filter(|_| kind != Kind::MintAgain).and_then(place) {
            self.facts.accounts[index].journal.seq += 1;
        }
        if let Some(index) = payee.filter(|_| payer.is_none()).and_then(place) {
            self.facts.accounts[index].journal.credits += 1;
        }
    }

    /// Checks that the entries of an account are numbered without a gap, except where an operator has accepted
    /// an older state.
    fn number(&mut self, account: Option<AccountId>, entry: Option<i64>) -> Result<(), String> {
        let holder = account.filter(|account| *account >= AccountId::FIRST_HOLDER);
        let index = holder.and_then(|holder| self.accounts.get(&holder));
        let (Some(&index), Some(entry)) = (index, entry) else {
            return match entry {
                None if holder.is_none() => Ok(()),
                None => Err("its entry has no number".to_owned()),
                Some(_) => Err("it numbers an entry of an account that has none".to_owned()),
            };
        };
        let above = self.facts.entries_above;
        let last = &mut self.facts.accounts[index].journal.last_entry;
        let follows = entry == *last + 1 || (*last < above && entry == above + 1);
        let before = std::mem::replace(last, entry);
        if follows {
            Ok(())
        } else {
            Err(format!("its entry has the number {entry} after {before}"))
        }
    }

    /// Compares a record with the payout that its reference names. `settled` is `None` for the request, and
    /// for a settlement whether the payout was paid.
    fn payout_moved(
        &mut self,
        row: &JournalRow<'_>,
        account: Option<AccountId>,
        settled: Option<bool>,
    ) -> Result<(), String> {
        let found = self.payouts.get(row.reference);
        let &(index, holder) = found.ok_or("its payout does not exist")?;
        let payout = &mut self.facts.payouts[index];
        let fits = payout.amount == row.amount.into() && account.is_none_or(|account| account == holder);
        if !fits || (settled.is_some() && settled != payout.paid) {
            return Err(format!("it does not fit payout {}", payout.no.get()));
        }
        let count = if settled.is_none() {
            &mut payout.requests
        } else {
            &mut payout.settlements
        };
        *count += 1;
        Ok(())
    }

    /// Counts the signatures of a record, and compares them with its amount. Returns the number, the index and the count of
    /// each mint key.
    fn issued(&mut self, kind: Kind, issued: &[u8], amount: i128) -> Result<Vec<(i64, usize, u32)>, String> {
        let issued = IssuedCounts::from_bytes(issued).map_err(|error| error.to_string())?;
        let mut value = 0_i128;
        let mut keys = Vec::new();
        for (no, count) in issued.iter() {
            let no = i64::from(no.get());
            let index = *self
                .mint_keys_by_no
                .get(&no)
                .ok_or_else(|| format!("it names the unknown mint key number {no}"))?;
            let facts = &mut self.facts.mint_keys[index];
            // Signatures that are given again were counted when the lost time was recovered.
            let counted = if kind.is_again() {
                &mut facts.again
            } else {
                &mut facts.blinds
            };
            *counted += i128::from(count);
            if kind == Kind::Recover {
                facts.recovered += i128::from(count);
            }
            value += facts.denomination * i128::from(count);
            keys.push((no, index, count));
        }
        let fits = match kind {
            Kind::MintAgain => amount <= value,
            Kind::RenewAgain | Kind::RecoupAgain => true,
            _ => amount == value,
        };
        if fits {
            Ok(keys)
        } else {
            Err(format!(
                "its signatures are worth {value}, its amount is {amount}"
            ))
        }
    }

    /// Compares the stored blinds of a record with the signatures that it counts.
    fn stored_blinds(
        &mut self,
        keys: &[(i64, usize, u32)],
        blinds: Option<(&[u8], i64)>,
    ) -> Result<(), String> {
        let facts = &mut self.facts;
        let keys: Vec<(i64, &MintKeyFacts, u32)> = keys
            .iter()
            .map(|(no, index, count)| (*no, &facts.mint_keys[*index], *count))
            .collect();
        let Some((blinds, expires_with)) = blinds else {
            return if keys.iter().any(|(_, key, _)| key.pruned) {
                Ok(())
            } else {
                Err("its blinds are missing, and none of their mint keys was pruned".to_owned())
            };
        };
        facts.records_with_blinds += 1;
        let mut stored = count_blinds(blinds).map_err(|error| error.to_string())?;
        let mut expected: Vec<_> = keys
            .iter()
            .map(|(_, key, count)| (key.id, u64::from(*count)))
            .collect();
        stored.sort_unstable();
        expected.sort_unstable();
        if stored != expected {
            return Err("its blinds are not those that it counts".to_owned());
        }
        let expiry = |key: &MintKeyFacts| key.terms.map(|terms| terms.coins_expiry());
        let last = keys.iter().max_by_key(|(no, key, _)| (expiry(key), *no));
        if last.is_none_or(|(no, ..)| *no != expires_with) {
            return Err("its blinds do not expire with the last of their mint keys".to_owned());
        }
        Ok(())
    }
}

fn key_sums(key: &MintKeyFacts) -> KeySums {
    KeySums {
        blinds: key.blinds,
        recovered: key.recovered,
        again: key.again,
    }
}

#[cfg(test)]
mod tests;
