//! Connections, with bounds on their number and on the time that a head may take.
//!
//! Beyond [`CONNECTIONS_MAX`] nothing is accepted: further clients wait in the kernel's queue. Behind a proxy, which keeps and
//! reuses its connections, that is a short wait where an answer of 503 would be an error that somebody sees; and connections that do
//! nothing end after [`HEAD_SECONDS_MAX`], so the wait has an end.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::client_stream::ClientStream;
use crate::metrics::Present;

/// The most connections at one time.
pub const CONNECTIONS_MAX: usize = 4096;
/// How long a head may take to arrive, and how long a kept connection may wait for the next one.
pub const HEAD_SECONDS_MAX: u64 = 10;
/// The longest head: what hyper holds in memory for a connection before its body. It takes no smaller bound.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// How long to wait when the system has no room for a connection.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(200);

/// Accepts and serves connections until `stopping` is done; gives back those that are still open. `connected` says what is to be
/// there as long as a connection is.
pub(super) async fn accept_until(
    listener: TcpListener,
    router: Router,
    stopping: impl Future<Output = ()>,
    connected: impl Fn() -> Option<Present>,
) -> GracefulShutdown {
    let open = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(HEAD_SECONDS_MAX)).max_buf_size(HEAD_BYTES_MAX);
    let mut stopping = pin!(stopping);
    loop {
        let (place, stream) = tokio::select! {
            () = &mut stopping => return open,
            accepted = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (place, accept(&listener).await)
            } => accepted,
        };
        // An answer goes out at once. On a connection that has ended meanwhile this fails, as everything will.
        let _ = stream.set_nodelay(true);
        let served = http.serve_connection(ClientStream::new(stream), TowerToHyperService::new(router.clone()));
        let (served, present) = (open.watch(served), connected());
        tokio::spawn(async move {
            // The client hung up or was too slow; whatever it moved is in the ledger.
            if let Err(error) = served.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop((place, present));
        });
    }
}

/// The next connection. What fails is either that one connection, or the system, which is then left alone for a moment.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
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
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
