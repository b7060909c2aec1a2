//! Pages for people, which another crate makes and a server serves beside its API.
//!
//! Pages pass the same checks as the API: host names, limits of addresses, request ids, the log. A refusal on a path of
//! pages, also one that comes before its handler, is shown as a page; so is an unknown path that a browser navigates to.

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, Method, Response, Uri};
use http_body_util::BodyExt;
use opencoin_issuer::Reason;
use serde::Deserialize;

use super::observe::REQUEST_ID_HEADER;
use super::server::{RefusedVisit, Server};

/// A request that is answered with a page, also if it is refused.
pub(super) struct Visitor {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    show_refusal: fn(&RefusedVisit) -> Response<Body>,
    books_set_back: bool,
}

impl Visitor {
    /// The visitor behind a request, if somebody looks at pages and the server has any.
    pub(super) fn of(server: &Server, request: &Request, is_page: bool) -> Option<Self> {
        let pages = server.pages()?;
        let wants_page = if is_page {
            !wants_json(request)
        } else {
            is_lost(request)
        };
        if !wants_page {
            return None;
        }
        Some(Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
            show_refusal: pages.show_refusal,
            books_set_back: server.issuer().is_set_back(),
        })
    }

    /// The answer, as a page if it is a refusal. Headers that say how to go on stay.
    pub(super) async fn show(self, response: Response<Body>) -> Response<Body> {
        let Some(reason) = response.extensions().get::<Reason>().copied() else {
            return response;
        };
        let (head, body) = response.into_parts();
        let id = head.headers.get(REQUEST_ID_HEADER);
        let retry_after = head.headers.get(RETRY_AFTER);
        let retry_after_s = retry_after.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
        let refused = RefusedVisit {
            method: self.method,
            uri: self.uri,
            headers: self.headers,
            status: head.status,
            reason,
            detail: detail(body).await,
            request_id: id.and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned(),
            retry_after_s,
            books_set_back: self.books_set_back,
        };
        let mut page = (self.show_refusal)(&refused);
        *page.status_mut() = head.status;
        for (name, value) in &head.headers {
            if name != CONTENT_TYPE && name != CONTENT_LENGTH {
                page.headers_mut().insert(name, value.clone());
            }
        }
        page
    }
}

/// Whether a browser navigates to a path that does not exist. Programs that use the API do not ask for HTML.
fn is_lost(request: &Request) -> bool {
    *request.method() == Method::GET
        && request.extensions().get::<MatchedPath>().is_none()
        && accepts(request, b"text/html")
}

/// Whether a program asks for a page and wants to read the refusal.
fn wants_json(request: &Request) -> bool {
    accepts(request, b"json") && !accepts(request, b"text/html")
}

fn accepts(request: &Request, word: &[u8]) -> bool {
    let accept = request
        .headers()
        .get(ACCEPT)
        .map_or(&[][..], |accept| accept.as_bytes());
    accept
        .windows(word.len())
        .any(|part| part.eq_ignore_ascii_case(word))
}

/// The detail of a problem document.
async fn detail(body: Body) -> String {
    #[derive(Deserialize)]
    struct Problem {
        detail: String,
    }
    let bytes = body
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let problem = serde_json::from_slice::<Problem>(&bytes);
    problem.map(|problem| problem.detail).unwrap_or_default()
}
