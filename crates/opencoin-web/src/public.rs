//! The public page: what the currency is, how to start, how much of it there is, its keys and its rules.
//!
//! Nothing on it changes between two batches of the public log but the light that says whether coins are signed.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::get;
use chrono::{DateTime, Utc};
use opencoin_api::Supply;
use opencoin_http::{Server, ShownSupply};
use opencoin_issuer::{Issuer, Refusal};
use opencoin_keys::Currency;
use opencoin_log::log_block::LogBlock;
use opencoin_schema::{BigInt, Cdd, RequestMintKeyCertificates, text};
use opencoin_text::fingerprint_words;
use sha2::{Digest, Sha256};

use crate::format::{Moment, Money};
use crate::language::Language;
use crate::messages::{Message, Messages};
use crate::picture;
use crate::visit::{Frame, PageResult, Visit, page};

/// How many bytes of the SHA-256 of a page are its ETag.
const ETAG_BYTES: usize = 16;
/// Browsers keep the page and ask whether it is still the same.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// The routes of the listener for wallets.
pub(crate) fn router() -> Router<Arc<Server>> {
    Router::new().route("/", get(show))
}

#[derive(Template)]
#[template(path = "public/home.html")]
struct HomePage {
    frame: Frame,
    t: Messages,
    name: String,
    url: String,
    url_code: Option<String>,
    smallest: Option<Message>,
    state: SigningState,
    operators_text: Vec<String>,
    coins: Coins,
    words: Vec<&'static str>,
    key_hash: String,
    currency_id: String,
    keys: Vec<KeyRow>,
    /// The first day on which coins that are made now may be worth nothing.
    new_coins_until: Option<Moment>,
    revoked: Vec<RevokedRow>,
    description_until: Moment,
    log: Option<LogFacts>,
}

/// Whether coins are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SigningState {
    Works,
    Paused,
    Unknown,
}

/// The section on coins in circulation.
enum Coins {
    Table(CoinTable),
    Empty(Moment),
    NotYet,
    Off,
    Unreadable,
}

struct CoinTable {
    rows: Vec<CoinRow>,
    total: String,
    at: Moment,
    batch: Option<u64>,
    has_expired: bool,
}

struct CoinRow {
    value: String,
    signed: String,
    returned: String,
    expired: String,
    outstanding: String,
    outstanding_value: String,
}

/// A mint key that signs now.
struct KeyRow {
    value: String,
    signs_until: Moment,
    valid_until: Moment,
    id: String,
}

struct RevokedRow {
    value: Option<String>,
    reason: String,
    id: String,
}

/// The public log and those who watch it.
struct LogFacts {
    url: Option<String>,
    witnesses: Option<Message>,
    auditors: Vec<String>,
}

/// `GET /`.
async fn show(State(server): State<Arc<Server>>, visit: Visit, headers: HeaderMap) -> PageResult {
    let issuer = server.issuer();
    let currency = issuer.currency();
    let cdd = currency.current().cdd();
    if wants_json(&headers) {
        return Ok(index(cdd));
    }
    let (language, t) = (visit.language, visit.messages());
    let money = Money::new(language, cdd.currency_divisor, &cdd.currency_name);
    let name = money.name();
    let url = address(cdd);
    let master_key = Sha256::digest(text::compact(&cdd.issuer_public_master_key)).into();
    let keys = signing_keys(issuer, &money, language).await?;
    let home = HomePage {
        frame: visit.frame(&name),
        t,
        url_code: picture::code(&url),
        smallest: (cdd.currency_divisor > 1).then(|| t.public_smallest(money.amount(1))),
        state: signing_state(issuer).await,
        operators_text: paragraphs(opencoin_keys::free_text(&cdd.additional_info)),
        coins: coins(&server, &money, language).await,
        words: fingerprint_words(&master_key).to_vec(),
        key_hash: const_hex::encode(master_key),
        currency_id: currency.issuer_id().to_string(),
        new_coins_until: keys.iter().map(|key| key.valid_until).min_by_key(Moment::at),
        keys,
        revoked: revoked_keys(issuer, &currency, &money).await?,
        description_until: Moment::day(language, cdd.cdd_expiry_date.to_utc()),
        log: currency.log().map(|block| log_facts(block, t)),
        name,
        url,
    };
    Ok(unless_known(page(StatusCode::OK, language, &home), &headers).await)
}

/// What a program finds here: where to go on.
fn index(cdd: &Cdd) -> Response<Body> {
    let index = serde_json::json!({
        "currency": cdd.currency_name,
        "description": "/cddc",
        "openapi": "/v1/openapi.json",
        "supply": "/v1/supply",
    });
    let mut response = Response::new(Body::from(index.to_string()));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("application/json") && !accept.contains("text/html"))
}

/// The address that people give to others.
pub(crate) fn address(cdd: &Cdd) -> String {
    let services = cdd.mint_service.iter().min_by_key(|service| service.0);
    services.map_or_else(|| cdd.cdd_location.clone(), |service| service.1.clone())
}

async fn signing_state(issuer: &Issuer) -> SigningState {
    match issuer.is_signing_paused().await {
        Ok(false) => SigningState::Works,
        Ok(true) => SigningState::Paused,
        // The log has the reason.
        Err(_) => SigningState::Unknown,
    }
}

/// The paragraphs of a free text, with misleading characters as escapes.
fn paragraphs(text: &str) -> Vec<String> {
    let blocks = text.split("\n\n").map(str::trim);
    let shown = |block: &str| {
        let lines: Vec<_> = block.lines().map(opencoin_text::printable).collect();
        lines.join(" ")
    };
    blocks.filter(|block| !block.is_empty()).map(shown).collect()
}

async fn coins(server: &Server, money: &Money, language: Language) -> Coins {
    match server.supply().await {
        Ok(ShownSupply::Figures(supply)) if supply.denominations.is_empty() => {
            Coins::Empty(Moment::minute(language, supply.at))
        }
        Ok(ShownSupply::Figures(supply)) => Coins::Table(coin_table(&supply, money, language)),
        Ok(ShownSupply::NotYet) => Coins::NotYet,
        Ok(ShownSupply::Off) => Coins::Off,
        Err(_) => Coins::Unreadable,
    }
}

fn coin_table(supply: &Supply, money: &Money, language: Language) -> CoinTable {
    let rows = supply.denominations.iter().map(|coins| CoinRow {
        value: money.number(coins.denomination),
        signed: language.number(coins.signed),
        returned: language.number(coins.returned),
        expired: language.number(coins.expired),
        outstanding: language.number(coins.outstanding),
        outstanding_value: money.number(coins.outstanding.saturating_mul(coins.denomination)),
    });
    CoinTable {
        rows: rows.collect(),
        total: money.amount(supply.outstanding),
        at: Moment::minute(language, supply.at),
        batch: supply.batch,
        has_expired: supply.denominations.iter().any(|coins| coins.expired > 0),
    }
}

/// The keys that sign now, by the value of their coins.
async fn signing_keys(issuer: &Issuer, money: &Money, language: Language) -> Result<Vec<KeyRow>, Refusal> {
    let all = RequestMintKeyCertificates {
        denominations: Vec::new(),
        message_reference: 0,
        mint_key_ids: Vec::new(),
    };
    let day = |moment: DateTime<Utc>| Moment::day(language, moment);
    let certificates = issuer.mint_key_certificates(&all).await?;
    let rows = certificates.into_iter().map(|certificate| {
        let key = certificate.mint_key;
        KeyRow {
            value: money.number(key.denomination),
            signs_until: day(key.sign_coins_not_after.to_utc()),
            valid_until: day(key.coins_expiry_date.to_utc()),
            id: key.id.to_string(),
        }
    });
    Ok(rows.collect())
}

async fn revoked_keys(
    issuer: &Issuer,
    currency: &Currency,
    money: &Money,
) -> Result<Vec<RevokedRow>, Refusal> {
    let value = |id: &BigInt| {
        let key = currency.mint_key(id)?;
        Some(money.number(key.verified.mint_key().denomination))
    };
    let revoked = issuer.revoked_mint_keys().await?;
    let rows = revoked.into_iter().map(|key| RevokedRow {
        value: value(&key.id),
        reason: opencoin_text::printable(&key.reason),
        id: key.id.to_string(),
    });
    Ok(rows.collect())
}

fn log_facts(block: &LogBlock, t: Messages) -> LogFacts {
    let policy = block.policy();
    let quorum = policy.quorum().and_then(|name| policy.group_of_witnesses(name));
    let witnesses = quorum.map(|(needed, witnesses)| {
        let names: Vec<_> = witnesses
            .iter()
            .map(|witness| witness.key.name().as_str())
            .collect();
        t.public_witnesses(needed as u64, names.join(", "))
    });
    let auditors = policy
        .witnesses()
        .iter()
        .filter(|witness| block.auditors().contains(witness.name.as_str()));
    LogFacts {
        url: policy.logs().iter().find_map(|log| log.url.clone()),
        witnesses,
        auditors: auditors
            .map(|auditor| auditor.key.name().as_str().to_owned())
            .collect(),
    }
}

/// The page with its ETag, or 304 if the browser has it.
async fn unless_known(response: Response<Body>, headers: &HeaderMap) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX)
        .await
        .expect("a page is in memory");
    let hash = const_hex::encode(&Sha256::digest(&bytes)[..ETAG_BYTES]);
    let etag = HeaderValue::try_from(format!("\"{hash}\"")).expect("quoted hex digits");
    let is_known = headers.get_all(IF_NONE_MATCH).iter().any(|known| known == etag);
    head.headers.insert(ETAG, etag);
    head.headers.insert(CACHE_CONTROL, ASK_AGAIN);
    if is_known {
        head.status = StatusCode::NOT_MODIFIED;
        return Response::from_parts(head, Body::empty());
    }
    Response::from_parts(head, Body::from(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operators_text_keeps_its_paragraphs_and_misleads_nobody() {
        let text = "Pay in at\nthe desk.\n\n\nNot \u{202e}drawkcab.\n";
        assert_eq!(
            paragraphs(text),
            ["Pay in at the desk.", "Not \\u{202e}drawkcab."]
        );
        assert_eq!(paragraphs("\n\n"), [""; 0]);
    }
}
