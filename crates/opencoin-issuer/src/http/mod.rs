//! The issuer's HTTP API: which path takes which message.
//!
//! Handlers read, make one call of [`crate::issuer::Issuer`], and write. Requests are told apart by path or, on `/`, by `type`.

mod admin;
mod answer;
mod bodies;
mod client_stream;
mod connections;
mod documents;
mod observe;
mod requests;
mod server;
mod v1;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::middleware;
use axum::routing::{MethodRouter, get, post};
use opencoin_schema::{
    RequestCddSerial, RequestCddc, RequestMint, RequestMintKeyCertificates, RequestRecoup, RequestRedeem, RequestRenew,
    RequestResume, TypeName,
};

pub use admin::{admin_router, serve_admin};
pub use answer::{ERROR_HEADER, RETRY_AFTER_S, status};
pub use bodies::{BODIES_BYTES_IN_FLIGHT_MAX, BODY_SECONDS_MAX};
pub use client_stream::ANSWER_SECONDS_MAX;
pub use connections::{CONNECTIONS_MAX, HEAD_SECONDS_MAX};
pub use observe::REQUEST_ID_HEADER;
use requests::Expected;
pub use server::{Server, serve};

/// The longest body: a renew of 1,000 coins to 1,000 blinds of 4,096-bit keys takes 2.8 MB.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// All paths of the API.
pub fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/", message(Expected::Any))
        .route("/cddc/serial", message(Expected::Only(RequestCddSerial::TYPE)))
        .route("/cddc", message(Expected::Only(RequestCddc::TYPE)).get(documents::current_cddc))
        .route("/cddc/{serial}", get(documents::cddc))
        .route("/mkcs", message(Expected::Only(RequestMintKeyCertificates::TYPE)).get(documents::current_mint_key_certificates))
        .route("/mkcs/{id}", get(documents::mint_key_certificate))
        .route("/mint", message(Expected::Only(RequestMint::TYPE)))
        .route("/renew", message(Expected::Only(RequestRenew::TYPE)))
        .route("/resume", message(Expected::Only(RequestResume::TYPE)))
        .route("/redeem", message(Expected::Only(RequestRedeem::TYPE)))
        .route("/v1/recoup", message(Expected::Only(RequestRecoup::TYPE)))
        .route("/v1/revocations", get(v1::revocations))
        .route("/health/live", get(server::live))
        .route("/health/ready", get(server::ready))
        .fallback(server::unknown_path)
        .method_not_allowed_fallback(server::wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&server), observe::watch))
        .with_state(server)
}

fn message(expected: Expected) -> MethodRouter<Arc<Server>> {
    post(move |server: State<Arc<Server>>, headers: HeaderMap, body: Body| requests::post(server, expected, headers, body))
}
