//! What anybody can read: the last cosigned checkpoints, and for operators the metrics.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use opencoin_connections::{PLAIN_TEXT, plain_answer, plain_text};
use opencoin_log::hash::Hash;

use super::server::WitnessServer;
use crate::metrics::METRICS_CONTENT_TYPE;

/// `GET /<hash of the origin>/checkpoint`, in lower-case hex.
pub(super) async fn checkpoint(
    State(server): State<Arc<WitnessServer>>,
    Path(origin_hash): Path<String>,
) -> Response<Body> {
    let Ok(origin_hash) = origin_hash.parse::<Hash>() else {
        return plain_text(
            StatusCode::NOT_FOUND,
            "not the hash of an origin in lower-case hex",
        );
    };
    match server.witness().store().checkpoint(origin_hash.as_bytes()).await {
        Ok(Some(checkpoint)) => plain_answer(StatusCode::OK, PLAIN_TEXT, checkpoint),
        Ok(None) => plain_text(StatusCode::NOT_FOUND, "no checkpoint of this origin was cosigned"),
        Err(error) => {
            tracing::error!(%error, "a checkpoint cannot be read");
            plain_text(StatusCode::SERVICE_UNAVAILABLE, "the database cannot be read")
        }
    }
}

/// `GET /metrics`.
pub(super) async fn metrics(State(server): State<Arc<WitnessServer>>) -> Response<Body> {
    let logs = server.witness().store().logs().await;
    if let Err(error) = &logs {
        tracing::error!(%error, "the logs cannot be read for the metrics");
    }
    let text = server.metrics().text(logs.ok().as_deref());
    plain_answer(StatusCode::OK, METRICS_CONTENT_TYPE, text)
}
