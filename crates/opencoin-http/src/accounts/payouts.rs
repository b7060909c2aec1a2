//! Payouts of a holder.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use opencoin_api::RequestPayout;
#[cfg(feature = "openapi")]
use opencoin_api::{Payout, Payouts, shapes};
use serde::Deserialize;
#[cfg(feature = "openapi")]
use utoipa::IntoParams;

use super::convert;
use crate::callers::{Holder, Reader};
use crate::json::{HandlerResult, Idempotent, Json, Parameters, PathParameter, created, document};
#[cfg(feature = "openapi")]
use crate::problems::{
    Forbidden, Invalid, Malformed, NotFound, ReferenceConflict, Short, TooLarge, Unauthorized, Unavailable,
};
use crate::server::Server;

/// The page of payouts.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(IntoParams))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub(crate) struct ByNumber {
    /// The id above which the page begins.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::Cursor>, inline))]
    after: Option<u64>,
    /// The most payouts of the page.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::PageLength>, inline))]
    limit: Option<u32>,
}

/// Request a payout, once for each idempotency key. The account is debited at once.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/payouts", tag = "money", request_body = RequestPayout, params(("Idempotency-Key" = inline(shapes::IdempotencyKey), Header)),
    responses(
        (status = 201, description = "The payout was requested.", body = Payout),
        (status = 200, description = "It was requested before, with the same key.", body = Payout),
        Malformed, Unauthorized, Short, Forbidden, ReferenceConflict, TooLarge, Invalid, Unavailable)
))]
pub(crate) async fn request(
    State(server): State<Arc<Server>>,
    Holder(caller): Holder,
    Idempotent(key): Idempotent,
    Json(request): Json<RequestPayout>,
) -> HandlerResult {
    let RequestPayout { amount, destination } = request;
    let (payout, repeated) = server
        .accounts()
        .request_payout(caller.account, key, amount, &destination)
        .await?;
    document(created(repeated), &convert::payout(payout))
}

/// The payouts of the account, ascending.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/payouts", tag = "money", params(ByNumber),
    responses((status = 200, description = "One page.", body = Payouts),
        Malformed, Unauthorized, Forbidden, Invalid, Unavailable)
))]
pub(crate) async fn list(
    State(server): State<Arc<Server>>,
    Reader(caller): Reader,
    Parameters(page): Parameters<ByNumber>,
) -> HandlerResult {
    let after = convert::payouts_after(page.after)?;
    let payouts = server
        .accounts()
        .payouts(caller.account, after, page.limit)
        .await?;
    document(StatusCode::OK, &convert::payouts(payouts, after))
}

/// One payout of the account.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/payouts/{id}", tag = "money", params(("id" = inline(shapes::PayoutId), Path, description = "The payout.")),
    responses((status = 200, description = "The payout.", body = Payout), Unauthorized, Forbidden, NotFound, Unavailable)
))]
pub(crate) async fn show(
    State(server): State<Arc<Server>>,
    Reader(caller): Reader,
    PathParameter(id): PathParameter,
) -> HandlerResult {
    let payout = server
        .accounts()
        .payout(caller.account, convert::payout_no(&id)?)
        .await?;
    document(StatusCode::OK, &convert::payout(payout))
}
