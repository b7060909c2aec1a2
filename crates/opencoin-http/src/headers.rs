//! Headers that decide what a request means, looked at before anything else of it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, HeaderName};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::middleware::Next;
use opencoin_api::IDEMPOTENCY_KEY_HEADER;
use opencoin_issuer::{Reason, Refusal};

use super::answer;

/// Each of these says who asks, or what is asked. Of two that differ, this server and a proxy before it might go by
/// different ones.
const ONCE: [HeaderName; 3] = [
    AUTHORIZATION,
    HeaderName::from_static(IDEMPOTENCY_KEY_HEADER),
    HeaderName::from_static("last-event-id"),
];

/// Refuses a request that says such a thing twice.
pub(super) async fn once(request: Request, next: Next) -> Response<Body> {
    match ONCE.iter().find(|name| is_repeated(request.headers(), name)) {
        Some(name) => answer::problem(&Refusal::new(
            Reason::Malformed,
            format!("{name}: the header is there more than once"),
        )),
        None => next.run(request).await,
    }
}

fn is_repeated(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get_all(name).iter().nth(1).is_some()
}

/// The names under which the operator's listener answers, beside those that anybody may use.
pub(super) type HostNames = Arc<[String]>;

/// Refuses a request to the operator's listener under a name that is not this machine's: a page in the browser of
/// somebody on this network, whose own name was made to lead here (DNS rebinding), could read the answer.
pub(super) async fn own_host(State(names): State<HostNames>, request: Request, next: Next) -> Response<Body> {
    let host = request
        .headers()
        .get(HOST)
        .map(|host| host.to_str().unwrap_or("?"));
    // Without the header it is no browser.
    if host.is_none_or(|host| is_own(host, &names)) {
        return next.run(request).await;
    }
    let text = "this is not a name of this machine: use its address, or add the name to `admin.hosts`";
    answer::problem_with_status(
        StatusCode::MISDIRECTED_REQUEST,
        &Refusal::new(Reason::Forbidden, text),
    )
}

/// Addresses, and names without a dot, which nobody can register, lead where they say.
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
    fn a_name_that_somebody_can_register_must_be_listed() {
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
        for foreign in [
            "evil.example",
            "evil.example:9464",
            "127.0.0.1.evil.example",
            "localhost.",
            "?.",
        ] {
            assert!(!is_own(foreign, &names), "{foreign}");
        }
    }
}
