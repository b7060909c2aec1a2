//! What the auditor says to programs: its status, who it is, and for operators the metrics.

use std::fmt::Display;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use opencoin_connections::{plain_answer, plain_text};
use opencoin_gossip::{NODE_LOGS_MAX, NodeRole, NodeSelf};
use opencoin_log::key::VerifierKey;
use serde_json::{Value, json};

use super::server::AuditorServer;
use crate::auditor::Auditor;
use crate::metrics::METRICS_CONTENT_TYPE;

pub(super) const JSON: &str = "application/json";

/// `GET /status.json`.
pub(super) async fn status(State(server): State<Arc<AuditorServer>>) -> Response<Body> {
    let auditor = server.auditor();
    let reports = match auditor.reports().await {
        Ok(reports) => reports,
        Err(error) => return unavailable(&error),
    };
    let is_light = auditor.options().is_light;
    let currencies: Vec<Value> = reports.iter().map(|report| report.to_json(is_light)).collect();
    let mut body = node(auditor);
    body["now"] = auditor.now_s().into();
    body["version"] = env!("CARGO_PKG_VERSION").into();
    body["currencies"] = currencies.into();
    plain_answer(StatusCode::OK, JSON, format!("{body}\n"))
}

/// `GET /v1/nodes/self`.
pub(super) async fn node_self(State(server): State<Arc<AuditorServer>>) -> Response<Body> {
    let auditor = server.auditor();
    let reports = match auditor.reports().await {
        Ok(reports) => reports,
        Err(error) => return unavailable(&error),
    };
    let sizes = reports
        .iter()
        .map(|report| (report.currency.origin.clone(), report.live.checkpoint_size));
    let sizes = sizes.take(NODE_LOGS_MAX).collect();
    let key = auditor.keys().vkeys().into_iter().next();
    match key.map(|key| NodeSelf::new(role(auditor), key, sizes)) {
        Some(Ok(node)) => plain_answer(StatusCode::OK, JSON, format!("{}\n", node.to_json())),
        Some(Err(error)) => unavailable(&error),
        None => unavailable(&"the auditor has no key"),
    }
}

fn node(auditor: &Auditor) -> Value {
    let vkeys: Vec<String> = auditor
        .keys()
        .vkeys()
        .iter()
        .map(VerifierKey::to_string)
        .collect();
    let (name, role) = (auditor.keys().name().as_str(), role(auditor).word());
    json!({ "name": name, "role": role, "vkeys": vkeys })
}

fn role(auditor: &Auditor) -> NodeRole {
    if auditor.options().is_light {
        NodeRole::Light
    } else {
        NodeRole::Full
    }
}

/// `GET /metrics`.
pub(super) async fn metrics(State(server): State<Arc<AuditorServer>>) -> Response<Body> {
    let reports = server.auditor().reports().await;
    if let Err(error) = &reports {
        tracing::error!(%error, "the currencies cannot be read for the metrics");
    }
    let text = server.metrics().text(reports.ok().as_deref());
    plain_answer(StatusCode::OK, METRICS_CONTENT_TYPE, text)
}

pub(super) fn unavailable(error: &dyn Display) -> Response<Body> {
    tracing::error!(%error, "a request could not be answered");
    plain_text(StatusCode::SERVICE_UNAVAILABLE, "the database cannot be read")
}
