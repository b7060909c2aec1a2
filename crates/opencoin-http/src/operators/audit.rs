//! Audits of the books, as operators start them and read what they found.

use axum::extract::State;
use axum::http::StatusCode;
use opencoin_api::{AdminAudit, AuditCheck, AuditOutcome, EndedAudit, RunningAudit};
use opencoin_issuer::audits;

use super::operator::{Admin, ChangesKeys, ReadsKeys};
use crate::accounts::convert::moment;
use crate::json::{HandlerResult, document};
#[cfg(feature = "openapi")]
use crate::problems::{Forbidden, NotFound, Unauthorized, Unavailable};

/// The last audit of the books, and whether one runs in this server.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/admin/audit", tag = "admin",
    responses((status = 200, description = "The last audit.", body = AdminAudit), Unauthorized, Forbidden, Unavailable)
))]
pub(crate) async fn show(State(admin): State<Admin>, _: ReadsKeys) -> HandlerResult {
    let state = admin.issuer().audit_state().await?;
    document(StatusCode::OK, &shown(state))
}

/// Start an audit of the whole books, unless one runs in this server. It reads a snapshot, so payments do not wait for it.
/// GET shows what it found.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/admin/audit", tag = "admin",
    responses((status = 202, description = "An audit runs.", body = AdminAudit),
        Unauthorized, Forbidden, NotFound, Unavailable)
))]
pub(crate) async fn start(State(admin): State<Admin>, ChangesKeys(operator): ChangesKeys) -> HandlerResult {
    let state = admin.issuer().start_audit(&operator).await?;
    document(StatusCode::ACCEPTED, &shown(state))
}

fn shown(audits::AuditState { running, last }: audits::AuditState) -> AdminAudit {
    AdminAudit {
        running: running.map(|running| RunningAudit {
            since: moment(running.since),
            operator: running.operator.as_str().to_owned(),
        }),
        last: last.map(ended),
    }
}

fn ended(audit: audits::EndedAudit) -> EndedAudit {
    let checks = audit.checks.into_iter().map(|check| AuditCheck {
        name: check.name.to_owned(),
        holds: check.holds,
        detail: check.detail,
    });
    EndedAudit {
        at: moment(audit.at),
        operator: audit.operator.as_str().to_owned(),
        outcome: outcome(audit.outcome),
        detail: audit.detail,
        checks: checks.collect(),
    }
}

pub(super) fn outcome(outcome: audits::AuditOutcome) -> AuditOutcome {
    match outcome {
        audits::AuditOutcome::Holds => AuditOutcome::Holds,
        audits::AuditOutcome::Broken => AuditOutcome::Broken,
        audits::AuditOutcome::Failed => AuditOutcome::Failed,
    }
}
