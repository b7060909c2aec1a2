//! Overload: the issuer refuses or delays requests, its memory stays bounded, it keeps what it has accepted, and it
//! recovers.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use opencoin_e2e::foreign_wallet::{ForeignWallet, compact, request_resume};
use opencoin_e2e::raw_http::{body, exchange, post, status};
use opencoin_e2e::{CHAUM82, Currency, Database, PATIENCE, in_parallel, wait_until};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

const CREDIT: u64 = 100_000_000;
/// The largest mint that the issuer allows.
const BLINDS: usize = 1000;
const MINT_CLIENTS: usize = 2;
/// The issuer accepts this many renews at once.
const RENEW_CLIENTS: usize = 256;
const RENEW_COINS: usize = 64;
/// The number of sets of coins that the clients share. One client succeeds for each set.
const RENEW_SETS: usize = 16;
const OVERLOAD_CLIENTS: usize = 256;
/// The load ends after this many refusals, which is more than the requests that wait at one time.
const REFUSALS: usize = 1000;
/// About 110 MiB are usual on two cores. The C library's allocator needs more with many threads.
const MEMORY_KIB_MAX: u64 = 256 * 1024;
/// One of `SMALL_EVERY` mints is small. All small mints are repeated, and `LARGE_REPEATED` large ones of each status.
const SMALL_EVERY: u64 = 3;
const SMALL_BLINDS: usize = 8;
const LARGE_REPEATED: usize = 3;

#[test]
fn an_overloaded_issuer_keeps_its_promises_and_recovers() {
    let mut currency = Currency::start(CHAUM82, Database::Sqlite);
    let alice = currency.account("alice", CREDIT);
    let wallet = ForeignWallet::new(&currency.url(""));
    let load = Load::new(&currency, &alice, &wallet);

    let coins = load.mint_coins(&wallet, MINT_CLIENTS * BLINDS);
    let renewed = counts(&load.renew(&coins));
    let renewed_count = renewed.get(&200).unwrap_or(&0) + renewed.get(&202).unwrap_or(&0);
    assert!(
        renewed_count == RENEW_SETS && renewed.get(&409) == Some(&(RENEW_CLIENTS - RENEW_SETS)),
        "{renewed:?}"
    );
    let memory_renews_kib = peak_memory_kib(currency.server_id());

    let sent = load.offer();
    let recovered = load.recover();
    let memory_kib = peak_memory_kib(currency.server_id());
    let by_status = counts(&sent.iter().map(|sent| sent.status).collect::<Vec<_>>());
    let offered: usize = sent.iter().map(|sent| blinds_of(sent.reference)).sum();
    let figures = format!(
        "renewing {RENEW_CLIENTS} x {RENEW_COINS} coins {renewed:?}, {memory_renews_kib} KiB; \
         {offered} blinds {by_status:?}, {memory_kib} KiB, recovered in {recovered:?}",
    );
    println!("{figures}");
    assert!(
        by_status.keys().all(|status| [200, 202, 503].contains(status)),
        "{figures}"
    );
    assert!(memory_kib < MEMORY_KIB_MAX, "{figures}");

    let accepted = load.check_again(&sent);
    let minted = coins.len() + accepted + 1;
    assert_eq!(
        currency.balance("alice"),
        CREDIT - minted as u64,
        "{accepted} blinds were accepted; {figures}"
    );
    currency.audit();
    assert!(!currency.log().contains("panicked"));
    currency.stop();
}

/// The clients of one currency.
struct Load {
    url: String,
    token: String,
    mint_key: String,
    next_reference: AtomicU64,
}

/// A mint, and the status and signatures of its answer.
struct Sent {
    reference: u64,
    status: u16,
    signatures: u64,
}

impl Load {
    fn new(currency: &Currency, token: &str, wallet: &ForeignWallet) -> Self {
        let mint_key = wallet.key(1)["id"].as_str().unwrap().to_owned();
        Self {
            url: currency.url(""),
            token: token.to_owned(),
            mint_key,
            next_reference: AtomicU64::new(1 << 40),
        }
    }

    fn reference(&self) -> u64 {
        self.next_reference.fetch_add(1, Ordering::Relaxed)
    }

    fn ask(&self, path: &str, message: &str) -> String {
        exchange(&self.url, &post(path, &self.token, message))
    }

    /// Mints coins. Their origin need not be hidden, so the payload's hash serves as the blind.
    fn mint_coins(&self, wallet: &ForeignWallet, count: usize) -> Vec<Value> {
        let payloads: Vec<Value> = (0..count).map(|_| wallet.payload(1)).collect();
        let hash = |payload: &Value| {
            Sha1::digest(compact(payload))
                .iter()
                .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
        };
        let without_zeros = |hash: String| hash.trim_start_matches('0').to_owned();
        let mints: Vec<(&[Value], String)> = payloads
            .chunks(BLINDS)
            .map(|payloads| {
                (
                    payloads,
                    self.mint(
                        self.reference(),
                        payloads.iter().map(|payload| without_zeros(hash(payload))),
                    ),
                )
            })
            .collect();
        let answers = in_parallel(MINT_CLIENTS, |client| {
            let own = mints.iter().skip(client).step_by(MINT_CLIENTS);
            own.map(|(payloads, message)| (*payloads, self.ask("/mint", message)))
                .collect::<Vec<_>>()
        });
        let coins = answers.into_iter().flatten().flat_map(|(payloads, answer)| {
            assert_eq!(status(&answer), 200, "{answer:.300}");
            let answer: Value = serde_json::from_str(body(&answer)).unwrap();
            let coin = |(payload, signed): (&Value, &Value)| json!({"payload": payload, "signature": signed["blind_signature"], "type": "coin"});
            payloads.iter().zip(answer["blind_signatures"].as_array().unwrap()).map(coin).collect::<Vec<_>>()
        });
        coins.collect()
    }

    /// Renews from many clients at once; returns the statuses.
    fn renew(&self, coins: &[Value]) -> Vec<u16> {
        let messages: Vec<String> = (0..RENEW_CLIENTS)
            .map(|client| {
                let reference = self.reference();
                let mint: Value =
                    serde_json::from_str(&self.mint(reference, any_blinds(reference, RENEW_COINS))).unwrap();
                let coins = coins.chunks(RENEW_COINS).nth(client % RENEW_SETS);
                json!({"blinds": mint["blinds"], "coins": coins, "message_reference": 1,
                    "transaction_reference": mint["transaction_reference"], "type": "request renew"})
                .to_string()
            })
            .collect();
        in_parallel(RENEW_CLIENTS, |client| {
            status(&self.ask("/renew", &messages[client]))
        })
    }

    /// Sends mints from many clients until enough are refused. Each client sends the next one as soon as it has an answer,
    /// and ignores `Retry-After`.
    fn offer(&self) -> Vec<Sent> {
        let begun = Instant::now();
        let refusals = AtomicUsize::new(0);
        let one = |_| {
            let mut sent = Vec::new();
            while refusals.load(Ordering::Relaxed) < REFUSALS {
                assert!(
                    begun.elapsed() < PATIENCE,
                    "too few requests are refused: {refusals:?}"
                );
                let reference = self.reference();
                let blinds = blinds_of(reference);
                let answer = self.ask("/mint", &self.mint(reference, any_blinds(reference, blinds)));
                let has_hint = answer.to_lowercase().contains("\r\nretry-after: ");
                assert!(
                    status(&answer) == 200 || has_hint,
                    "no Retry-After: {answer:.300}"
                );
                if status(&answer) == 503 {
                    refusals.fetch_add(1, Ordering::Relaxed);
                }
                sent.push(Sent {
                    reference,
                    status: status(&answer),
                    signatures: hash_of(body(&answer)),
                });
            }
            sent
        };
        in_parallel(OVERLOAD_CLIENTS, one).into_iter().flatten().collect()
    }

    /// Waits until a small request succeeds; returns how long that took.
    fn recover(&self) -> Duration {
        let begun = Instant::now();
        let reference = self.reference();
        let message = self.mint(reference, any_blinds(reference, 1));
        wait_until("the issuer recovers", || {
            status(&self.ask("/mint", &message)) == 200
        });
        begun.elapsed()
    }

    /// Checks that accepted mints get their signatures again, by resume or by the same request, and that a refused mint was
    /// either not carried out or can be resumed as well. Returns the number of blinds that were accepted.
    fn check_again(&self, sent: &[Sent]) -> usize {
        let is_small = |sent: &&Sent| blinds_of(sent.reference) == SMALL_BLINDS;
        let of = |status: u16| sent.iter().filter(move |sent| sent.status == status);
        for status_then in [200, 202] {
            for sent in of(status_then).filter(is_small).chain(
                of(status_then)
                    .filter(|sent| !is_small(sent))
                    .take(LARGE_REPEATED),
            ) {
                let resumed = self.resume(sent.reference);
                assert_eq!(status(&resumed), 200, "{resumed:.300}");
                assert!(
                    status_then != 200 || hash_of(body(&resumed)) == sent.signatures,
                    "other signatures than the first time"
                );
            }
        }
        for sent in [of(202).find(is_small), of(503).find(is_small)]
            .into_iter()
            .flatten()
        {
            let repeated = self.ask(
                "/mint",
                &self.mint(sent.reference, any_blinds(sent.reference, SMALL_BLINDS)),
            );
            assert_eq!(status(&repeated), 200, "{repeated:.300}");
            assert_eq!(body(&repeated), body(&self.resume(sent.reference)));
        }
        let done = of(503).filter(|sent| {
            let resumed = status(&self.resume(sent.reference));
            assert!(matches!(resumed, 200 | 404), "{resumed}");
            resumed == 200
        });
        of(200)
            .chain(of(202))
            .chain(done)
            .map(|sent| blinds_of(sent.reference))
            .sum()
    }

    fn resume(&self, reference: u64) -> String {
        let mut message = request_resume(&format!("{reference:x}"));
        message["message_reference"] = 1.into();
        self.ask("/resume", &message.to_string())
    }

    fn mint(&self, reference: u64, blinds: impl Iterator<Item = String>) -> String {
        let mut message = "{\"blinds\":[".to_owned();
        for (index, blind) in blinds.enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let key = &self.mint_key;
            write!(
                message,
                "{comma}{{\"blinded_payload_hash\":\"{blind}\",\"mint_key_id\":\"{key}\",\"reference\":\"{index}\",\"type\":\"blinded payload hash\"}}"
            )
            .unwrap();
        }
        write!(message, "],\"message_reference\":1,\"transaction_reference\":\"{reference:x}\",\"type\":\"request mint\"}}")
            .unwrap();
        message
    }
}

fn blinds_of(reference: u64) -> usize {
    if reference.is_multiple_of(SMALL_EVERY) {
        SMALL_BLINDS
    } else {
        BLINDS
    }
}

/// The issuer accepts any number in range as a blind.
fn any_blinds(reference: u64, count: usize) -> impl Iterator<Item = String> {
    (0..count).map(move |index| format!("{reference:x}{index:0490x}"))
}

fn counts(statuses: &[u16]) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    statuses
        .iter()
        .for_each(|status| *counts.entry(*status).or_default() += 1);
    counts
}

fn hash_of(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn peak_memory_kib(process: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
