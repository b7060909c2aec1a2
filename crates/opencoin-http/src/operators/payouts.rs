//! Payouts, as operators list and settle them.

use std::collections::HashMap;

use axum::extract::State;
use axum::http::StatusCode;
#[cfg(feature = "openapi")]
use opencoin_api::{AdminProposal, shapes};
use opencoin_api::{FailPayout, PayPayout, Payout, PayoutState, Payouts};
use opencoin_issuer::accounts::{page_length, text};
use opencoin_ledger::{OperatorName, PayoutFilter, Settlement};
use serde::Deserialize;
#[cfg(feature = "openapi")]
use utoipa::IntoParams;

use super::operator::{Admin, ChangesAccounts, ReadsAccounts};
use super::proposals::done;
use crate::accounts::convert;
use crate::json::{HandlerResult, Json, Parameters, PathParameter, document};
#[cfg(feature = "openapi")]
use crate::problems::{
    Forbidden, Invalid, Malformed, NotFound, ReferenceConflict, TooLarge, Unauthorized, Unavailable,
};

/// The page of payouts.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(IntoParams))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub(crate) struct OfAll {
    /// The id above which the page begins.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::Cursor>, inline))]
    after: Option<u64>,
    /// The most payouts of the page.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::PageLength>, inline))]
    limit: Option<u32>,
    /// Only payouts in this state.
    #[cfg_attr(feature = "openapi", param(inline))]
    state: Option<PayoutState>,
}

/// The payouts of all accounts, ascending.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/admin/payouts", tag = "admin", params(OfAll),
    responses((status = 200, description = "One page.", body = Payouts),
        Malformed, Unauthorized, Forbidden, Invalid, Unavailable)
))]
pub(crate) async fn list(
    State(admin): State<Admin>,
    _: ReadsAccounts,
    Parameters(page): Parameters<OfAll>,
) -> HandlerResult {
    let filter = match page.state {
        None => PayoutFilter::All,
        Some(PayoutState::Requested) => PayoutFilter::Requested,
        Some(PayoutState::Paid) => PayoutFilter::Paid,
        Some(PayoutState::Failed) => PayoutFilter::Failed,
    };
    let after = convert::payouts_after(page.after)?;
    let payouts = admin
        .cashier()
        .payouts(filter, after, page_length(page.limit)?)
        .await?;
    let exported: HashMap<_, _> = admin
        .payout_desk()
        .exported(&payouts)
        .await?
        .into_iter()
        .collect();
    let after = payouts.last().map_or(after, |last| last.no).get().unsigned_abs();
    let with_file = |payout: opencoin_ledger::Payout| Payout {
        export: exported.get(&payout.no).map(|export| export.get().unsigned_abs()),
        ..convert::operators_payout(payout)
    };
    let payouts = payouts.into_iter().map(with_file).collect();
    document(StatusCode::OK, &Payouts { payouts, after })
}

/// Record that the bank has paid. A repetition with the same reference gets the same answer. An amount above the limit
/// waits for a second operator.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/admin/payouts/{id}/paid", tag = "admin", request_body = PayPayout,
    params(("id" = inline(shapes::PayoutId), Path, description = "The payout.")),
    responses((status = 200, description = "The payout is settled.", body = Payout),
        (status = 202, description = "It waits for a second operator.", body = AdminProposal),
        Malformed, Unauthorized, Forbidden, NotFound, ReferenceConflict, TooLarge, Invalid, Unavailable)
))]
pub(crate) async fn paid(
    State(admin): State<Admin>,
    ChangesAccounts(operator): ChangesAccounts,
    PathParameter(id): PathParameter,
    Json(paid): Json<PayPayout>,
) -> HandlerResult {
    settle(
        &admin,
        &operator,
        &id,
        Settlement::Paid(text("reference", &paid.reference)?),
    )
    .await
}

/// Record that the bank could not pay. The amount is returned to the account. A repetition with the same reason gets the
/// same answer. An amount above the limit waits for a second operator.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/admin/payouts/{id}/failed", tag = "admin", request_body = FailPayout,
    params(("id" = inline(shapes::PayoutId), Path, description = "The payout.")),
    responses((status = 200, description = "The payout is settled.", body = Payout),
        (status = 202, description = "It waits for a second operator.", body = AdminProposal),
        Malformed, Unauthorized, Forbidden, NotFound, ReferenceConflict, TooLarge, Invalid, Unavailable)
))]
pub(crate) async fn failed(
    State(admin): State<Admin>,
    ChangesAccounts(operator): ChangesAccounts,
    PathParameter(id): PathParameter,
    Json(failed): Json<FailPayout>,
) -> HandlerResult {
    settle(
        &admin,
        &operator,
        &id,
        Settlement::Failed(text("reason", &failed.reason)?),
    )
    .await
}

async fn settle(admin: &Admin, operator: &OperatorName, id: &str, settlement: Settlement) -> HandlerResult {
    let cashier = admin.cashier().acting(operator);
    match done(cashier.settle(convert::payout_no(id)?, settlement).await?) {
        Ok(payout) => document(StatusCode::OK, &convert::operators_payout(payout)),
        Err(waits) => document(StatusCode::ACCEPTED, &waits),
    }
}
