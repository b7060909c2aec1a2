//! Documents over GET. The signed ones are sent in the indented text that is signed.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use axum::http::{HeaderMap, Response, StatusCode};
use opencoin_issuer::{LiveMintKey, Reason, Refusal, RevokedMintKey};
use opencoin_schema::{BigInt, RequestMintKeyCertificates, text};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::json::{HandlerResult, PathParameter};
use super::server::Server;

/// How many bytes of the SHA-256 of a body are its ETag.
const ETAG_BYTES: usize = 16;

pub(super) async fn current_cddc(State(server): State<Arc<Server>>, headers: HeaderMap) -> HandlerResult {
    Ok(pretty(&server.issuer().cddc(0).await?, &headers))
}

pub(super) async fn cddc(
    State(server): State<Arc<Server>>,
    PathParameter(serial): PathParameter,
    headers: HeaderMap,
) -> HandlerResult {
    let not_a_serial = |_| not_found("a CDD serial is a whole number below 2^64");
    let serial = serial.parse().map_err(not_a_serial)?;
    Ok(pretty(&server.issuer().cddc(serial).await?, &headers))
}

pub(super) async fn current_mint_key_certificates(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
) -> HandlerResult {
    let all = RequestMintKeyCertificates {
        denominations: Vec::new(),
        message_reference: 0,
        mint_key_ids: Vec::new(),
    };
    let certificates = server.issuer().mint_key_certificates(&all).await?;
    Ok(pretty(&certificates, &headers))
}

pub(super) async fn mint_key_certificate(
    State(server): State<Arc<Server>>,
    PathParameter(id): PathParameter,
    headers: HeaderMap,
) -> HandlerResult {
    let unknown = || not_found("this issuer has no mint key with this id");
    let id: BigInt = id.parse().map_err(|_| unknown())?;
    let certificate = server.issuer().mint_key_certificate(&id).await;
    Ok(pretty(&certificate.ok_or_else(unknown)?, &headers))
}

/// The revoked mint keys. This document is not in the specification, and not signed.
pub(super) async fn revocations(State(server): State<Arc<Server>>, headers: HeaderMap) -> HandlerResult {
    #[derive(Serialize)]
    struct Revocations {
        mint_keys: Vec<RevokedMintKey>,
    }
    let mint_keys = server.issuer().revoked_mint_keys().await?;
    Ok(pretty(&Revocations { mint_keys }, &headers))
}

/// The mint keys whose coins are accepted. This document is not in the specification, and not signed.
pub(super) async fn live_mint_keys(State(server): State<Arc<Server>>, headers: HeaderMap) -> HandlerResult {
    #[derive(Serialize)]
    struct MintKeys {
        mint_keys: Vec<LiveMintKey>,
    }
    let mint_keys = server.issuer().live_mint_keys().await;
    Ok(pretty(&MintKeys { mint_keys }, &headers))
}

fn not_found(description: &str) -> Refusal {
    Refusal::new(Reason::NotFound, description)
}

/// A document in its indented text, or 304 if the client has it already.
pub(super) fn pretty<D: Serialize>(document: &D, headers: &HeaderMap) -> Response<Body> {
    let body = text::pretty(document);
    let etag = format!("\"{}\"", const_hex::encode(&Sha256::digest(&body)[..ETAG_BYTES]));
    let values = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut known = values
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"));
    let mut response = if known.any(|tag| tag == etag || tag == "*") {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let mut response = Response::new(Body::from(body));
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    };
    let etag = HeaderValue::try_from(etag).expect("quoted hex digits");
    response.headers_mut().insert(ETAG, etag);
    response
}
