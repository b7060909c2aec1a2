//! The server around the paths: health, shutting down, one log line a request.
//!
//! The log names path, status and time. It never has an address, a reference, or anything of a body.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Method, Response, StatusCode};
use axum::middleware::Next;
use tokio::net::TcpListener;
use tokio::sync::watch as channel;

use super::bodies::Budget;
use super::{answer, connections};
use crate::issuer::Issuer;
use crate::refusal::{Reason, Refusal};

/// What is answered whatever the state of the books.
const HEALTH_PATHS: &str = "/health/";

/// How long requests that were begun may take once the server is told to stop.
const SHUTDOWN_DURATION_MAX: Duration = Duration::from_secs(30);

/// The issuer and whether it is still open.
pub struct Server {
    issuer: Issuer,
    phase: channel::Sender<Phase>,
    shutdown_grace: Duration,
    bodies: Budget,
}

/// The end of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// It is not near.
    Open,
    /// The server says that it is not ready, ends connections after an answer, and answers as before.
    Leaving,
    /// It takes no more requests.
    ShuttingDown,
}

impl Server {
    /// A server for this issuer.
    #[must_use]
    pub fn new(issuer: Issuer) -> Arc<Self> {
        Self::with_shutdown_grace(issuer, Duration::ZERO)
    }

    /// The same; when it is told to stop, it says for this long that it is not ready and answers as before, so that a proxy in front
    /// notices and sends no more.
    #[must_use]
    pub fn with_shutdown_grace(issuer: Issuer, shutdown_grace: Duration) -> Arc<Self> {
        Arc::new(Self { issuer, phase: channel::Sender::new(Phase::Open), shutdown_grace, bodies: Budget::new() })
    }

    pub(super) fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    pub(super) fn is_shutting_down(&self) -> bool {
        *self.phase.borrow() == Phase::ShuttingDown
    }

    fn is_leaving(&self) -> bool {
        *self.phase.borrow() >= Phase::Leaving
    }

    /// Waits for the moment when the server is told to stop.
    pub(super) async fn shutting_down(&self) {
        // The sender lives as long as `self`.
        let _ = self.phase.subscribe().wait_for(|phase| *phase == Phase::ShuttingDown).await;
    }

    pub(super) fn bodies(&self) -> &Budget {
        &self.bodies
    }
}

/// Serves until `shutdown` is done and the grace is over, then takes no more connections, finishes what was accepted, and returns.
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
        if server.shutdown_grace > Duration::ZERO {
            server.phase.send_replace(Phase::Leaving);
            tracing::info!(grace = ?server.shutdown_grace, "stopping soon: not ready from now on, requests are taken for a while");
            tokio::time::sleep(server.shutdown_grace).await;
        }
        tracing::info!("stopping: no more requests are taken, those that were accepted are finished");
        server.phase.send_replace(Phase::ShuttingDown);
    };
    let following = {
        let server = Arc::clone(&server);
        tokio::spawn(async move { server.issuer.follow().await })
    };
    let open = connections::accept_until(listener, router, stopping).await;
    if tokio::time::timeout(SHUTDOWN_DURATION_MAX, open.shutdown()).await.is_err() {
        tracing::warn!("some requests were still running and were dropped");
    }
    if tokio::time::timeout(SHUTDOWN_DURATION_MAX, server.issuer.close()).await.is_err() {
        tracing::warn!("the ledger did not confirm what was in the queue");
    }
    following.abort();
}

/// Writes the log line, closes connections while shutting down, and answers nothing from books that were set back.
pub(super) async fn watch(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response<Body> {
    let started = Instant::now();
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().map_or_else(|| "unknown".to_owned(), |path| path.as_str().to_owned());
    let is_served = !server.issuer.is_set_back() || path.starts_with(HEALTH_PATHS);
    let mut response = if is_served { next.run(request).await } else { answer::problem(&Refusal::unavailable()) };
    if server.is_leaving() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let latency_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    tracing::info!(%method, path, status = response.status().as_u16(), latency_us, "request");
    response
}

/// The process runs.
pub(super) async fn live() -> Response<Body> {
    plain(StatusCode::OK, "live\n")
}

/// The issuer can do its work: it does not stop, its database answers, its books were not set back.
pub(super) async fn ready(State(server): State<Arc<Server>>) -> Response<Body> {
    if server.is_leaving() {
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
