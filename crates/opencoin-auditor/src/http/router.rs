//! The paths of both listeners.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use axum::routing::{get, post};
use axum::{Router, middleware};
use opencoin_connections::plain_text;

use super::server::AuditorServer;
use super::{address_limit, evidence, gossip, health, mirror, page, status};

/// The paths for everybody. The monitoring prefix is the root.
pub(crate) fn router(server: Arc<AuditorServer>) -> Router {
    let limit = middleware::from_fn_with_state(Arc::clone(&server), address_limit::limit);
    Router::new()
        .route("/", get(page::page))
        .route("/status.json", get(status::status))
        .route("/evidence", get(evidence::list))
        .route("/evidence/{id}", get(evidence::file))
        .route("/v1/gossip", post(gossip::receive))
        .route("/v1/nodes/self", get(status::node_self))
        .route("/{origin_hash}/checkpoint", get(mirror::cosigned))
        .route("/{origin_hash}/tile/{*path}", get(mirror::tile))
        .route("/{origin_hash}/log/checkpoint", get(mirror::copied))
        .route("/{origin_hash}/log/tile/{*path}", get(mirror::tile))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(limit)
        .with_state(server)
}

/// The paths for operators.
pub(crate) fn operator_router(server: Arc<AuditorServer>) -> Router {
    Router::new()
        .route("/metrics", get(status::metrics))
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
