//! One pass of an audit over the books. It reads the whole journal, or only the new records.
//!
//! **Which rows are not read again.** PostgreSQL assigns the number of a row before the transaction commits,
//! so a row can become visible after rows with higher numbers. A row has *settled* when no row with a lower
//! number can become visible any more. The running sums cover only settled rows; each pass reads all later
//! rows again. A write attempt lasts at most 60 seconds (`ATTEMPT_DURATION_MAX` in `opencoin-postgres`), and
//! lower numbers are assigned earlier. So a row settles [`SETTLE_SECONDS`], which is twice as long, after its
//! time. This is measured by the clock of the database. On a standby it is measured by the time up to which
//! the standby has followed the primary, so a standby that lags settles nothing too early. SQLite has one
//! writer at a time, so there every visible row has settled.
//!
//! A short pass alone raises no alarm: if it finds a broken invariant, the [`Auditor`](crate::Auditor) reads
//! everything and reports what the full pass finds.

use std::collections::BinaryHeap;

use sha2::{Digest, Sha256};

use crate::chain::{Chain, digest_of};
use crate::sums::Sums;
use crate::{
    AccountRow, AuditFacts, Check, Collector, FilePayoutRow, FileRow, JournalRow, PayoutRow, WaitingRow,
};
use opencoin_ledger::stored::StoredMintKey;
use opencoin_ledger::{LedgerTime, TransactionNo};

/// The time after which a row of the journal has settled, in seconds.
pub const SETTLE_SECONDS: i64 = 120;

/// The sums and the digest of the settled part of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settled {
    pub(crate) sums: Sums,
    pub(crate) chain: Chain,
    /// The number of the last settled row.
    pub(crate) last: i64,
}

impl Settled {
    /// The number up to which the journal has settled.
    #[must_use]
    pub const fn position(&self) -> TransactionNo {
        TransactionNo::new(self.last)
    }
}

/// A random sample of all acceptances in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// The maximum number of acceptances in the sample.
    pub size: usize,
    /// The seed of the random choice: the same journal and seed give the same sample.
    pub seed: u64,
}

/// A pass in progress. The store calls, in this order:
///
/// 1. [`Self::settle_before`] or [`Self::settle_at_once`],
/// 2. the methods that take accounts, mint keys, payouts, files of payouts and waiting mints, in this order and for every
///    row,
/// 3. [`Self::coins_to_count`], and the methods that take these counts,
/// 4. [`Self::journal`] for each record from [`Self::journal_from`] on, in ascending order of numbers.
///
/// All rows must be of one snapshot.
pub struct Pass {
    collector: Collector,
    mint_key_nos: Vec<i64>,
    /// Selects the mint key whose coins are counted. `None` counts the coins of all.
    turn: Option<usize>,
    /// Where a short pass begins.
    before: Option<Settled>,
    /// The chain from an earlier pass, and the chain over the same numbers in this pass.
    earlier: Option<(Chain, Chain)>,
    /// Whether a short pass has found the last settled row unchanged.
    anchor_found: bool,
    /// Rows have settled up to this time, in microseconds since the epoch.
    cutoff: i64,
    chain: Chain,
    settled_to: i64,
    settled: Option<Settled>,
    read: u64,
    last: i64,
    sample: Option<Sample>,
    drawn: BinaryHeap<(u64, i64)>,
}

/// The result of a pass.
pub(crate) struct Found {
    pub(crate) facts: AuditFacts,
    pub(crate) settled: Settled,
    /// Whether the records of earlier passes are unchanged; `None` if there was no earlier pass.
    pub(crate) past: Option<Check>,
    pub(crate) rows_read: u64,
    pub(crate) last: i64,
    pub(crate) drawn: Vec<TransactionNo>,
}

/// The spent and recouped coins that a store is asked to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoinsToCount {
    /// Those of every mint key, and the rows of stored blinds.
    All,
    /// Those of the mint key with this number.
    Of(i64),
    /// None, because there is no mint key.
    None,
}

impl Pass {
    /// A pass that reads everything, and compares the journal with the state of an earlier pass.
    #[must_use]
    pub fn full(earlier: Option<&Settled>, sample: Option<Sample>) -> Self {
        let earlier = earlier.map(|settled| (settled.chain.clone(), Chain::default()));
        Self::new(Collector::default(), None, None, earlier, sample)
    }

    /// A pass that reads the records after `settled` and counts the coins of one mint key. Increase `turn` in
    /// each pass, so that every mint key is selected in turn.
    #[must_use]
    pub fn since(settled: &Settled, turn: usize) -> Self {
        let collector = Collector::resume(settled.sums.clone());
        Self::new(collector, Some(turn), Some(settled.clone()), None, None)
    }

    fn new(
        collector: Collector,
        turn: Option<usize>,
        before: Option<Settled>,
        earlier: Option<(Chain, Chain)>,
        sample: Option<Sample>,
    ) -> Self {
        let Settled { chain, last, .. } = before.clone().unwrap_or_default();
        Self {
            collector,
            mint_key_nos: Vec::new(),
            turn,
            before,
            earlier,
            anchor_found: false,
            cutoff: i64::MIN,
            chain,
            settled_to: last,
            settled: None,
            read: 0,
            last,
            sample,
            drawn: BinaryHeap::new(),
        }
    }

    /// Takes the time of the database, read before the snapshot. Rows settle [`SETTLE_SECONDS`] after their
    /// time.
    pub fn settle_before(&mut self, now: LedgerTime) {
        self.cutoff = now.unix_micros().saturating_sub(SETTLE_SECONDS * 1_000_000);
    }

    /// Lets every row settle at once, for a store whose rows become visible in order of their numbers.
    pub fn settle_at_once(&mut self) {
        self.cutoff = i64::MAX;
    }

    /// Takes an account of a holder or key.
    pub fn account(&mut self, row: AccountRow<'_>) {
        self.collector.account(row);
    }

    /// Takes a mint key.
    pub fn mint_key(&mut self, row: &StoredMintKey) {
        self.mint_key_nos.push(row.no.into());
        self.collector.mint_key(row);
    }

    /// Takes a payout.
    pub fn payout(&mut self, row: PayoutRow<'_>) {
        self.collector.payout(row);
    }

    /// Takes a file of payouts. Call it after the last payout.
    pub fn file(&mut self, row: FileRow) {
        self.collector.file(row);
    }

    /// Takes a payout of a file. Call it after the last file.
    pub fn file_payout(&mut self, row: FilePayoutRow) {
        self.collector.file_payout(row);
    }

    /// Takes a closed account that has a session, a service or a start code.
    pub fn way_in(&mut self, account: i64) {
        self.collector.way_in(account);
    }

    /// Takes a waiting mint.
    pub fn waiting(&mut self, row: &WaitingRow<'_>) {
        self.collector.waiting(row);
    }

    /// The coins to count. Call it after the last mint key.
    pub fn coins_to_count(&mut self) -> CoinsToCount {
        let Some(turn) = self.turn else {
            return CoinsToCount::All;
        };
        let no = (!self.mint_key_nos.is_empty()).then(|| self.mint_key_nos[turn % self.mint_key_nos.len()]);
        self.collector.counted_only(no);
        no.map_or(CoinsToCount::None, CoinsToCount::Of)
    }

    /// Takes the number of spent coins of one mint key.
    pub fn spent(&mut self, mint_key_no: i64, coins: i64) {
        self.collector.spent(mint_key_no, coins);
    }

    /// Takes the number of recouped coins of one mint key.
    pub fn recouped(&mut self, mint_key_no: i64, coins: i64) {
        self.collector.recouped(mint_key_no, coins);
    }

    /// Takes the end of the public log: its totals as [`LogTotals::columns`](opencoin_ledger::LogTotals::columns), the root
    /// over key accounts, and why it is halted.
    pub fn log_head(&mut self, totals: [i64; 5], ledger_root: &[u8], halted: Option<&str>) {
        self.collector.log_head(totals, ledger_root, halted);
    }

    /// Takes what the public log has counted for a mint key. Call it after the last mint key.
    pub fn log_key(&mut self, mint_key_no: i64, issued: i64, spent: i64) {
        self.collector.log_key(mint_key_no, issued, spent);
    }

    /// Takes the account of a key as the public log has it. Call it after the end of the log.
    pub fn log_key_account(&mut self, key: &[u8], balance: i64, seq: i64, credits: i64) {
        self.collector.log_key_account(key, balance, seq, credits);
    }

    /// Takes a row that waits to be sealed: leaves of coins and blinds, leaves of key accounts, and the changes of the
    /// totals. Call it after the last key account of the log.
    pub fn log_pending(&mut self, coins: &[u8], statements: &[u8], totals: [i64; 5]) {
        self.collector.log_pending(coins, statements, totals);
    }

    /// Takes the number of rows of stored blinds.
    pub fn blinds_rows(&mut self, rows: i64) {
        self.collector.blinds_rows(rows);
    }

    /// The number of the first row to read. A short pass reads the last settled row again, to check that it
    /// is unchanged.
    #[must_use]
    pub fn journal_from(&self) -> i64 {
        self.before
            .as_ref()
            .map_or(i64::MIN, |before| before.chain.position())
    }

    /// Takes a record of the journal.
    pub fn journal(&mut self, row: &JournalRow<'_>) {
        if let Some((before, now)) = &mut self.earlier
            && row.id <= before.position()
        {
            now.push(row);
        }
        if let Some(before) = &self.before
            && row.id <= before.last
        {
            self.anchor_found |= before.chain.last == Some((row.id, digest_of(row)));
            return;
        }
        if self.settled.is_none() {
            if row.at <= self.cutoff {
                self.chain.push(row);
                self.settled_to = row.id;
            } else {
                self.settle();
            }
        }
        if row.id == self.last {
            self.collector.repeated_number(row.id);
        }
        (self.read, self.last) = (self.read + 1, row.id);
        self.draw(row);
        self.collector.journal(row);
    }

    fn settle(&mut self) {
        let (sums, chain) = (self.collector.sums(), std::mem::take(&mut self.chain));
        self.settled = Some(Settled {
            sums,
            chain,
            last: self.settled_to,
        });
    }

    /// Adds an acceptance to the sample, which keeps those with the lowest hashes. This draws a sample of
    /// fixed size from a stream of unknown length.
    fn draw(&mut self, row: &JournalRow<'_>) {
        let Some(Sample { size, seed }) = self.sample.filter(|_| row.blinds.is_some()) else {
            return;
        };
        let hash = Sha256::new()
            .chain_update(seed.to_be_bytes())
            .chain_update(row.id.to_be_bytes())
            .finalize();
        let hash = u64::from_be_bytes(*hash.first_chunk().expect("SHA-256 has 32 bytes"));
        self.drawn.push((hash, row.id));
        if self.drawn.len() > size {
            self.drawn.pop();
        }
    }

    /// Ends the pass.
    #[must_use]
    pub fn facts(self) -> AuditFacts {
        self.finish().facts
    }

    pub(crate) fn finish(mut self) -> Found {
        if self.settled.is_none() {
            self.settle();
        }
        let past = self.past();
        let mut drawn: Vec<TransactionNo> = self
            .drawn
            .into_iter()
            .map(|(_, id)| TransactionNo::new(id))
            .collect();
        drawn.sort_unstable();
        Found {
            facts: self.collector.finish(),
            settled: self.settled.expect("it was set above"),
            past,
            rows_read: self.read,
            last: self.last,
            drawn,
        }
    }

    fn past(&self) -> Option<Check> {
        let (rows, difference) = match (&self.earlier, &self.before) {
            (Some((before, now)), _) => (before.rows(), now.difference(before)),
            (None, Some(before)) => {
                let found = self.anchor_found || before.chain.last.is_none();
                let last = before.chain.position();
                let gone = || format!("transaction {last} is missing or was changed");
                (before.chain.rows(), (!found).then(gone))
            }
            (None, None) => return None,
        };
        let holds = difference.is_none();
        let detail = difference.unwrap_or_else(|| format!("{rows} rows"));
        Some(Check {
            name: "the journal that was read earlier has not changed",
            holds,
            detail,
        })
    }
}
