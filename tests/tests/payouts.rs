//! Payouts by commands, the holder's and the operator's, and what monitoring sees of what waits.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::ffi::OsString;
use std::thread;
use std::time::{Duration, Instant};

use opencoin_e2e::foreign_wallet::{ForeignWallet, request_mint};
use opencoin_e2e::{Currency, Output, RFC9474, command, free_port, run};
use opencoin_testkit::postgres::TestDatabase;
use serde_json::{Value, json};

/// What monitoring is shown may be three seconds old; the rest is for a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);
const ACCOUNT: &str = "DE02 1203 0000 0000 2020 51";

/// Waits until monitoring shows these values.
fn wait_for_metrics(operators: u16, expected: &[(&str, f64)]) -> String {
    let begun = Instant::now();
    loop {
        let text = reqwest::blocking::get(format!("http://127.0.0.1:{operators}/metrics"))
            .unwrap()
            .text()
            .unwrap();
        let value = |name: &str| -> Option<f64> {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.map(|value| value.parse().unwrap())
        };
        if expected
            .iter()
            .all(|(name, expected)| value(name) == Some(*expected))
        {
            return text;
        }
        assert!(begun.elapsed() < PATIENCE, "not {expected:?}: {text}");
        thread::sleep(Duration::from_millis(200));
    }
}

fn gauge(text: &str, name: &str) -> f64 {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn payouts_go_out_or_come_back_and_are_watched() {
    for database in [None, Some(TestDatabase::create())] {
        let address = database
            .as_ref()
            .map_or_else(|| "sqlite:ledger.sqlite".to_owned(), |database| database.url());
        let delay = vec![("OPENCOIN_ISSUER_ACCOUNTS_WHEN_SHORT", OsString::from("delay"))];
        let currency = Currency::make_in(delay, RFC9474, &address, &[]);
        let operators = free_port();
        let server = currency.serve_with(
            currency.port(),
            &["--admin-listen", &format!("127.0.0.1:{operators}")],
        );
        let token = currency.account("alice", 100);
        let (url, dir) = (currency.url(""), currency.scratch("alice"));
        let holder = |arguments: &[&str]| -> Output {
            let mut command = command();
            command
                .env("OPENCOIN_TOKEN", &token)
                .env("OPENCOIN_WALLET_DIR", &dir);
            run(
                &mut command,
                &[&["account"], arguments, &["--url", &url]].concat(),
            )
        };
        wait_for_metrics(
            operators,
            &[
                ("opencoin_waiting_mints", 0.0),
                ("opencoin_payouts_requested", 0.0),
                ("opencoin_payout_oldest_requested_timestamp_seconds", 0.0),
                ("opencoin_books_set_back", 0.0),
            ],
        );

        let _ = holder(&["payout", "30", ACCOUNT]).success();
        let second = holder(&["payout", "20", "somewhere else", "--json"])
            .success()
            .json();
        assert_eq!(
            (&second["id"], &second["state"]),
            (&json!(2), &json!("requested"))
        );
        let _ = holder(&["payout", "51", ACCOUNT]).refused(1, "the issuer refuses");
        assert_eq!(currency.balance("alice"), 50);
        let wallet = ForeignWallet::new(&url);
        let blinds: Vec<_> = (0..6)
            .map(|number| wallet.blind(10, &number.to_string()))
            .collect();
        assert_eq!(
            wallet
                .post("/mint", Some(&token), &request_mint(&blinds, "a1"))
                .http_status,
            202
        );
        let metrics = wait_for_metrics(
            operators,
            &[
                ("opencoin_payouts_requested", 2.0),
                ("opencoin_waiting_mints", 1.0),
            ],
        );
        let oldest = gauge(&metrics, "opencoin_payout_oldest_requested_timestamp_seconds");
        assert!(
            oldest >= gauge(&metrics, "process_start_time_seconds"),
            "{metrics}"
        );

        let listed = || currency.issuer(&["payouts", "list", "--json"]).json();
        let expected = json!({"id": 1, "account": "alice", "amount": 30, "destination": ACCOUNT, "state": "requested", "note": null});
        assert_eq!(listed()[0], expected);
        assert!(
            currency
                .issuer(&["payouts", "list"])
                .stdout
                .contains(&format!("from alice to {ACCOUNT}: requested"))
        );
        let settle = |arguments: &[&str]| currency.issuer_unchecked(&[&["payouts"], arguments].concat());
        for _again in 0..2 {
            assert!(
                settle(&["paid", "1", "--reference", "statement 7"])
                    .success()
                    .stdout
                    .contains("is paid")
            );
        }
        let _ = settle(&["failed", "1", "--reason", "no such bank account"]).refused(1, "payout 1");
        let _ = settle(&["paid", "1", "--reference", "statement 8"]).refused(1, "payout 1");
        let _ = settle(&["paid", "3", "--reference", "statement 8"]).refused(1, "payout 3");
        assert_eq!(listed().as_array().unwrap().len(), 1);
        for _again in 0..2 {
            let failed = settle(&["failed", "2", "--reason", "no such bank account"])
                .success()
                .stdout;
            assert!(failed.contains("the money is back on the account"), "{failed}");
        }
        assert_eq!(listed(), json!([]));

        // What the holder reads of it.
        let seen = holder(&["payouts", "--json"]).success().json();
        let states: Vec<(&Value, &Value)> = seen["payouts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|payout| (&payout["state"], &payout["note"]))
            .collect();
        let [paid, failed] = [json!("paid"), json!("failed")];
        assert_eq!(
            states,
            [
                (&paid, &json!("statement 7")),
                (&failed, &json!("no such bank account"))
            ]
        );
        // The money that came back is what the mint has waited for.
        wait_for_metrics(
            operators,
            &[
                ("opencoin_waiting_mints", 0.0),
                ("opencoin_payouts_requested", 0.0),
                ("opencoin_payout_oldest_requested_timestamp_seconds", 0.0),
            ],
        );
        assert_eq!(currency.balance("alice"), 10);
        currency.audit();
        server.stop();
    }
}
