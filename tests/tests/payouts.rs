//! Payouts with the commands of holder and operator, and the metrics of waiting payouts and mints.

use std::collections::BTreeMap;

use opencoin_e2e::foreign_wallet::{ForeignWallet, request_mint};
use opencoin_e2e::{Currency, Database, Output, RFC9474, bank, command, in_parallel, metrics, run, wait_for};
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
        let expected = json!({"id": 1, "account": "alice", "account_frozen": false, "amount": 30, "destination": ACCOUNT, "state": "requested", "note": null});
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

/// Payouts go to the bank in files that follow the schema, each payout in one.
#[test]
fn payouts_are_exported_once() {
    const PAYEE: &str = "=1+1 <Bob> \u{fc}ber DE02 1203 0000 0000 2020 51";
    let settings = [
        ("OPENCOIN_ISSUER_BANK_IBAN", "DE89370400440532013000"),
        ("OPENCOIN_ISSUER_BANK_NAME", "The Mint"),
    ];
    let settings = settings.map(|(name, value)| (name, value.into()));
    for database in [Database::Sqlite, Database::Postgres] {
        let currency = Currency::make_in(settings.to_vec(), RFC9474, database, &[]);
        let (_server, operators) = currency.serve_operators(&[]);
        let token = currency.account("alice", 1000);
        let operator = currency.admin_token("desk");
        let http = reqwest::blocking::Client::new();
        for (number, destination) in [PAYEE, ACCOUNT, ACCOUNT, "somewhere"].into_iter().enumerate() {
            let body = json!({ "amount": number + 1, "destination": destination }).to_string();
            let request = http.post(currency.url("/v1/payouts")).bearer_auth(&token);
            let request = request.header("Idempotency-Key", format!("out-{number}"));
            assert_eq!(request.body(body).send().unwrap().status(), 201);
        }
        let export = |key: &str, payouts: &[u64], format: &str| {
            let body = json!({ "payouts": payouts, "format": format }).to_string();
            let request = http.post(format!("{operators}/v1/admin/payouts/exports"));
            let request = request.bearer_auth(&operator).header("Idempotency-Key", key);
            let answer = request.body(body).send().unwrap();
            (answer.status().as_u16(), answer.text().unwrap())
        };
        let get = |path: &str| {
            let request = http.get(format!("{operators}/v1/admin{path}"));
            request.bearer_auth(&operator).send().unwrap().text().unwrap()
        };
        let files = in_parallel(6, |_| export("first", &[2, 1], "pain001"));
        let made = files.iter().filter(|(status, _)| *status == 201).count();
        assert_eq!(made, 1, "{files:?}");
        assert!(
            files.iter().all(|(_, file)| *file == files[0].1),
            "the same key gets the same bytes"
        );
        assert_eq!(get("/payouts/exports/1"), files[0].1);
        let path = currency.scratch("first.xml");
        std::fs::write(&path, &files[0].1).unwrap();
        assert_eq!(bank::validate(&[&path]), ["pain.001.001.09"]);
        let refused = |(status, text): (u16, String)| {
            let word = serde_json::from_str::<Value>(&text).unwrap()["title"].clone();
            (status, word.as_str().unwrap().to_owned())
        };
        assert_eq!(
            refused(export("second", &[1, 3], "csv")),
            (409, "decided".to_owned())
        );
        assert_eq!(
            refused(export("first", &[3], "csv")),
            (409, "reference-conflict".to_owned())
        );
        assert_eq!(
            refused(export("second", &[4], "csv")),
            (422, "invalid".to_owned())
        );
        assert_eq!(export("second", &[3], "csv").0, 201);

        let payouts: Value = serde_json::from_str(&get("/payouts?state=requested")).unwrap();
        let exports: Vec<_> = payouts["payouts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|payout| &payout["export"])
            .collect();
        assert_eq!(exports, [&json!(1), &json!(1), &json!(2), &Value::Null]);
        let out = currency.scratch("again.xml");
        let again = [
            "payouts",
            "export",
            "1",
            "2",
            "--key",
            "first",
            "--out",
            out.to_str().unwrap(),
            "--json",
        ];
        assert_eq!(currency.issuer(&again).json()["id"], 1);
        assert_eq!(std::fs::read_to_string(&out).unwrap(), files[0].1);
        // Whoever has no key asks for it by its number.
        let show = |name: &str| {
            let out = currency.scratch(name);
            let shown = ["payouts", "show-export", "1", "--out", out.to_str().unwrap()];
            (currency.issuer_unchecked(&shown), out)
        };
        let (shown, out) = show("by-number.xml");
        assert!(shown.success().stdout.contains("it is in "));
        assert_eq!(std::fs::read_to_string(&out).unwrap(), files[0].1);
        let _ = show("by-number.xml").0.refused(1, "exists");
        let _ = currency.issuer(&["payouts", "paid", "1", "--reference", "bank 1"]);
        let _ = currency.issuer(&["payouts", "failed", "2", "--reason", "closed"]);
        let paid: Value = serde_json::from_str(&get("/payouts?state=paid")).unwrap();
        assert_eq!(paid["payouts"][0]["id"], 1);
        assert_eq!(refused(export("third", &[1], "csv")), (409, "decided".to_owned()));
        // One of its payouts has come back, so nobody gets the file for the bank any more.
        assert_eq!(
            refused(export("first", &[2, 1], "pain001")),
            (409, "decided".to_owned())
        );
        let (shown, out) = show("late.xml");
        let _ = shown.refused(1, "payout 2");
        assert!(!out.exists());
        assert_eq!(
            currency
                .issuer(&["payouts", "exports", "--json"])
                .json()
                .as_array()
                .unwrap()
                .len(),
            2
        );
        currency.audit();
    }
}
