//! One reading of the books, of all of the journal or of what is new in it.
//!
//! **Which rows are not read again.** On PostgreSQL a number is given to a row before its transaction
//! commits, so a row may appear below others that were seen already. A row has *settled* when none below it
//! can appear any more, and the sums of an audit are carried on from the settled part alone; what is above is
//! read again each time. An attempt to write lasts at most 60 seconds (`ATTEMPT_DURATION_MAX` of
//! `opencoin-postgres`), and a number below that of a row was given before that row's. So rows settle
//! [`SETTLE_SECONDS`] after their time, twice as long, measured by the database's clock; on a standby, by the
//! time up to which it has followed the primary, so that one that lags or rests settles nothing. On SQLite there is one writer at a time, and every row that is
//! seen has settled.
//!
//! Nothing depends on that for being right, only for being cheap: where a short pass finds that something
//! does not hold, the [`Auditor`](crate::Auditor) reads everything before it says so.

use std::collections::BinaryHeap;

use sha2::{Digest, Sha256};

use crate::chain::{Chain, digest_of};
use crate::sums::Sums;
use crate::{AuditFacts, Check, Collector, JournalRow, PayoutRow, WaitingRow};
use opencoin_ledger::stored::StoredMintKey;
use opencoin_ledger::{LedgerTime, TransactionNo};

/// How long after its time a row of the journal has settled.
pub const SETTLE_SECONDS: i64 = 120;

/// The settled part of the journal, and what it adds up to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settled {
    pub(crate) sums: Sums,
    pub(crate) chain: Chain,
    /// The number of the last row.
    pub(crate) last: i64,
}

impl Settled {
    /// The number up to which the journal has settled.
    #[must_use]
    pub const fn position(&self) -> TransactionNo {
        TransactionNo::new(self.last)
    }
}

/// Which acceptances are drawn, among all that the journal holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// How many.
    pub size: usize,
    /// Which ones: the same journal and seed give the same sample.
    pub seed: u64,
}

/// A reading in progress. The store calls, in one snapshot: [`Self::settle_before`] or
/// [`Self::settle_at_once`], then everything of accounts, mint keys, payouts and waiting mints, then the counts of coins
/// that [`Self::coins_to_count`] asks for, then the journal from [`Self::journal_from`] on in the order of
/// its numbers.
pub struct Pass {
    collector: Collector,
    mint_key_nos: Vec<i64>,
    /// Which mint key's coins are counted, if not all.
    turn: Option<usize>,
    /// Where a short pass begins.
    before: Option<Settled>,
    /// What was read of the same numbers earlier, and now.
    earlier: Option<(Chain, Chain)>,
    anchor_found: bool,
    cutoff: i64,
    chain: Chain,
    settled_to: i64,
    settled: Option<Settled>,
    read: u64,
    last: i64,
    sample: Option<Sample>,
    drawn: BinaryHeap<(u64, i64)>,
}

/// What a pass has found.
pub(crate) struct Found {
    pub(crate) facts: AuditFacts,
    pub(crate) settled: Settled,
    /// Whether what was read earlier is as it was; `None` where nothing was.
    pub(crate) past: Option<Check>,
    pub(crate) rows_read: u64,
    pub(crate) last: i64,
    pub(crate) drawn: Vec<TransactionNo>,
}

/// What a store is to count of spent and recouped coins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoinsToCount {
    /// Those of every mint key.
    All,
    /// Those of the mint key with this number.
    Of(i64),
    /// None: there is no mint key.
    None,
}

impl Pass {
    /// Reads everything. `earlier` is what was kept of the same journal, to be compared.
    #[must_use]
    pub fn full(earlier: Option<&Settled>, sample: Option<Sample>) -> Self {
        let earlier = earlier.map(|settled| (settled.chain.clone(), Chain::default()));
        Self::new(Collector::default(), None, None, earlier, sample)
    }

    /// Reads what is new since, and counts the coins of one mint key, another one each turn.
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

    /// The time of the database, read before the snapshot.
    pub fn settle_before(&mut self, now: LedgerTime) {
        self.cutoff = now.unix_micros().saturating_sub(SETTLE_SECONDS * 1_000_000);
    }

    /// Numbers appear in their order.
    pub fn settle_at_once(&mut self) {
        self.cutoff = i64::MAX;
    }

    /// Takes a holder's account.
    pub fn account(&mut self, id: i64, name: &str, balance: i64) {
        self.collector.account(id, name, balance);
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

    /// Takes a mint that waits for money.
    pub fn waiting(&mut self, row: &WaitingRow<'_>) {
        self.collector.waiting(row);
    }

    /// What to count, when all mint keys have been taken.
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

    /// The number with which the journal is read from: that of the last settled row, to see that it is still
    /// the same.
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

    /// Keeps the acceptances with the lowest hashes: a sample of fixed size of a stream of unknown length.
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

    /// What was collected.
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
            settled: self.settled.expect("it has just settled"),
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
                let gone = || format!("transaction {} is gone or was changed", before.chain.position());
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
