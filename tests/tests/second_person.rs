//! What one operator may not do alone, with the commands and over HTTP.

use opencoin_e2e::{Currency, Database, Output, RFC9474, free_port};
use reqwest::blocking::Client;
use serde_json::{Value, json};

/// A currency in which what moves more than 1.00 needs two operators.
fn currency(database: Database) -> Currency {
    let settings = vec![
        ("OPENCOIN_ISSUER_ADMIN_SECOND_PERSON_ABOVE", "1".into()),
        ("OPENCOIN_ISSUER_BANK_IBAN", "DE89370400440532013000".into()),
    ];
    let currency = Currency::make_in(settings, RFC9474, database, &["--divisor", "100"]);
    let _ = currency.issuer(&["account", "create", "alice"]);
    currency
}

fn credit(currency: &Currency, operator: &str, amount: &str, reference: &str) -> Output {
    let credit = ["account", "credit", "alice", amount, "--reference", reference];
    currency.issuer(&[&credit[..], &["--operator", operator]].concat())
}

#[test]
fn a_second_name_is_needed_on_the_command_line_and_over_http() {
    for database in [Database::Sqlite, Database::Postgres] {
        let currency = currency(database);
        let said = credit(&currency, "ann", "1.00", "small").stdout;
        assert!(said.contains("credited 1.00"), "{said}");
        let said = credit(&currency, "ann", "1.01", "large").stdout;
        assert!(
            said.contains("proposal 1: 1.01") && said.contains("waits for a second operator"),
            "{said}"
        );
        assert!(said.contains("opencoin issuer proposals approve 1"), "{said}");
        assert_eq!(currency.balance("alice"), 100);
        let listed = currency.issuer(&["proposals", "list", "--json"]).json();
        assert_eq!(
            (&listed[0]["id"], &listed[0]["state"]),
            (&json!(1), &json!("waiting"))
        );
        let shown = currency.issuer(&["proposals", "show", "1"]).stdout;
        assert!(
            shown.starts_with("proposal 1: 1.01 OpenCent, credit alice"),
            "{shown}"
        );
        let unknown = currency.issuer_unchecked(&["proposals", "show", "2"]);
        let _ = unknown.refused(1, "there is no proposal 2");
        let own = currency.issuer_unchecked(&["proposals", "approve", "1", "--operator", "ann"]);
        let _ = own.refused(1, "another operator must carry this out");
        assert_eq!(currency.balance("alice"), 100);

        // The other one carries it out over HTTP.
        let token = currency.admin_token("ben");
        let address = format!("127.0.0.1:{}", free_port());
        let server = currency.serve_with(currency.port(), &["--admin-listen", &address]);
        let http = Client::new();
        let approve = || -> (u16, Value) {
            let url = format!("http://{address}/v1/admin/proposals/1/approve");
            let answer = http.post(url).bearer_auth(&token).send().unwrap();
            let status = answer.status().as_u16();
            (status, serde_json::from_str(&answer.text().unwrap()).unwrap())
        };
        for _ in 0..2 {
            let (status, done) = approve();
            assert_eq!((status, &done["state"]), (200, &json!("carried-out")));
            assert_eq!(currency.balance("alice"), 201);
        }
        drop(server);

        // A debit is declined; the record has every name.
        let debit = [
            "account",
            "debit",
            "alice",
            "2.01",
            "--reference",
            "cash",
            "--operator",
            "ann",
        ];
        let _ = currency.issuer(&debit);
        let declined = currency
            .issuer(&["proposals", "decline", "2", "--operator", "ben"])
            .stdout;
        assert!(declined.contains("declined by ben"), "{declined}");
        assert_eq!(currency.balance("alice"), 201);
        let actions = currency.issuer(&["actions", "--json"]).json();
        let shown = actions
            .as_array()
            .unwrap()
            .iter()
            .map(|action| format!("{} {} {}", action["operator"], action["kind"], action["detail"]));
        let shown: Vec<String> = shown.take(4).collect();
        assert_eq!(
            shown[0],
            r#""ben" "decline-proposal" "proposal 2: debit, proposed by ann""#
        );
        assert_eq!(shown[1], r#""ann" "propose" "debit: cash""#);
        let carried = r#""ben" "credit" "large; proposed by ann""#;
        assert!(shown.iter().any(|action| action == carried), "{shown:#?}");
        let _ = currency.issuer(&["audit"]);
    }
}

#[test]
fn the_check_says_who_could_consent() {
    let currency = currency(Database::Sqlite);
    let check = |expected: &str| {
        let checked = currency.issuer_unchecked(&["check", "--json"]).json();
        let checks = checked["checks"].as_array().unwrap().clone();
        let found = checks.iter().find(|check| check["check"] == "second person");
        let found = found.unwrap();
        assert_eq!(found["result"], expected, "{found}");
    };
    check("warn");
    for name in ["ann", "ben"] {
        let _ = currency.admin_token(name);
    }
    check("ok");
}

#[test]
fn whoever_consents_to_a_line_of_the_bank_is_shown_it() {
    let currency = currency(Database::Sqlite);
    let path = currency.scratch("may.csv");
    std::fs::write(
        &path,
        "Day;Name;Text;Amount\n04.05.2026;Eve E.;rent of May;5,00\n",
    )
    .unwrap();
    let columns = ["day=Day", "party=Name", "text=Text", "amount=Amount"];
    let columns = columns.iter().flat_map(|column| ["--column", column]);
    let upload = ["bank", "upload", path.to_str().unwrap()];
    let _ = currency.issuer(&upload.into_iter().chain(columns).collect::<Vec<_>>());
    let preview = currency.issuer(&["bank", "preview", "1", "--json"]).json();
    let digest = preview["preview"].as_str().unwrap();
    let _ = currency.issuer(&["bank", "book", "1", "--preview", digest]);
    let lines = currency.issuer(&["bank", "lines", "--json"]).json();
    let line = lines[0]["line"]["id"].as_str().unwrap();
    let assigned = currency.issuer(&["bank", "assign", line, "alice", "--operator", "ann"]);
    assert!(assigned.stdout.contains("proposal 1"), "{}", assigned.stdout);
    let shown = currency.issuer(&["proposals", "show", "1"]).stdout;
    assert!(
        shown.contains("5.00") && shown.contains("\"Eve E.\", \"rent of May\""),
        "{shown}"
    );
}
