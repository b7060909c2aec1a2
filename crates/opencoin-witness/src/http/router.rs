//! The paths of both listeners.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use axum::routing::{get, post};
use axum::{Router, middleware};
use opencoin_connections::plain_text;

use super::address_limit;
use super::server::WitnessServer;
use super::{health, monitoring, page, submission};

/// The paths for logs and monitors. The submission prefix and the monitoring prefix are the root.
pub(crate) fn router(server: Arc<WitnessServer>) -> Router {
    let limit = middleware::from_fn_with_state(Arc::clone(&server), address_limit::limit);
    Router::new()
        .route("/", get(page::page))
        .route("/add-checkpoint", post(submission::add_checkpoint))
        .route("/{origin_hash}/checkpoint", get(monitoring::checkpoint))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(limit)
        .with_state(server)
}

/// The paths for operators.
pub(crate) fn operator_router(server: Arc<WitnessServer>) -> Router {
    Router::new()
        .route("/metrics", get(monitoring::metrics))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .with_state(server)
}

async fn unknown_path() -> Response<Body> {
    plain_text(StatusCode::NOT_FOUND, "there is nothing at this path")
}

async fn wrong_method() -> Response<Body> {
    plain_text(StatusCode::METHOD_NOT_ALLOWED, "this path has another method")
}
