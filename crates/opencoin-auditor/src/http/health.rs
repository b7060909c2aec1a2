//! Health checks.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use opencoin_connections::plain_text;

use super::server::AuditorServer;

/// How long the database may take to give the write lock.
const READY_DURATION_MAX: Duration = Duration::from_secs(2);

/// Answers as long as the process runs.
pub(super) async fn live() -> Response<Body> {
    plain_text(StatusCode::OK, "live")
}

/// Answers 200 if the auditor does not stop and its database can be written. Whether logs can be read is on its page.
pub(super) async fn ready(State(server): State<Arc<AuditorServer>>) -> Response<Body> {
    if server.is_stopping() {
        return plain_text(StatusCode::SERVICE_UNAVAILABLE, "the auditor is shutting down");
    }
    match tokio::time::timeout(READY_DURATION_MAX, server.auditor().store().ready()).await {
        Ok(Ok(())) => plain_text(StatusCode::OK, "ready"),
        Ok(Err(error)) => {
            tracing::error!(%error, "the auditor is not ready");
            plain_text(StatusCode::SERVICE_UNAVAILABLE, "the database cannot be written")
        }
        Err(_) => plain_text(StatusCode::SERVICE_UNAVAILABLE, "the database is busy"),
    }
}
