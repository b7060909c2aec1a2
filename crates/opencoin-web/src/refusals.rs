//! Refusals as pages, in words for people. What support needs is folded away below them.

use askama::Template;
use axum::body::Body;
use axum::http::{Response, StatusCode};
use opencoin_http::RefusedVisit;
use opencoin_issuer::Reason;

use crate::headers;
use crate::messages::{Message, Messages};
use crate::visit::{Frame, Visit, page};

/// How long to wait after too many attempts if nothing else is said.
const RETRY_AFTER_S: u64 = 60;

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage<'refused> {
    frame: Frame,
    t: Messages,
    heading: &'static str,
    advice: Message,
    /// The page to go on with, and its name. None under a wrong name of this server, where every page is refused.
    back: Option<(&'static str, &'static str)>,
    detail: &'refused str,
    request_id: &'refused str,
}

/// The page of a refusal.
pub(crate) fn show(refused: &RefusedVisit) -> Response<Body> {
    let visit = Visit::new(&refused.method, &refused.uri, &refused.headers);
    let t = visit.messages();
    // Operators must act on it; nobody else needs to know it.
    let (heading, advice) = if refused.books_set_back && refused.uri.path().starts_with("/console") {
        (
            t.refusal_books_set_back(),
            t.refusal_books_set_back_advice().into(),
        )
    } else if refused.reason == Reason::TooManyRequests {
        let seconds = refused.retry_after_s.unwrap_or(RETRY_AFTER_S);
        (t.refusal_too_many(), t.refusal_too_many_advice(seconds))
    } else {
        let (heading, advice) = words(t, refused.status, refused.reason);
        (heading, advice.into())
    };
    let template = RefusalPage {
        frame: visit.frame(heading),
        t,
        heading,
        advice,
        back: match refused.uri.path() {
            _ if refused.status == StatusCode::MISDIRECTED_REQUEST => None,
            path if path.starts_with("/account") => Some(("/account", t.refusal_to_account())),
            _ => Some(("/", t.refusal_to_start())),
        },
        detail: &refused.detail,
        request_id: &refused.request_id,
    };
    let mut response = page(refused.status, visit.language, &template);
    headers::secure(&mut response);
    response
}

/// What happened, and what the visitor can do.
fn words(t: Messages, status: StatusCode, reason: Reason) -> (&'static str, &'static str) {
    match status {
        StatusCode::METHOD_NOT_ALLOWED => (t.refusal_not_found(), t.refusal_not_found_advice()),
        StatusCode::MISDIRECTED_REQUEST => (t.refusal_other_name(), t.refusal_other_name_advice()),
        StatusCode::REQUEST_TIMEOUT => (t.refusal_slow(), t.refusal_slow_advice()),
        _ => match reason {
            Reason::NotFound | Reason::UnknownKey => (t.refusal_not_found(), t.refusal_not_found_advice()),
            Reason::Unauthorized => (t.refusal_logged_out(), t.refusal_logged_out_advice()),
            Reason::Forbidden => (t.refusal_forbidden(), t.refusal_forbidden_advice()),
            Reason::SecondPerson => (
                t.proposals_must_be_another(),
                t.proposals_must_be_another_advice(),
            ),
            Reason::Unavailable => (t.refusal_unavailable(), t.refusal_unavailable_advice()),
            Reason::TooLarge => (t.refusal_too_large(), t.refusal_too_large_advice()),
            Reason::ReferenceConflict => (t.refusal_done_before(), t.refusal_done_before_advice()),
            Reason::Malformed => (t.refusal_malformed(), t.refusal_malformed_advice()),
            _ => (t.refusal_other(), t.refusal_other_advice()),
        },
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::http::HeaderMap;

    use super::*;

    #[tokio::test]
    async fn operators_alone_read_that_the_books_were_set_back() {
        for (path, books_set_back, words) in [
            ("/console/keys", true, "The books were set back"),
            ("/console/keys", false, "This does not work at the moment"),
            ("/account", true, "This does not work at the moment"),
        ] {
            let page = show(&RefusedVisit {
                method: axum::http::Method::GET,
                uri: path.parse().expect("a path"),
                headers: HeaderMap::new(),
                status: StatusCode::SERVICE_UNAVAILABLE,
                reason: Reason::Unavailable,
                detail: String::new(),
                request_id: "1".to_owned(),
                retry_after_s: None,
                books_set_back,
            });
            let bytes = to_bytes(page.into_body(), usize::MAX).await.expect("a page");
            let text = String::from_utf8_lossy(&bytes);
            assert!(text.contains(words), "{path} {books_set_back}: {text}");
        }
    }

    #[tokio::test]
    async fn a_visitor_is_told_how_long_to_wait() {
        for (retry_after_s, words) in [
            (Some(7), "Wait <bdi>7</bdi> seconds"),
            (None, "<bdi>60</bdi> seconds"),
        ] {
            let page = show(&RefusedVisit {
                method: axum::http::Method::GET,
                uri: "/".parse().expect("a path"),
                headers: HeaderMap::new(),
                status: StatusCode::TOO_MANY_REQUESTS,
                reason: Reason::TooManyRequests,
                detail: String::new(),
                request_id: "1".to_owned(),
                retry_after_s,
                books_set_back: false,
            });
            let bytes = to_bytes(page.into_body(), usize::MAX).await.expect("a page");
            let text = String::from_utf8_lossy(&bytes);
            assert!(text.contains(words), "{words}: {text}");
        }
    }
}
