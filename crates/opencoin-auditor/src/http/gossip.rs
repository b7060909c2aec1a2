//! `POST /v1/gossip`: a checkpoint or evidence, from another auditor or from anybody.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, Response, StatusCode};
use opencoin_connections::{ClientAddress, PeerAddress, Route, plain_text};
use opencoin_gossip::{BODY_BYTES_MAX, Decision, GossipMessageError, GossipSender, Rejection, Worth};

use super::server::AuditorServer;
use super::status::unavailable;

/// The longest time for a body.
const BODY_DURATION_MAX: Duration = Duration::from_secs(10);

/// Takes a message. The answer says only whether it is to be sent again.
pub(super) async fn receive(State(server): State<Arc<AuditorServer>>, request: Request) -> Response<Body> {
    let auditor = server.auditor();
    let sender = sender(&server, &request);
    let admitted = auditor.gossip.gossip().admit(sender, Instant::now());
    let admitted = match admitted {
        Ok(admitted) => admitted,
        Err(rejection) => return refused(&rejection),
    };
    let body = to_bytes(request.into_body(), BODY_BYTES_MAX);
    let body = match tokio::time::timeout(BODY_DURATION_MAX, body).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return refused(&Rejection::Invalid(GossipMessageError::TooLong)),
        Err(_) => return plain_text(StatusCode::REQUEST_TIMEOUT, "the body has taken too long"),
    };
    let decision = auditor.gossip.gossip().read(admitted, &body, Instant::now());
    match decision {
        Ok(Decision::Ignore) => taken(),
        Ok(Decision::Examine(arrived)) => match auditor.examine(arrived).await {
            Ok(Worth::Worthless) => plain_text(StatusCode::UNPROCESSABLE_ENTITY, "the text does not verify"),
            Ok(Worth::New | Worth::Unresolved | Worth::Known | Worth::Foreign) => taken(),
            Err(error) => unavailable(&error),
        },
        Err(rejection) => refused(&rejection),
    }
}

fn sender(server: &AuditorServer, request: &Request) -> GossipSender {
    // A request without a connection comes from this process.
    let Some(peer) = request.extensions().get::<PeerAddress>().copied() else {
        return GossipSender::ThisMachine;
    };
    let trusted = &server.options().trusted_proxies;
    let (client, route) = ClientAddress::of(peer, request.headers(), trusted);
    let address: IpAddr = client.0;
    if route == Route::Direct && address.is_loopback() {
        return GossipSender::ThisMachine;
    }
    server.auditor().gossip.sender(address)
}

fn taken() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn refused(rejection: &Rejection) -> Response<Body> {
    match rejection {
        Rejection::TooFast { wait } | Rejection::Muted { wait } => {
            let mut response = plain_text(StatusCode::TOO_MANY_REQUESTS, &rejection.to_string());
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
        Rejection::Invalid(GossipMessageError::TooLong) => {
            plain_text(StatusCode::PAYLOAD_TOO_LARGE, &rejection.to_string())
        }
        Rejection::Invalid(_) | Rejection::NotACheckpoint => {
            plain_text(StatusCode::BAD_REQUEST, &rejection.to_string())
        }
    }
}
