//! Authentication of holders and services by the token of a request.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use opencoin_api::KEY_SCHEME;
use opencoin_issuer::Authorization;
use opencoin_issuer::accounts::{Caller, Right, Token};

use super::json::Problem;
use super::server::Server;

const BEARER: &str = "Bearer";

/// The token that a request carries, if any.
pub(super) fn bearer_token(headers: &HeaderMap) -> Option<Token> {
    credentials(headers, BEARER).map(Token::from_text)
}

/// What a mint or redeem carries: a token, or the statement of a key.
pub(super) fn authorization(headers: &HeaderMap) -> Authorization {
    match (bearer_token(headers), credentials(headers, KEY_SCHEME)) {
        (Some(token), _) => Authorization::Token(token),
        (None, Some(statement)) => Authorization::Key(statement.to_owned()),
        (None, None) => Authorization::Missing,
    }
}

/// What follows this scheme in the header `Authorization`.
fn credentials<'headers>(headers: &'headers HeaderMap, wanted: &str) -> Option<&'headers str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credentials) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case(wanted).then(|| credentials.trim())
}

/// Declares an extractor that checks the token before anything else of the request is read.
macro_rules! caller {
    ($(#[$doc:meta])* $name:ident, $right:expr) => {
        $(#[$doc])*
        pub(super) struct $name(pub(super) Caller);

        impl<S: Send + Sync> FromRequestParts<S> for $name
        where
            Arc<Server>: FromRef<S>,
        {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
                let server = Arc::<Server>::from_ref(state);
                Ok(Self(server.issuer().accounts().caller(bearer_token(&parts.headers).as_ref(), $right).await?))
            }
        }
    };
}

caller! {
    /// A holder, with the account's own token or a password session.
    Holder, Right::Own
}
caller! {
    /// A holder, or a service with the scope `read`.
    Reader, Right::Read
}
caller! {
    /// Any caller with a valid token, for a log-out.
    Leaver, Right::Leave
}
