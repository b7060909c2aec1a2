//! Checks every answer against `docs/API.md`: status and fixed word, content type, response type, empty content.

use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, ETAG, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, Method, StatusCode};
use opencoin_config::LimitsConfig;
use opencoin_http::ERROR_HEADER;
use opencoin_schema::{AnyDocument, Envelope, Request, text};
use serde_json::{Value, json};

use super::mutate::{MESSAGE_PATHS, Message};

/// The length of the longest body that the server accepts.
pub(crate) fn body_bytes_max() -> usize {
    LimitsConfig::default().body_bytes_max.get() as usize
}

/// All refusals; a full run must see each but 503. A wrong method is `malformed` with a status of its own.
pub(crate) const REFUSALS: [(u16, &str); 11] = [
    (400, "malformed"),
    (401, "unauthorized"),
    (402, "insufficient-funds"),
    (404, "not-found"),
    (405, "malformed"),
    (409, "double-spend"),
    (409, "reference-conflict"),
    (410, "key-expired"),
    (413, "too-large"),
    (422, "invalid"),
    (503, "unavailable"),
];

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn is_ok(&self) -> bool {
        matches!(self.status, StatusCode::OK | StatusCode::ACCEPTED)
    }

    fn header(&self, name: impl axum::http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The fixed word of a refusal.
    pub(crate) fn word(&self) -> Option<&str> {
        self.header(ERROR_HEADER)
    }

    /// Checks the answer to `message`.
    pub(crate) fn check(&self, message: &Message) {
        assert!(!self.status.is_server_error(), "{}", self.status);
        let body = std::str::from_utf8(&self.body).unwrap();
        if self.status == StatusCode::NO_CONTENT {
            assert_eq!((&message.method, body), (&Method::OPTIONS, ""), "a preflight");
        } else if !self.is_ok() {
            self.check_refusal(message, body);
        } else if is_message(message) {
            self.check_message(message, body);
        } else {
            assert_eq!((self.status, &message.method), (StatusCode::OK, &Method::GET));
            assert!(
                self.headers.contains_key(ETAG) || message.path.starts_with("/health"),
                "{:?}",
                self.headers
            );
        }
    }

    fn check_message(&self, message: &Message, body: &str) {
        let request = Request::from_json(&message.body).unwrap();
        let header = (self.header(CONTENT_TYPE), self.word());
        assert_eq!(header, (Some("application/json"), None));
        let is_delay = self.status == StatusCode::ACCEPTED;
        assert_eq!(self.headers.contains_key(RETRY_AFTER), is_delay);
        let answer = document(body);
        let code = if is_delay { 300 } else { 200 };
        let wanted = if is_delay {
            "response delay"
        } else {
            response_type(request.type_name()).unwrap()
        };
        assert_eq!(
            (&answer["type"], &answer["status_code"]),
            (&json!(wanted), &json!(code))
        );
        assert_reference(body, request.message_reference());
        if let Request::RequestMint(opencoin_schema::RequestMint { blinds, .. })
        | Request::RequestRenew(opencoin_schema::RequestRenew { blinds, .. }) = request
            && !is_delay
        {
            let signed = answer["blind_signatures"].as_array().unwrap();
            let references = signed.iter().map(|signature| &signature["reference"]);
            assert!(references.eq(blinds.iter().map(|blind| &blind.reference)));
        }
    }

    fn check_refusal(&self, message: &Message, body: &str) {
        let (status, word) = (self.status.as_u16(), self.word().unwrap());
        assert!(REFUSALS.contains(&(status, word)), "{status} {word}");
        assert_eq!(self.headers.contains_key(WWW_AUTHENTICATE), status == 401);
        let envelope = Envelope::peek(&message.body).unwrap_or_default();
        let named = envelope.type_name.as_deref().and_then(response_type);
        // A repeated `Authorization` is refused before the body is read.
        let is_repeated = message.authorization.len() > 1;
        let must_be_malformed = is_repeated && is_message(message);
        assert!(!must_be_malformed || status == 400, "{status} {word}");
        let is_read = is_message(message) && message.body.len() <= body_bytes_max() && !is_repeated;
        let Some(wanted) = named.filter(|_| is_read) else {
            assert_eq!(self.header(CONTENT_TYPE), Some("application/problem+json"));
            let problem: Value = serde_json::from_str(body).unwrap();
            assert_eq!(
                (&problem["title"], &problem["status"]),
                (&json!(word), &json!(status))
            );
            assert!(!problem["detail"].as_str().unwrap().is_empty());
            return;
        };
        assert_eq!(self.header(CONTENT_TYPE), Some("application/json"));
        let answer = document(body);
        assert_eq!(
            (&answer["type"], &answer["status_code"]),
            (&json!(wanted), &json!(status))
        );
        // Of a malformed message only the envelope is known.
        let reference = match Request::from_json(&message.body) {
            Ok(request) if status != 400 => request.message_reference(),
            _ => envelope.message_reference.unwrap_or(0),
        };
        assert_reference(body, reference);
        let description = answer["status_description"].as_str().unwrap();
        assert!(description.starts_with(&format!("{word}: ")), "{description}");
        for (field, empty) in [
            ("blind_signatures", json!([])),
            ("keys", json!([])),
            ("cddc", json!(null)),
            ("cdd_serial", json!(0)),
        ] {
            assert!(
                answer.get(field).is_none_or(|content| *content == empty),
                "{field} is not empty"
            );
        }
    }
}

/// Whether the request is a POST to a path for messages.
pub(crate) fn is_message(message: &Message) -> bool {
    let path = message.path.split('?').next().unwrap();
    message.method == Method::POST && MESSAGE_PATHS.contains(&path)
}

/// Compares the text, because `Value` does not hold integers of this size.
fn assert_reference(body: &str, reference: i128) {
    assert!(
        body.contains(&format!("\"message_reference\": {reference}, ")),
        "{body} does not name {reference}"
    );
}

/// A document of the specification in its compact text.
fn document(body: &str) -> Value {
    let document = AnyDocument::from_json(body.as_bytes()).unwrap();
    assert_eq!(text::compact(&document), body);
    serde_json::from_str(body).unwrap()
}

fn response_type(request_type: &str) -> Option<&'static str> {
    match request_type {
        "request cdd serial" => Some("response cdd serial"),
        "request cddc" => Some("response cddc"),
        "request mint key certificates" => Some("response mint key certificates"),
        "request mint" | "request renew" | "request resume" => Some("response mint"),
        "request redeem" => Some("response redeem"),
        _ => None,
    }
}
