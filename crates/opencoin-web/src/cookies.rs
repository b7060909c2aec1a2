//! Cookies of requests and answers.

use axum::body::Body;
use axum::http::Response;
use axum::http::header::{GetAll, HeaderValue, SET_COOKIE};

/// What every cookie of a session has: it is sent to pages of this server alone, never to scripts, only over a safe
/// connection or to this machine, and only with requests that come from these pages. The browser forgets it when it is
/// closed.
const SESSION_ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";

/// The value of a cookie. If it is there twice, it cannot be ours, and counts as missing.
pub(crate) fn find<'headers>(cookies: GetAll<'headers, HeaderValue>, name: &str) -> Option<&'headers str> {
    let pairs = cookies
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(found, _)| *found == name).map(|(_, value)| value);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// Sets the cookie of a session.
pub(crate) fn begin_session(response: &mut Response<Body>, name: &str, secret: &str) {
    let cookie = format!("{name}={secret}; {SESSION_ATTRIBUTES}");
    let mut cookie = HeaderValue::try_from(cookie).expect("a secret is ASCII");
    cookie.set_sensitive(true);
    response.headers_mut().append(SET_COOKIE, cookie);
}

/// Removes the cookie of a session.
pub(crate) fn end_session(response: &mut Response<Body>, name: &str) {
    let cookie = format!("{name}=; {SESSION_ATTRIBUTES}; Max-Age=0");
    let cookie = HeaderValue::try_from(cookie).expect("a name is ASCII");
    response.headers_mut().append(SET_COOKIE, cookie);
}
