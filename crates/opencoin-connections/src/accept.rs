//! Accepts connections, with limits on their number and on the time of a handshake or a head.
//!
//! At [`ConnectionLimits::connections_max`] open connections no more are accepted; further clients wait in the kernel's
//! queue. A proxy reuses its connections, so behind it the wait is short, while a 503 would be a visible error. The wait
//! is limited, because idle connections end after [`ConnectionLimits::head_duration_max`].

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioTimer;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::client_address::PeerAddress;
use crate::client_stream::ClientStream;

/// The longest head of a request in bytes, and so the bound on all its headers together. hyper accepts no smaller limit.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// The wait after the system could not accept a connection.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(200);

/// The limits of one listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// The most open connections.
    pub connections_max: NonZeroU32,
    /// The longest time for a TLS handshake, for the head of a request, and between two requests.
    pub head_duration_max: Duration,
    /// The longest time that a client may take to read an answer.
    pub answer_duration_max: Duration,
}

/// The connections that are still open after a listener has stopped. Not those that have become another protocol.
pub struct OpenConnections(watch::Sender<bool>);

impl OpenConnections {
    fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Lets each connection finish its request, and returns when all have ended.
    pub async fn shutdown(self) {
        self.0.send_replace(true);
        // Each connection holds a receiver.
        self.0.closed().await;
    }
}

/// Accepts and serves connections until `stopping` completes. Returns the connections that are still open. Each
/// connection holds a value of `connected` until it ends.
///
/// A request has a [`PeerAddress`] among its extensions. A connection that becomes another protocol, such as WebSocket, has
/// ended here: its handler limits the number of such connections and closes them.
pub async fn accept_until<Present: Send + 'static>(
    tcp: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    limits: ConnectionLimits,
    stopping: impl Future<Output = ()>,
    connected: impl Fn() -> Present,
) -> OpenConnections {
    let open = OpenConnections::new();
    let places = Arc::new(Semaphore::new(limits.connections_max.get() as usize));
    let acceptor = Acceptor::new(tls, router, limits);
    let mut stopping = pin!(stopping);
    loop {
        let (place, (stream, peer)) = tokio::select! {
            () = &mut stopping => return open,
            accepted = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (place, accept(&tcp).await)
            } => accepted,
        };
        // Answers are sent at once. If this fails, the connection has ended, and serving it will fail too.
        let _ = stream.set_nodelay(true);
        let (acceptor, stop, present) = (acceptor.clone(), open.0.subscribe(), connected());
        tokio::spawn(async move {
            // The client closed the connection or was too slow.
            if let Err(error) = acceptor.serve(stream, PeerAddress(peer.ip()), stop).await {
                tracing::debug!(error, "a connection ended early");
            }
            drop((place, present));
        });
    }
}

/// Serves the connections of one listener.
#[derive(Clone)]
struct Acceptor {
    tls: Option<TlsAcceptor>,
    router: Router,
    http: http1::Builder,
    handshake_duration_max: Duration,
    answer_duration_max: Duration,
}

impl Acceptor {
    fn new(tls: Option<TlsAcceptor>, router: Router, limits: ConnectionLimits) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(limits.head_duration_max)
            .max_buf_size(HEAD_BYTES_MAX);
        Self {
            tls,
            router,
            http,
            handshake_duration_max: limits.head_duration_max,
            answer_duration_max: limits.answer_duration_max,
        }
    }

    async fn serve(
        self,
        stream: TcpStream,
        peer: PeerAddress,
        stop: watch::Receiver<bool>,
    ) -> Result<(), String> {
        let Some(tls) = self.tls.clone() else {
            return self.serve_http(stream, peer, stop).await;
        };
        let handshake = tokio::time::timeout(self.handshake_duration_max, tls.accept(stream)).await;
        let stream = handshake
            .map_err(|_| "the TLS handshake took too long".to_owned())?
            .map_err(|error| error.to_string())?;
        self.serve_http(stream, peer, stop).await
    }

    async fn serve_http<S>(
        self,
        stream: S,
        peer: PeerAddress,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), String>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let router = TowerToHyperService::new(self.router);
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            router.call(request)
        });
        let connection = self
            .http
            .serve_connection(ClientStream::new(stream, self.answer_duration_max), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let served = tokio::select! {
            served = connection.as_mut() => served,
            // Also if the sender is gone.
            () = async { drop(stop.wait_for(|stop| *stop).await) } => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        served.map_err(|error| error.to_string())
    }
}

/// Accepts the next connection. After an error of the system, for example too many open files, it waits and tries again.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept connections; trying again");
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}
