//! The audit: reads facts from a store in one snapshot and checks the invariants that they must satisfy.
//!
//! A store passes its rows one by one to a [`Pass`], which passes them on to a [`Collector`]. So an audit
//! needs memory for accounts, mint keys and payouts, but not for the journal. Rows are passed as they are
//! stored, and an invalid row is itself a fact. Then [`check`] checks the facts.
//!
//! An [`Auditor`] audits the same books repeatedly: the first pass reads everything, later ones only the new
//! part of the journal.

mod auditor;
mod chain;
mod check;
mod collector;
mod files;
mod logged_accounts;
mod memory;
mod pass;
mod rule;
mod source;
mod state;
mod sums;

pub use auditor::{Audited, Auditor, Extent};
pub use chain::Chain;
pub use check::{AuditReport, check};
pub use collector::{AccountRow, Collector, JournalRow, PayoutRow, WaitingRow};
pub use files::{FilePayoutRow, FileRow};
pub use pass::{CoinsToCount, Pass, SETTLE_SECONDS, Sample, Settled};
pub use rule::Check;
pub use source::{ACCEPTANCES_PER_PAGE_MAX, AuditSource, StoredAcceptance, Wanted};
pub use state::{StateError, decode_state, encode_state};
pub use sums::{AccountSums, Sums};

use opencoin_ledger::bank::{ExportNo, ExportState};
use opencoin_ledger::{AccountId, LogTotals, MintKeyId, MintKeyTerms, PayoutNo};
use opencoin_log::hash::Hash;

/// How many invalid rows are described. All of them are counted.
pub const INVALID_ROWS_DESCRIBED_MAX: usize = 20;

/// The contents of a store, counted and summed. Amounts are in the smallest unit. The sums cannot overflow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFacts {
    /// The accounts of holders and keys, ordered by number.
    pub accounts: Vec<AccountFacts>,
    /// The mint keys, in order of registration.
    pub mint_keys: Vec<MintKeyFacts>,
    /// The payouts, ordered by number.
    pub payouts: Vec<PayoutFacts>,
    /// The files of payouts for the bank, ordered by number.
    pub files: Vec<FileFacts>,
    /// The number of waiting mints.
    pub waiting_mints: u64,
    /// The sum of their amounts.
    pub waited_for: i128,
    /// How many of them were given up, according to the records that this pass has read.
    pub waiting_although_given_up: u64,
    /// The sum of all credits, by the journal.
    pub paid_in: i128,
    /// The sum of all debits and of the payouts settled as paid, by the journal.
    pub paid_out: i128,
    /// The sum of the payouts that are not settled, by the journal.
    pub unsettled_payouts: i128,
    /// The value of minted and recouped coins minus that of redeemed coins, by the journal.
    pub coins_outstanding: i128,
    /// The value of recouped coins, which the issuer bears, by the journal.
    pub recouped: i128,
    /// What accounts owe after a recovery and the issuer bears, by the journal. Part of `recouped`.
    pub borne: i128,
    /// Money of a lost time that was recovered from the public log and that is not assigned to accounts, by the journal.
    /// Below zero if more was minted in that time than was redeemed and paid in.
    pub recovered_unassigned: i128,
    /// The number of mint keys that were retired, by the journal.
    pub retirements: u64,
    /// The number of mint keys that were pruned, by the journal.
    pub prunes: u64,
    /// The number of records in the journal.
    pub transactions: u64,
    /// Entries of accounts have higher numbers than this since an operator accepted an older state, by the
    /// journal.
    pub entries_above: i64,
    /// The number of records whose blinds are stored.
    pub records_with_blinds: u64,
    /// The number of stored rows of blinds; `None` if this pass has not counted them.
    pub blinds_rows: Option<u64>,
    /// The public log; `None` if the currency has none.
    pub log: Option<LogFacts>,
    /// The number of invalid rows.
    pub invalid_rows: u64,
    /// Descriptions of the first [`INVALID_ROWS_DESCRIBED_MAX`] invalid rows.
    pub invalid: Vec<String>,
}

/// The facts about the public log, with what waits to be sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFacts {
    /// The totals; `None` if they are so large that the log cannot state them. It halts then.
    pub totals: Option<LogTotals>,
    /// The root over all key accounts at the end of the log; `None` if it is invalid.
    pub ledger_root: Option<Hash>,
    /// The same, computed from the stored key accounts.
    pub computed_root: Hash,
    /// Why nothing is sealed or accepted any more.
    pub halted: Option<String>,
}

/// The facts about an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountFacts {
    /// The number of the account.
    pub id: AccountId,
    /// The name of the account, as it is stored.
    pub name: String,
    /// The balance in the account's row.
    pub balance: i128,
    /// The number of the newest entry, in the account's row.
    pub last_entry: i64,
    /// The same by the journal.
    pub journal: AccountSums,
    /// What only the account of a key has.
    pub key: Option<KeyAccountFacts>,
    /// What a closed account still has; `None` if the account is not closed.
    pub closed: Option<ClosedAccountFacts>,
}

/// What a closed account still has, besides money: nothing, if the books are right. The tables themselves see to it
/// that it has no token and no password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClosedAccountFacts {
    /// The number of its payouts that are not settled and of its mints that wait.
    pub waiting: u64,
    /// Whether it has a session, a service or a start code.
    pub is_accessible: bool,
}

/// The facts about the account of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAccountFacts {
    /// The number of its payments, in the account's row.
    pub seq: i64,
    /// The number of its credits, in the account's row.
    pub credits: i64,
    /// The account in the public log, with what waits to be sealed; `None` if the log does not have it.
    pub logged: Option<LoggedAccountFacts>,
}

/// The account of a key in the public log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoggedAccountFacts {
    /// Its balance.
    pub balance: i128,
    /// The number of its payments.
    pub seq: i64,
    /// The number of its credits.
    pub credits: i64,
}

/// The facts about a mint key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MintKeyFacts {
    /// The id of the mint key, as in its certificate.
    pub id: MintKeyId,
    /// The value of one coin.
    pub denomination: i128,
    /// The denomination and the dates; `None` if they are invalid.
    pub terms: Option<MintKeyTerms>,
    /// The key's counter of accepted blinds.
    pub issued: i128,
    /// The key's counter of coins that were renewed or redeemed.
    pub returned: i128,
    /// The key's counter of recouped coins.
    pub recouped: i128,
    /// The number of accepted blinds, by the journal.
    pub blinds: i128,
    /// How many of them were accepted in a lost time and recovered from the public log.
    pub recovered: i128,
    /// How many signatures were given again for requests of a lost time.
    pub again: i128,
    /// The number of accepted blinds in the public log and among what waits to be sealed.
    pub logged_issued: i128,
    /// The number of coins that were renewed or redeemed there.
    pub logged_spent: i128,
    /// Whether this pass has counted the rows of spent and recouped coins. If not, both counts are 0.
    pub counted: bool,
    /// The number of rows of spent coins.
    pub spent: i128,
    /// The number of rows of recouped coins.
    pub recouped_rows: i128,
    /// Whether the key was stopped.
    pub stopped: bool,
    /// Whether the key was retired.
    pub retired: bool,
    /// Whether the key was pruned, so that rows of its coins may be deleted.
    pub pruned: bool,
}

/// The facts about a payout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutFacts {
    /// The number of the payout.
    pub no: PayoutNo,
    /// The amount in the payout's row.
    pub amount: i128,
    /// How the payout was settled, by its row: paid, or failed (`false`). `None` if it is not settled.
    pub paid: Option<bool>,
    /// The number of matching requests in the journal.
    pub requests: u64,
    /// The number of matching settlements in the journal.
    pub settlements: u64,
    /// The number of files that were not withdrawn and have it.
    pub files: u64,
}

/// The facts about a file of payouts for the bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFacts {
    /// The number of the file.
    pub no: ExportNo,
    /// What became of it; `None` if that is invalid.
    pub state: Option<ExportState>,
    /// The number of its payouts, in the file's row.
    pub payouts: i128,
    /// Their sum, in the file's row.
    pub amount: i128,
    /// The number of its payouts, by their own rows.
    pub held: i128,
    /// Their sum, by their own rows.
    pub held_amount: i128,
    /// How many of them are not settled.
    pub open: i128,
}
