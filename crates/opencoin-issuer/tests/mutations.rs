//! Mutated messages through the router, without HTTP: nothing panics, nothing is answered 5xx, every refusal has its fixed word
//! and its content type, and the books hold.
//!
//! `OPENCOIN_MUTATIONS=1000000 cargo test --release -p opencoin-issuer --test mutations` tries a million;
//! `OPENCOIN_MUTATIONS_SEED` repeats a run.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::env;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use chrono::{DateTime, Utc};
use opencoin_crypto::{CipherSuite, LocalSigner, LocalSignerOptions};
use opencoin_issuer::http::{ERROR_HEADER, Server, router};
use opencoin_issuer::{Clock, Config, Currency, Directory, Issuer, IssuerOptions, NewCurrency, Operator, create};
use opencoin_ledger::audit::check;
use opencoin_ledger::{Amount, Ledger, MemoryLedger, Reference};
use opencoin_schema::{
    BigInt, Blind, Coin, PROTOCOL_VERSION, Payload, RequestMint, RequestRedeem, RequestRenew, RequestResume, ResponseMint, text,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tower::ServiceExt;

const MUTATIONS_DEFAULT: u64 = 20_000;
const SEED_DEFAULT: u64 = 11;
const BALANCE: u64 = 1_000_000_000;
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// The statuses of docs/API.md that a request can earn by itself, with their fixed words.
const WORDS: [(u16, &str); 10] = [
    (400, "malformed"),
    (401, "unauthorized"),
    (402, "insufficient-funds"),
    (404, "not-found"),
    (405, "malformed"),
    (409, "double-spend"),
    (409, "reference-conflict"),
    (410, "key-expired"),
    (413, "too-large"),
    (422, "invalid"),
];
const PATHS: [&str; 8] = ["/", "/cddc/serial", "/cddc", "/mkcs", "/mint", "/renew", "/resume", "/redeem"];
/// What a mutation puts in the place of something else.
const STRANGE: [&str; 14] = [
    "null",
    "-1",
    "1e999",
    "99999999999999999999999999999999999999999",
    "\"\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\u{202e}ſ\"",
    "[]",
    "{}",
    "true",
    "\"00\"",
    "0.5",
    "\"2022-02-30T25:61:61\"",
];
const NESTED_DEEP: usize = 10_000;
const LONG_TEXT_CHARACTERS: usize = 50_000;

struct FixedClock(DateTime<Utc>);

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

fn number_of(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |value| value.parse().unwrap())
}

#[tokio::test]
async fn mutated_messages_are_refused_and_the_books_hold() {
    let seed = number_of("OPENCOIN_MUTATIONS_SEED", SEED_DEFAULT);
    let mut rng = StdRng::seed_from_u64(seed);
    let world = World::new(&mut rng).await;
    let messages = world.messages(&mut rng).await;
    let mut statuses: BTreeMap<u16, u64> = BTreeMap::new();
    for index in 0..number_of("OPENCOIN_MUTATIONS", MUTATIONS_DEFAULT) {
        let (home, message) = &messages[rng.gen_range(0..messages.len())];
        let path = if rng.gen_bool(0.9) { home } else { PATHS[rng.gen_range(0..PATHS.len())] };
        let mut body = message.clone();
        for _ in 0..rng.gen_range(1..4) {
            body = mutate(body, &messages, &mut rng);
        }
        let shown = format!("mutation {index} of seed {seed}: POST {path}");
        *statuses.entry(world.post(path, body, &shown).await).or_default() += 1;
    }
    let report = check(&world.ledger.audit_facts().await.unwrap());
    assert!(report.holds(), "seed {seed}: {report:?}");
    assert!(statuses.contains_key(&400) && statuses.contains_key(&422), "the mutations reach deep enough: {statuses:?}");
    if env::var_os("OPENCOIN_MUTATIONS").is_some() {
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutations.txt");
        std::fs::write(path, format!("{statuses:?}\n")).unwrap();
    }
}

struct World {
    router: Router,
    ledger: Arc<MemoryLedger>,
    currency: Currency,
    token: String,
}

impl World {
    async fn new(rng: &mut StdRng) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::new(folder.path().join("currency"));
        let clock = Arc::new(FixedClock("2026-01-01T00:00:00Z".parse().unwrap()));
        let new = NewCurrency {
            name: "OpenCent".to_owned(),
            divisor: 100,
            denominations: vec![5],
            url: "http://127.0.0.1:8080".to_owned(),
            cipher_suite: CipherSuite::default(),
            key_bits: 2048,
            config: Config { database: "sqlite:ledger.sqlite".to_owned(), listen: "127.0.0.1:0".to_owned() },
        };
        create(&new, &directory, clock.as_ref(), rng, &mut |_, _| {}).unwrap();
        let currency = directory.currency().unwrap();
        let keys = directory.mint_keys(&currency, clock.now()).unwrap();
        let signer = Arc::new(LocalSigner::start(keys, LocalSignerOptions::default()).unwrap());
        let ledger = Arc::new(MemoryLedger::default());
        let operator = Operator::new(Arc::clone(&ledger) as Arc<dyn Ledger>, Arc::clone(&clock) as Arc<dyn Clock>);
        let options = IssuerOptions::default();
        let (store, time) = (Arc::clone(&ledger), Arc::clone(&clock));
        let issuer = Issuer::open(directory.currency().unwrap(), store, signer, time, options).await.unwrap();
        let alice = "alice".parse().unwrap();
        let token = operator.create_account(&alice, rng).await.unwrap();
        operator.credit(&alice, Amount::new(BALANCE).unwrap(), Reference::new("opening").unwrap()).await.unwrap();
        Self { router: router(Server::new(issuer)), ledger, currency, token: token.expose().to_owned() }
    }

    /// Valid messages of every type with the path of each; the coins are alive at first.
    async fn messages(&self, rng: &mut StdRng) -> Vec<(&'static str, Vec<u8>)> {
        let (spare, _) = self.coin(rng, 1).await;
        let (coin, blind) = self.coin(rng, 2).await;
        let transaction_reference = BigInt::from_be_bytes(&[3]);
        let mint = RequestMint { blinds: vec![blind.clone()], message_reference: 1, transaction_reference };
        let transaction_reference = BigInt::from_be_bytes(&[4]);
        let renew = RequestRenew { blinds: vec![blind], coins: vec![coin], message_reference: 2, transaction_reference };
        let resume = RequestResume { message_reference: 3, transaction_reference: BigInt::from_be_bytes(&[1]) };
        let redeem = RequestRedeem { coins: vec![spare], message_reference: 4 };
        let documents = [
            ("/cddc/serial", r#"{"message_reference": 5, "type": "request cdd serial"}"#),
            ("/cddc", r#"{"cdd_serial": 0, "message_reference": 6, "type": "request cddc"}"#),
            (
                "/mkcs",
                r#"{"denominations": [5], "message_reference": 7, "mint_key_ids": [], "type": "request mint key certificates"}"#,
            ),
        ];
        let mut messages = vec![
            ("/mint", text::compact(&mint).into_bytes()),
            ("/renew", text::compact(&renew).into_bytes()),
            ("/resume", text::compact(&resume).into_bytes()),
            ("/redeem", text::compact(&redeem).into_bytes()),
        ];
        messages.extend(documents.map(|(path, text)| (path, text.as_bytes().to_vec())));
        messages
    }

    /// Mints a coin; also gives the blind that it was made of.
    async fn coin(&self, rng: &mut StdRng, reference: u8) -> (Coin, Blind) {
        let certified = self.currency.mint_keys().next().unwrap();
        let mint_key = certified.verified.mint_key();
        let payload = Payload {
            cdd_location: "http://127.0.0.1:8080/cddc".to_owned(),
            denomination: mint_key.denomination,
            issuer_id: mint_key.issuer_id.clone(),
            mint_key_id: mint_key.id.clone(),
            protocol_version: PROTOCOL_VERSION.to_owned(),
            serial: BigInt::from_be_bytes(&rng.r#gen::<[u8; 16]>()),
        };
        let key = certified.verified.public_key();
        let (blinded_payload_hash, unblinder) = CipherSuite::default().blind(key, &payload, rng).unwrap();
        let blind = Blind { blinded_payload_hash, mint_key_id: mint_key.id.clone(), reference: "a".to_owned() };
        let transaction_reference = BigInt::from_be_bytes(&[reference]);
        let request = RequestMint { blinds: vec![blind.clone()], message_reference: 1, transaction_reference };
        let answer = self.router.clone().oneshot(self.request("/mint", text::compact(&request).into_bytes())).await.unwrap();
        let answer = to_bytes(answer.into_body(), ANSWER_BYTES_MAX).await.unwrap();
        let signed: ResponseMint = opencoin_schema::from_json(&answer).unwrap();
        let coin = CipherSuite::default().finish(key, &payload, &signed.blind_signatures[0].blind_signature, &unblinder);
        (coin.unwrap(), blind)
    }

    fn request(&self, path: &str, body: Vec<u8>) -> Request<Body> {
        Request::post(path).header("authorization", format!("Bearer {}", self.token)).body(Body::from(body)).unwrap()
    }

    /// Sends a body and judges the form of the answer; a refusal has changed nothing.
    async fn post(&self, path: &str, body: Vec<u8>, shown: &str) -> u16 {
        let before = self.ledger.audit_facts().await.unwrap();
        let answer = self.router.clone().oneshot(self.request(path, body.clone())).await.unwrap();
        let (status, body) = (answer.status().as_u16(), String::from_utf8_lossy(&body).into_owned());
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let content_type = header("content-type").unwrap_or_default();
        assert!(matches!(content_type.as_str(), "application/json" | "application/problem+json"), "{shown}: {body}");
        if status == 200 {
            return status;
        }
        let word = header(ERROR_HEADER.as_str()).unwrap_or_default();
        assert!(WORDS.contains(&(status, word.as_str())), "{shown}: answered {status} {word:?} to {body}");
        assert_eq!(self.ledger.audit_facts().await.unwrap(), before, "{shown}: refused and yet changed: {body}");
        status
    }
}

/// One change of a message: in its bytes, or in its words where it is still text.
fn mutate(mut body: Vec<u8>, messages: &[(&str, Vec<u8>)], rng: &mut StdRng) -> Vec<u8> {
    if body.is_empty() {
        return b"{}".to_vec();
    }
    let at = rng.gen_range(0..body.len());
    match rng.gen_range(0..12) {
        0 => body[at] ^= 1 << rng.gen_range(0..8),
        1 => body[at] = rng.r#gen(),
        2 => body.truncate(at),
        3 => drop(body.remove(at)),
        4 => body.insert(at, rng.r#gen()),
        5 => {
            let donor = &messages[rng.gen_range(0..messages.len())].1;
            body.truncate(at);
            body.extend(&donor[rng.gen_range(0..donor.len())..]);
        }
        6 => replace_a_value(&mut body, STRANGE[rng.gen_range(0..STRANGE.len())], rng),
        7 => {
            let field = random_field(&body, rng);
            let end = body.iter().rposition(|byte| *byte == b'}').unwrap_or(0);
            body.splice(end..end, [b", ".as_slice(), &field].concat());
        }
        8 => {
            let field = random_field(&body, rng);
            if let Some(begin) = body.windows(field.len().max(1)).position(|window| window == field) {
                body.drain(begin..(begin + field.len() + 2).min(body.len()));
            }
        }
        9 => body[at] = if body[at].is_ascii_hexdigit() { b"0123456789abcdef"[rng.gen_range(0..16)] } else { body[at] },
        10 if rng.gen_bool(0.05) => replace_a_value(&mut body, &"[".repeat(NESTED_DEEP), rng),
        11 if rng.gen_bool(0.05) => replace_a_value(&mut body, &format!("\"{}\"", "f".repeat(LONG_TEXT_CHARACTERS)), rng),
        _ => {
            let number = rng.gen_range(0..u64::MAX).to_string();
            replace_a_value(&mut body, if rng.gen_bool(0.5) { &number } else { "\"abcdef0123456789\"" }, rng);
        }
    }
    body
}

/// Where a value begins and ends: after a colon, to the next comma or bracket.
fn random_value(body: &[u8], rng: &mut StdRng) -> Option<(usize, usize)> {
    let colons: Vec<usize> = (0..body.len()).filter(|index| body[*index] == b':').collect();
    let begin = *colons.get(rng.gen_range(0..colons.len().max(1)))? + 1;
    let length = body[begin..].iter().position(|byte| matches!(byte, b',' | b'}')).unwrap_or(body.len() - begin);
    Some((begin, begin + length))
}

fn replace_a_value(body: &mut Vec<u8>, value: &str, rng: &mut StdRng) {
    if let Some((begin, end)) = random_value(body, rng) {
        body.splice(begin..end, value.bytes());
    }
}

/// A field with its name.
fn random_field(body: &[u8], rng: &mut StdRng) -> Vec<u8> {
    let Some((begin, end)) = random_value(body, rng) else { return Vec::new() };
    let name = body[..begin].iter().rposition(|byte| matches!(byte, b'{' | b',')).map_or(0, |index| index + 1);
    body[name..end].to_vec()
}
