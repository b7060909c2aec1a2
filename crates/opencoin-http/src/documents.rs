//! The signed documents over GET, in the indented text that is signed.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use axum::http::{HeaderMap, Response, StatusCode};
use opencoin_issuer::{Reason, Refusal};
use opencoin_schema::{BigInt, RequestMintKeyCertificates, text};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::answer;
use super::server::Server;

/// How many bytes of the SHA-256 of a body are its ETag.
const ETAG_BYTES: usize = 16;

pub(super) async fn current_cddc(State(server): State<Arc<Server>>, headers: HeaderMap) -> Response<Body> {
    cddc_with_serial(&server, 0, &headers).await
}

pub(super) async fn cddc(
    State(server): State<Arc<Server>>,
    serial: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response<Body> {
    match serial.ok().and_then(|Path(serial)| serial.parse().ok()) {
        Some(serial) => cddc_with_serial(&server, serial, &headers).await,
        None => not_found("a CDD serial is a whole number below 2^64"),
    }
}

async fn cddc_with_serial(server: &Server, serial: u64, headers: &HeaderMap) -> Response<Body> {
    match server.issuer().cddc(serial).await {
        Ok(cddc) => pretty(&cddc, headers),
        Err(refusal) => answer::problem(&refusal),
    }
}

pub(super) async fn current_mint_key_certificates(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
) -> Response<Body> {
    let all = RequestMintKeyCertificates {
        denominations: Vec::new(),
        message_reference: 0,
        mint_key_ids: Vec::new(),
    };
    match server.issuer().mint_key_certificates(&all).await {
        Ok(certificates) => pretty(&certificates, &headers),
        Err(refusal) => answer::problem(&refusal),
    }
}

pub(super) async fn mint_key_certificate(
    State(server): State<Arc<Server>>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response<Body> {
    let id = id.ok().and_then(|Path(id)| id.parse::<BigInt>().ok());
    let certificate = match &id {
        Some(id) => server.issuer().mint_key_certificate(id).await,
        None => None,
    };
    match certificate {
        Some(certificate) => pretty(&certificate, &headers),
        None => not_found("this issuer has no mint key with this id"),
    }
}

fn not_found(description: &str) -> Response<Body> {
    answer::problem(&Refusal::new(Reason::NotFound, description))
}

/// A document in its indented text, or 304 if the client has it already.
pub(super) fn pretty<D: Serialize>(document: &D, headers: &HeaderMap) -> Response<Body> {
    let body = text::pretty(document);
    let etag = format!("\"{}\"", const_hex::encode(&Sha256::digest(&body)[..ETAG_BYTES]));
    let unchanged = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| matches!(known.trim().trim_start_matches("W/"), known if known == etag || known == "*"));
    let mut response = Response::new(if unchanged {
        Body::empty()
    } else {
        Body::from(body)
    });
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        response.headers_mut().insert(ETAG, etag);
    }
    response
}
