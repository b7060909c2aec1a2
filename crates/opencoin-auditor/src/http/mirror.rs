//! The copies of logs, and what the auditor has cosigned.
//!
//! `/HASH/checkpoint` is the last checkpoint that the auditor has cosigned, as a witness shows it. `/HASH/log/checkpoint` is
//! the newest one that it has a copy of, whether or not a rule is broken, with the signatures of log and witnesses alone.
//! The files are the same below both.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{Response, StatusCode};
use opencoin_connections::{PLAIN_TEXT, plain_answer, plain_text, set_header};
use opencoin_log::hash::Hash;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log::tile::{Resource, TilePath};

use super::server::AuditorServer;
use super::status::unavailable;
use crate::disk_error::DiskError;
use crate::store::AuditedCurrency;

const BYTES: &str = "application/octet-stream";
/// A tile never changes. One that has grown has another path.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// `GET /HASH/checkpoint`: what was cosigned last.
pub(super) async fn cosigned(
    State(server): State<Arc<AuditorServer>>,
    Path(origin_hash): Path<String>,
) -> Response<Body> {
    let currency = match find(&server, &origin_hash).await {
        Ok(currency) => currency,
        Err(response) => return response,
    };
    match server.auditor().store().cosigned(currency.no).await {
        Ok(Some(last)) => plain_answer(StatusCode::OK, PLAIN_TEXT, last.checkpoint),
        Ok(None) => plain_text(StatusCode::NOT_FOUND, "no checkpoint of this origin was cosigned"),
        Err(error) => unavailable(&error),
    }
}

/// `GET /HASH/log/checkpoint`: the newest checkpoint whose entries are here.
pub(super) async fn copied(
    State(server): State<Arc<AuditorServer>>,
    Path(origin_hash): Path<String>,
) -> Response<Body> {
    let currency = match find(&server, &origin_hash).await {
        Ok(currency) => currency,
        Err(response) => return response,
    };
    let store = server.auditor().store();
    // The state of the replay may be large, so it is not read for this.
    let newest = store.newest_checkpoint(currency.no).await;
    let (newest, copied) = match (newest, store.copied_size(currency.no).await) {
        (Ok(newest), Ok(copied)) => (newest, copied),
        (Err(error), _) | (_, Err(error)) => return unavailable(&error),
    };
    let is_here = |note: &SignedCheckpoint| note.checkpoint().size() <= copied;
    match newest.filter(is_here) {
        Some(note) => plain_answer(StatusCode::OK, PLAIN_TEXT, note.to_string()),
        // While the log is caught up with, the last one that was cosigned is the newest whose entries are here.
        None => cosigned(State(server), Path(origin_hash)).await,
    }
}

/// `GET /HASH/tile/...` and `GET /HASH/log/tile/...`: tiles and bundles.
pub(super) async fn tile(
    State(server): State<Arc<AuditorServer>>,
    Path((origin_hash, path)): Path<(String, String)>,
) -> Response<Body> {
    let missing = || plain_text(StatusCode::NOT_FOUND, "the copy of the log has no such file");
    let Ok(TilePath { resource, width }) = format!("tile/{path}").parse() else {
        return missing();
    };
    let currency = match find(&server, &origin_hash).await {
        Ok(currency) => currency,
        Err(response) => return response,
    };
    let size = match server.auditor().store().copied_size(currency.no).await {
        Ok(size) => size,
        Err(error) => return unavailable(&error),
    };
    let id = match resource {
        Resource::Tile(id) => id,
        Resource::Entries(index) => opencoin_log::tile::TileId { level: 0, index },
    };
    if id.width_in(size).is_none_or(|found| width > found) {
        return missing();
    }
    let copy = server.auditor().copy_of(&currency);
    let read = move || match resource {
        Resource::Tile(id) => copy.tile(id, width, size),
        Resource::Entries(index) => copy.bundle(index, width),
    };
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(bytes)) => {
            let mut response = plain_answer(StatusCode::OK, BYTES, bytes);
            set_header(&mut response, CACHE_CONTROL, FOR_EVER);
            response
        }
        Ok(Err(error)) => not_read(&error),
        Err(error) => unavailable(&error),
    }
}

fn not_read(error: &DiskError) -> Response<Body> {
    tracing::error!(%error, "the copy of a log cannot be read");
    plain_text(
        StatusCode::SERVICE_UNAVAILABLE,
        "the copy of the log cannot be read",
    )
}

/// The currency whose log's origin has this hash in lower-case hex.
async fn find(server: &AuditorServer, origin_hash: &str) -> Result<AuditedCurrency, Response<Body>> {
    let unknown = || plain_text(StatusCode::NOT_FOUND, "this auditor has no log of this origin");
    let hash: Hash = origin_hash.parse().map_err(|_| unknown())?;
    let currencies = server.auditor().store().currencies().await;
    let currencies = currencies.map_err(|error| unavailable(&error))?;
    let mut found = currencies
        .into_iter()
        .filter(|currency| currency.origin_hash == hash);
    found.next().ok_or_else(unknown)
}
