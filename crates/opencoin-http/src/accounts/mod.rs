//! The API for accounts: the paths of holders and their services under `/v1`.

pub(super) mod account;
pub(super) mod convert;
pub(super) mod entries;
pub(super) mod payouts;
pub(super) mod services;
pub(super) mod sessions;
pub(super) mod stream;
pub(super) mod transfers;

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use axum::routing::{delete, get, post, put};
use axum::{Router, middleware};

use super::marks::Authenticated;
use super::server::Server;

/// The paths of holders and services.
pub(super) fn router() -> Router<Arc<Server>> {
    let with_token = Router::new()
        .route("/v1/account", get(account::show).patch(account::change))
        .route("/v1/account/balance", get(account::balance))
        .route("/v1/account/password", put(sessions::change_password))
        .route("/v1/account/entries", get(entries::list))
        .route("/v1/sessions/all", delete(sessions::close_all))
        .route("/v1/directory", get(account::directory))
        .route("/v1/transfers", post(transfers::pay))
        .route("/v1/payouts", post(payouts::request).get(payouts::list))
        .route("/v1/payouts/{id}", get(payouts::show))
        .route("/v1/services", post(services::declare).get(services::list))
        .route("/v1/services/{id}", delete(services::remove))
        .route("/v1/services/{id}/rotate", post(services::rotate))
        .layer(middleware::map_response(authenticated));
    Router::new()
        .route("/v1/sessions", post(sessions::open).delete(sessions::close))
        .route("/v1/sessions/start", post(sessions::start))
        .route("/v1/services/session", post(services::open_session))
        .route("/v1/services/key", post(services::replace_key))
        .merge(with_token)
}

/// Marks a success: its request carried a valid token.
async fn authenticated(mut response: Response<Body>) -> Response<Body> {
    if response.status().is_success() {
        response.extensions_mut().insert(Authenticated);
    }
    response
}
