//! Checks of headers that decide what a request means, before anything else of it is read.

use std::net::IpAddr;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, HOST, HeaderName};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::middleware::Next;
use opencoin_api::IDEMPOTENCY_KEY_HEADER;
use opencoin_issuer::{Reason, Refusal};

use super::answer;

/// Headers that must not be repeated. They identify the caller or the request, and a proxy and this server could use
/// different values.
const ONCE: [HeaderName; 3] = [
    AUTHORIZATION,
    HeaderName::from_static(IDEMPOTENCY_KEY_HEADER),
    HeaderName::from_static("last-event-id"),
];

/// Refuses a request that repeats one of these headers.
pub(super) async fn once(request: Request, next: Next) -> Response<Body> {
    match ONCE.iter().find(|name| is_repeated(request.headers(), name)) {
        Some(name) => answer::problem(&Refusal::new(
            Reason::Malformed,
            format!("{name}: send this header only once"),
        )),
        None => next.run(request).await,
    }
}

fn is_repeated(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get_all(name).iter().nth(1).is_some()
}

/// Refuses a request to the operator's listener under a foreign host name, which is none of `names`, no address and has
/// a dot. Otherwise a web page in the browser of
/// somebody on this network could read the answers, after its own name was made to resolve to this machine (DNS
/// rebinding).
pub(super) async fn own_host<Answer: Future<Output = Response<Body>>>(
    names: &[String],
    request: Request,
    next: impl FnOnce(Request) -> Answer,
) -> Response<Body> {
    let host = request
        .headers()
        .get(HOST)
        .map(|host| host.to_str().unwrap_or("?"));
    // A browser always sends the header.
    if host.is_none_or(|host| is_own(host, names)) {
        return next(request).await;
    }
    let text = "this is not a name of this machine: use its address, or add the name to `admin.hosts`";
    answer::problem_with_status(
        StatusCode::MISDIRECTED_REQUEST,
        &Refusal::new(Reason::Forbidden, text),
    )
}

/// Whether the host name cannot be a foreign one: it is an address, it has no dot and so cannot be registered, or it is
/// listed.
fn is_own(host: &str, names: &[String]) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    address.parse::<IpAddr>().is_ok()
        || !name.contains('.')
        || names.iter().any(|own| own.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_that_can_be_registered_must_be_listed() {
        let names = ["desk.example".to_owned()];
        for own in [
            "127.0.0.1",
            "127.0.0.1:9464",
            "[::1]:9464",
            "::1",
            "localhost:9464",
            "issuer-1:9464",
            "DESK.example:9464",
        ] {
            assert!(is_own(own, &names), "{own}");
        }
        let foreign = [
            "evil.example",
            "evil.example:9464",
            "127.0.0.1.evil.example",
            "localhost.",
            "?.",
        ];
        for name in foreign {
            assert!(!is_own(name, &names), "{name}");
        }
    }
}
