//! From what the domain says to what goes over the wire: status codes, response types, headers.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{Response, StatusCode};
use opencoin_api::{COINS_HEADER, write_coin_indices};
use opencoin_issuer::{Reason, Refusal, Signed};
use opencoin_schema::{
    BlindSignature, RequestCddSerial, RequestCddc, RequestMint, RequestMintKeyCertificates, RequestRecoup,
    RequestRedeem, RequestRenew, RequestResume, ResponseCddSerial, ResponseCddc, ResponseDelay, ResponseMint,
    ResponseMintKeyCertificates, ResponseRedeem, TypeName, text,
};
use serde::Serialize;

/// Carries the fixed word of a refusal.
pub const ERROR_HEADER: HeaderName = HeaderName::from_static("opencoin-error");
/// How long a client should wait after a delay, or when the server is away.
pub const RETRY_AFTER_S: u16 = 1;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
const OK_DESCRIPTION: &str = "ok";
/// The status code of `ResponseDelay` (specification, "ResponseDelay Message").
const DELAY_STATUS_CODE: u16 = 300;

/// The HTTP status of each fixed word.
#[must_use]
pub fn status(reason: Reason) -> StatusCode {
    match reason {
        Reason::Malformed => StatusCode::BAD_REQUEST,
        Reason::Unauthorized => StatusCode::UNAUTHORIZED,
        Reason::Forbidden => StatusCode::FORBIDDEN,
        Reason::InsufficientFunds => StatusCode::PAYMENT_REQUIRED,
        Reason::NotFound => StatusCode::NOT_FOUND,
        Reason::DoubleSpend | Reason::ReferenceConflict | Reason::Exists => StatusCode::CONFLICT,
        Reason::KeyExpired | Reason::KeyRevoked | Reason::Recoup => StatusCode::GONE,
        Reason::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Reason::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        Reason::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        Reason::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// A document with its status.
pub(super) fn document<D: Serialize>(status: StatusCode, document: &D) -> Response<Body> {
    let mut response = Response::new(Body::from(text::compact(document)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// `ResponseCDDSerial`.
pub(super) fn cdd_serial(message_reference: i128, cdd_serial: u64) -> Response<Body> {
    document(
        StatusCode::OK,
        &ResponseCddSerial {
            cdd_serial,
            message_reference,
            status_code: StatusCode::OK.as_u16(),
            status_description: OK_DESCRIPTION.to_owned(),
        },
    )
}

/// `ResponseCDDC`.
pub(super) fn cddc(message_reference: i128, cddc: opencoin_schema::Cddc) -> Response<Body> {
    document(
        StatusCode::OK,
        &ResponseCddc {
            cddc: Some(cddc),
            message_reference,
            status_code: StatusCode::OK.as_u16(),
            status_description: OK_DESCRIPTION.to_owned(),
        },
    )
}

/// `ResponseMKCs`.
pub(super) fn mint_key_certificates(
    message_reference: i128,
    keys: Vec<opencoin_schema::Mkc>,
) -> Response<Body> {
    document(
        StatusCode::OK,
        &ResponseMintKeyCertificates {
            keys,
            message_reference,
            status_code: StatusCode::OK.as_u16(),
            status_description: OK_DESCRIPTION.to_owned(),
        },
    )
}

/// `ResponseMint`, or `ResponseDelay` when the signatures come later.
pub(super) fn signed(message_reference: i128, signed: Signed) -> Response<Body> {
    match signed {
        Signed::Now(blind_signatures) => mint(message_reference, blind_signatures),
        Signed::Later => delay(
            message_reference,
            "accepted; ask for the signatures with a request resume",
        ),
        Signed::WhenPaid => delay(
            message_reference,
            "waiting for money on the account; nothing was taken yet; ask again with a request resume",
        ),
    }
}

fn delay(message_reference: i128, status_description: &str) -> Response<Body> {
    let status_description = status_description.to_owned();
    let delay = ResponseDelay {
        message_reference,
        status_code: DELAY_STATUS_CODE,
        status_description,
    };
    let mut response = document(StatusCode::ACCEPTED, &delay);
    response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_S.into());
    response
}

fn mint(message_reference: i128, blind_signatures: Vec<BlindSignature>) -> Response<Body> {
    document(
        StatusCode::OK,
        &ResponseMint {
            blind_signatures,
            message_reference,
            status_code: StatusCode::OK.as_u16(),
            status_description: OK_DESCRIPTION.to_owned(),
        },
    )
}

/// `ResponseRedeem`.
pub(super) fn redeem(message_reference: i128) -> Response<Body> {
    document(
        StatusCode::OK,
        &ResponseRedeem {
            message_reference,
            status_code: StatusCode::OK.as_u16(),
            status_description: OK_DESCRIPTION.to_owned(),
        },
    )
}

/// A refusal in the response type of its request, or as a problem document when `request_type` is no
/// request's.
pub(super) fn refusal(
    request_type: Option<&str>,
    message_reference: i128,
    refusal: &Refusal,
) -> Response<Body> {
    let status = status(refusal.reason);
    let status_code = status.as_u16();
    let status_description = refusal.to_string();
    let response = match request_type {
        Some(RequestCddSerial::TYPE) => document(
            status,
            &ResponseCddSerial {
                cdd_serial: 0,
                message_reference,
                status_code,
                status_description,
            },
        ),
        Some(RequestCddc::TYPE) => document(
            status,
            &ResponseCddc {
                cddc: None,
                message_reference,
                status_code,
                status_description,
            },
        ),
        Some(RequestMintKeyCertificates::TYPE) => document(
            status,
            &ResponseMintKeyCertificates {
                keys: Vec::new(),
                message_reference,
                status_code,
                status_description,
            },
        ),
        Some(RequestMint::TYPE | RequestRenew::TYPE | RequestRecoup::TYPE | RequestResume::TYPE) => document(
            status,
            &ResponseMint {
                blind_signatures: Vec::new(),
                message_reference,
                status_code,
                status_description,
            },
        ),
        Some(RequestRedeem::TYPE) => document(
            status,
            &ResponseRedeem {
                message_reference,
                status_code,
                status_description,
            },
        ),
        Some(_) | None => return problem(refusal),
    };
    with_refusal_headers(response, refusal)
}

/// The problem document (RFC 9457) for what cannot be read as any request.
pub(super) fn problem(refusal: &Refusal) -> Response<Body> {
    problem_with_status(status(refusal.reason), refusal)
}

/// As [`problem`], with a status that belongs to HTTP and not to the API.
pub(super) fn problem_with_status(status: StatusCode, refusal: &Refusal) -> Response<Body> {
    #[derive(Serialize)]
    struct Problem<'text> {
        detail: &'text str,
        status: u16,
        title: &'text str,
    }
    let problem = Problem {
        detail: &refusal.description,
        status: status.as_u16(),
        title: refusal.reason.word(),
    };
    let mut response = document(status, &problem);
    response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
    with_refusal_headers(response, refusal)
}

fn with_refusal_headers(mut response: Response<Body>, refusal: &Refusal) -> Response<Body> {
    // For the log and the metrics.
    response.extensions_mut().insert(refusal.reason);
    let headers = response.headers_mut();
    headers.insert(ERROR_HEADER, HeaderValue::from_static(refusal.reason.word()));
    if !refusal.coins.is_empty() {
        let indices = HeaderValue::try_from(write_coin_indices(&refusal.coins));
        headers.insert(COINS_HEADER, indices.expect("digits, commas and hyphens"));
    }
    match refusal.reason {
        Reason::Unavailable | Reason::TooManyRequests => {
            headers.insert(
                RETRY_AFTER,
                refusal.retry_after_s.unwrap_or(RETRY_AFTER_S.into()).into(),
            );
        }
        Reason::Unauthorized => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Reason::Malformed
        | Reason::Forbidden
        | Reason::InsufficientFunds
        | Reason::NotFound
        | Reason::DoubleSpend
        | Reason::ReferenceConflict
        | Reason::Exists
        | Reason::KeyExpired
        | Reason::KeyRevoked
        | Reason::Recoup
        | Reason::TooLarge
        | Reason::Invalid => {}
    }
    response
}
