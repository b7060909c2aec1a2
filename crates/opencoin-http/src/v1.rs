//! What is not in the specification, under a version of its own: the list of revoked mint keys. (A recoup is
//! a message like any other, and read where they are.)

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use opencoin_issuer::RevokedMintKey;
use serde::Serialize;

use super::server::Server;
use super::{answer, documents};

/// The mint keys of which no coin is taken any more.
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
