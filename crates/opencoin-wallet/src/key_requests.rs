//! The requests of key accounts. They go over connections of their own, which are not tied to requests about coins.

use opencoin_api::{AcceptedKeyPayment, KeyAccount, PendingKeyPayment};
use opencoin_log::key_account::{AccountKey, Challenge, Introduction, Payment};
use opencoin_schema::{WeightedUrl, text};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::client::{ExchangeError, NO_SERVICE, post, refused, urls};
use crate::key_account::records::ToAccount;
use crate::network::HttpAnswer;
use crate::refusal::word;
use crate::transport::{OnBehalf, Transport};

const OK: u16 = 200;
const ACCEPTED: u16 = 202;

/// What the issuer asks for before it opens an account.
#[derive(Debug, Deserialize)]
pub(crate) struct ChallengeAnswer {
    /// The number of leading zero bits.
    pub(crate) bits: u32,
    pub(crate) challenge: Challenge,
    /// The origin of the log.
    pub(crate) domain: String,
}

/// How far the issuer says that a payment is. Nothing of it is verified.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PaymentAnswer {
    Accepted,
    /// In a checkpoint without the joint signature; the proof.
    Published(String),
    /// The proof.
    Final(String),
}

/// Asks for the challenge of a key.
pub(crate) async fn challenge(
    transport: &dyn Transport,
    services: &[WeightedUrl],
    key: &AccountKey,
) -> Result<ChallengeAnswer, ExchangeError> {
    let path = format!("/v1/key-accounts/challenge?key={key}");
    read(&get(transport, services, &path).await?)
}

/// Asks what the books have of a key now, which nothing proves; `None` if it has no account.
pub(crate) async fn books(
    transport: &dyn Transport,
    services: &[WeightedUrl],
    key: &AccountKey,
) -> Result<Option<KeyAccount>, ExchangeError> {
    match read(&get(transport, services, &format!("/v1/key-accounts/{key}")).await?) {
        Ok(account) => Ok(Some(account)),
        Err(refused) if refused.is_refused_with(&[word::UNKNOWN_KEY]) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Introduces a key. Returns the promise, as it was sent.
pub(crate) async fn introduce(
    transport: &dyn Transport,
    services: &[WeightedUrl],
    introduction: &Introduction,
) -> Result<Option<String>, ExchangeError> {
    let body = introduction.to_text();
    let answer = post(
        transport,
        services,
        "/v1/key-accounts",
        OnBehalf::Key(None),
        &body,
    )
    .await?;
    accepted(answer, &introduction.key.to_string())
}

/// Sends a payment to a key or a custodial account. Returns the promise, as it was sent.
pub(crate) async fn pay(
    transport: &dyn Transport,
    services: &[WeightedUrl],
    payment: &Payment,
    to_account: Option<&ToAccount>,
) -> Result<Option<String>, ExchangeError> {
    let body = match to_account {
        None => json!({ "payment": payment }),
        Some(ToAccount { name, nonce }) => json!({ "account": name, "nonce": nonce, "payment": payment }),
    };
    let body = text::compact(&body);
    let answer = post(
        transport,
        services,
        "/v1/key-payments",
        OnBehalf::Key(None),
        &body,
    )
    .await?;
    let id = format!("{}.{}", payment.order.from, payment.order.seq);
    accepted(answer, &id)
}

/// Asks how far an accepted payment is.
pub(crate) async fn payment(
    transport: &dyn Transport,
    services: &[WeightedUrl],
    id: &str,
) -> Result<PaymentAnswer, ExchangeError> {
    let answer = get(transport, services, &format!("/v1/key-payments/{id}")).await?;
    match answer.status {
        OK => {
            let text = String::from_utf8(answer.body);
            text.map(PaymentAnswer::Final).map_err(|_| {
                ExchangeError::Unknown("the issuer has sent a proof that is not a text".to_owned())
            })
        }
        _ => Ok(match read(&answer)? {
            PendingKeyPayment { proof: None, .. } => PaymentAnswer::Accepted,
            PendingKeyPayment {
                proof: Some(proof), ..
            } => PaymentAnswer::Published(proof),
        }),
    }
}

async fn get(
    transport: &dyn Transport,
    services: &[WeightedUrl],
    path: &str,
) -> Result<HttpAnswer, ExchangeError> {
    let mut last = NO_SERVICE.to_owned();
    for url in urls(services, path) {
        match transport.send(&url, OnBehalf::Key(None), None).await {
            Ok(answer) if answer.is_success() || answer.is_refusal() => return Ok(answer),
            Ok(answer) => last = format!("no answer from {url}: HTTP status {}", answer.status),
            Err(error) => last = error.to_string(),
        }
    }
    // These requests change nothing, so there is nothing to resume.
    Err(ExchangeError::NotSent(last))
}

fn read<T: DeserializeOwned>(answer: &HttpAnswer) -> Result<T, ExchangeError> {
    if !answer.is_success() {
        return Err(refused(answer));
    }
    serde_json::from_slice(&answer.body)
        .map_err(|error| ExchangeError::Unknown(format!("the issuer's answer cannot be read: {error}")))
}

/// Returns the promise of an answer that accepts what has this id.
fn accepted(answer: HttpAnswer, id: &str) -> Result<Option<String>, ExchangeError> {
    if answer.status != ACCEPTED {
        return Err(refused(&answer));
    }
    // An introduction is answered in the same way.
    let accepted: AcceptedKeyPayment = read(&answer)?;
    if accepted.id != id {
        return Err(ExchangeError::Unknown(
            "the issuer's answer is about something else".to_owned(),
        ));
    }
    Ok(answer.log_promise)
}

/// Whether a refusal says that this request is refused for good, whatever happened to earlier attempts.
pub(crate) fn is_refused_for_good(error: &ExchangeError) -> bool {
    matches!(error, ExchangeError::Refused { .. })
        && !error.is_refused_with(&[word::UNAUTHORIZED, word::FORBIDDEN, word::TOO_MANY_REQUESTS])
}
