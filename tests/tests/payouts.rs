//! Payouts with the commands of holder and operator, and the metrics of waiting payouts and mints.

use std::collections::BTreeMap;

use opencoin_e2e::foreign_wallet::{ForeignWallet, request_mint};
use opencoin_e2e::{Currency, Database, Output, RFC9474, command, metrics, run, wait_for};
use serde_json::{Value, json};

const ACCOUNT: &str = "DE02 1203 0000 0000 2020 51";

/// Waits until the metrics have these values, and returns all metrics.
fn wait_for_metrics(operators: &str, expected: &[(&str, f64)]) -> BTreeMap<String, f64> {
    wait_for("the metrics", || {
        let metrics = metrics(operators);
        let is_expected = |(name, value): &(&str, f64)| metrics.get(*name) == Some(value);
        if expected.iter().all(is_expected) {
            Ok(metrics)
        } else {
            Err(metrics)
        }
    })
}

#[test]
fn payouts_are_paid_or_returned_and_shown_in_the_metrics() {
    for database in [Database::Sqlite, Database::Postgres] {
        let delay = vec![("OPENCOIN_ISSUER_ACCOUNTS_WHEN_SHORT", "delay".into())];
        let currency = Currency::make_in(delay, RFC9474, database, &[]);
        let (server, operators) = currency.serve_operators(&[]);
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
            &operators,
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
        let _ = holder(&["payout", "51", ACCOUNT]).refused(1, "does not hold enough money");
        assert_eq!(currency.balance("alice"), 50);
        let wallet = ForeignWallet::new(&url);
        let blinds = wallet.blinds(&[10; 6]);
        assert_eq!(
            wallet
                .post("/mint", Some(&token), &request_mint(&blinds, "a1"))
                .http_status,
            202
        );
        let metrics = wait_for_metrics(
            &operators,
            &[
                ("opencoin_payouts_requested", 2.0),
                ("opencoin_waiting_mints", 1.0),
            ],
        );
        let oldest = metrics["opencoin_payout_oldest_requested_timestamp_seconds"];
        assert!(oldest >= metrics["process_start_time_seconds"], "{metrics:#?}");

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

        // The holder sees the results.
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
        // The returned money pays for the waiting mint.
        wait_for_metrics(
            &operators,
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
