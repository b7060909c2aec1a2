//! The messages that go to an issuer, and what its answers mean.

use opencoin_api::Balance;
use opencoin_schema::{
    BigInt, BlindSignature, Cddc, Document, Mkc, RequestCddSerial, RequestCddc, RequestMintKeyCertificates,
    ResponseCddSerial, ResponseCddc, ResponseDelay, ResponseMint, ResponseMintKeyCertificates,
    ResponseRedeem, TypeName, WeightedUrl, from_json, text,
};
use opencoin_text::printable;
use serde::Deserialize;
use thiserror::Error;

use crate::event::RevokedKey;
use crate::network::HttpAnswer;
use crate::secret::Secret;
use crate::transport::{NoAnswer, Transport};

/// What is shown of an issuer's words.
pub(crate) const SHOWN_CHARS_MAX: usize = 500;
const OK: u16 = 200;
const ACCEPTED: u16 = 202;
const NOT_FOUND: u16 = 404;
/// Redirects, which the wallet does not follow. A server that sends one has not carried out the request; 303
/// (see other) is not among them, because it follows a request that was carried out.
const REDIRECTS: [u16; 4] = [301, 302, 307, 308];
/// The fixed word of what was accepted and will not be signed, because mint keys were revoked since.
const RECOUP: &str = "recoup";
/// The fixed word of a refusal because of coins that are gone.
pub(crate) const DOUBLE_SPEND: &str = "double-spend";
/// A mint key of the request has stopped to sign, or coins of it have expired.
pub(crate) const KEY_EXPIRED: &str = "key-expired";
/// A mint key of the request was revoked.
pub(crate) const KEY_REVOKED: &str = "key-revoked";
/// The fixed words that say that nothing was done (all but `unavailable` and `recoup`).
pub(crate) const REFUSALS: [&str; 13] = [
    "malformed",
    "unauthorized",
    "forbidden",
    "exists",
    "too-many-requests",
    "insufficient-funds",
    "not-found",
    "double-spend",
    "reference-conflict",
    "key-expired",
    "key-revoked",
    "too-large",
    "invalid",
];
/// Those that are about who asks, and how often: they say nothing about what was done at an earlier attempt.
pub(crate) const ABOUT_THE_ASKER: [&str; 3] = ["unauthorized", "forbidden", "too-many-requests"];

/// Why a message was not answered with what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExchangeError {
    /// The issuer says no: nothing was done.
    #[error("the issuer refuses: {description}")]
    Refused {
        /// The fixed word.
        word: String,
        /// The issuer's words, which begin with the fixed word.
        description: String,
        /// The indices of the coins that the refusal is about, as the issuer wrote them.
        coins: Option<String>,
    },
    /// The request did not reach the issuer: nothing was done.
    #[error("{0}; nothing was done")]
    NotSent(String),
    /// The signatures come later: the request is accepted, or a mint waits until its account has enough.
    #[error("the issuer will sign later ({description})")]
    Delayed {
        /// The issuer's words: for what it waits.
        description: String,
    },
    /// Accepted; mint keys were revoked since, and what they were to sign is honoured by a recoup.
    #[error("the issuer has accepted the request and has revoked mint keys since")]
    Recoup,
    /// No answer, or one that says nothing about what was done. The same request must be sent again.
    #[error("{0}")]
    Unknown(String),
    /// The request with this number needs the token of an account. It was perhaps sent before; it was not sent now.
    #[error("request number {0} needs the token of its account, which the wallet does not store")]
    NeedsToken(u64),
}

impl ExchangeError {
    /// Whether the issuer says that coins were spent before.
    #[must_use]
    pub fn is_double_spend(&self) -> bool {
        matches!(self, Self::Refused { word, .. } if word == DOUBLE_SPEND)
    }

    /// Whether the issuer says that a mint key has expired or was revoked. With other keys it may succeed.
    pub(crate) fn is_about_a_key(&self) -> bool {
        matches!(self, Self::Refused { word, .. } if [KEY_EXPIRED, KEY_REVOKED].contains(&word.as_str()))
    }
}

/// Posts to a path of one of the services; the lower weight first, the next one when there is no connection.
pub(crate) async fn post(
    transport: &dyn Transport,
    services: &[WeightedUrl],
    path: &str,
    token: Option<&Secret>,
    body: &str,
) -> Result<HttpAnswer, ExchangeError> {
    let mut not_sent = "the currency names no service for this".to_owned();
    let mut unanswered = None;
    for url in urls(services, path) {
        match (transport.post(&url, token, body).await, &unanswered) {
            // Another service may have carried it out without a word.
            (Ok(answer), Some(earlier)) if is_about_the_asker(&answer) => {
                return Err(ExchangeError::Unknown(format!(
                    "{earlier}, and HTTP status {} from another service",
                    answer.status
                )));
            }
            (Ok(answer), _) if REDIRECTS.contains(&answer.status) && answer.error_word.is_none() => {
                not_sent = redirected(&url, &answer);
            }
            (Ok(answer), _) => return Ok(answer),
            (Err(error @ NoAnswer { was_sent: false, .. }), _) => not_sent = error.to_string(),
            (Err(error), _) => unanswered = Some(error.to_string()),
        }
    }
    Err(match unanswered {
        Some(unanswered) => ExchangeError::Unknown(unanswered),
        None => ExchangeError::NotSent(not_sent),
    })
}

fn redirected(url: &str, answer: &HttpAnswer) -> String {
    let location = answer.location.as_deref().unwrap_or("nowhere");
    format!(
        "{url} answers with HTTP status {} and points to {location}; a wallet follows no redirects, so add \
         the currency by the URL that answers itself",
        answer.status
    )
}

fn is_about_the_asker(answer: &HttpAnswer) -> bool {
    answer
        .error_word
        .as_ref()
        .is_some_and(|word| ABOUT_THE_ASKER.contains(&word.as_str()))
}

fn urls(services: &[WeightedUrl], path: &str) -> impl Iterator<Item = String> {
    let mut services: Vec<&WeightedUrl> = services.iter().collect();
    services.sort_by_key(|service| service.0);
    services
        .into_iter()
        .map(move |WeightedUrl(_, base)| format!("{}{path}", base.trim_end_matches('/')))
}

/// The serial of the CDD that an issuer calls current.
pub(crate) async fn fetch_cdd_serial(
    transport: &dyn Transport,
    services: &[WeightedUrl],
) -> Result<u64, ExchangeError> {
    let request = RequestCddSerial { message_reference: 0 };
    let answer = post(
        transport,
        services,
        "/cddc/serial",
        None,
        &text::compact(&request),
    )
    .await?;
    Ok(document::<ResponseCddSerial>(&answer)?.cdd_serial)
}

/// The CDDC of a serial; 0 asks for the one that the issuer calls current.
pub(crate) async fn fetch_cddc(
    transport: &dyn Transport,
    services: &[WeightedUrl],
    cdd_serial: u64,
) -> Result<Cddc, ExchangeError> {
    let request = RequestCddc {
        cdd_serial,
        message_reference: 0,
    };
    let answer = post(transport, services, "/cddc", None, &text::compact(&request)).await?;
    let cddc = document::<ResponseCddc>(&answer)?
        .cddc
        .filter(|cddc| [0, cddc.cdd.cdd_serial].contains(&cdd_serial));
    cddc.ok_or_else(|| ExchangeError::Unknown("the issuer has answered without the CDDC".to_owned()))
}

/// The mint keys that an issuer has revoked; `None` when it does not say. A status 404 says nothing: a proxy
/// sends it as well as an issuer that does not know the question.
pub(crate) async fn fetch_revocations(
    transport: &dyn Transport,
    services: &[WeightedUrl],
) -> Result<Option<Vec<RevokedKey>>, ExchangeError> {
    #[derive(Deserialize)]
    struct Revocations {
        mint_keys: Vec<RevokedKey>,
    }
    let mut last = "the currency names no service for this".to_owned();
    for url in urls(services, "/v1/revocations") {
        match transport.get(&url, None).await {
            Ok(answer) if answer.status == NOT_FOUND => return Ok(None),
            Ok(answer) if answer.status == OK => {
                let read = serde_json::from_slice::<Revocations>(&answer.body);
                let wrong =
                    |error| ExchangeError::Unknown(format!("not a list of revoked mint keys: {error}"));
                return read.map(|revocations| Some(revocations.mint_keys)).map_err(wrong);
            }
            Ok(answer) => last = format!("no revocations from {url}: HTTP status {}", answer.status),
            Err(error) => last = error.to_string(),
        }
    }
    Err(ExchangeError::Unknown(last))
}

/// What the account of this token holds; `None` when nobody says.
pub(crate) async fn fetch_account_balance(
    transport: &dyn Transport,
    services: &[WeightedUrl],
    token: &Secret,
) -> Option<u64> {
    let url = urls(services, "/v1/account/balance").next()?;
    let answer = transport.get(&url, Some(token)).await.ok()?;
    let balance: Balance = serde_json::from_slice(&answer.body).ok()?;
    (answer.status == OK).then_some(balance.balance)
}

/// Mint key certificates; those with these ids, or all current ones.
pub(crate) async fn fetch_mkcs(
    transport: &dyn Transport,
    services: &[WeightedUrl],
    mint_key_ids: Vec<BigInt>,
) -> Result<Vec<Mkc>, ExchangeError> {
    let request = RequestMintKeyCertificates {
        denominations: Vec::new(),
        message_reference: 0,
        mint_key_ids,
    };
    let answer = post(transport, services, "/mkcs", None, &text::compact(&request)).await?;
    Ok(document::<ResponseMintKeyCertificates>(&answer)?.keys)
}

/// The signatures of a `response mint`.
pub(crate) fn signatures(answer: &HttpAnswer) -> Result<Vec<BlindSignature>, ExchangeError> {
    if answer.status == ACCEPTED
        && let Ok(delay) = from_json::<ResponseDelay>(&answer.body)
    {
        return Err(ExchangeError::Delayed {
            description: printable(&delay.status_description),
        });
    }
    Ok(document::<ResponseMint>(answer)?.blind_signatures)
}

/// A `response redeem`.
pub(crate) fn redeemed(answer: &HttpAnswer) -> Result<(), ExchangeError> {
    document::<ResponseRedeem>(answer).map(|_| ())
}

fn document<D: Document>(answer: &HttpAnswer) -> Result<D, ExchangeError> {
    /// What every response has.
    #[derive(Deserialize)]
    struct Status {
        status_description: Option<String>,
        detail: Option<String>,
    }
    if answer.status == OK {
        return from_json(&answer.body)
            .map_err(|error| ExchangeError::Unknown(format!("not a {:?}: {error}", <D as TypeName>::TYPE)));
    }
    let status: Option<Status> = serde_json::from_slice(&answer.body).ok();
    let said = status.and_then(|status| status.status_description.or(status.detail));
    let said = said.map(|said| printable(&said.chars().take(SHOWN_CHARS_MAX).collect::<String>()));
    let description = said.unwrap_or_else(|| format!("HTTP status {}", answer.status));
    match &answer.error_word {
        Some(word) if word == RECOUP => Err(ExchangeError::Recoup),
        Some(word) if REFUSALS.contains(&word.as_str()) && (400..500).contains(&answer.status) => {
            Err(ExchangeError::Refused {
                word: word.clone(),
                description,
                coins: answer.coins.clone(),
            })
        }
        // Without a fixed word it is not the issuer that speaks, but something between.
        Some(_) | None => Err(ExchangeError::Unknown(description)),
    }
}
