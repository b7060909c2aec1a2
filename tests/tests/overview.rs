//! What needs a person, and the figures of a server, with the commands of an operator.

use std::fs;

use opencoin_e2e::files::{text, write_secret};
use opencoin_e2e::foreign_wallet::{ForeignWallet, request_mint};
use opencoin_e2e::{Currency, Database, Output, RFC9474, command, run, wait_for};
use serde_json::{Value, json};

const NOTHING: &str = "nothing needs a person\n";

#[test]
fn the_overview_says_what_waits_and_which_command_deals_with_it() {
    for database in [Database::Sqlite, Database::Postgres] {
        let limit = vec![("OPENCOIN_ISSUER_ADMIN_SECOND_PERSON_ABOVE", "50".into())];
        let currency = Currency::make_in(limit, RFC9474, database, &[]);
        let overview = |operator: &str| currency.issuer(&["overview", "--operator", operator]).stdout;
        let new = overview("ann");
        assert!(
            new.starts_with(
                "ALARM  no key signs coins of 1, 2, 5, 10 OpenCent before a server has published it"
            ),
            "{new}"
        );

        let server = currency.serve_on(currency.port());
        assert_eq!(overview("ann"), NOTHING);
        let token = currency.account("alice", 40);
        let payout = ["account", "payout", "7", "somewhere", "--url", &currency.url("")];
        let mut holder = command();
        holder
            .env("OPENCOIN_TOKEN", &token)
            .env("OPENCOIN_WALLET_DIR", currency.scratch("alice"));
        let _ = run(&mut holder, &payout).success();
        drop(server);
        let credit = ["account", "credit", "alice", "51", "--reference", "large"];
        let _ = currency.issuer(&[&credit[..], &["--operator", "ann"]].concat());
        let _ = currency.issuer(&["account", "create", "bob"]);
        let _ = currency.issuer(&["account", "freeze", "bob", "--reason", "asked for"]);
        let _ = currency.issuer(&["signing", "pause"]);

        let said = overview("ben");
        let lines: Vec<&str> = said.lines().collect();
        let expected = [
            (
                "soon   1 proposal waits, the oldest since ",
                "opencoin issuer proposals list",
            ),
            (
                "soon   1 payout waits, the oldest since ",
                "opencoin issuer payouts list",
            ),
            (
                "soon   signing is paused: nobody gets coins",
                "opencoin issuer signing resume",
            ),
            (
                "note   1 account is frozen",
                "opencoin issuer account list --frozen",
            ),
        ];
        assert_eq!(lines.len(), 2 * expected.len(), "{said}");
        for (pair, (what, command)) in lines.chunks(2).zip(expected) {
            assert!(pair[0].starts_with(what), "{said}");
            assert_eq!(pair[1].trim(), format!("`{command}`"), "{said}");
        }
        let frozen = currency.issuer(&["account", "list", "--frozen", "--json"]).json();
        assert_eq!(
            (frozen.as_array().unwrap().len(), &frozen[0]["account"]),
            (1, &json!("bob"))
        );
        // Nobody decides on their own proposal.
        assert!(!overview("ann").contains("proposal"));

        let numbers = currency
            .issuer(&["overview", "--operator", "ben", "--json"])
            .json();
        for (field, expected) in [("payouts", 1), ("proposals", 1), ("unmatched_lines", 0)] {
            assert_eq!(numbers[field]["count"], json!(expected), "{numbers}");
        }
        assert_eq!(numbers["frozen_accounts"], json!(1));
        assert_eq!(numbers["signing_paused"], json!(true));

        let _ = currency.issuer(&["signing", "resume"]);
        let _ = currency.issuer(&["account", "thaw", "bob", "--reason", "asked for"]);
        let _ = currency.issuer(&["payouts", "failed", "1", "--reason", "unknown there"]);
        let _ = currency.issuer(&["proposals", "decline", "1", "--operator", "ben"]);
        assert_eq!(overview("ben"), NOTHING);
    }
}

#[test]
fn the_figures_of_a_server_are_shown_to_whoever_has_an_operators_token() {
    let currency = Currency::make_on(RFC9474, Database::Sqlite, &[]);
    let (_server, operators) = currency.serve_operators(&[]);
    let token = currency.scratch("operator.token");
    write_secret(&token, &currency.admin_token("ann"));
    let account = currency.account("alice", 30);
    let wallet = ForeignWallet::new(&currency.url(""));
    let blinds = wallet.blinds(&[10; 2]);
    let minted = wallet.post("/mint", Some(&account), &request_mint(&blinds, "a1"));
    assert_eq!(minted.http_status, 200);

    let figures = |arguments: &[&str]| -> Output {
        currency.issuer_unchecked(&[&["figures", "--url", &operators], arguments].concat())
    };
    let with_token = ["--token-file", text(&token)];
    wait_for("a sample with the mint", || {
        let read = figures(&[&with_token[..], &["--json"]].concat()).success().json();
        let samples = read["samples"].as_array().unwrap().iter();
        let has_mint = |sample: &Value| sample["signings"] == json!(1) && sample["outstanding"] == json!(20);
        samples.clone().any(has_mint).then_some(()).ok_or(read)
    });

    let table = figures(&with_token).success().stdout;
    let (title, rows) = table.split_once('\n').unwrap();
    assert!(
        title.starts_with("until") && title.contains("requests"),
        "{table}"
    );
    let newest = rows.lines().next().unwrap();
    assert!(rows.contains(" ms ") && newest.ends_with("  20"), "{table}");

    let _ = figures(&[]).refused(2, "OPENCOIN_ADMIN_TOKEN");
    let _ = figures(&[&with_token[..], &["--minutes", "1441"]].concat()).refused(2, "1..=1440");
    fs::write(&token, "oa_0000").unwrap();
    let _ = figures(&with_token).refused(1, "does not take this token");
    fs::write(&token, &account).unwrap();
    let _ = figures(&with_token).refused(1, "send an operator's token");
    // The settings name no listener.
    let _ = currency
        .issuer_unchecked(&[&["figures"][..], &with_token].concat())
        .refused(2, "--url");
}
