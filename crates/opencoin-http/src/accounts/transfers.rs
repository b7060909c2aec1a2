//! Transfers to another account.

use std::sync::Arc;

use axum::extract::State;
use opencoin_api::Transfer;
#[cfg(feature = "openapi")]
use opencoin_api::{Entry, shapes};

use super::convert;
use crate::callers::Holder;
use crate::json::{HandlerResult, Idempotent, Json, created, document};
#[cfg(feature = "openapi")]
use crate::problems::{
    Forbidden, Invalid, Malformed, NotFound, ReferenceConflict, Short, TooLarge, Unauthorized, Unavailable,
};
use crate::server::Server;

/// Pay another account, once for each idempotency key.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/transfers", tag = "money", request_body = Transfer, params(("Idempotency-Key" = inline(shapes::IdempotencyKey), Header)),
    responses(
        (status = 201, description = "The transfer was made. The answer is the payer's entry.", body = Entry),
        (status = 200, description = "It was made before, with the same key.", body = Entry),
        Malformed, Unauthorized, Short, Forbidden, NotFound, ReferenceConflict, TooLarge, Invalid, Unavailable)
))]
pub(crate) async fn pay(
    State(server): State<Arc<Server>>,
    Holder(caller): Holder,
    Idempotent(key): Idempotent,
    Json(transfer): Json<Transfer>,
) -> HandlerResult {
    let Transfer { to, amount, label } = transfer;
    let (entry, repeated) = server
        .accounts()
        .transfer(caller.account, key, &to, amount, &label)
        .await?;
    document(created(repeated), &convert::entry(entry))
}
