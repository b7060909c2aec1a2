//! The specification's messages over POST: read one, hand it to the issuer, write the answer.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use opencoin_issuer::accounts::Token;
use opencoin_issuer::{Issuer, Reason, Refusal};
use opencoin_schema::{DecodeError, Envelope, Request};

use super::answer;
use super::arrival::{arrived, shutting_down, unreadable};
use super::bodies::{BodyError, Counted};
use super::callers::bearer_token;
use super::marks::{Authenticated, RequestType};
use super::server::Server;

/// What a path takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Expected {
    /// One type of request.
    Only(&'static str),
    /// Any request of the specification, told apart by its `type`.
    Any,
}

/// Handles one POST.
pub(super) async fn post(
    State(server): State<Arc<Server>>,
    expected: Expected,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    let bytes_max = server.bodies().bytes_max();
    let Counted { bytes, share } = match arrived(&server, body, bytes_max).await {
        Ok(counted) => counted,
        Err(response) => return response,
    };
    let request = match read(expected, &bytes) {
        Ok(request) => request,
        Err(error) => return refuse(&bytes, &malformed(expected, &bytes, error)),
    };
    if server.is_shutting_down() {
        return refuse(&bytes, &shutting_down());
    }
    drop(bytes);
    let token = bearer_token(&headers);
    let type_name = request.type_name();
    let mut response = respond(server.issuer(), token.as_ref(), request).await;
    // Elsewhere the path says which request it is.
    if matches!(expected, Expected::Any) {
        response.extensions_mut().insert(RequestType(type_name));
    }
    share
        .until_written(response)
        .await
        .unwrap_or_else(|| unreadable(BodyError::Overloaded))
}

fn read(expected: Expected, body: &[u8]) -> Result<Request, DecodeError> {
    match expected {
        Expected::Only(type_name) => Request::from_json_of_type(type_name, body),
        Expected::Any => match Request::from_json(body)? {
            Request::RequestRecoup(_) => Err(DecodeError {
                path: "type".to_owned(),
                reason: "a \"request recoup\" is not the specification's; it is taken on /v1/recoup alone"
                    .to_owned(),
            }),
            request => Ok(request),
        },
    }
}

/// Says what is wrong with a body; above all that it is another request than the path takes.
fn malformed(expected: Expected, body: &[u8], error: DecodeError) -> Refusal {
    let named = Envelope::peek(body).ok().and_then(|envelope| envelope.type_name);
    let error = match (expected, named) {
        (Expected::Only(wanted), Some(named)) if named != wanted => {
            let reason = format!("this path takes {wanted:?}; a request of any type can be sent to POST /");
            DecodeError {
                path: "type".to_owned(),
                reason,
            }
        }
        _ => error,
    };
    Refusal::new(Reason::Malformed, error.to_string())
}

/// Refuses in the response type of the request, when the body says at least which request it means to be.
fn refuse(body: &[u8], refusal: &Refusal) -> Response<Body> {
    let envelope = Envelope::peek(body).unwrap_or_default();
    answer::refusal(
        envelope.type_name.as_deref(),
        envelope.message_reference.unwrap_or(0),
        refusal,
    )
}

async fn respond(issuer: &Issuer, token: Option<&Token>, request: Request) -> Response<Body> {
    let type_name = request.type_name();
    let needs_token = matches!(request, Request::RequestMint(_) | Request::RequestRedeem(_));
    let (message_reference, result) = match request {
        Request::RequestCddSerial(request) => {
            let reference = request.message_reference;
            (reference, Ok(answer::cdd_serial(reference, issuer.cdd_serial())))
        }
        Request::RequestCddc(request) => {
            let reference = request.message_reference;
            (
                reference,
                issuer
                    .cddc(request.cdd_serial)
                    .await
                    .map(|cddc| answer::cddc(reference, cddc)),
            )
        }
        Request::RequestMintKeyCertificates(request) => {
            let reference = request.message_reference;
            (
                reference,
                issuer
                    .mint_key_certificates(&request)
                    .await
                    .map(|keys| answer::mint_key_certificates(reference, keys)),
            )
        }
        Request::RequestMint(request) => {
            let reference = request.message_reference;
            (
                reference,
                issuer
                    .mint(token, request)
                    .await
                    .map(|signed| answer::signed(reference, signed)),
            )
        }
        Request::RequestRenew(request) => {
            let reference = request.message_reference;
            (
                reference,
                issuer
                    .renew(request)
                    .await
                    .map(|signed| answer::signed(reference, signed)),
            )
        }
        Request::RequestRecoup(request) => {
            let reference = request.message_reference;
            (
                reference,
                issuer
                    .recoup(request)
                    .await
                    .map(|signed| answer::signed(reference, signed)),
            )
        }
        Request::RequestResume(request) => {
            let reference = request.message_reference;
            (
                reference,
                issuer
                    .resume(&request)
                    .await
                    .map(|signed| answer::signed(reference, signed)),
            )
        }
        Request::RequestRedeem(request) => {
            let reference = request.message_reference;
            (
                reference,
                issuer
                    .redeem(token, request)
                    .await
                    .map(|()| answer::redeem(reference)),
            )
        }
    };
    let is_authenticated = needs_token && result.is_ok();
    let mut response =
        result.unwrap_or_else(|refusal| answer::refusal(Some(type_name), message_reference, &refusal));
    if is_authenticated {
        response.extensions_mut().insert(Authenticated);
    }
    response
}
