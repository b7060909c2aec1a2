//! The paths of the public listener.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, Response};
use axum::middleware::Next;
use axum::routing::{MethodRouter, get, post};
use axum::{Router, middleware};
use opencoin_schema::{
    RequestCddSerial, RequestCddc, RequestMint, RequestMintKeyCertificates, RequestRecoup, RequestRedeem,
    RequestRenew, RequestResume, TypeName,
};

use super::pages::Visitor;
use super::requests::{self, Expected};
use super::server::Server;
use super::surface::Surface;
use super::{
    accounts, cors, documents, fallback, headers, health, hosts, key_accounts, limit_addresses, log, observe,
    openapi, supply,
};

/// All paths of the public listener.
pub fn router(server: Arc<Server>) -> Router {
    let relay = server.relay().map_or_else(Router::new, |relay| relay.router());
    let pages = server
        .pages()
        .map_or_else(Router::new, |pages| pages.public.clone());
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
        .route("/v1/mint-keys", get(documents::live_mint_keys))
        .route("/v1/revocations", get(documents::revocations))
        .route("/v1/supply", get(supply::show))
        .route("/log/checkpoint", get(log::checkpoint))
        .route("/log/checkpoint.joint", get(log::joint_checkpoint))
        .route("/log/tile/{*path}", get(log::tile))
        .route("/v1/log/policy", get(log::policy))
        .route("/v1/log/batches/{no}", get(log::batch))
        .route("/v1/log/keys", get(log::keys))
        .route("/v1/log/incidents", get(log::incidents))
        .route("/v1/openapi.json", get(openapi::public))
        .merge(accounts::router())
        .merge(key_accounts::router())
        .merge(relay)
        .merge(pages)
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .fallback(fallback::unknown_path)
        .method_not_allowed_fallback(fallback::wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&server), arrive))
        .with_state(server)
}

/// What every request passes on its way to its handler. It is one layer, because every further one would allocate
/// several times for each request.
async fn arrive(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response<Body> {
    let surface = Surface::of(request.method(), request.uri().path());
    let visitor = Visitor::of(&server, &request, surface == Surface::Pages);
    let is_shared = surface == Surface::Api && server.is_shared_with_browsers();
    let admitted = async |request: Request| {
        let is_own = |host: &str| server.hosts().have(host, server.issuer());
        if surface != Surface::Health
            && let Some(refusal) = hosts::refuse(&request, "hosts", is_own)
        {
            return refusal;
        }
        if is_shared && *request.method() == Method::OPTIONS {
            return cors::preflight();
        }
        limit_addresses::limit(&server, request, |request| headers::once(request, next)).await
    };
    let mut response = observe::watch(&server, observe::Side::Public, request, admitted).await;
    if is_shared {
        cors::share(&mut response);
    }
    match visitor {
        Some(visitor) => visitor.show(response).await,
        None => response,
    }
}

fn message(expected: Expected) -> MethodRouter<Arc<Server>> {
    post(
        move |server: State<Arc<Server>>, headers: HeaderMap, body: Body| {
            requests::post(server, expected, headers, body)
        },
    )
}
