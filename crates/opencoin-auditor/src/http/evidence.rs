//! Evidence that is kept: a list, and the files.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use opencoin_connections::{plain_answer, plain_text};
use opencoin_log::hash::Hash;
use serde_json::Value;

use super::server::AuditorServer;
use super::status::{JSON, unavailable};
use crate::report::evidence_json;

/// `GET /evidence`: what is kept against each log.
pub(super) async fn list(State(server): State<Arc<AuditorServer>>) -> Response<Body> {
    let reports = match server.auditor().reports().await {
        Ok(reports) => reports,
        Err(error) => return unavailable(&error),
    };
    let mut list = Vec::new();
    for report in &reports {
        list.extend(report.evidence.iter().map(|evidence| {
            let mut value = evidence_json(evidence);
            value["origin"] = Value::from(report.currency.origin.clone());
            value
        }));
    }
    plain_answer(StatusCode::OK, JSON, format!("{}\n", Value::from(list)))
}

/// `GET /evidence/ID`: the file, to be verified with `opencoin evidence`.
pub(super) async fn file(State(server): State<Arc<AuditorServer>>, Path(id): Path<String>) -> Response<Body> {
    let missing = || plain_text(StatusCode::NOT_FOUND, "there is no such evidence");
    let Ok(id) = id.parse::<Hash>() else {
        return missing();
    };
    match server.auditor().store().evidence_text(&id).await {
        Ok(Some(text)) => plain_answer(StatusCode::OK, JSON, text),
        Ok(None) => missing(),
        Err(error) => unavailable(&error),
    }
}
