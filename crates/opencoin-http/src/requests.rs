//! Messages over POST: reads a request, calls the issuer, writes the answer.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use opencoin_issuer::{Answered, Authorization, Issuer, Reason, Refusal, Signed};
use opencoin_schema::{DecodeError, Envelope, Request};

use super::answer;
use super::arrival::{Unread, arrived, shutting_down};
use super::bodies::{BodyError, Counted};
use super::callers::authorization;
use super::marks::{Authenticated, RequestType};
use super::server::Server;

/// The requests that a path accepts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Expected {
    /// Requests of this type.
    Only(&'static str),
    /// Any request of the specification; its `type` says which.
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
        Err(unread) => return unread.answer(),
    };
    let request = match read(expected, &bytes) {
        Ok(request) => request,
        Err(error) => return refuse(&bytes, &malformed(expected, &bytes, error)),
    };
    if server.is_shutting_down() {
        return refuse(&bytes, &shutting_down());
    }
    drop(bytes);
    let authorization = authorization(&headers);
    let type_name = request.type_name();
    let mut response = respond(server.issuer(), &authorization, request).await;
    // On other paths the path says which request it is.
    if matches!(expected, Expected::Any) {
        response.extensions_mut().insert(RequestType(type_name));
    }
    share
        .until_written(response)
        .await
        .unwrap_or_else(|| Unread::Body(BodyError::Overloaded).answer())
}

fn read(expected: Expected, body: &[u8]) -> Result<Request, DecodeError> {
    match expected {
        Expected::Only(type_name) => Request::from_json_of_type(type_name, body),
        Expected::Any => match Request::from_json(body)? {
            Request::RequestRecoup(_) => Err(DecodeError {
                path: "type".to_owned(),
                reason: "a \"request recoup\" is not in the specification; send it to /v1/recoup".to_owned(),
            }),
            request => Ok(request),
        },
    }
}

/// Describes the error in a body. A request of another type than the path accepts is reported as such.
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

/// Refuses a body. The response type is that of the request if the body names one.
fn refuse(body: &[u8], refusal: &Refusal) -> Response<Body> {
    let envelope = Envelope::peek(body).unwrap_or_default();
    answer::refusal(
        envelope.type_name.as_deref(),
        envelope.message_reference.unwrap_or(0),
        refusal,
    )
}

async fn respond(issuer: &Issuer, authorization: &Authorization, request: Request) -> Response<Body> {
    let type_name = request.type_name();
    // The statement of a key is another one in each request, so it is not remembered as a token is.
    let has_token = matches!(authorization, Authorization::Token(_))
        && matches!(request, Request::RequestMint(_) | Request::RequestRedeem(_));
    let reference = request.message_reference();
    let signed = |signed: Answered<Signed>| {
        answer::promised(answer::signed(reference, signed.answer), signed.promise.as_ref())
    };
    let result = match request {
        Request::RequestCddSerial(_) => Ok(answer::cdd_serial(reference, issuer.cdd_serial())),
        Request::RequestCddc(request) => {
            let cddc = issuer.cddc(request.cdd_serial).await;
            cddc.map(|cddc| answer::cddc(reference, cddc))
        }
        Request::RequestMintKeyCertificates(request) => {
            let keys = issuer.mint_key_certificates(&request).await;
            keys.map(|keys| answer::mint_key_certificates(reference, keys))
        }
        Request::RequestMint(request) => issuer.mint(authorization, request).await.map(signed),
        Request::RequestRenew(request) => issuer.renew(request).await.map(signed),
        Request::RequestRecoup(request) => issuer.recoup(request).await.map(signed),
        Request::RequestResume(request) => issuer.resume(&request).await.map(signed),
        Request::RequestRedeem(request) => {
            let redeemed = issuer.redeem(authorization, request).await;
            redeemed.map(|redeemed| answer::promised(answer::redeem(reference), redeemed.promise.as_ref()))
        }
    };
    let is_authenticated = has_token && result.is_ok();
    let mut response = result.unwrap_or_else(|refusal| answer::refusal(Some(type_name), reference, &refusal));
    if is_authenticated {
        response.extensions_mut().insert(Authenticated);
    }
    response
}
