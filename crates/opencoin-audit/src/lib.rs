//! Whether the books hold: facts read from a store in one snapshot, and the invariants they must satisfy.
//!
//! A store feeds its rows to a [`Pass`] one by one, which hands them to a [`Collector`], so that an audit
//! needs memory for accounts, keys and payouts only, not for the journal. Rows are fed as they are stored:
//! what cannot be believed is itself a fact. Then [`check`] judges.
//!
//! An [`Auditor`] goes on from pass to pass: after one that reads everything, the next ones read what is new
//! in the journal.

mod auditor;
mod chain;
mod check;
mod collector;
mod memory;
mod pass;
mod source;
mod state;
mod sums;

pub use auditor::{Audited, Auditor, Extent};
pub use chain::Chain;
pub use check::{AuditReport, Check, check};
pub use collector::{Collector, JournalRow, PayoutRow, WaitingRow};
pub use pass::{CoinsToCount, Pass, SETTLE_SECONDS, Sample, Settled};
pub use source::{ACCEPTANCES_PER_PAGE_MAX, AuditSource, StoredAcceptance, Wanted};
pub use state::{StateError, decode_state, encode_state};
pub use sums::Sums;

use opencoin_ledger::{AccountId, MintKeyId, MintKeyTerms, PayoutNo};

/// How many rows that make no sense are described; all are counted.
pub const STRANGE_ROWS_DESCRIBED_MAX: usize = 20;

/// What a store holds, counted and summed. Sums are wide enough for every sum of stored numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFacts {
    /// Every holder's account, by number.
    pub accounts: Vec<AccountFacts>,
    /// Every mint key, in order of registration.
    pub mint_keys: Vec<MintKeyFacts>,
    /// Every payout, by number.
    pub payouts: Vec<PayoutFacts>,
    /// Mints that wait for money.
    pub waiting_mints: u64,
    /// What their accounts must hold for all of them.
    pub waited_for: i128,
    /// Those among them that were given up, by the journal as far as it was read.
    pub waiting_although_given_up: u64,
    /// The sum of all payments in, by the journal.
    pub paid_in: i128,
    /// The sum of all payments out and of payouts that were paid, by the journal.
    pub paid_out: i128,
    /// Asked for as payouts and not settled, by the journal.
    pub on_its_way: i128,
    /// Minted and recouped less redeemed, by the journal.
    pub coins_outstanding: i128,
    /// Recouped at the issuer's expense, by the journal.
    pub recouped: i128,
    /// Mint keys that were retired, by the journal.
    pub retirements: u64,
    /// Mint keys that were pruned, by the journal.
    pub prunes: u64,
    /// Records of the journal.
    pub transactions: u64,
    /// Rows that make no sense.
    pub strange_rows: u64,
    /// What is wrong with the first [`STRANGE_ROWS_DESCRIBED_MAX`] of them.
    pub strange: Vec<String>,
}

/// What the books hold about an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountFacts {
    /// Its number.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// The balance in its row.
    pub balance: i128,
    /// Credits less debits, by the journal.
    pub journal: i128,
}

/// What the books hold about a mint key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MintKeyFacts {
    /// Its id.
    pub id: MintKeyId,
    /// What each of its coins is worth.
    pub denomination: i128,
    /// Its terms; `None` when they make no sense.
    pub terms: Option<MintKeyTerms>,
    /// Signatures given, by its counter.
    pub issued: i128,
    /// Coins that came back, by its counter.
    pub returned: i128,
    /// Coins that were recouped, by its counter.
    pub recouped: i128,
    /// Blinds accepted, by the journal.
    pub blinds: i128,
    /// Whether its spent and recouped coins were counted; otherwise nothing is known of them.
    pub counted: bool,
    /// Spent coins, counted.
    pub spent: i128,
    /// Recouped coins, counted.
    pub recouped_rows: i128,
    /// Whether it was stopped.
    pub stopped: bool,
    /// Whether it was retired.
    pub retired: bool,
    /// Whether its spent coins were forgotten.
    pub pruned: bool,
}

/// What the books hold about a payout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutFacts {
    /// Its number.
    pub no: PayoutNo,
    /// How much.
    pub amount: i128,
    /// Whether it was paid, by its row; `None` where it was not settled.
    pub paid: Option<bool>,
    /// Requests that fit it, in the journal.
    pub requests: u64,
    /// Settlements that fit it, in the journal.
    pub settlements: u64,
}
