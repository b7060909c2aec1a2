//! The issuer's HTTP API: which path takes which message.
//!
//! Handlers read, make one call of [`opencoin_issuer::Issuer`], and write. Requests are told apart by path or,
//! on `/`, by `type`.

mod accounts;
mod address_limits;
mod admin;
mod answer;
mod bodies;
mod callers;
mod client_address;
mod client_stream;
mod connections;
mod documents;
mod json;
mod listener;
mod observe;
mod openapi;
mod operators;
mod rate;
mod requests;
mod server;
mod tls;
mod v1;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::middleware;
use axum::routing::{MethodRouter, get, post};
use opencoin_schema::{
    RequestCddSerial, RequestCddc, RequestMint, RequestMintKeyCertificates, RequestRecoup, RequestRedeem,
    RequestRenew, RequestResume, TypeName,
};

pub use admin::{admin_router, serve_admin};
pub use answer::{ERROR_HEADER, RETRY_AFTER_S, status};
pub use listener::{ListenError, Listener};
pub use observe::REQUEST_ID_HEADER;
pub use openapi::{Audience, document as openapi_document};
use requests::Expected;
pub use server::{Server, ServerOptions, Unwatched, serve};

/// All paths of the API.
pub fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/", message(Expected::Any))
        .route("/cddc/serial", message(Expected::Only(RequestCddSerial::TYPE)))
        .route(
            "/cddc",
            message(Expected::Only(RequestCddc::TYPE)).get(documents::current_cddc),
        )
        .route("/cddc/{serial}", get(documents::cddc))
        .route(
            "/mkcs",
            message(Expected::Only(RequestMintKeyCertificates::TYPE))
                .get(documents::current_mint_key_certificates),
        )
        .route("/mkcs/{id}", get(documents::mint_key_certificate))
        .route("/mint", message(Expected::Only(RequestMint::TYPE)))
        .route("/renew", message(Expected::Only(RequestRenew::TYPE)))
        .route("/resume", message(Expected::Only(RequestResume::TYPE)))
        .route("/redeem", message(Expected::Only(RequestRedeem::TYPE)))
        .route("/v1/recoup", message(Expected::Only(RequestRecoup::TYPE)))
        .route("/v1/revocations", get(v1::revocations))
        .route("/v1/openapi.json", get(openapi::public))
        .merge(accounts::router())
        .route("/health/live", get(server::live))
        .route("/health/ready", get(server::ready))
        .fallback(server::unknown_path)
        .method_not_allowed_fallback(server::wrong_method)
        .layer(middleware::from_fn_with_state(
            Arc::clone(&server),
            address_limits::limit,
        ))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&server),
            observe::watch,
        ))
        .with_state(server)
}

fn message(expected: Expected) -> MethodRouter<Arc<Server>> {
    post(
        move |server: State<Arc<Server>>, headers: HeaderMap, body: Body| {
            requests::post(server, expected, headers, body)
        },
    )
}
