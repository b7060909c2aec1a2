//! What needs a person: as numbers with times, and as [`Task`]s.
//!
//! All of it is in the books, so a command reads it without a server. What only the process of a server knows, for example
//! since when it gets no quorum of the witnesses, [`Issuer::overview`](crate::Issuer::overview) adds.

mod mint_keys;
mod tasks;

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_config::RotationPolicy;
use opencoin_keys::Currency;
use opencoin_ledger::bank::{BankLineStateKind, PayoutExport};
use opencoin_ledger::{LedgerError, LedgerTime, OperatorName};

pub use self::mint_keys::{MintKeyOverview, MintKeysOverview};
pub use self::tasks::{Denominations, Task, Urgency, WaitingSince};
use crate::audits::{self, AuditState};
use crate::store::Books;

/// The most files of payouts that wait to be finished that are shown.
pub const UNFINISHED_FILES_MAX: u32 = 20;

/// What an overview is read from.
pub struct OverviewSource<'a> {
    /// The books.
    pub books: &'a Books,
    /// The currency.
    pub currency: &'a Currency,
    /// By which policy new mint keys are planned for this currency.
    pub rotation: &'a RotationPolicy,
    /// Within which time the public log promises its leaves; `None` without a log.
    pub log_promise: Option<TimeDelta>,
    /// The issuer's time.
    pub at: DateTime<Utc>,
}

/// What needs a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    /// The issuer's time.
    pub at: DateTime<Utc>,
    /// The payouts that wait for the operator.
    pub payouts: Waiting,
    /// Files that the bank has paid and whose payouts are not all settled, at most [`UNFINISHED_FILES_MAX`]: somebody records
    /// them as paid now, or did and was interrupted.
    pub unfinished_files: Vec<PayoutExport>,
    /// The proposals of other operators that wait for this one.
    pub proposals: Waiting,
    /// The mints that wait for money.
    pub waiting_mints: u64,
    /// The frozen accounts of holders.
    pub frozen_accounts: u64,
    /// The lines of the bank that belong to no account.
    pub unmatched: Waiting,
    /// The mint keys, the next description, and whether signing is paused.
    pub keys: MintKeysOverview,
    /// The audits.
    pub audit: AuditState,
    /// The public log; `None` if the currency has none.
    pub log: Option<LogOverview>,
}

/// Something that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// How many.
    pub count: u64,
    /// Since when the first of them waits.
    pub oldest: Option<LedgerTime>,
}

/// The state of the public log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogOverview {
    /// Within which time it promises its leaves.
    pub promise: TimeDelta,
    /// Why nothing is sealed or accepted any more.
    pub halted: Option<String>,
    /// Since when the oldest of what is accepted and not sealed waits.
    pub unsealed_since: Option<LedgerTime>,
    /// When a checkpoint with the quorum was published last.
    pub published: Option<LedgerTime>,
    /// Since when this process gets no quorum of the witnesses.
    pub without_quorum_since: Option<DateTime<Utc>>,
    /// How much this process says that auditors and holders should know; `None` if no server was asked.
    pub incidents: Option<u64>,
}

impl Overview {
    /// What needs a person, this operator above all, as the books have it.
    ///
    /// # Errors
    /// When the books cannot be read.
    pub async fn read(source: &OverviewSource<'_>, operator: &OperatorName) -> Result<Self, LedgerError> {
        let books = source.books;
        let backlog = books.accounts.backlog().await?;
        let unmatched = books.bank.count_lines(BankLineStateKind::Unmatched).await?;
        let proposals = books.operators.proposals_for(operator).await?;
        Ok(Self {
            unfinished_files: books.bank.settling_exports(UNFINISHED_FILES_MAX).await?,
            at: source.at,
            payouts: Waiting {
                count: backlog.payouts_requested,
                oldest: backlog.oldest_payout,
            },
            proposals: Waiting {
                count: proposals.count,
                oldest: proposals.oldest,
            },
            waiting_mints: backlog.waiting_mints,
            frozen_accounts: backlog.frozen_accounts,
            unmatched: Waiting {
                count: unmatched.count,
                oldest: unmatched.oldest,
            },
            keys: MintKeysOverview::read(source).await?,
            audit: AuditState {
                running: None,
                last: audits::last_recorded(books.operators.as_ref()).await?,
            },
            log: LogOverview::read(source).await?,
        })
    }
}

impl LogOverview {
    async fn read(source: &OverviewSource<'_>) -> Result<Option<Self>, LedgerError> {
        let Some(promise) = source.log_promise else {
            return Ok(None);
        };
        let store = &source.books.log;
        let (head, pending) = (store.head().await?, store.pending().await?);
        Ok(Some(Self {
            promise,
            halted: head.and_then(|head| head.halted),
            unsealed_since: pending.oldest,
            published: store.published().await?.map(|published| published.at),
            without_quorum_since: None,
            incidents: None,
        }))
    }
}
