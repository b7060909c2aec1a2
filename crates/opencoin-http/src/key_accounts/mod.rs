//! The API for accounts that belong to keys: the paths of their holders, and of everybody who looks at them.

pub(super) mod accounts;
pub(super) mod payments;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use super::server::Server;

pub(super) fn router() -> Router<Arc<Server>> {
    Router::new()
        .route("/v1/key-accounts", post(accounts::introduce).get(accounts::list))
        .route("/v1/key-accounts/challenge", get(accounts::challenge))
        .route("/v1/key-accounts/{key}", get(accounts::show))
        .route("/v1/key-payments", post(payments::pay))
        .route("/v1/key-payments/{id}", get(payments::show))
}
