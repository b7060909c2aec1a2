//! What needs a person.

use axum::extract::State;
use axum::http::StatusCode;
use opencoin_api::{AdminOverview, AuditSummary, KeysOverview, LogOverview, Waiting};
use opencoin_issuer::audits::{AuditOutcome, EndedAudit};
use opencoin_issuer::{KeyState, MintKeyOverview, MintKeysOverview, Overview};

use super::audit::outcome;
use super::operator::{Admin, Looks};
use crate::accounts::convert::moment;
use crate::json::{HandlerResult, document};
#[cfg(feature = "openapi")]
use crate::problems::{Forbidden, Unauthorized, Unavailable};

/// What needs a person, as numbers with times. Every token of an operator may read it.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/admin/overview", tag = "admin",
    responses((status = 200, description = "What waits.", body = AdminOverview), Unauthorized, Forbidden, Unavailable)
))]
pub(crate) async fn show(State(admin): State<Admin>, Looks(operator): Looks) -> HandlerResult {
    document(
        StatusCode::OK,
        &overview(admin.issuer().overview(&operator).await?),
    )
}

/// The overview as operators see it.
#[must_use]
pub fn overview(overview: Overview) -> AdminOverview {
    AdminOverview {
        at: overview.at,
        payouts: waiting(overview.payouts),
        unfinished_exports: Waiting {
            count: number(overview.unfinished_files.len()),
            oldest_at: overview
                .unfinished_files
                .first()
                .and_then(|file| file.ended_at)
                .map(moment),
        },
        unmatched_lines: waiting(overview.unmatched),
        proposals: waiting(overview.proposals),
        frozen_accounts: overview.frozen_accounts,
        waiting_mints: overview.waiting_mints,
        description_expires_at: overview.keys.description_expires,
        description_due_at: overview.keys.description_due,
        signing_paused: overview.keys.is_signing_paused,
        keys: keys(&overview.keys),
        audit: overview.audit.last.as_ref().map(audit),
        log: overview.log.map(|log| LogOverview {
            halted: log.halted,
            unsealed_since: log.unsealed_since.map(moment),
            published_at: log.published.map(moment),
            without_quorum_since: log.without_quorum_since,
            incidents: log.incidents,
        }),
    }
}

fn waiting(waiting: opencoin_issuer::Waiting) -> Waiting {
    Waiting {
        count: waiting.count,
        oldest_at: waiting.oldest.map(moment),
    }
}

fn keys(keys: &MintKeysOverview) -> KeysOverview {
    let signs = |denomination: &u64| {
        let of_denomination = keys.denominations.get(denomination).into_iter().flatten();
        of_denomination
            .filter(|key| !key.awaits_log)
            .any(|key| key.state == KeyState::Signing)
    };
    KeysOverview {
        rotations_due: number(keys.rotations_due()),
        next_rotation_at: keys.rotations.values().min().copied(),
        denominations_unsigned: number(keys.rotations.keys().filter(|value| !signs(value)).count()),
        late: count(keys, |key| key.state == KeyState::Late),
        stopped: count(keys, |key| {
            key.state == KeyState::Revoked && keys.at <= key.coins_expire
        }),
    }
}

fn count(keys: &MintKeysOverview, is_counted: impl Fn(&&MintKeyOverview) -> bool) -> u64 {
    number(keys.keys().filter(is_counted).count())
}

fn audit(audit: &EndedAudit) -> AuditSummary {
    let is_known = !audit.checks.is_empty() || audit.outcome == AuditOutcome::Holds;
    AuditSummary {
        at: moment(audit.at),
        outcome: outcome(audit.outcome),
        broken: is_known.then(|| number(audit.broken().count())),
    }
}

fn number(count: usize) -> u64 {
    count.try_into().unwrap_or(u64::MAX)
}
