//! Frauds that an auditor finds because it replays the log. The honest part is cosigned, and nothing above the fraud.

use opencoin_e2e::dishonest::{DishonestAuditor, DishonestIssuer, State, now_s};
use opencoin_e2e::{Auditor, Process, in_parallel, wait_for};
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_testkit::frauds::{self, FRAUD_LASTS_S, Fraud};
use opencoin_testkit::log_builder::{LogBuilder, LogTerms};
use serde_json::Value;

use super::shown_to_a_third_person;

/// Of each kind some frauds; what is committed in the others is found by tests of the libraries. Each with words in the
/// statement of its file.
const COMMITTED: [(&str, &str); 17] = [
    (
        "more coins come back than were signed",
        "11 coins of mint key 2 came back, but only 10 were signed",
    ),
    (
        "a coin comes back in two batches",
        "A coin of mint key 1 was accepted twice",
    ),
    (
        "a coin is recouped that came back before",
        "A coin of mint key 2 was accepted twice",
    ),
    ("a key signs after its time", "the key signed until"),
    (
        "a key signs in the batch that first names it",
        "the key is not in the log before this batch",
    ),
    (
        "coins of a revoked key are taken",
        "in an earlier batch, has closed the key",
    ),
    ("totals do not agree with each other", "cannot be true"),
    (
        "coins are counted as signed that have no leaves",
        "counts 5 more coins signed",
    ),
    (
        "the root over the mint keys lacks a new one",
        "another root over the mint keys",
    ),
    (
        "a key is closed with larger counts",
        "closes mint key 1 with 26 coins signed",
    ),
    ("less was paid in than before", "what was paid in falls"),
    ("leaves are not in order", "not in ascending order"),
    ("a leaf has an unknown type", "unknown type 0x7f"),
    (
        "a mint key is one of another issuer",
        "the currency's master key did not sign",
    ),
    (
        "a payment that the payer did not sign",
        "does not have its signature",
    ),
    ("a payment of more than the account has", "pays more than it has"),
    (
        "balances change without a statement",
        "do not follow from the accounts before",
    ),
];

/// An issuer whose log is honest so far, and began so long ago that coins can have expired.
fn issuer(number: usize) -> DishonestIssuer {
    let terms = LogTerms {
        begin_s: now_s() - FRAUD_LASTS_S,
        ..LogTerms::default()
    };
    DishonestIssuer::start(&format!("f{number}.test"), terms, frauds::honest)
}

fn origin(issuer: &DishonestIssuer) -> String {
    issuer.state().log.currency().origin().to_owned()
}

/// Whether the auditor has cosigned the whole log and found nothing.
fn is_agreed(status: &Value, size: u64) -> bool {
    let is_whole = status["cosigned"]["size"] == size && status["size"] == size;
    is_whole && status["findings"] == Value::Array(Vec::new())
}

#[test]
fn an_auditor_finds_every_fraud_in_a_log_and_proves_it() {
    let issuers = in_parallel(COMMITTED.len() + 1, issuer);
    let (control, issuers) = issuers.split_last().unwrap();
    let frauds: Vec<Fraud> = COMMITTED.iter().map(|(name, _)| frauds::named(name)).collect();
    let auditor = Auditor::make("auditor.example/a1");
    let urls: Vec<&str> = issuers
        .iter()
        .chain([control])
        .map(DishonestIssuer::url)
        .collect();
    let process = auditor.serve(&urls, &[]);
    // The honest part, and more of it.
    for _ in 0..2 {
        for issuer in issuers.iter().chain([control]) {
            let (origin, size) = (origin(issuer), issuer.size());
            auditor.wait_for_status("the log is cosigned", &origin, |status| is_agreed(status, size));
            issuer.log(|log| {
                log.pay_out(1);
                log.seal();
            });
        }
    }
    let sizes: Vec<u64> = issuers
        .iter()
        .map(|issuer| {
            let (origin, size) = (origin(issuer), issuer.size());
            auditor.wait_for_status("the log is cosigned", &origin, |status| is_agreed(status, size));
            size
        })
        .collect();
    for (issuer, fraud) in issuers.iter().zip(&frauds) {
        issuer.log(fraud.commit);
    }
    for ((issuer, fraud), (honest_size, (_, words))) in
        issuers.iter().zip(&frauds).zip(sizes.iter().zip(COMMITTED))
    {
        is_found(&auditor, issuer, fraud, *honest_size, words);
    }
    // Everybody else is cosigned on.
    control.log(LogBuilder::seal);
    let size = control.size();
    auditor.wait_for_status("the log is cosigned", &origin(control), |status| {
        is_agreed(status, size)
    });
    process.stop();
}

/// The auditor says which rule is broken, cosigns nothing above it, and has a file that proves it.
fn is_found(auditor: &Auditor, issuer: &DishonestIssuer, fraud: &Fraud, honest_size: u64, words: &str) {
    let (origin, size) = (origin(issuer), issuer.size());
    let status = auditor.wait_for_status(fraud.name, &origin, |status| {
        let findings = status["findings"].as_array().unwrap();
        let is_proven = findings.iter().any(|finding| !finding["evidence"].is_null());
        status["size"] == size && is_proven && !status["refusal"].is_null()
    });
    let finding = &status["findings"][0];
    assert_eq!(finding["rule"]["rule"], fraud.rule, "{}: {status:#}", fraud.name);
    assert!(
        finding["leaf"].as_u64() >= Some(honest_size),
        "{}: {status:#}",
        fraud.name
    );
    assert_eq!(status["verdict"], "broken", "{}: {status:#}", fraud.name);
    let refusal = status["refusal"].as_str().unwrap_or_default();
    assert!(refusal.contains("a rule is broken"), "{}: {status:#}", fraud.name);
    // What it has cosigned before stays.
    let cosigned: SignedCheckpoint = auditor.cosigned(&status).unwrap().parse().unwrap();
    assert_eq!(cosigned.checkpoint().size(), honest_size, "{}", fraud.name);
    let evidence = auditor.evidence(&origin);
    let (kind, file) = &evidence[0];
    assert_eq!(Some(kind.as_str()), fraud.kind, "{}", fraud.name);
    let said = shown_to_a_third_person(file.as_bytes()).success().stdout;
    for words in ["PROVEN", "against: the issuer", words] {
        assert!(said.contains(words), "{}: {words:?} in {said}", fraud.name);
    }
}

/// An issuer whose last batch can be made anew, and the log without it. Its witnesses cosigned an hour ago.
fn issuer_with_past(host: &str) -> (DishonestIssuer, LogBuilder) {
    let terms = LogTerms {
        begin_s: now_s() - 24 * 3600,
        ..LogTerms::default()
    };
    let mut past = None;
    let issuer = DishonestIssuer::start(host, terms, |currency| {
        let mut log = LogBuilder::begun_of(currency);
        past = Some(log.fork());
        log.issue(frauds::ONE, 5);
        log.seal();
        log
    });
    issuer.state().cosigned_s = Some(now_s() - 3600);
    (issuer, past.unwrap())
}

/// What each of these issuers shows after it was honest: its name, what it does with the log of its past, the kind of the
/// evidence, the exit code of the command that checks it, and words of the statement.
type Change = (
    &'static str,
    fn(&mut State, LogBuilder),
    &'static str,
    i32,
    &'static str,
);

const SHOWN: [Change; 5] = [
    (
        "same.test",
        |state, mut past| {
            past.issue(frauds::ONE, 5);
            past.seal();
            state.log = past;
        },
        "split view",
        0,
        "has signed two histories",
    ),
    (
        "larger.test",
        |state, mut past| {
            past.issue(frauds::ONE, 50);
            past.seal();
            state.log = past;
        },
        "split view",
        0,
        "has signed two histories",
    ),
    (
        "smaller.test",
        |state, mut past| {
            past.issue(frauds::ONE, 1);
            past.seal();
            state.shown = Some(past.checkpoint_at(past.size(), now_s()).to_string());
        },
        "split view",
        0,
        "has signed two histories",
    ),
    (
        "rollback.test",
        |state, past| {
            state.shown = Some(past.checkpoint_at(past.size(), now_s()).to_string());
        },
        "rollback",
        10,
        "has lost entries",
    ),
    (
        "middle.test",
        |state, _| {
            state.log.issue(frauds::ONE, 5);
            state.log.seal();
            let size = state.log.size() - 2;
            state.shown = Some(state.log.checkpoint_at(size, now_s()).to_string());
        },
        "disorder",
        0,
        "in the middle of a batch",
    ),
];

#[test]
fn an_auditor_finds_second_histories_and_trees_that_should_not_be() {
    let issuers = SHOWN.map(|(host, ..)| issuer_with_past(host));
    let honest_size = issuers[0].0.size();
    let auditor = Auditor::make("auditor.example/a1");
    let urls: Vec<&str> = issuers.iter().map(|(issuer, _)| issuer.url()).collect();
    let process = auditor.serve(&urls, &[]);
    for ((issuer, past), (_, change, ..)) in issuers.iter().zip(SHOWN) {
        let (origin, size) = (origin(issuer), issuer.size());
        auditor.wait_for_status("the log is cosigned", &origin, |status| is_agreed(status, size));
        let mut state = issuer.state();
        state.cosigned_s = None;
        change(&mut state, past.fork());
    }
    for ((issuer, _), (host, _, kind, code, words)) in issuers.iter().zip(SHOWN) {
        let origin = origin(issuer);
        let evidence = wait_for(host, || {
            let evidence = auditor.evidence(&origin);
            let found = evidence.iter().find(|(found, _)| found == kind);
            found.cloned().ok_or_else(|| auditor.status(&origin))
        });
        let said = shown_to_a_third_person(evidence.1.as_bytes());
        assert_eq!(said.code, Some(code), "{said:?}");
        assert!(said.stdout.contains(words), "{said:?}");
        let status = auditor.status(&origin);
        let cosigned: SignedCheckpoint = auditor.cosigned(&status).unwrap().parse().unwrap();
        assert_eq!(cosigned.checkpoint().size(), honest_size, "{host}: {status:#}");
    }
    process.stop();
}

#[test]
fn two_auditors_that_are_shown_two_histories_find_it_by_telling_each_other() {
    let (issuer, _) = issuer_with_past("views3.test");
    let another = issuer.for_another_reader();
    another.state().log = issuer.state().log.fork();
    for (issuer, coins) in [(&issuer, 4), (&another, 7)] {
        issuer.state().cosigned_s = None;
        issuer.log(|log| {
            log.issue(frauds::ONE, coins);
            log.seal();
        });
    }
    let auditors = [1, 2].map(|number| Auditor::make(&format!("auditor.example/a{number}")));
    let [one, other] = &auditors;
    let (to_one, to_other) = (one.url(""), other.url(""));
    let processes = [
        one.serve(&[issuer.url()], &["--peer", &to_other]),
        other.serve(&[another.url()], &["--peer", &to_one]),
    ];
    let origin = origin(&issuer);
    for auditor in &auditors {
        let file = wait_for("the second history", || {
            let evidence = auditor.evidence(&origin).into_iter();
            let mut found = evidence.filter(|(kind, _)| kind == "split view");
            found.next().ok_or_else(|| auditor.status(&origin))
        });
        let said = shown_to_a_third_person(file.1.as_bytes()).success().stdout;
        assert!(said.contains("has signed two histories"), "{said}");
    }
    processes.into_iter().for_each(Process::stop);
}

#[test]
fn an_auditor_that_cosigns_a_broken_rule_is_accused_by_another_one() {
    let colluding = DishonestAuditor::start(41);
    let terms = LogTerms {
        begin_s: now_s() - 24 * 3600,
        auditors: vec![colluding.named()],
        ..LogTerms::default()
    };
    let issuer = DishonestIssuer::start("joint.test", terms, LogBuilder::begun_of);
    let (origin, size) = (origin(&issuer), issuer.size());
    let auditor = Auditor::make("auditor.example/a1");
    let process = auditor.serve(&[issuer.url()], &[]);
    colluding.cosign(&issuer.state().checkpoint());
    auditor.wait_for_status("the log is cosigned", &origin, |status| is_agreed(status, size));
    issuer.log(|log| {
        log.issue(frauds::ONE, 2);
        log.seal_changed(|_, batch| batch.accounts += 1_000);
    });
    colluding.cosign(&issuer.state().checkpoint());
    let (_, file) = wait_for("the accused auditor", || {
        let evidence = auditor.evidence(&origin).into_iter();
        let mut found = evidence.filter(|(kind, _)| kind == "false joint signature");
        found.next().ok_or_else(|| auditor.status(&origin))
    });
    let said = shown_to_a_third_person(file.as_bytes()).success().stdout;
    let named = colluding.named();
    let (key, _) = named.split_once(' ').unwrap();
    for words in [
        "PROVEN: false joint signature",
        format!("against: the cosigner with key {key}").as_str(),
        "every rule holds, but",
    ] {
        assert!(said.contains(words), "{said}");
    }
    // The issuer is accused too.
    assert!(
        auditor
            .evidence(&origin)
            .iter()
            .any(|(kind, _)| kind == "wrong totals")
    );
    process.stop();
}
