//! The list of revoked mint keys, which is not in the specification.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use opencoin_issuer::RevokedMintKey;
use serde::Serialize;

use super::server::Server;
use super::{answer, documents};

/// The mint keys whose coins are refused.
#[derive(Serialize)]
struct Revocations {
    mint_keys: Vec<RevokedMintKey>,
}

pub(super) async fn revocations(State(server): State<Arc<Server>>, headers: HeaderMap) -> Response<Body> {
    match server.issuer().revoked_mint_keys().await {
        Ok(mint_keys) => documents::pretty(&Revocations { mint_keys }, &headers),
        Err(refusal) => answer::problem(&refusal),
    }
}
