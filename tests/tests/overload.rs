//! More than the issuer can take: it says so or delays, its memory stays bounded, it keeps what it accepted, and it recovers.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use opencoin_e2e::foreign_wallet::ForeignWallet;
use opencoin_e2e::raw_http::{body, exchange, post, status};
use opencoin_e2e::{Currency, Database, RFC9474};
use serde_json::{Value, json};

const BLINDS: u64 = 300;
const CREDIT: u64 = 100_000_000;
const CAPACITY_DURATION: Duration = Duration::from_secs(2);
const OVERLOAD_DURATION: Duration = Duration::from_secs(4);
const CAPACITY_CLIENTS: usize = 2;
/// Each sends its next request as soon as it has an answer, and an overloaded issuer answers at once.
const OVERLOAD_CLIENTS: usize = 96;
/// Unoptimised code and its allocator need more than a release.
const MEMORY_KIB_MAX: u64 = 256 * 1024;
/// A small request once the load has ended, with everything that was accepted before it.
const RECOVERY_DURATION_MAX: Duration = Duration::from_secs(20);
/// How many of the accepted ones are asked for again.
const REPEATED: usize = 20;

#[test]
fn ten_times_the_load() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let alice = currency.account("alice", CREDIT);
    let key = ForeignWallet::new(&currency.url("")).key(1)["id"].clone();
    let next = AtomicU64::new(1);
    let load = |clients, duration| offer(&currency, &alice, &key, &next, clients, duration);

    let within_capacity = load(CAPACITY_CLIENTS, CAPACITY_DURATION);
    let overloaded = load(OVERLOAD_CLIENTS, OVERLOAD_DURATION);
    let sent: usize = overloaded.values().map(Vec::len).sum();
    let allowed = [200, 202, 503];
    assert!(within_capacity.keys().chain(overloaded.keys()).all(|status| allowed.contains(status)), "{:?}", counts(&overloaded));

    let begun = Instant::now();
    while status(&exchange(&currency.url(""), &post("/mint", &alice, &request(&key, &next, 1).1))) != 200 {
        assert!(begun.elapsed() < RECOVERY_DURATION_MAX, "it does not recover");
        thread::sleep(Duration::from_millis(50));
    }
    let memory_kib = peak_memory_kib(currency.server_id());
    assert!(memory_kib < MEMORY_KIB_MAX, "{memory_kib} KiB after {sent} requests: {:?}", counts(&overloaded));

    // What was accepted can be had again, and what was not can be asked again: both end in the same signatures every time.
    for (bytes, answer) in overloaded.values().flat_map(|answers| answers.iter().take(REPEATED)) {
        let again = exchange(&currency.url(""), bytes);
        assert_eq!(status(&again), 200, "{:.300}", again);
        assert!(status(answer) != 200 || body(answer) == body(&again), "other signatures than the first time");
    }
    currency.audit();
    currency.stop();
}

type Answers = BTreeMap<u16, Vec<(Vec<u8>, String)>>;

fn counts(answers: &Answers) -> BTreeMap<u16, usize> {
    answers.iter().map(|(status, answers)| (*status, answers.len())).collect()
}

/// Sends from many clients for a while, and gives back every request with its answer, by status.
fn offer(currency: &Currency, token: &str, key: &Value, next: &AtomicU64, clients: usize, duration: Duration) -> Answers {
    let url = currency.url("");
    let begun = Instant::now();
    let one = || {
        let mut answers = Vec::new();
        while begun.elapsed() < duration {
            let bytes = post("/mint", token, &request(key, next, BLINDS).1);
            let answer = exchange(&url, &bytes);
            let has_hint = answer.to_lowercase().contains("\r\nretry-after: ");
            assert!(status(&answer) == 200 || has_hint, "no Retry-After: {answer:.300}");
            answers.push((bytes, answer));
        }
        answers
    };
    let mut all = Answers::new();
    thread::scope(|scope| {
        let running: Vec<_> = (0..clients).map(|_| scope.spawn(one)).collect();
        for (bytes, answer) in running.into_iter().flat_map(|client| client.join().unwrap()) {
            all.entry(status(&answer)).or_default().push((bytes, answer));
        }
    });
    all
}

/// A mint under a new reference. Any number in range is a blind to the issuer.
fn request(key: &Value, next: &AtomicU64, blinds: u64) -> (u64, String) {
    let reference = next.fetch_add(1, Ordering::Relaxed);
    let blind = |index: u64| {
        json!({
            "blinded_payload_hash": format!("{:x}{:0500x}", reference + 1, index + 2),
            "mint_key_id": key,
            "reference": index.to_string(),
            "type": "blinded payload hash",
        })
    };
    let blinds: Vec<Value> = (0..blinds).map(blind).collect();
    let reference_text = format!("{:x}", (1_u64 << 40) + reference);
    let message =
        json!({"blinds": blinds, "message_reference": 1, "transaction_reference": reference_text, "type": "request mint"});
    (reference, message.to_string())
}

fn peak_memory_kib(process: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
