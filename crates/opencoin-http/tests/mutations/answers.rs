//! What `docs/API.md` promises of every answer: status and fixed word, content type, response type, empty
//! content.

use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, ETAG, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, Method, StatusCode};
use opencoin_config::LimitsConfig;
use opencoin_http::ERROR_HEADER;
use opencoin_schema::{AnyDocument, Envelope, Request, text};
use serde_json::{Value, json};

use crate::mutate::{MESSAGE_PATHS, Message};

/// The longest body that the server reads.
pub(crate) fn body_bytes_max() -> usize {
    LimitsConfig::default().body_bytes_max.get() as usize
}

/// The table of refusals; a wrong method is `malformed` with a status of its own.
const REFUSALS: [(u16, &str); 11] = [
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
        if !self.is_ok() {
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
        assert_eq!(
            (self.header(CONTENT_TYPE), self.word()),
            (Some("application/json"), None)
        );
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
        assert_reference(body, message_reference(&request));
        if let Request::RequestMint(opencoin_schema::RequestMint { blinds, .. })
        | Request::RequestRenew(opencoin_schema::RequestRenew { blinds, .. }) = request
            && !is_delay
        {
            let signed = answer["blind_signatures"].as_array().unwrap();
            let references: Vec<_> = signed
                .iter()
                .map(|signature| signature["reference"].as_str().unwrap())
                .collect();
            assert_eq!(
                references,
                blinds
                    .iter()
                    .map(|blind| blind.reference.as_str())
                    .collect::<Vec<_>>()
            );
        }
    }

    fn check_refusal(&self, message: &Message, body: &str) {
        let (status, word) = (self.status.as_u16(), self.word().unwrap());
        assert!(REFUSALS.contains(&(status, word)), "{status} {word}");
        assert_eq!(self.headers.contains_key(WWW_AUTHENTICATE), status == 401);
        let envelope = Envelope::peek(&message.body).unwrap_or_default();
        let named = envelope.type_name.as_deref().and_then(response_type);
        // Headers that decide are looked at before the body is.
        let is_repeated = message.authorization.len() > 1;
        assert!(
            !is_repeated || status == 400 || !is_message(message),
            "{status} {word}"
        );
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
        // A message that was not read is known by its envelope alone.
        let reference = match Request::from_json(&message.body) {
            Ok(request) if status != 400 => message_reference(&request),
            _ => envelope.message_reference.unwrap_or(0),
        };
        assert_reference(body, reference);
        let description = answer["status_description"].as_str().unwrap();
        assert!(
            description
                .strip_prefix(word)
                .is_some_and(|rest| rest.starts_with(": ")),
            "{description}"
        );
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

/// Whether it is sent to where messages are taken.
pub(crate) fn is_message(message: &Message) -> bool {
    let path = message.path.split('?').next().unwrap();
    message.method == Method::POST && MESSAGE_PATHS.contains(&path)
}

/// Not every JSON library reads integers of this size, so the text is compared.
fn assert_reference(body: &str, reference: i128) {
    assert!(
        body.contains(&format!("\"message_reference\": {reference}, ")),
        "{body} does not name {reference}"
    );
}

pub(crate) fn message_reference(request: &Request) -> i128 {
    match request {
        Request::RequestCddSerial(request) => request.message_reference,
        Request::RequestCddc(request) => request.message_reference,
        Request::RequestMintKeyCertificates(request) => request.message_reference,
        Request::RequestMint(request) => request.message_reference,
        Request::RequestRenew(request) => request.message_reference,
        Request::RequestRecoup(request) => request.message_reference,
        Request::RequestResume(request) => request.message_reference,
        Request::RequestRedeem(request) => request.message_reference,
    }
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
