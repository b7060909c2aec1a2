//! The public log over GET: checkpoint, tiles and entries as C2SP tlog-tiles says, and a few hints beside it.
//!
//! Nothing here asks for a leaf by its content: a server that answered that would learn who looks for which coin.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};
use opencoin_issuer::log::IssuerLog;
use opencoin_issuer::{Reason, Refusal, unavailable};
use opencoin_ledger::LogBatchNo;
use opencoin_log::tile::TilePath;
use serde::Serialize;

use super::answer;
use super::json::{HandlerResult, PathParameter};
use super::server::Server;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");
/// A newer checkpoint follows soon.
const FOR_A_MOMENT: HeaderValue = HeaderValue::from_static("public, max-age=1");
/// A tile never changes. One that has grown has another path.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Where a batch is.
#[derive(Serialize)]
struct BatchPosition {
    batch: u64,
    count: u64,
    first: u64,
    r#type: &'static str,
}

/// The mint keys in the log.
#[derive(Serialize)]
struct LoggedKeys {
    keys: Vec<LoggedKey>,
    r#type: &'static str,
}

#[derive(Serialize)]
struct LoggedKey {
    id: String,
    index: u64,
    key_no: u32,
}

/// What went wrong.
#[derive(Serialize)]
struct Incidents {
    incidents: Vec<Incident>,
    r#type: &'static str,
}

#[derive(Serialize)]
struct Incident {
    at: i64,
    text: String,
}

pub(super) async fn checkpoint(State(server): State<Arc<Server>>) -> HandlerResult {
    let published = log(&server)?.checkpoint().await.map_err(unavailable)?;
    let missing = || not_found("the log has no published checkpoint yet");
    let note = published.ok_or_else(missing)?.note.clone();
    Ok(body(Body::from(note), TEXT, FOR_A_MOMENT))
}

/// The newest checkpoint with the joint signature.
pub(super) async fn joint_checkpoint(State(server): State<Arc<Server>>) -> HandlerResult {
    let log = log(&server)?;
    let block = server.issuer().log_block().ok_or_else(no_log)?;
    if block.joint().is_none() {
        return Err(not_found("the description of the currency names no auditors").into());
    }
    let joint = log.joint(&block).await.map_err(unavailable)?;
    let missing = || not_found("the auditors have not signed a checkpoint jointly yet");
    let note = joint.ok_or_else(missing)?.note.clone();
    Ok(body(Body::from(note), TEXT, FOR_A_MOMENT))
}

pub(super) async fn tile(
    State(server): State<Arc<Server>>,
    PathParameter(path): PathParameter,
) -> HandlerResult {
    let missing = || not_found("the published log has no such tile");
    let path: TilePath = format!("tile/{path}").parse().map_err(|_| missing())?;
    let bytes = log(&server)?.resource(&path).await.map_err(unavailable)?;
    Ok(body(Body::from(bytes.ok_or_else(missing)?), BYTES, FOR_EVER))
}

pub(super) async fn policy(State(server): State<Arc<Server>>) -> HandlerResult {
    let block = server.issuer().log_block().ok_or_else(no_log)?;
    let rhythm = log(&server)?.rhythm();
    let text = format!(
        "# a batch every {} s of at least {} leaves, at the latest after {} s\n{block}",
        rhythm.every.as_secs(),
        rhythm.leaves_min,
        rhythm.latest.as_secs()
    );
    Ok(body(Body::from(text), TEXT, FOR_A_MOMENT))
}

pub(super) async fn batch(
    State(server): State<Arc<Server>>,
    PathParameter(no): PathParameter,
) -> HandlerResult {
    let missing = || not_found("no such batch is published");
    let no: u64 = no.parse().map_err(|_| missing())?;
    let batch = log(&server)?
        .batch(LogBatchNo::new(no))
        .await
        .map_err(unavailable)?
        .ok_or_else(missing)?;
    let position = BatchPosition {
        batch: no,
        count: batch.count,
        first: batch.first,
        r#type: "log batch position",
    };
    Ok(answer::document(StatusCode::OK, &position))
}

pub(super) async fn keys(State(server): State<Arc<Server>>) -> HandlerResult {
    log(&server)?;
    let keys = server.issuer().logged_mint_keys().await?;
    let key = |(id, key_no, index): (opencoin_schema::BigInt, u32, u64)| LoggedKey {
        id: id.to_string(),
        index,
        key_no,
    };
    let keys = LoggedKeys {
        keys: keys.into_iter().map(key).collect(),
        r#type: "log keys",
    };
    Ok(answer::document(StatusCode::OK, &keys))
}

pub(super) async fn incidents(State(server): State<Arc<Server>>) -> HandlerResult {
    let status = log(&server)?.status();
    let incident = |incident: opencoin_issuer::log::Incident| Incident {
        at: incident.at.timestamp(),
        text: incident.text,
    };
    let incidents = Incidents {
        incidents: status.incidents.into_iter().map(incident).collect(),
        r#type: "log incidents",
    };
    Ok(answer::document(StatusCode::OK, &incidents))
}

fn log(server: &Server) -> Result<&IssuerLog, Refusal> {
    server.issuer().log().ok_or_else(no_log)
}

fn no_log() -> Refusal {
    not_found("this currency has no public log")
}

fn not_found(description: &str) -> Refusal {
    Refusal::new(Reason::NotFound, description)
}

fn body(body: Body, content_type: HeaderValue, cache_control: HeaderValue) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response.headers_mut().insert(CACHE_CONTROL, cache_control);
    response
}
