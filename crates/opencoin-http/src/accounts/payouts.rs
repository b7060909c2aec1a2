//! Asking to be paid out, and seeing what came of it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use opencoin_api::{Payout, Payouts, RequestPayout};
use serde::Deserialize;
use utoipa::IntoParams;

use super::convert;
use crate::callers::{Holder, Reader};
use crate::json::{
    HandlerResult, IdempotencyKeyHeader, Idempotent, Json, Name, Parameters, created, document,
};
use crate::problems::{
    Forbidden, Invalid, Malformed, NotFound, ReferenceConflict, Short, TooLarge, Unauthorized, Unavailable,
};
use crate::server::Server;

/// Which payouts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ByNumber {
    /// Begin above this id.
    #[param(value_type = Option<opencoin_api::shapes::Cursor>, inline)]
    after: Option<u64>,
    /// At most so many.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Ask for money to be paid out, once for each idempotency key. It leaves the account at once.
#[utoipa::path(
    post, path = "/v1/payouts", tag = "money", request_body = RequestPayout, params(IdempotencyKeyHeader),
    responses(
        (status = 201, description = "It is on its way to the operator.", body = Payout),
        (status = 200, description = "It was asked for before, under the same key.", body = Payout),
        Malformed, Unauthorized, Short, Forbidden, ReferenceConflict, TooLarge, Invalid, Unavailable)
)]
pub(crate) async fn request(
    State(server): State<Arc<Server>>,
    Holder(caller): Holder,
    Idempotent(key): Idempotent,
    Json(request): Json<RequestPayout>,
) -> HandlerResult {
    let RequestPayout { amount, destination } = request;
    let (payout, repeated) = server
        .issuer()
        .accounts()
        .request_payout(caller.account, key, amount, &destination)
        .await?;
    document(created(repeated), &convert::payout(payout))
}

/// The account's payouts, ascending.
#[utoipa::path(
    get, path = "/v1/payouts", tag = "money", params(ByNumber),
    responses((status = 200, description = "One page.", body = Payouts),
        Malformed, Unauthorized, Forbidden, Invalid, Unavailable)
)]
pub(crate) async fn list(
    State(server): State<Arc<Server>>,
    Reader(caller): Reader,
    Parameters(page): Parameters<ByNumber>,
) -> HandlerResult {
    let after = convert::payouts_after(page.after)?;
    let payouts = server
        .issuer()
        .accounts()
        .payouts(caller.account, after, page.limit)
        .await?;
    document(StatusCode::OK, &convert::payouts(payouts, after))
}

/// One payout of the account.
#[utoipa::path(
    get, path = "/v1/payouts/{id}", tag = "money", params(("id" = u64, Path, description = "Its number.")),
    responses((status = 200, description = "The payout.", body = Payout), Unauthorized, Forbidden, NotFound, Unavailable)
)]
pub(crate) async fn show(
    State(server): State<Arc<Server>>,
    Reader(caller): Reader,
    Name(id): Name,
) -> HandlerResult {
    let payout = server
        .issuer()
        .accounts()
        .payout(caller.account, convert::payout_no(&id)?)
        .await?;
    document(StatusCode::OK, &convert::payout(payout))
}
