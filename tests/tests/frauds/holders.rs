//! Frauds that only the holder of a promise can find. The merge delay is honoured: nothing is found before a promise is
//! due, and everything at the first look afterwards.

use opencoin_e2e::Wallet;
use opencoin_e2e::dishonest::{DishonestIssuer, now_s};
use opencoin_testkit::frauds::ONE;
use opencoin_testkit::log_builder::{LogBuilder, LogTerms};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::shown_to_a_third_person;

/// How long promises take, in seconds.
const WITHIN_S: u64 = 60;
/// Who may have an account. The dishonest issuer accepts every token.
const TOKEN: &str = "a-token-of-alice";

/// An issuer that was honest until now, and the wallet of a holder who has looked at its log.
struct Holder {
    issuer: DishonestIssuer,
    wallet: Wallet,
    folder: TempDir,
}

impl Holder {
    fn of(host: &str) -> Self {
        let terms = LogTerms {
            begin_s: now_s() - 24 * 3600,
            within_s: u32::try_from(WITHIN_S).unwrap(),
            ..LogTerms::default()
        };
        let issuer = DishonestIssuer::start(host, terms, |currency| {
            let mut log = LogBuilder::begun_of(currency);
            log.add_mint_key(2);
            log.seal();
            log
        });
        let folder = tempfile::tempdir().unwrap();
        let wallet = Wallet::new(&folder.path().join("wallet"));
        wallet.run(&["add", issuer.url()]);
        let holder = Self {
            issuer,
            wallet,
            folder,
        };
        holder.mint("0.08");
        holder.issuer.log(LogBuilder::seal);
        let seen = holder.look();
        assert_eq!(
            (&seen["promises"]["kept"], &seen["faults"]),
            (&json!(1), &json!([]))
        );
        holder
    }

    fn mint(&self, amount: &str) {
        self.wallet.run(&["mint", amount, "--token", TOKEN]);
    }

    /// What the wallet sees of the log.
    fn look(&self) -> Value {
        self.wallet.run_unchecked(&["log", "--json"]).json()
    }

    /// The only file that the wallet can make; `None` if there is nothing to prove.
    fn evidence(&self) -> Option<Vec<u8>> {
        let file = self.folder.path().join("fault.json");
        let written = self
            .wallet
            .run(&["evidence", "--json", "--out", file.to_str().unwrap()]);
        match written.json().as_array().unwrap().as_slice() {
            [] => None,
            [_] => {
                let evidence = std::fs::read(&file).unwrap();
                std::fs::remove_file(&file).unwrap();
                Some(evidence)
            }
            more => panic!("{more:?}"),
        }
    }
}

#[test]
fn a_leaf_that_was_left_out_is_found_when_it_is_due() {
    let holder = Holder::of("omit.test");
    let promised_s = now_s();
    {
        let mut state = holder.issuer.state();
        state.conduct.promised_s = promised_s;
        state.conduct.enters = false;
    }
    holder.mint("0.03");
    // The log goes on without it, for as many batches as the promise names and more.
    for _ in 0..4 {
        holder.issuer.log(|log| {
            log.issue(ONE, 20);
            log.seal();
        });
    }
    for (cosigned_s, is_due) in [(promised_s + WITHIN_S, false), (promised_s + WITHIN_S + 1, true)] {
        holder.issuer.state().cosigned_s = Some(cosigned_s);
        let seen = holder.look();
        assert_eq!(seen["promises"]["open"], json!(u32::from(!is_due)), "{seen:#}");
        assert_eq!(
            seen["faults"].as_array().unwrap().len(),
            usize::from(is_due),
            "{seen:#}"
        );
        assert_eq!(holder.evidence().is_some(), is_due);
    }
    let said = shown_to_a_third_person(&holder.evidence().unwrap())
        .success()
        .stdout;
    for words in [
        "PROVEN: omitted leaf",
        "against: the issuer",
        "promised",
        "It is not",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn a_log_that_stands_still_is_complained_about_when_a_promise_is_overdue() {
    /// Witnesses date an unchanged log anew more often than this.
    const PAUSE_S: u64 = 20 * 60;
    let holder = Holder::of("stall.test");
    let begin_s = now_s();
    let shown = {
        let mut state = holder.issuer.state();
        state.cosigned_s = Some(begin_s - WITHIN_S - 2 * PAUSE_S);
        state.checkpoint()
    };
    holder.issuer.state().shown = Some(shown);
    // Not due yet; overdue, but witnesses may be late; and a log that stands still.
    for (promised_s, overdue, is_stalled) in [
        (begin_s, 0, false),
        (begin_s - WITHIN_S - PAUSE_S / 2, 1, false),
        (begin_s - WITHIN_S - PAUSE_S - 1, 2, true),
    ] {
        holder.issuer.state().conduct.promised_s = promised_s;
        holder.mint("0.01");
        holder.issuer.log(LogBuilder::seal);
        let seen = holder.look();
        assert_eq!(seen["promises"]["overdue"], json!(overdue), "{seen:#}");
        assert_eq!(seen["faults"], json!([]), "nothing is proven: {seen:#}");
        assert_eq!(holder.evidence().is_some(), is_stalled, "promised {promised_s}");
    }
    let complaint = shown_to_a_third_person(&holder.evidence().unwrap());
    assert_eq!(complaint.code, Some(11), "{complaint:?}");
    assert!(complaint.stdout.contains("COMPLAINT"), "{complaint:?}");
    // The log goes on, which answers it.
    {
        let mut state = holder.issuer.state();
        (state.shown, state.cosigned_s) = (None, None);
    }
    let seen = holder.look();
    assert_eq!(
        (&seen["promises"]["open"], &seen["faults"]),
        (&json!(0), &json!([])),
        "{seen:#}"
    );
    assert_eq!(holder.evidence(), None);
}

#[test]
fn signatures_that_are_withheld_are_demanded_when_they_are_due() {
    let holder = Holder::of("withhold.test");
    holder.issuer.state().conduct.signs = false;
    for (promised_s, is_due) in [(now_s(), false), (now_s() - WITHIN_S - 1, true)] {
        holder.issuer.state().conduct.promised_s = promised_s;
        let delayed = holder.wallet.run_unchecked(&["mint", "0.01", "--token", TOKEN]);
        assert_ne!(delayed.code, Some(0), "{delayed:?}");
        holder.issuer.log(LogBuilder::seal);
        let seen = holder.look();
        assert_eq!(
            (&seen["promises"]["open"], &seen["faults"]),
            (&json!(0), &json!([])),
            "{seen:#}"
        );
        assert_eq!(
            seen["challenges"].as_array().unwrap().len(),
            usize::from(is_due),
            "{seen:#}"
        );
        assert_eq!(holder.evidence().is_some(), is_due);
    }
    let challenge = shown_to_a_third_person(&holder.evidence().unwrap());
    assert_eq!(challenge.code, Some(12), "{challenge:?}");
    for words in [
        "CHALLENGE",
        "withheld signature",
        "does not give out the signature",
    ] {
        assert!(challenge.stdout.contains(words), "{challenge:?}");
    }
    // The wallet asks again at each look, and the signatures settle it.
    holder.issuer.state().conduct.signs = true;
    assert_eq!(holder.look()["challenges"], json!([]));
    assert_eq!(holder.evidence(), None);
    holder.wallet.run(&["resume"]);
    assert_eq!(holder.wallet.balance(), 10);
}

#[test]
fn a_coin_that_is_refused_as_spent_must_be_in_the_log() {
    let holder = Holder::of("refuse.test");
    holder.issuer.state().conduct.takes = false;
    let before_s = now_s();
    let refused = holder.wallet.run_unchecked(&["redeem", "0.03", "--token", TOKEN]);
    assert_ne!(refused.code, Some(0), "{refused:?}");
    let after_s = now_s();
    holder.issuer.log(|log| {
        log.issue(ONE, 20);
        log.seal();
    });
    for (cosigned_s, is_due) in [(before_s + WITHIN_S, false), (after_s + WITHIN_S + 1, true)] {
        holder.issuer.state().cosigned_s = Some(cosigned_s);
        let seen = holder.look();
        assert_eq!(seen["faults"], json!([]), "{seen:#}");
        assert_eq!(
            seen["challenges"].as_array().unwrap().len(),
            usize::from(is_due),
            "{seen:#}"
        );
        assert_eq!(holder.evidence().is_some(), is_due);
    }
    let challenge = shown_to_a_third_person(&holder.evidence().unwrap());
    assert_eq!(challenge.code, Some(12), "{challenge:?}");
    for words in ["CHALLENGE", "false refusal", "refused a coin of mint key"] {
        assert!(challenge.stdout.contains(words), "{challenge:?}");
    }
}

#[test]
fn a_mint_key_that_is_not_in_the_log_is_not_used_and_proven_when_it_is_due() {
    let mut holder = Holder::of("secret.test");
    let begin_s = now_s() - 3600;
    {
        let mut state = holder.issuer.state();
        let secret = state.log.currency().mint_key(7, 1, begin_s);
        state.desk.secret_keys.push(secret);
    }
    // The wallet learns of the key when it asks for the current ones.
    holder.wallet = Wallet::new(&holder.folder.path().join("fresh"));
    holder.wallet.run(&["add", holder.issuer.url()]);
    let refused = holder.wallet.run_unchecked(&["mint", "0.01", "--token", TOKEN]);
    let _refused = refused.refused(1, "is not in the public log");
    for (cosigned_s, is_due) in [(begin_s + WITHIN_S, false), (begin_s + WITHIN_S + 1, true)] {
        holder.issuer.state().cosigned_s = Some(cosigned_s);
        let seen = holder.look();
        assert!(
            seen["problem"]
                .as_str()
                .unwrap()
                .contains("is not in the public log"),
            "{seen:#}"
        );
        assert_eq!(holder.evidence().is_some(), is_due, "{seen:#}");
    }
    let said = shown_to_a_third_person(&holder.evidence().unwrap())
        .success()
        .stdout;
    for words in [
        "PROVEN: secret key",
        "has certified the mint key",
        "It is not in the log",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn a_holder_sees_two_histories_and_a_log_that_was_larger() {
    let holder = Holder::of("views.test");
    holder.issuer.log(|log| {
        log.issue(ONE, 5);
        log.seal();
    });
    let seen_s = now_s() - 3600;
    holder.issuer.state().cosigned_s = Some(seen_s);
    assert_eq!(holder.look()["problem"], Value::Null);
    // An older checkpoint with newer cosignatures.
    {
        let mut state = holder.issuer.state();
        let first = state.log.batches().last().unwrap().first;
        let older = state.log.checkpoint_at(first, now_s());
        state.shown = Some(older.to_string());
    }
    assert!(holder.look()["problem"].as_str().unwrap().contains("entries"));
    let incident = shown_to_a_third_person(&holder.evidence().unwrap());
    assert_eq!(incident.code, Some(10), "{incident:?}");
    assert!(incident.stdout.contains("INCIDENT"), "{incident:?}");

    let holder = Holder::of("views2.test");
    let mut other = holder.issuer.state().log.fork();
    for log in [&mut holder.issuer.state().log, &mut other] {
        log.issue(ONE, 5);
        log.seal();
    }
    assert_eq!(holder.look()["problem"], Value::Null);
    holder.issuer.state().log = other;
    assert!(
        holder.look()["problem"]
            .as_str()
            .unwrap()
            .contains("two different histories")
    );
    let said = shown_to_a_third_person(&holder.evidence().unwrap())
        .success()
        .stdout;
    assert!(said.contains("PROVEN: split view"), "{said}");
}
