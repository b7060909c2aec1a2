//! The server around the paths: health, and shutting down.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{Method, Response, StatusCode};
use opencoin_config::{LimitsConfig, ProxyConfig};
use opencoin_issuer::{Issuer, Reason, Refusal};
use tokio::sync::watch as channel;
use tokio::task::JoinSet;

use super::accounts::stream::Streams;
use super::address_limits::AddressLimits;
use super::bodies::Budget;
use super::listener::Listener;
use super::observe::RequestIds;
use super::{answer, connections};

/// How long requests that were begun may take once the server is told to stop.
pub(super) const SHUTDOWN_DURATION_MAX: Duration = Duration::from_secs(30);

const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// What goes on beside requests has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the work in the background has ended in a panic, and with it the watch over the books; start the server again"
)]
pub struct Unwatched;

/// The issuer and whether it is still open.
pub struct Server {
    issuer: Issuer,
    phase: channel::Sender<Phase>,
    shutdown_grace: Duration,
    has_ended: channel::Sender<bool>,
    bodies: Budget,
    streams: Streams,
    request_ids: RequestIds,
    address_limits: AddressLimits,
    limits: LimitsConfig,
}

/// How a server treats its clients: the settings `[limits]`, `[proxy]` and `shutdown_grace`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerOptions {
    /// What clients may take.
    pub limits: LimitsConfig,
    /// Whose word is taken for where a request came from.
    pub proxy: ProxyConfig,
    /// When the server is told to stop, it says for this long that it is not ready and answers as before, so
    /// that a proxy in front notices and sends no more.
    pub shutdown_grace: Duration,
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
    /// A server for this issuer, with the limits that are usual.
    #[must_use]
    pub fn new(issuer: Issuer) -> Arc<Self> {
        Self::with_options(issuer, ServerOptions::default())
    }

    /// A server for this issuer.
    #[must_use]
    pub fn with_options(issuer: Issuer, options: ServerOptions) -> Arc<Self> {
        let (bodies, address_limits) = (Budget::new(&options.limits), AddressLimits::new(&options));
        Arc::new(Self {
            issuer,
            phase: channel::Sender::new(Phase::Open),
            shutdown_grace: options.shutdown_grace,
            has_ended: channel::Sender::new(false),
            bodies,
            streams: Streams::default(),
            request_ids: RequestIds::new(),
            address_limits,
            limits: options.limits,
        })
    }

    /// What answers.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    pub(super) fn is_shutting_down(&self) -> bool {
        *self.phase.borrow() == Phase::ShuttingDown
    }

    pub(super) fn is_leaving(&self) -> bool {
        *self.phase.borrow() >= Phase::Leaving
    }

    /// Waits for the moment when the server is told to stop.
    pub(super) async fn shutting_down(&self) {
        // The sender lives as long as `self`.
        let _ = self
            .phase
            .subscribe()
            .wait_for(|phase| *phase == Phase::ShuttingDown)
            .await;
    }

    pub(super) fn streams(&self) -> &Streams {
        &self.streams
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

    pub(super) fn limits(&self) -> &LimitsConfig {
        &self.limits
    }

    pub(super) fn address_limits(&self) -> &AddressLimits {
        &self.address_limits
    }
}

/// Serves until `shutdown` is done and the grace is over, then takes no more connections, finishes what was
/// accepted, and returns.
///
/// Requests that are still running after 30 seconds are dropped: what they moved is in the ledger, and the
/// client gets the same answer by asking again.
///
/// All the while the issuer follows new certificates and stopped mint keys, and the listener new files for
/// its TLS.
///
/// A listener that fails (too few open files, say) is tried again.
///
/// # Errors
/// The work in the background ended by itself, which is a fault of the program: without it nobody notices
/// books that are set back.
pub async fn serve(
    listener: impl Into<Listener>,
    server: Arc<Server>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Unwatched> {
    let router = super::router(Arc::clone(&server));
    let mut background = background(&server);
    let mut is_unwatched = false;
    let told_to_stop = async {
        shutdown.await;
        if server.shutdown_grace > Duration::ZERO {
            server.phase.send_replace(Phase::Leaving);
            tracing::info!(grace = ?server.shutdown_grace, "stopping soon: not ready from now on, requests are taken for a while");
            tokio::time::sleep(server.shutdown_grace).await;
        }
    };
    let stopping = async {
        tokio::select! {
            () = told_to_stop => {}
            _ended = background.join_next() => {
                tracing::error!("ALARM: the work in the background has ended in a panic; the server stops");
                is_unwatched = true;
            }
        }
        tracing::info!("stopping: no more requests are taken, those that were accepted are finished");
        server.phase.send_replace(Phase::ShuttingDown);
    };
    let connected = || Some(server.issuer.metrics().connected());
    let open = connections::accept_until(listener.into(), router, &server.limits, stopping, connected).await;
    if tokio::time::timeout(SHUTDOWN_DURATION_MAX, open.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests were still running and were dropped");
    }
    if tokio::time::timeout(SHUTDOWN_DURATION_MAX, server.issuer.close())
        .await
        .is_err()
    {
        tracing::warn!("the ledger did not confirm what was in the queue");
    }
    background.shutdown().await;
    server.has_ended.send_replace(true);
    if is_unwatched { Err(Unwatched) } else { Ok(()) }
}

/// What goes on beside requests: each on its own, so that none holds up another. None ends by itself.
fn background(server: &Arc<Server>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let [watching, following] = [Arc::clone(server), Arc::clone(server)];
    tasks.spawn(async move { watching.issuer.watch_books().await });
    tasks.spawn(async move { following.issuer.follow().await });
    tasks
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
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(PLAIN_TEXT));
    response
}

pub(super) async fn unknown_path() -> Response<Body> {
    answer::problem(&Refusal::new(
        Reason::NotFound,
        "no such path; a request of any type can be sent to POST /",
    ))
}

pub(super) async fn wrong_method(method: Method) -> Response<Body> {
    let refusal = Refusal::new(Reason::Malformed, format!("this path does not take {method}"));
    answer::problem_with_status(StatusCode::METHOD_NOT_ALLOWED, &refusal)
}
