//! JSON of the API for accounts: extractors of requests, documents, and problems.
//!
//! A body that is not a JSON object, or has an unknown or missing field, is malformed. A wrong value of a field (a
//! negative amount, or a string in its place) is invalid. The token is checked before the body is read.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRef, FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use opencoin_api::{BODY_BYTES_MAX, IDEMPOTENCY_KEY_HEADER};
use opencoin_bank::statement::FILE_BYTES_MAX;
use opencoin_issuer::{Reason, Refusal};
use opencoin_ledger::IdempotencyKey;
use opencoin_schema::wrong_value;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::answer;
use super::arrival::{arrived, shutting_down};
use super::bodies::Counted;
use super::server::Server;

/// The result of a handler.
pub(super) type HandlerResult = Result<Response<Body>, Problem>;

/// A refusal that becomes a problem document.
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

/// 204: success without a document.
pub(super) fn no_content() -> HandlerResult {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// 201, or 200 for a repeated request.
pub(super) fn created(repeated: bool) -> StatusCode {
    if repeated {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    }
}

/// Extractor of the body. It no longer counts against the memory limit once it is parsed.
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
        read(&server, request.into_body(), &[]).await.map(Self)
    }
}

/// Extractor of a body that is a file.
pub(super) struct File(pub(super) Vec<u8>);

impl<S> FromRequest<S> for File
where
    S: Send + Sync,
    Arc<Server>: FromRef<S>,
{
    type Rejection = Response<Body>;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response<Body>> {
        let server = Arc::<Server>::from_ref(state);
        // The lines of a file are not much larger than the file, and few operators send one at a time.
        let Counted { bytes, share: _ } = arrived(&server, request.into_body(), FILE_BYTES_MAX)
            .await
            .map_err(|unread| unread.answer())?;
        if server.is_shutting_down() {
            return Err(answer::problem(&shutting_down()));
        }
        Ok(Self(bytes))
    }
}

/// A body in which wrong values of some fields have fixed words of their own.
pub(super) trait Worded: DeserializeOwned {
    /// The paths of the fields, and their words.
    const WORDS: &'static [(&'static str, Reason)];
}

/// Extractor of the body as [`Json`].
pub(super) struct WordedJson<T>(pub(super) T);

impl<S, T> FromRequest<S> for WordedJson<T>
where
    S: Send + Sync,
    Arc<Server>: FromRef<S>,
    T: Worded + Send,
{
    type Rejection = Response<Body>;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response<Body>> {
        let server = Arc::<Server>::from_ref(state);
        read(&server, request.into_body(), T::WORDS).await.map(Self)
    }
}

async fn read<T: DeserializeOwned>(
    server: &Server,
    body: Body,
    words: &[(&str, Reason)],
) -> Result<T, Response<Body>> {
    // The parsed request and the answer are small, so the share ends here.
    let Counted { bytes, share: _ } = arrived(server, body, BODY_BYTES_MAX)
        .await
        .map_err(|unread| unread.answer())?;
    // It may have a secret.
    let bytes = Zeroizing::new(bytes);
    let value = parse(&bytes, words).map_err(|refusal| answer::problem(&refusal))?;
    if server.is_shutting_down() {
        return Err(answer::problem(&shutting_down()));
    }
    Ok(value)
}

/// Reads a body. Wrong values of the fields in `words` have these fixed words.
fn parse<T: DeserializeOwned>(bytes: &[u8], words: &[(&str, Reason)]) -> Result<T, Refusal> {
    // serde would also accept an array of the values, whose meaning would change with a new field.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Refusal::new(Reason::Malformed, "the body is not a JSON object"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let (path, error) = (error.path().to_string(), error.inner());
        // serde_json reports a number that it cannot represent as a syntax error.
        let is_value =
            (error.is_data() || is_out_of_range(error)) && path != WHOLE && !is_about_fields(error);
        let word = words.iter().find(|(field, _)| *field == path);
        let reason = if is_value {
            word.map_or(Reason::Invalid, |(_, reason)| *reason)
        } else {
            Reason::Malformed
        };
        let description = if is_out_of_range(error) {
            "the number is out of range".to_owned()
        } else if error.is_data() {
            wrong_value(error)
        } else {
            error.to_string()
        };
        match path.as_str() {
            WHOLE => Refusal::new(reason, description),
            path => Refusal::new(reason, format!("{path}: {description}")),
        }
    })?;
    deserializer
        .end()
        .map_err(|error| Refusal::new(Reason::Malformed, error.to_string()))?;
    Ok(value)
}

/// The path of an error that concerns the whole body.
const WHOLE: &str = ".";

/// Whether the error is about a missing, unknown or repeated field, not about a value.
fn is_about_fields(error: &serde_json::Error) -> bool {
    let text = error.to_string();
    ["unknown field", "missing field", "duplicate field"]
        .iter()
        .any(|beginning| text.starts_with(beginning))
}

fn is_out_of_range(error: &serde_json::Error) -> bool {
    error.to_string().starts_with("number out of range")
}

/// Extractor of the query parameters.
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

/// Describes the error of a query parameter in the words of this API.
fn wrong_parameter(text: &str) -> String {
    let text = text
        .strip_prefix("Failed to deserialize query string: ")
        .unwrap_or(text);
    let (name, reason) = text.rsplit_once(": ").unwrap_or(("", text));
    let reason = match reason {
        "invalid digit found in string" | "cannot parse integer from empty string" => "not a whole number",
        "number too large to fit in target type" => "the number is out of range",
        other => other,
    };
    let separator = if name.is_empty() { "" } else { ": " };
    format!("query parameters: {name}{separator}{reason}")
}

/// Extractor of the one variable part of a path: a name or an id.
pub(super) struct PathParameter(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for PathParameter {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(name) =
            path.map_err(|_| Refusal::new(Reason::NotFound, "there is nothing under this path"))?;
        Ok(Self(name))
    }
}

/// Extractor of the two parameters of a path.
pub(super) struct PathPair(pub(super) String, pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for PathPair {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((first, second)) =
            path.map_err(|_| Refusal::new(Reason::NotFound, "there is nothing under this path"))?;
        Ok(Self(first, second))
    }
}

/// Extractor of the idempotency key of a transfer or payout.
pub(super) struct Idempotent(pub(super) IdempotencyKey);

impl<S: Send + Sync> FromRequestParts<S> for Idempotent {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let malformed =
            |text: String| Refusal::new(Reason::Malformed, format!("{IDEMPOTENCY_KEY_HEADER}: {text}"));
        let missing = || {
            malformed(
                "the header is missing; send a random key, and the same key when you repeat the request"
                    .to_owned(),
            )
        };
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
    fn errors_of_query_parameters_are_described_in_own_words() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "only parsed")]
        struct Page {
            limit: Option<u32>,
        }
        for (query, description) in [
            ("limit=x", "query parameters: limit: not a whole number"),
            ("limit=-1", "query parameters: limit: not a whole number"),
            (
                "limit=4294967296",
                "query parameters: limit: the number is out of range",
            ),
        ] {
            let uri = format!("/v1/payouts?{query}").parse().unwrap();
            let error = Query::<Page>::try_from_uri(&uri).unwrap_err();
            assert_eq!(wrong_parameter(&error.body_text()), description);
        }
    }

    #[test]
    fn a_wrong_shape_is_malformed_and_a_wrong_value_is_invalid() {
        let reason = |text: &str| parse::<Transfer>(text.as_bytes(), &[]).unwrap_err().reason;
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
            parse::<Transfer>(text.as_bytes(), &[]).unwrap_err().description
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
        let scope =
            parse::<DeclareService>(br#"{"name":"shop","scopes":["mint","spend"]}"#, &[]).unwrap_err();
        assert_eq!(scope.reason, Reason::Invalid);
        assert!(scope.description.starts_with("scopes[1]: "), "{scope}");
    }
}
