//! JSON of the accounts' API: bodies in, within the same bounds as messages; documents and problems out.
//!
//! A body that is not JSON, or has another field than the request, is malformed. A field with a value that
//! cannot be (an amount that is negative, or a string) is invalid. Whoever needs a right to ask at all is
//! looked at before the body is.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRef, FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use opencoin_api::IDEMPOTENCY_KEY_HEADER;
use opencoin_ledger::IdempotencyKey;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::bodies::Counted;
use super::server::Server;
use super::{answer, requests};
use opencoin_issuer::{Reason, Refusal};

/// What a handler of this API gives back.
pub(super) type HandlerResult = Result<Response<Body>, Problem>;

/// A refusal on its way out, as a problem document.
pub(super) struct Problem(Refusal);

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        answer::problem(&self.0)
    }
}

/// A document with its status.
pub(super) fn document<D: Serialize>(status: StatusCode, document: &D) -> HandlerResult {
    Ok(answer::document(status, document))
}

/// Done, and nothing to say.
pub(super) fn nothing() -> HandlerResult {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// 201 for what is new, 200 for what was there.
pub(super) fn created(repeated: bool) -> StatusCode {
    if repeated {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    }
}

/// The body of a request. Its share of the budget is free again when the handler is done.
pub(super) struct Json<T>(pub(super) T);

impl<S, T> FromRequest<S> for Json<T>
where
    S: Send + Sync,
    Arc<Server>: FromRef<S>,
    T: DeserializeOwned + Send,
{
    type Rejection = Response<Body>;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response<Body>> {
        let server = Arc::<Server>::from_ref(state);
        // What is parsed here is small, and so is the answer.
        let Counted { bytes, share: _ } = requests::arrived(&server, request.into_body()).await?;
        let value = parse(&bytes).map_err(|refusal| answer::problem(&refusal))?;
        if server.is_shutting_down() {
            return Err(answer::problem(&requests::shutting_down()));
        }
        Ok(Self(value))
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let (path, error) = (error.path().to_string(), error.inner());
        let is_value = error.is_data() && path != WHOLE && !is_about_fields(error);
        let reason = if is_value {
            Reason::Invalid
        } else {
            Reason::Malformed
        };
        let place = if path == WHOLE {
            String::new()
        } else {
            format!("{path}: ")
        };
        Refusal::new(reason, format!("{place}{error}"))
    })?;
    deserializer
        .end()
        .map_err(|error| Refusal::new(Reason::Malformed, error.to_string()))?;
    Ok(value)
}

/// The path of an error that is about no field.
const WHOLE: &str = ".";

/// Whether the error is about which fields there are, and not about the value of one.
fn is_about_fields(error: &serde_json::Error) -> bool {
    let text = error.to_string();
    ["unknown field", "missing field", "duplicate field"]
        .iter()
        .any(|beginning| text.starts_with(beginning))
}

/// The parameters after the `?`.
pub(super) struct Parameters<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let parsed = Query::<T>::try_from_uri(&parts.uri);
        let Query(parameters) = parsed.map_err(|error| Refusal::new(Reason::Malformed, error.body_text()))?;
        Ok(Self(parameters))
    }
}

/// The one variable part of a path: a name or an id.
pub(super) struct Name(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(name) = path.map_err(|_| Refusal::new(Reason::NotFound, "there is nothing of this name"))?;
        Ok(Self(name))
    }
}

/// The header that makes a transfer or payout happen once.
pub(super) struct Idempotent(pub(super) IdempotencyKey);

impl<S: Send + Sync> FromRequestParts<S> for Idempotent {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let malformed =
            |text: String| Refusal::new(Reason::Malformed, format!("{IDEMPOTENCY_KEY_HEADER}: {text}"));
        let missing =
            || malformed("missing; make up a random one, and send it again with the same request".to_owned());
        let value = parts.headers.get(IDEMPOTENCY_KEY_HEADER).ok_or_else(missing)?;
        let key = IdempotencyKey::new(String::from_utf8_lossy(value.as_bytes()));
        Ok(Self(key.map_err(|error| malformed(error.to_string()))?))
    }
}

#[cfg(test)]
mod tests {
    use opencoin_api::{DeclareService, Transfer};

    use super::*;

    #[test]
    fn what_is_no_request_is_malformed_and_what_cannot_be_is_invalid() {
        let reason = |text: &str| parse::<Transfer>(text.as_bytes()).unwrap_err().reason;
        for malformed in [
            "",
            "{",
            "[]",
            "null",
            "3",
            "{}",
            r#"{"to":"bob"}"#,
            r#"{"to":"bob","amount":1,"amuont":2}"#,
            r#"{"to":"bob","amount":1,"amount":2}"#,
            r#"{"to":"bob","amount":1} x"#,
        ] {
            assert_eq!(reason(malformed), Reason::Malformed, "{malformed}");
        }
        for invalid in [
            "-1",
            "1.5",
            "\"1\"",
            "null",
            "true",
            "[]",
            "1e3",
            "99999999999999999999",
        ] {
            let text = format!(r#"{{"to":"bob","amount":{invalid}}}"#);
            assert_eq!(reason(&text), Reason::Invalid, "{text}");
        }
        let scope = parse::<DeclareService>(br#"{"name":"shop","scopes":["mint","spend"]}"#).unwrap_err();
        assert_eq!(scope.reason, Reason::Invalid);
        assert!(scope.description.starts_with("scopes[1]: "), "{scope}");
    }
}
