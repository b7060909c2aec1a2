//! JSON of the accounts' API: bodies in, within the same bounds as messages; documents and problems out.
//!
//! A body that is not a JSON object, or has another field than the request, is malformed. A field with a value that
//! cannot be (an amount that is negative, or a string) is invalid. Whoever needs a right to ask at all is
//! looked at before the body is.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRef, FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use opencoin_api::{BODY_BYTES_MAX, IDEMPOTENCY_KEY_HEADER};
use opencoin_issuer::{Reason, Refusal};
use opencoin_ledger::IdempotencyKey;
use opencoin_schema::wrong_value;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::answer;
use super::arrival::{arrived, shutting_down};
use super::bodies::Counted;
use super::server::Server;

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
        let Counted { bytes, share: _ } = arrived(&server, request.into_body(), BODY_BYTES_MAX).await?;
        let value = parse(&bytes).map_err(|refusal| answer::problem(&refusal))?;
        if server.is_shutting_down() {
            return Err(answer::problem(&shutting_down()));
        }
        Ok(Self(value))
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    // A derived reader would take the values of the fields as an array as well: a field that is added one day would
    // then change what an array means.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Refusal::new(Reason::Malformed, "the body is not a JSON object"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let (path, error) = (error.path().to_string(), error.inner());
        // A number beyond all that a computer reckons with is a value like any other.
        let is_value =
            (error.is_data() || is_out_of_range(error)) && path != WHOLE && !is_about_fields(error);
        let reason = if is_value {
            Reason::Invalid
        } else {
            Reason::Malformed
        };
        let error = if is_out_of_range(error) {
            "the number is out of range".to_owned()
        } else if error.is_data() {
            wrong_value(error)
        } else {
            error.to_string()
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

fn is_out_of_range(error: &serde_json::Error) -> bool {
    error.to_string().starts_with("number out of range")
}

/// The parameters after the `?`.
pub(super) struct Parameters<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let parsed = Query::<T>::try_from_uri(&parts.uri);
        let Query(parameters) =
            parsed.map_err(|error| Refusal::new(Reason::Malformed, wrong_parameter(&error.body_text())))?;
        Ok(Self(parameters))
    }
}

/// Says what is wrong with a parameter, in the words of this API.
fn wrong_parameter(text: &str) -> String {
    let text = text
        .strip_prefix("Failed to deserialize query string: ")
        .unwrap_or(text);
    let (place, reason) = text.rsplit_once(": ").unwrap_or(("", text));
    let reason = match reason {
        "invalid digit found in string" | "cannot parse integer from empty string" => "not a whole number",
        "number too large to fit in target type" => "the number is out of range",
        other => other,
    };
    let separator = if place.is_empty() { "" } else { ": " };
    format!("the parameters after `?`: {place}{separator}{reason}")
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

/// What makes a transfer or payout happen once.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described")]
pub(super) struct IdempotencyKeyHeader {
    /// 1 to 64 visible ASCII characters that the client makes up, unique within its account; transfers and
    /// payouts share them.
    #[param(
        rename = "Idempotency-Key",
        min_length = 1,
        max_length = 64,
        pattern = "^[!-~]{1,64}$"
    )]
    key: String,
}

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
    fn parameters_are_described_without_the_words_of_libraries() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "only read")]
        struct Page {
            limit: Option<u32>,
        }
        for (query, description) in [
            ("limit=x", "the parameters after `?`: limit: not a whole number"),
            ("limit=-1", "the parameters after `?`: limit: not a whole number"),
            (
                "limit=4294967296",
                "the parameters after `?`: limit: the number is out of range",
            ),
        ] {
            let uri = format!("/v1/payouts?{query}").parse().unwrap();
            let error = Query::<Page>::try_from_uri(&uri).unwrap_err();
            assert_eq!(wrong_parameter(&error.body_text()), description);
        }
    }

    #[test]
    fn what_is_no_request_is_malformed_and_what_cannot_be_is_invalid() {
        let reason = |text: &str| parse::<Transfer>(text.as_bytes()).unwrap_err().reason;
        for malformed in [
            "",
            "{",
            "[]",
            r#"["bob",1,"x"]"#,
            " \n[1]",
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
            &format!("1{}", "0".repeat(400)),
        ] {
            let text = format!(r#"{{"to":"bob","amount":{invalid}}}"#);
            assert_eq!(reason(&text), Reason::Invalid, "{text}");
        }
        let description = |text: &str| {
            let text = format!(r#"{{"to":"bob","amount":{text}}}"#);
            parse::<Transfer>(text.as_bytes()).unwrap_err().description
        };
        assert_eq!(
            description("1.5"),
            "amount: 1.5 is not a whole number from 0 to 18446744073709551615"
        );
        assert_eq!(
            description("[]"),
            "amount: an array is not a whole number from 0 to 18446744073709551615"
        );
        assert_eq!(description("1e999"), "amount: the number is out of range");
        let scope = parse::<DeclareService>(br#"{"name":"shop","scopes":["mint","spend"]}"#).unwrap_err();
        assert_eq!(scope.reason, Reason::Invalid);
        assert!(scope.description.starts_with("scopes[1]: "), "{scope}");
    }
}
