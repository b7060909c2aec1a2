//! What needs a person, as numbers with times.

use chrono::{DateTime, Utc};
use opencoin_keys::ledger_time;
use opencoin_ledger::bank::{BankLineStateKind, PayoutExport};
use opencoin_ledger::{LedgerTime, OperatorName};

use super::Issuer;
use super::key_overview::MintKeysOverview;
use crate::audits::AuditState;
use crate::refusal::{Refusal, unavailable};

/// The most files of payouts that wait to be finished that are shown.
pub const UNFINISHED_FILES_MAX: u32 = 20;

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
    /// Why nothing is sealed or accepted any more.
    pub halted: Option<String>,
    /// Since when the oldest of what is accepted and not sealed waits.
    pub unsealed_since: Option<LedgerTime>,
    /// When a checkpoint with the quorum was published last.
    pub published: Option<LedgerTime>,
    /// Since when this process gets no quorum of the witnesses.
    pub without_quorum_since: Option<DateTime<Utc>>,
    /// What this process says that auditors and holders should know.
    pub incidents: u64,
}

impl Issuer {
    /// What needs a person, this operator above all.
    ///
    /// # Errors
    /// When the books cannot be read.
    pub async fn overview(&self, operator: &OperatorName) -> Result<Overview, Refusal> {
        let backlog = self.books.accounts.backlog().await.map_err(unavailable)?;
        let unmatched = self.books.bank.count_lines(BankLineStateKind::Unmatched);
        let unmatched = unmatched.await.map_err(unavailable)?;
        let proposals = self.books.operators.proposals_for(operator).await;
        let proposals = proposals.map_err(unavailable)?;
        let unfinished = self.books.bank.settling_exports(UNFINISHED_FILES_MAX).await;
        Ok(Overview {
            unfinished_files: unfinished.map_err(unavailable)?,
            at: self.clock.now(),
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
            keys: self.mint_key_overview().await?,
            audit: self.audit_state().await?,
            log: self.log_overview().await?,
        })
    }

    async fn log_overview(&self) -> Result<Option<LogOverview>, Refusal> {
        let Some(log) = &self.log else { return Ok(None) };
        let (store, status) = (&self.books.log, log.status());
        let head = store.head().await.map_err(unavailable)?;
        let pending = store.pending().await.map_err(unavailable)?;
        let published = store.published().await.map_err(unavailable)?;
        // Another process may have got the quorum since then.
        let is_true = |since: &DateTime<Utc>| {
            published
                .as_ref()
                .is_none_or(|newest| newest.at < ledger_time(*since))
        };
        Ok(Some(LogOverview {
            halted: head.and_then(|head| head.halted),
            unsealed_since: pending.oldest,
            published: published.as_ref().map(|published| published.at),
            without_quorum_since: status.without_quorum_since.filter(is_true),
            incidents: status.incidents.len().try_into().unwrap_or(u64::MAX),
        }))
    }
}
