//! The requests of the protocol and the meaning of the answers.

use opencoin_api::Balance;
use opencoin_schema::{
    BigInt, BlindSignature, Cddc, Document, Mkc, RequestCddSerial, RequestCddc, RequestMintKeyCertificates,
    ResponseCddSerial, ResponseCddc, ResponseDelay, ResponseMint, ResponseMintKeyCertificates,
    ResponseRedeem, TypeName, WeightedUrl, from_json, text,
};
use opencoin_text::printable;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::event::RevokedKey;
use crate::network::{HttpAnswer, NoAnswer};
use crate::refusal::{self, RefusedCoins, word};
use crate::transport::{OnBehalf, Transport};
use opencoin_api::Secret;

const OK: u16 = 200;
const ACCEPTED: u16 = 202;
const NOT_FOUND: u16 = 404;
/// Redirects, which the wallet does not follow. A server that sends one has not carried out the request. 303
/// (see other) is missing because it follows a request that was carried out.
const REDIRECTS: [u16; 4] = [301, 302, 307, 308];
/// The error word for an accepted request that is not signed because a mint key was revoked later.
const RECOUP: &str = "recoup";
pub(crate) const NO_SERVICE: &str = "the currency names no service for this";

/// Why a request has no result.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExchangeError {
    /// The issuer refuses the request and has not carried it out.
    #[error("{}", refusal::of_coins(word, description, *count))]
    Refused {
        /// The error word.
        word: String,
        /// The issuer's text, which begins with the error word.
        description: String,
        /// The indices of the refused coins in the request, as the issuer wrote them.
        coins: Option<String>,
        /// How many of the coins that the request was made for are refused, if the issuer says which.
        count: Option<RefusedCoins>,
    },
    /// The request did not reach the issuer, so it was not carried out.
    #[error("{0}; nothing was done")]
    NotSent(String),
    /// The signatures come later: the request is accepted, or a mint waits until its account has enough.
    #[error("the issuer signs later: {description}")]
    Delayed {
        /// The issuer's text with the reason.
        description: String,
    },
    /// The request is accepted, and some mint keys were revoked later. A recoup brings their coins.
    #[error("the issuer has accepted the request and has revoked mint keys since")]
    Recoup,
    /// The outcome is unknown: no answer arrived, or one that does not tell it. Send the same request again.
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
        self.is_refused_with(&[word::DOUBLE_SPEND])
    }

    /// Counts the refused coins among those that `is_meant` says to count.
    pub(crate) fn counting(mut self, is_meant: &[bool]) -> Self {
        if let Self::Refused { coins, count, .. } = &mut self {
            *count = RefusedCoins::named(coins.as_deref(), is_meant);
        }
        self
    }

    /// Whether the issuer says that a mint key has expired or was revoked. Other keys may succeed.
    pub(crate) fn is_about_a_key(&self) -> bool {
        self.is_refused_with(&[word::KEY_EXPIRED, word::KEY_REVOKED])
    }

    /// Whether the issuer refused the request with one of these error words.
    pub(crate) fn is_refused_with(&self, words: &[&str]) -> bool {
        matches!(self, Self::Refused { word, .. } if words.contains(&word.as_str()))
    }
}

/// Posts to a path of one of the services, the lowest weight first. Tries the next service if there is no
/// connection or no answer.
pub(crate) async fn post(
    transport: &dyn Transport,
    services: &[WeightedUrl],
    path: &str,
    on_behalf: OnBehalf<'_>,
    body: &str,
) -> Result<HttpAnswer, ExchangeError> {
    let mut not_sent = NO_SERVICE.to_owned();
    let mut unanswered = None;
    for url in urls(services, path) {
        match (transport.send(&url, on_behalf, Some(body)).await, &unanswered) {
            // A service that did not answer may have carried out the request.
            (Ok(answer), Some(earlier)) if answer.is_sender_refusal() => {
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

/// Posts a request without a token and reads its response.
async fn ask<D: Document>(
    transport: &dyn Transport,
    services: &[WeightedUrl],
    path: &str,
    request: &str,
) -> Result<D, ExchangeError> {
    document(&post(transport, services, path, OnBehalf::Nobody, request).await?)
}

fn redirected(url: &str, answer: &HttpAnswer) -> String {
    let location = answer.location.as_deref().unwrap_or("nowhere");
    format!(
        "{url} answers with HTTP status {} and points to {location}; the wallet follows no redirects, so add \
         the currency by the URL to which it points",
        answer.status
    )
}

/// Returns the URL of a path at each service, the lowest weight first.
pub(crate) fn urls(services: &[WeightedUrl], path: &str) -> impl Iterator<Item = String> {
    let mut services: Vec<&WeightedUrl> = services.iter().collect();
    services.sort_by_key(|service| service.0);
    services
        .into_iter()
        .map(move |WeightedUrl(_, base)| format!("{}{path}", base.trim_end_matches('/')))
}

/// Fetches the serial of the current CDD.
pub(crate) async fn fetch_cdd_serial(
    transport: &dyn Transport,
    services: &[WeightedUrl],
) -> Result<u64, ExchangeError> {
    let request = text::compact(&RequestCddSerial { message_reference: 0 });
    let response: ResponseCddSerial = ask(transport, services, "/cddc/serial", &request).await?;
    Ok(response.cdd_serial)
}

/// Fetches the CDDC with this serial; 0 asks for the current one.
pub(crate) async fn fetch_cddc(
    transport: &dyn Transport,
    services: &[WeightedUrl],
    cdd_serial: u64,
) -> Result<Cddc, ExchangeError> {
    let request = text::compact(&RequestCddc {
        cdd_serial,
        message_reference: 0,
    });
    let response: ResponseCddc = ask(transport, services, "/cddc", &request).await?;
    let cddc = response
        .cddc
        .filter(|cddc| [0, cddc.cdd.cdd_serial].contains(&cdd_serial));
    cddc.ok_or_else(|| ExchangeError::Unknown("the issuer has answered without the CDDC".to_owned()))
}

/// Fetches the list of revoked mint keys. Returns `None` for a status 404: it comes from an issuer without
/// this list, or from a proxy.
pub(crate) async fn fetch_revocations(
    transport: &dyn Transport,
    services: &[WeightedUrl],
) -> Result<Option<Vec<RevokedKey>>, ExchangeError> {
    #[derive(Deserialize)]
    struct Revocations {
        mint_keys: Vec<RevokedKey>,
    }
    let list: Option<Revocations> = list(transport, services, "/v1/revocations").await?;
    Ok(list.map(|list| list.mint_keys))
}

/// Fetches the ids of the mint keys whose coins are accepted; none if the issuer does not list them.
pub(crate) async fn fetch_live_keys(
    transport: &dyn Transport,
    services: &[WeightedUrl],
) -> Result<Vec<BigInt>, ExchangeError> {
    #[derive(Deserialize)]
    struct MintKeys {
        mint_keys: Vec<LiveKey>,
    }
    #[derive(Deserialize)]
    struct LiveKey {
        id: BigInt,
    }
    let list: Option<MintKeys> = list(transport, services, "/v1/mint-keys").await?;
    Ok(list.map_or_else(Vec::new, |list| {
        list.mint_keys.into_iter().map(|key| key.id).collect()
    }))
}

/// Fetches a list that is not in the specification; `None` if the issuer has none.
async fn list<T: DeserializeOwned>(
    transport: &dyn Transport,
    services: &[WeightedUrl],
    path: &str,
) -> Result<Option<T>, ExchangeError> {
    let mut last = NO_SERVICE.to_owned();
    for url in urls(services, path) {
        match transport.send(&url, OnBehalf::Nobody, None).await {
            Ok(answer) if answer.status == NOT_FOUND => return Ok(None),
            Ok(answer) if answer.status == OK => {
                let wrong = |error| ExchangeError::Unknown(format!("{url} is not such a list: {error}"));
                return serde_json::from_slice(&answer.body).map(Some).map_err(wrong);
            }
            Ok(answer) => last = format!("no list at {url}: HTTP status {}", answer.status),
            Err(error) => last = error.to_string(),
        }
    }
    Err(ExchangeError::Unknown(last))
}

/// Fetches the balance of the token's account; `None` if the issuer does not answer it.
pub(crate) async fn fetch_account_balance(
    transport: &dyn Transport,
    services: &[WeightedUrl],
    token: &Secret,
) -> Option<u64> {
    let url = urls(services, "/v1/account/balance").next()?;
    let answer = transport.send(&url, OnBehalf::Account(token), None).await.ok()?;
    let balance: Balance = serde_json::from_slice(&answer.body).ok()?;
    (answer.status == OK).then_some(balance.balance)
}

/// Fetches the mint key certificates with these ids, or all current ones if the list is empty.
pub(crate) async fn fetch_mkcs(
    transport: &dyn Transport,
    services: &[WeightedUrl],
    mint_key_ids: Vec<BigInt>,
) -> Result<Vec<Mkc>, ExchangeError> {
    let request = text::compact(&RequestMintKeyCertificates {
        denominations: Vec::new(),
        message_reference: 0,
        mint_key_ids,
    });
    let response: ResponseMintKeyCertificates = ask(transport, services, "/mkcs", &request).await?;
    Ok(response.keys)
}

/// Reads the signatures of a `response mint`.
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

/// Checks a `response redeem`.
pub(crate) fn redeemed(answer: &HttpAnswer) -> Result<(), ExchangeError> {
    document::<ResponseRedeem>(answer).map(|_| ())
}

fn document<D: Document>(answer: &HttpAnswer) -> Result<D, ExchangeError> {
    if answer.status == OK {
        return from_json(&answer.body)
            .map_err(|error| ExchangeError::Unknown(format!("not a {:?}: {error}", <D as TypeName>::TYPE)));
    }
    Err(refused(answer))
}

/// Returns what an answer means that is not a success.
pub(crate) fn refused(answer: &HttpAnswer) -> ExchangeError {
    let description = answer.description();
    match &answer.error_word {
        Some(word) if word == RECOUP => ExchangeError::Recoup,
        Some(word) if answer.is_refusal() => ExchangeError::Refused {
            word: word.clone(),
            description,
            coins: answer.coins.clone(),
            count: None,
        },
        // An error without an error word may come from a proxy.
        Some(_) | None => ExchangeError::Unknown(description),
    }
}
