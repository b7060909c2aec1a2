//! The operator's API: audits of the books.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// `GET /v1/admin/audit`, and the answer to `POST /v1/admin/audit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdminAudit {
    /// The audit that runs in this server; absent if none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<RunningAudit>,
    /// The last audit that ended, in any server at these books; absent before the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<EndedAudit>,
}

/// An audit that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunningAudit {
    /// When it began.
    pub since: DateTime<Utc>,
    /// Who started it.
    pub operator: String,
}

/// An audit that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EndedAudit {
    /// When it ended.
    pub at: DateTime<Utc>,
    /// Who started it.
    pub operator: String,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// The same in words: what was read, what is broken, or why there is no result.
    pub detail: String,
    /// Every invariant, whether it holds or not. Empty if another server made the audit, or this one before its last start.
    pub checks: Vec<AuditCheck>,
}

/// How an audit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum AuditOutcome {
    /// Every invariant holds.
    Holds,
    /// An invariant is broken.
    Broken,
    /// The books could not be read, or not in time.
    Failed,
}

/// An invariant of the books.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditCheck {
    /// The invariant in words.
    pub name: String,
    /// Whether it holds.
    pub holds: bool,
    /// The figures, or what breaks it.
    pub detail: String,
}
