//! The operator's listener: metrics, health, the operator's API and the console.
//!
//! It is off unless `[admin]` in `issuer.toml` names an address. It has its own limit on connections, so it answers
//! even if clients use all of theirs. It runs until the server has stopped, so that operators can observe a shutdown.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::middleware::Next;
use axum::routing::get;
use axum::{Router, middleware};
use opencoin_issuer::{AdminTokens, METRICS_CONTENT_TYPE};

use super::listener::Listener;
use super::observe::Side;
use super::pages::Visitor;
use super::serve::SHUTDOWN_DURATION_MAX;
use super::server::Server;
use super::surface::Surface;
use super::{connections, fallback, headers, health, hosts, observe, openapi, operators};

/// The line that ends a text of metrics.
const END: &str = "# EOF\n";

/// The paths of the operator's listener. These tokens open `/v1/admin`.
pub fn admin_router(server: Arc<Server>, tokens: AdminTokens) -> Router {
    let pages = server
        .pages()
        .map_or_else(Router::new, |pages| pages.console.clone());
    Router::new()
        .merge(pages)
        .route("/metrics", get(metrics))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/v1/openapi.json", get(openapi::whole))
        .merge(operators::router(Arc::clone(&server), tokens))
        .fallback(fallback::unknown_path)
        .method_not_allowed_fallback(fallback::wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&server), arrive))
        .with_state(server)
}

/// What every request passes on its way to its handler.
async fn arrive(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response<Body> {
    let surface = Surface::of(request.method(), request.uri().path());
    let visitor = Visitor::of(&server, &request, surface == Surface::Pages);
    let admitted = async |request: Request| {
        let is_own = |host: &str| hosts::is_own(host, server.admin_hosts());
        match hosts::refuse(&request, "admin.hosts", is_own) {
            Some(refusal) => refusal,
            None => headers::once(request, next).await,
        }
    };
    let response = observe::watch(&server, Side::Operators, request, admitted).await;
    match visitor {
        Some(visitor) => visitor.show(response).await,
        None => response,
    }
}

/// Serves operators until [`serve`](super::serve) of the same server has returned.
pub async fn serve_admin(listener: impl Into<Listener>, server: Arc<Server>, tokens: AdminTokens) {
    let router = admin_router(Arc::clone(&server), tokens);
    // Operators are not counted as clients.
    let open =
        connections::accept_until(listener.into(), router, server.limits(), server.ended(), || None).await;
    if tokio::time::timeout(SHUTDOWN_DURATION_MAX, open.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests of operators did not finish in time and were dropped");
    }
}

async fn metrics(State(server): State<Arc<Server>>) -> Response<Body> {
    let mut text = server.issuer().metrics_text(server.bodies().taken()).await;
    if let Some(relay) = server.relay() {
        // The line that ends the text stays the last one.
        let end = text.len() - text.strip_suffix(END).map_or(0, |_| END.len());
        text.insert_str(end, &relay.metrics_text());
    }
    let mut response = Response::new(Body::from(text));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(METRICS_CONTENT_TYPE));
    response
}
