//! Payouts as an operator carries them out.

use axum::extract::State;
use axum::http::StatusCode;
use opencoin_api::{FailPayout, PayPayout, Payout, PayoutState, Payouts};
use opencoin_issuer::accounts::{page_length, text};
use opencoin_issuer::{Reason, Refusal};
use opencoin_ledger::{PayoutFilter, Settlement};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::operator::{Admin, Operator};
use crate::accounts::convert;
use crate::json::{HandlerResult, Json, Name, Parameters, document};
use crate::problems::{
    Forbidden, Invalid, Malformed, NotFound, ReferenceConflict, TooLarge, Unauthorized, Unavailable,
};

/// Which payouts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OfAll {
    /// Begin above this id.
    #[param(value_type = Option<opencoin_api::shapes::Cursor>, inline)]
    after: Option<u64>,
    /// At most so many.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// `requested`: only those that wait for the operator. Other states cannot be asked for.
    #[param(value_type = Option<Open>, inline)]
    state: Option<PayoutState>,
}

/// The one state that can be asked for.
#[derive(ToSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "only described")]
enum Open {
    Requested,
}

/// The payouts of all accounts, ascending.
#[utoipa::path(
    get, path = "/v1/admin/payouts", tag = "admin", params(OfAll),
    responses((status = 200, description = "One page.", body = Payouts),
        Malformed, Unauthorized, Forbidden, Invalid, Unavailable)
)]
pub(crate) async fn list(
    State(admin): State<Admin>,
    _: Operator,
    Parameters(page): Parameters<OfAll>,
) -> HandlerResult {
    let filter = match page.state {
        None => PayoutFilter::All,
        Some(PayoutState::Requested) => PayoutFilter::Requested,
        Some(PayoutState::Paid | PayoutState::Failed) => {
            return Err(Refusal::new(Reason::Invalid, "state: only requested can be asked for").into());
        }
    };
    let after = convert::payouts_after(page.after)?;
    let payouts = admin
        .cashier()
        .payouts(filter, after, page_length(page.limit)?)
        .await?;
    document(StatusCode::OK, &convert::payouts(payouts, after))
}

/// The bank has paid. Again with the same reference: the same answer.
#[utoipa::path(
    post, path = "/v1/admin/payouts/{id}/paid", tag = "admin", request_body = PayPayout,
    params(("id" = u64, Path, description = "The payout.")),
    responses((status = 200, description = "It is settled.", body = Payout),
        Malformed, Unauthorized, Forbidden, NotFound, ReferenceConflict, TooLarge, Invalid, Unavailable)
)]
pub(crate) async fn paid(
    State(admin): State<Admin>,
    _: Operator,
    Name(id): Name,
    Json(paid): Json<PayPayout>,
) -> HandlerResult {
    settle(&admin, &id, Settlement::Paid(text("reference", &paid.reference)?)).await
}

/// It could not be paid: the money flows back. Again with the same reason: the same answer.
#[utoipa::path(
    post, path = "/v1/admin/payouts/{id}/failed", tag = "admin", request_body = FailPayout,
    params(("id" = u64, Path, description = "The payout.")),
    responses((status = 200, description = "It is settled.", body = Payout),
        Malformed, Unauthorized, Forbidden, NotFound, ReferenceConflict, TooLarge, Invalid, Unavailable)
)]
pub(crate) async fn failed(
    State(admin): State<Admin>,
    _: Operator,
    Name(id): Name,
    Json(failed): Json<FailPayout>,
) -> HandlerResult {
    settle(&admin, &id, Settlement::Failed(text("reason", &failed.reason)?)).await
}

async fn settle(admin: &Admin, id: &str, settlement: Settlement) -> HandlerResult {
    let payout = admin
        .cashier()
        .settle(convert::payout_no(id)?, settlement)
        .await?;
    document(StatusCode::OK, &convert::payout(payout))
}
