//! Paying another account.

use std::sync::Arc;

use axum::extract::State;
use opencoin_api::{Entry, Transfer};

use super::convert;
use crate::callers::Holder;
use crate::json::{HandlerResult, IdempotencyKeyHeader, Idempotent, Json, created, document};
use crate::problems::{
    Forbidden, Invalid, Malformed, NotFound, ReferenceConflict, Short, TooLarge, Unauthorized, Unavailable,
};
use crate::server::Server;

/// Pay another account, once for each idempotency key.
#[utoipa::path(
    post, path = "/v1/transfers", tag = "money", request_body = Transfer, params(IdempotencyKeyHeader),
    responses(
        (status = 201, description = "It was paid: the payer's entry.", body = Entry),
        (status = 200, description = "It was paid before, under the same key.", body = Entry),
        Malformed, Unauthorized, Short, Forbidden, NotFound, ReferenceConflict, TooLarge, Invalid, Unavailable)
)]
pub(crate) async fn pay(
    State(server): State<Arc<Server>>,
    Holder(caller): Holder,
    Idempotent(key): Idempotent,
    Json(transfer): Json<Transfer>,
) -> HandlerResult {
    let Transfer { to, amount, label } = transfer;
    let (entry, repeated) = server
        .issuer()
        .accounts()
        .transfer(caller.account, key, &to, amount, &label)
        .await?;
    document(created(repeated), &convert::entry(entry))
}
