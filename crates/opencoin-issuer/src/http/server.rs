//! The server around the paths: health, and shutting down.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::watch as channel;

use super::bodies::Budget;
use super::observe::RequestIds;
use super::{answer, connections};
use crate::issuer::Issuer;
use crate::refusal::{Reason, Refusal};

/// How long requests that were begun may take once the server is told to stop.
pub(super) const SHUTDOWN_DURATION_MAX: Duration = Duration::from_secs(30);

/// The issuer and whether it is still open.
pub struct Server {
    issuer: Issuer,
    is_shutting_down: channel::Sender<bool>,
    has_ended: channel::Sender<bool>,
    bodies: Budget,
    request_ids: RequestIds,
}

impl Server {
    /// A server for this issuer.
    #[must_use]
    pub fn new(issuer: Issuer) -> Arc<Self> {
        let [is_shutting_down, has_ended] = [(); 2].map(|()| channel::Sender::new(false));
        Arc::new(Self { issuer, is_shutting_down, has_ended, bodies: Budget::new(), request_ids: RequestIds::new() })
    }

    /// What answers.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    pub(super) fn is_shutting_down(&self) -> bool {
        *self.is_shutting_down.borrow()
    }

    /// Waits for the moment when the server is told to stop.
    pub(super) async fn shutting_down(&self) {
        // The sender lives as long as `self`.
        let _ = self.is_shutting_down.subscribe().wait_for(|is_shutting_down| *is_shutting_down).await;
    }

    /// Waits until [`serve`] is over.
    pub(super) async fn ended(&self) {
        let _ = self.has_ended.subscribe().wait_for(|has_ended| *has_ended).await;
    }

    pub(super) fn request_ids(&self) -> &RequestIds {
        &self.request_ids
    }

    pub(super) fn bodies(&self) -> &Budget {
        &self.bodies
    }
}

/// Serves until `shutdown` is done, then takes no more connections, finishes what was accepted, and returns.
///
/// Requests that are still running after 30 seconds are dropped: what they moved is in the ledger, and the client gets the
/// same answer by asking again.
///
/// All the while the issuer follows new certificates and stopped mint keys.
///
/// A listener that fails (too few open files, say) is tried again.
pub async fn serve(listener: TcpListener, server: Arc<Server>, shutdown: impl Future<Output = ()> + Send + 'static) {
    let router = super::router(Arc::clone(&server));
    let stopping = async {
        shutdown.await;
        tracing::info!("stopping: no more requests are taken, those that were accepted are finished");
        server.is_shutting_down.send_replace(true);
    };
    let following = {
        let server = Arc::clone(&server);
        tokio::spawn(async move { server.issuer.follow().await })
    };
    let open = connections::accept_until(listener, router, stopping, || Some(server.issuer.metrics().connected())).await;
    if tokio::time::timeout(SHUTDOWN_DURATION_MAX, open.shutdown()).await.is_err() {
        tracing::warn!("some requests were still running and were dropped");
    }
    if tokio::time::timeout(SHUTDOWN_DURATION_MAX, server.issuer.close()).await.is_err() {
        tracing::warn!("the ledger did not confirm what was in the queue");
    }
    following.abort();
    server.has_ended.send_replace(true);
}

/// The process runs.
pub(super) async fn live() -> Response<Body> {
    plain(StatusCode::OK, "live\n")
}

/// The issuer can do its work: its database answers, and it is not told to stop.
pub(super) async fn ready(State(server): State<Arc<Server>>) -> Response<Body> {
    if server.is_shutting_down() {
        return answer::problem(&Refusal::new(Reason::Unavailable, "the issuer is shutting down"));
    }
    match server.issuer.ready().await {
        Ok(()) => plain(StatusCode::OK, "ready\n"),
        Err(refusal) => answer::problem(&refusal),
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

pub(super) async fn unknown_path() -> Response<Body> {
    answer::problem(&Refusal::new(Reason::NotFound, "no such path; a request of any type can be sent to POST /"))
}

pub(super) async fn wrong_method(method: Method) -> Response<Body> {
    let refusal = Refusal::new(Reason::Malformed, format!("this path does not take {method}"));
    answer::problem_with_status(StatusCode::METHOD_NOT_ALLOWED, &refusal)
}
