//! Introductions of keys, and their accounts.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};
use opencoin_api::{IntroduceKey, IntroducedKey};
#[cfg(feature = "openapi")]
use opencoin_api::{KeyAccount, KeyAccounts, KeyChallenge, shapes};
use serde::Deserialize;

use crate::answer;
use crate::json::{HandlerResult, Json, Parameters, PathParameter, document};
#[cfg(feature = "openapi")]
use crate::problems::{
    ChallengeExpired, Invalid, Malformed, NoLog, TooLarge, TooManyAccounts, Unavailable, UnknownKey,
};
use crate::server::Server;

/// Which key is to be introduced.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub(crate) struct OfKey {
    /// The key.
    #[cfg_attr(feature = "openapi", param(value_type = shapes::AccountKey, inline))]
    key: String,
}

/// A challenge for the proof of work of a key that has no account yet.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/key-accounts/challenge", tag = "key accounts", params(OfKey), security(()),
    responses((status = 200, description = "The challenge, which counts for ten minutes.", body = KeyChallenge),
        Malformed, NoLog, Invalid)
))]
pub(crate) async fn challenge(
    State(server): State<Arc<Server>>,
    Parameters(OfKey { key }): Parameters<OfKey>,
) -> HandlerResult {
    let mut response = document(StatusCode::OK, &server.issuer().key_challenge(&key)?)?;
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    Ok(response)
}

/// Introduce a key: it has an account from now on. The answer has the header `OpenCoin-Log-Promise`. The same key again
/// gets the same answer.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/key-accounts", tag = "key accounts", request_body = IntroduceKey, security(()),
    responses((status = 202, description = "The key has an account, which the log will have.", body = IntroducedKey),
        Malformed, NoLog, ChallengeExpired, TooLarge, Invalid, Unavailable)
))]
pub(crate) async fn introduce(
    State(server): State<Arc<Server>>,
    Json(introduction): Json<IntroduceKey>,
) -> HandlerResult {
    let introduced = server.issuer().introduce_key(&introduction).await?;
    let id = introduced.answer.to_string();
    let response = document(StatusCode::ACCEPTED, &IntroducedKey { id })?;
    Ok(answer::promised(response, introduced.promise.as_ref()))
}

/// The account of a key: in the books now, and as the published log has it, with a proof.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/key-accounts/{key}", tag = "key accounts", security(()),
    params(("key" = inline(shapes::AccountKey), Path, description = "The key.")),
    responses((status = 200, description = "The account.", body = KeyAccount), UnknownKey, Invalid, Unavailable)
))]
pub(crate) async fn show(
    State(server): State<Arc<Server>>,
    PathParameter(key): PathParameter,
) -> HandlerResult {
    document(StatusCode::OK, &server.issuer().key_account(&key).await?)
}

/// All accounts of keys, as the published log has them, with a proof.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/key-accounts", tag = "key accounts", security(()),
    responses((status = 200, description = "The accounts.", body = KeyAccounts), NoLog, TooManyAccounts, Unavailable)
))]
pub(crate) async fn list(State(server): State<Arc<Server>>) -> HandlerResult {
    let list = server.issuer().key_accounts().await?;
    let mut response = Response::new(Body::from(Bytes::from_owner(list)));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}
