//! What every request for a page passes: the switch between languages, and the check that a form was sent from a page of
//! this server.
//!
//! A form of another site would be sent with the visitor's cookies. Browsers say where a request comes from: in
//! `Sec-Fetch-Site` if the connection is safe, and in `Origin`. A request that changes something and says neither, or
//! something else than this server, is refused before its handler.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{HOST, HeaderName, HeaderValue, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, Method, Response};
use axum::middleware::Next;
use opencoin_issuer::{Reason, Refusal};

use crate::headers;
use crate::language::{COOKIE_NAME, Language};
use crate::visit::{LANGUAGE_PARAMETER, encoded, see_other, without_language};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SAME_ORIGIN: &str = "same-origin";
/// How long a browser remembers the language: a year.
const LANGUAGE_SECONDS: u32 = 365 * 24 * 3600;

/// The layer around the routes of all pages.
pub(crate) async fn guard(request: Request, next: Next) -> Response<Body> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let mut response = if !is_read && !is_from_here(request.headers()) {
        opencoin_http::problem(&Refusal::new(
            Reason::Forbidden,
            "the form was not sent from a page of this server",
        ))
    } else if let Some(switched) = language_switch(&request).filter(|_| is_read) {
        switched
    } else {
        next.run(request).await
    };
    headers::secure(&mut response);
    response
}

/// Whether a browser says that the request comes from a page of this server.
fn is_from_here(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text(FETCH_SITE) {
        return site == SAME_ORIGIN;
    }
    match (text(ORIGIN), text(HOST)) {
        (Some(origin), Some(host)) => is_origin_of(origin, host),
        _ => false,
    }
}

/// Whether an origin has this host. A proxy may leave out the port.
fn is_origin_of(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else {
        return false;
    };
    let name = match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    };
    matches!(scheme, "http" | "https")
        && (authority.eq_ignore_ascii_case(host) || name.eq_ignore_ascii_case(host))
}

/// The answer to `?lang=`: the same page, in the language that the browser remembers from now on.
fn language_switch(request: &Request) -> Option<Response<Body>> {
    let query = request.uri().query()?;
    let parameters: Vec<(String, String)> = serde_urlencoded::from_str(query).ok()?;
    let (_, tag) = parameters.iter().find(|(name, _)| name == LANGUAGE_PARAMETER)?;
    let language = Language::of_tag(tag)?;
    let rest = without_language(Some(query));
    let path = request.uri().path();
    let target = if rest.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", encoded(&rest))
    };
    let mut response = see_other(&target);
    let cookie = format!(
        "{COOKIE_NAME}={}; Path=/; Max-Age={LANGUAGE_SECONDS}; HttpOnly; SameSite=Lax",
        language.tag()
    );
    let cookie = HeaderValue::try_from(cookie).expect("the cookie is ASCII");
    response.headers_mut().insert(SET_COOKIE, cookie);
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_here(pairs: &[(&'static str, &'static str)]) -> bool {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        is_from_here(&pairs.iter().map(pair).collect())
    }

    #[test]
    fn only_pages_of_this_server_send_forms() {
        for own in [
            &[("sec-fetch-site", "same-origin")][..],
            &[("origin", "https://cents.example"), ("host", "cents.example")],
            &[("origin", "http://127.0.0.1:8080"), ("host", "127.0.0.1:8080")],
            &[
                ("origin", "https://cents.example:8443"),
                ("host", "cents.example"),
            ],
            &[("origin", "http://[::1]:8080"), ("host", "[::1]:8080")],
        ] {
            assert!(from_here(own), "{own:?}");
        }
        for foreign in [
            &[][..],
            &[("host", "cents.example")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://cents.example"),
                ("host", "cents.example"),
            ],
            &[("origin", "null"), ("host", "cents.example")],
            &[("origin", "https://evil.example"), ("host", "cents.example")],
            &[
                ("origin", "https://cents.example.evil.example"),
                ("host", "cents.example"),
            ],
            &[("origin", "http://127.0.0.1:9000"), ("host", "127.0.0.1:8080")],
            &[("origin", "https://cents.example")],
        ] {
            assert!(!from_here(foreign), "{foreign:?}");
        }
    }
}
