//! Answers of small servers: texts, and pages without scripts.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::http::{Response, StatusCode};

/// The media type of texts and checkpoints.
pub const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// An answer that no cache keeps.
pub fn plain_answer(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    set_header(&mut response, CONTENT_TYPE, content_type);
    set_header(&mut response, X_CONTENT_TYPE_OPTIONS, "nosniff");
    set_header(&mut response, CACHE_CONTROL, "no-store");
    response
}

/// A text for people.
#[must_use]
pub fn plain_text(status: StatusCode, text: &str) -> Response<Body> {
    plain_answer(status, PLAIN_TEXT, format!("{text}\n"))
}

/// Replaces a header.
pub fn set_header(response: &mut Response<Body>, name: HeaderName, value: &'static str) {
    response
        .headers_mut()
        .insert(name, HeaderValue::from_static(value));
}

/// The text with the characters that HTML gives a meaning replaced.
#[must_use]
pub fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
