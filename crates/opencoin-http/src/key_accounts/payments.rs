//! Payments by key.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};
#[cfg(feature = "openapi")]
use opencoin_api::shapes;
use opencoin_api::{AcceptedKeyPayment, KeyPaymentState, PayByKey, PendingKeyPayment};
use opencoin_issuer::Reason;
use opencoin_issuer::log::KeyPaymentStatus;

use crate::answer;
use crate::json::{HandlerResult, PathParameter, Worded, WordedJson, document};
#[cfg(feature = "openapi")]
use crate::problems::{
    Malformed, NotFound, PaymentExpired, Short, TooLarge, Unavailable, UnknownKey, WrongPayment,
    WrongSequence,
};
use crate::server::Server;

const PROOF: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

impl Worded for PayByKey {
    const WORDS: &'static [(&'static str, Reason)] = &[("payment.amount", Reason::WrongAmount)];
}

/// Pay from the account of a key. The answer has the header `OpenCoin-Log-Promise`. The same payment again gets the same
/// answer.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/key-payments", tag = "key accounts", request_body = PayByKey, security(()),
    responses((status = 202, description = "The payment was made, and the log will have it.", body = AcceptedKeyPayment),
        Malformed, Short, UnknownKey, WrongSequence, PaymentExpired, TooLarge, WrongPayment, Unavailable)
))]
pub(crate) async fn pay(
    State(server): State<Arc<Server>>,
    WordedJson(payment): WordedJson<PayByKey>,
) -> HandlerResult {
    let paid = server.issuer().pay_by_key(&payment).await?;
    let response = document(StatusCode::ACCEPTED, &AcceptedKeyPayment { id: paid.answer })?;
    Ok(answer::promised(response, paid.promise.as_ref()))
}

/// How far a payment is. When it is final, its proof.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/key-payments/{id}", tag = "key accounts", security(()),
    params(("id" = inline(shapes::KeyPaymentId), Path, description = "The payer's key and the number of the payment, with a point between them.")),
    responses(
        (status = 200, description = "The payment is final. The answer is its proof, a C2SP tlog-proof.", body = String, content_type = "text/plain"),
        (status = 202, description = "It is not final yet. Ask again.", body = PendingKeyPayment),
        NotFound, Unavailable)
))]
pub(crate) async fn show(
    State(server): State<Arc<Server>>,
    PathParameter(id): PathParameter,
) -> HandlerResult {
    let pending = match server.issuer().key_payment(&id).await? {
        KeyPaymentStatus::Final(proof) => {
            let mut response = Response::new(Body::from(proof));
            response.headers_mut().insert(CONTENT_TYPE, PROOF);
            return Ok(response);
        }
        KeyPaymentStatus::Accepted => PendingKeyPayment {
            proof: None,
            state: KeyPaymentState::Accepted,
        },
        KeyPaymentStatus::Published(proof) => PendingKeyPayment {
            proof: Some(proof),
            state: KeyPaymentState::Published,
        },
    };
    Ok(answer::later(document(StatusCode::ACCEPTED, &pending)?))
}
