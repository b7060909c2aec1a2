//! The operator's API: what needs a person.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::AuditOutcome;

/// `GET /v1/admin/overview`: what needs a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdminOverview {
    /// The issuer's time.
    pub at: DateTime<Utc>,
    /// Payouts that are neither paid nor failed.
    pub payouts: Waiting,
    /// Files of payouts that the bank has paid and whose payouts are not all settled. No more than 20 are counted.
    pub unfinished_exports: Waiting,
    /// Lines of the bank that belong to no account.
    pub unmatched_lines: Waiting,
    /// Proposals of other operators that wait for the one who asks.
    pub proposals: Waiting,
    /// Frozen accounts.
    pub frozen_accounts: u64,
    /// Mints that wait for money of their accounts.
    pub waiting_mints: u64,
    /// Mint keys.
    pub keys: KeysOverview,
    /// When the description of the currency expires.
    pub description_expires_at: DateTime<Utc>,
    /// When the next description is due.
    pub description_due_at: DateTime<Utc>,
    /// Whether an operator has paused signing.
    pub signing_paused: bool,
    /// The last audit that was made over this API; absent before the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditSummary>,
    /// The public log; absent if the currency has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogOverview>,
}

/// Something that waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Waiting {
    /// How many.
    pub count: u64,
    /// Since when the first of them waits; absent if none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_at: Option<DateTime<Utc>>,
}

/// The mint keys in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeysOverview {
    /// The denominations for which a new key is due.
    pub rotations_due: u64,
    /// When the next key of any denomination is due; absent if the currency has no denominations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_rotation_at: Option<DateTime<Utc>>,
    /// The denominations of which no key signs now.
    pub denominations_unsigned: u64,
    /// Keys that came too late for the public log and are never used.
    pub late: u64,
    /// Keys that were stopped and whose coins have not expired.
    pub stopped: u64,
}

/// The last audit in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditSummary {
    /// When it ended.
    pub at: DateTime<Utc>,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// The invariants that it found broken; absent if this server does not know how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<u64>,
}

/// The public log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogOverview {
    /// The rule that was broken, since which nothing is sealed or accepted; absent if none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halted: Option<String>,
    /// Since when the oldest of what was accepted waits for a batch; absent if nothing waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsealed_since: Option<DateTime<Utc>>,
    /// When a checkpoint with the quorum of the witnesses was published last; absent before the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_at: Option<DateTime<Utc>>,
    /// Since when this server gets no quorum of the witnesses; absent if it has one, or does not ask them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_quorum_since: Option<DateTime<Utc>>,
    /// How much this server has found that auditors and holders should know: `GET /v1/log/incidents` shows it. Absent in
    /// what `opencoin issuer overview` writes, which asks no server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incidents: Option<u64>,
}
