//! Answers of the domain as HTTP responses: status codes, response types, headers.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{Response, StatusCode};
use opencoin_api::{COINS_HEADER, write_coin_indices};
use opencoin_issuer::{Reason, Refusal, Signed};
use opencoin_log::promise::Promise;
use opencoin_schema::{
    BlindSignature, Cddc, Mkc, RequestCddSerial, RequestCddc, RequestMint, RequestMintKeyCertificates,
    RequestRecoup, RequestRedeem, RequestRenew, RequestResume, ResponseCddSerial, ResponseCddc,
    ResponseDelay, ResponseMint, ResponseMintKeyCertificates, ResponseRedeem, TypeName, text,
};
use serde::Serialize;

/// The header with the fixed word of a refusal.
pub const ERROR_HEADER: HeaderName = HeaderName::from_static("opencoin-error");
/// The header with the promise for an accepted request.
const PROMISE_HEADER: HeaderName = HeaderName::from_static("opencoin-log-promise");
/// The header with the index of the leaf of a spent coin.
const LOG_INDEX_HEADER: HeaderName = HeaderName::from_static("opencoin-log-index");
/// The header with the next number of a payer, in the refusal of a payment with another one.
const EXPECTED_SEQUENCE_HEADER: HeaderName = HeaderName::from_static("opencoin-expected-sequence");
/// The seconds that a client should wait after a delay, or while the server is unavailable.
const RETRY_AFTER_S: u16 = 1;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
const OK_DESCRIPTION: &str = "ok";
/// The status code of `ResponseDelay` (specification, "ResponseDelay Message").
const DELAY_STATUS_CODE: u16 = 300;

/// The HTTP status of each fixed word.
pub(super) fn status(reason: Reason) -> StatusCode {
    match reason {
        Reason::Malformed => StatusCode::BAD_REQUEST,
        Reason::Unauthorized => StatusCode::UNAUTHORIZED,
        Reason::Forbidden | Reason::SecondPerson => StatusCode::FORBIDDEN,
        Reason::InsufficientFunds => StatusCode::PAYMENT_REQUIRED,
        Reason::NotFound | Reason::UnknownKey => StatusCode::NOT_FOUND,
        Reason::DoubleSpend
        | Reason::ReferenceConflict
        | Reason::Exists
        | Reason::PreviewChanged
        | Reason::Decided
        | Reason::WrongSequence => StatusCode::CONFLICT,
        Reason::KeyExpired
        | Reason::KeyRevoked
        | Reason::Recoup
        | Reason::PaymentExpired
        | Reason::ChallengeExpired => StatusCode::GONE,
        Reason::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Reason::Invalid
        | Reason::WrongDomain
        | Reason::WrongAmount
        | Reason::PaymentToItself
        | Reason::WrongMemo
        | Reason::WeakKey
        | Reason::WrongSignature
        | Reason::WrongDetails
        | Reason::WrongChallenge
        | Reason::NoProofOfWork => StatusCode::UNPROCESSABLE_ENTITY,
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

/// The fields that every response message has.
struct ResponseStatus {
    status: StatusCode,
    description: String,
    message_reference: i128,
}

impl ResponseStatus {
    fn ok(message_reference: i128) -> Self {
        Self {
            status: StatusCode::OK,
            description: OK_DESCRIPTION.to_owned(),
            message_reference,
        }
    }

    fn cdd_serial(self, cdd_serial: u64) -> Response<Body> {
        document(
            self.status,
            &ResponseCddSerial {
                cdd_serial,
                message_reference: self.message_reference,
                status_code: self.status.as_u16(),
                status_description: self.description,
            },
        )
    }

    fn cddc(self, cddc: Option<Cddc>) -> Response<Body> {
        document(
            self.status,
            &ResponseCddc {
                cddc,
                message_reference: self.message_reference,
                status_code: self.status.as_u16(),
                status_description: self.description,
            },
        )
    }

    fn mint_key_certificates(self, keys: Vec<Mkc>) -> Response<Body> {
        document(
            self.status,
            &ResponseMintKeyCertificates {
                keys,
                message_reference: self.message_reference,
                status_code: self.status.as_u16(),
                status_description: self.description,
            },
        )
    }

    fn mint(self, blind_signatures: Vec<BlindSignature>) -> Response<Body> {
        document(
            self.status,
            &ResponseMint {
                blind_signatures,
                message_reference: self.message_reference,
                status_code: self.status.as_u16(),
                status_description: self.description,
            },
        )
    }

    fn redeem(self) -> Response<Body> {
        document(
            self.status,
            &ResponseRedeem {
                message_reference: self.message_reference,
                status_code: self.status.as_u16(),
                status_description: self.description,
            },
        )
    }
}

/// `ResponseCDDSerial`.
pub(super) fn cdd_serial(message_reference: i128, cdd_serial: u64) -> Response<Body> {
    ResponseStatus::ok(message_reference).cdd_serial(cdd_serial)
}

/// `ResponseCDDC`.
pub(super) fn cddc(message_reference: i128, cddc: Cddc) -> Response<Body> {
    ResponseStatus::ok(message_reference).cddc(Some(cddc))
}

/// `ResponseMKCs`.
pub(super) fn mint_key_certificates(message_reference: i128, keys: Vec<Mkc>) -> Response<Body> {
    ResponseStatus::ok(message_reference).mint_key_certificates(keys)
}

/// Adds the promise that the public log will have what was accepted.
pub(super) fn promised(mut response: Response<Body>, promise: Option<&Promise>) -> Response<Body> {
    if let Some(promise) = promise {
        let value = HeaderValue::try_from(promise.to_string()).expect("base64");
        response.headers_mut().insert(PROMISE_HEADER, value);
    }
    response
}

/// Asks the client to come again.
pub(super) fn later(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_S.into());
    response
}

/// `ResponseMint`, or `ResponseDelay` if the signatures come later.
pub(super) fn signed(message_reference: i128, signed: Signed) -> Response<Body> {
    let status_description = match signed {
        Signed::Now(blind_signatures) => return ResponseStatus::ok(message_reference).mint(blind_signatures),
        Signed::Later => "accepted; ask for the signatures with a request resume",
        Signed::WhenPaid => {
            "waiting for money on the account; nothing was taken yet; ask again with a request resume"
        }
    };
    let delay = ResponseDelay {
        message_reference,
        status_code: DELAY_STATUS_CODE,
        status_description: status_description.to_owned(),
    };
    later(document(StatusCode::ACCEPTED, &delay))
}

/// `ResponseRedeem`.
pub(super) fn redeem(message_reference: i128) -> Response<Body> {
    ResponseStatus::ok(message_reference).redeem()
}

/// A refusal in the response type of its request. If `request_type` is not a request's type, a problem document.
pub(super) fn refusal(
    request_type: Option<&str>,
    message_reference: i128,
    refusal: &Refusal,
) -> Response<Body> {
    let response = ResponseStatus {
        status: status(refusal.reason),
        description: refusal.to_string(),
        message_reference,
    };
    let response = match request_type {
        Some(RequestCddSerial::TYPE) => response.cdd_serial(0),
        Some(RequestCddc::TYPE) => response.cddc(None),
        Some(RequestMintKeyCertificates::TYPE) => response.mint_key_certificates(Vec::new()),
        Some(RequestMint::TYPE | RequestRenew::TYPE | RequestRecoup::TYPE | RequestResume::TYPE) => {
            response.mint(Vec::new())
        }
        Some(RequestRedeem::TYPE) => response.redeem(),
        Some(_) | None => return problem(refusal),
    };
    with_refusal_headers(response, refusal)
}

/// A refusal as a problem document (RFC 9457). On a path of pages the server shows it as a page.
#[must_use]
pub fn problem(refusal: &Refusal) -> Response<Body> {
    problem_with_status(status(refusal.reason), refusal)
}

/// As [`problem`], with a status of HTTP itself.
pub(super) fn problem_with_status(status: StatusCode, refusal: &Refusal) -> Response<Body> {
    #[derive(Serialize)]
    struct Problem<'text> {
        detail: &'text str,
        #[serde(skip_serializing_if = "Option::is_none")]
        expected: Option<u64>,
        status: u16,
        title: &'text str,
    }
    let problem = Problem {
        detail: &refusal.description,
        expected: refusal.expected_seq,
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
    if let Some(index) = refusal.log_index {
        headers.insert(LOG_INDEX_HEADER, index.into());
    }
    if let Some(expected) = refusal.expected_seq {
        headers.insert(EXPECTED_SEQUENCE_HEADER, expected.into());
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
        | Reason::PreviewChanged
        | Reason::Decided
        | Reason::SecondPerson
        | Reason::KeyExpired
        | Reason::KeyRevoked
        | Reason::Recoup
        | Reason::TooLarge
        | Reason::Invalid
        | Reason::UnknownKey
        | Reason::WrongSequence
        | Reason::PaymentExpired
        | Reason::WrongDomain
        | Reason::WrongAmount
        | Reason::PaymentToItself
        | Reason::WrongMemo
        | Reason::WeakKey
        | Reason::WrongSignature
        | Reason::WrongDetails
        | Reason::WrongChallenge
        | Reason::ChallengeExpired
        | Reason::NoProofOfWork => {}
    }
    response
}
