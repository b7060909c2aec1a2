//! A wallet written from the specification alone mints, renews, resumes and redeems, with both cipher suites and both
//! databases.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use opencoin_e2e::foreign_wallet::{
    Answer, Blinded, ForeignWallet, request_mint, request_redeem, request_renew, request_resume,
};
use opencoin_e2e::{CHAUM82, Currency, Database, RFC9474};
use serde_json::{Value, json};

#[test]
fn chaum82_on_sqlite() {
    life_of_a_coin(CHAUM82, Database::Sqlite);
}

#[test]
fn chaum82_on_postgres() {
    life_of_a_coin(CHAUM82, Database::Postgres);
}

#[test]
fn rfc9474_on_sqlite() {
    life_of_a_coin(RFC9474, Database::Sqlite);
}

#[test]
fn rfc9474_on_postgres() {
    life_of_a_coin(RFC9474, Database::Postgres);
}

fn life_of_a_coin(suite: &str, database: Database) {
    let mut currency = Currency::start(suite, database);
    let alice = currency.account("alice", 20);
    let bob = currency.account("bob", 0);
    let wallet = ForeignWallet::new(&currency.url(""));

    // A repeated mint gets the same signatures and takes no more money.
    let blinded: Vec<Blinded> = [(10, "a0"), (2, "a1"), (2, "a2")]
        .map(|(value, name)| wallet.blind(value, name))
        .into();
    let request = request_mint(&blinded, "a1b2");
    let minted = wallet.post("/mint", Some(&alice), &request);
    let coins = wallet.unblind(&blinded, &minted);
    assert_eq!(minted.body["message_reference"], 3);
    assert_eq!(wallet.post("/mint", Some(&alice), &request).text, minted.text);
    assert_eq!(currency.balance("alice"), 6);

    // The same reference with other content is refused.
    let other = request_mint(&[wallet.blind(1, "b0")], "a1b2");
    assert_refused(
        &wallet.post("/mint", Some(&alice), &other),
        409,
        "reference-conflict",
        "response mint",
    );

    // A renew while signing is paused is accepted and delayed. A crash loses nothing, and a resume gets the signatures.
    currency.issuer(&["signing", "pause"]);
    let renewed: Vec<Blinded> = [(5, "r0"), (5, "r1"), (2, "r2"), (2, "r3")]
        .map(|(value, name)| wallet.blind(value, name))
        .into();
    let renew = request_renew(&coins, &renewed, "c3d4");
    assert_delayed(&wallet.post("/renew", None, &renew));
    assert_delayed(&wallet.post("/resume", None, &request_resume("c3d4")));
    currency.kill();
    currency.serve();
    currency.issuer(&["signing", "resume"]);
    let resumed = wallet.post("/resume", None, &request_resume("00C3D4"));
    let fresh = wallet.unblind(&renewed, &resumed);
    assert_eq!(resumed.body["message_reference"], 5);
    // The repeated renew gets the same signatures.
    assert_eq!(
        wallet.post("/", None, &renew).body["blind_signatures"],
        resumed.body["blind_signatures"]
    );

    // The old coins are spent, even with their serial written differently. The answer names them.
    let mut disguised = coins[1].clone();
    let serial = disguised["payload"]["serial"].as_str().unwrap().to_uppercase();
    disguised["payload"]["serial"] = Value::String(format!("00{serial}"));
    let answer = wallet.post(
        "/redeem",
        Some(&bob),
        &request_redeem(&[fresh[0].clone(), disguised]),
    );
    assert_refused(&answer, 409, "double-spend", "response redeem");
    assert!(
        answer.body["status_description"]
            .as_str()
            .unwrap()
            .contains("[1]"),
        "{answer:?}"
    );

    // A repeated redeem succeeds and credits nothing.
    let redeem = request_redeem(&fresh);
    for _ in 0..2 {
        let answer = wallet.post("/redeem", Some(&bob), &redeem);
        assert_eq!(
            answer.body,
            json!({"message_reference": 6, "status_code": 200, "status_description": "ok", "type": "response redeem"})
        );
        assert_eq!(currency.balance("bob"), 14);
    }
    // Another account cannot redeem the same coins.
    assert_refused(
        &wallet.post("/redeem", Some(&alice), &redeem),
        409,
        "double-spend",
        "response redeem",
    );
    currency.audit();
    currency.stop();
}

#[test]
fn every_refusal_has_its_status_and_fixed_word() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let alice = currency.account("alice", 100);
    let wallet = ForeignWallet::new(&currency.url(""));
    let coin = wallet.mint(&alice, &[5], "1").remove(0);
    let mint = |blinds: &[Blinded], reference: &str| {
        wallet.post("/mint", Some(&alice), &request_mint(blinds, reference))
    };
    let changed = |message: &Value, change: &dyn Fn(&mut Value)| {
        let mut message = message.clone();
        change(&mut message);
        message
    };
    let good = request_mint(&[wallet.blind(1, "a")], "2");

    // malformed
    for (path, body) in [
        ("/", "nonsense"),
        ("/mint", "{"),
        ("/", "{}"),
        ("/", r#"{"type": "coinstack"}"#),
        ("/mint", "[]"),
    ] {
        let answer = wallet.post_bytes(path, Some(&alice), body.into());
        assert_problem(&answer, 400, "malformed");
    }
    for change in [
        &|message: &mut Value| message["extra"] = json!(1),
        &|message: &mut Value| message["blinds"][0]["mint_key_id"] = json!("xyz"),
        &|message: &mut Value| message["blinds"] = Value::Null,
        &|message: &mut Value| drop(message.as_object_mut().unwrap().remove("transaction_reference")),
    ] as [&dyn Fn(&mut Value); 4]
    {
        let answer = wallet.post("/mint", Some(&alice), &changed(&good, change));
        assert_refused(&answer, 400, "malformed", "response mint");
        assert_eq!(answer.body["message_reference"], 3);
    }
    let misdirected = wallet.post("/redeem", Some(&alice), &good);
    assert_refused(&misdirected, 400, "malformed", "response mint");
    assert!(
        misdirected.body["status_description"]
            .as_str()
            .unwrap()
            .starts_with("malformed: type: "),
        "{misdirected:?}"
    );

    // unauthorized
    for token in [None, Some("oc_unknown"), Some("")] {
        assert_refused(
            &wallet.post("/mint", token, &good),
            401,
            "unauthorized",
            "response mint",
        );
    }
    assert_refused(
        &wallet.post("/redeem", None, &request_redeem(std::slice::from_ref(&coin))),
        401,
        "unauthorized",
        "response redeem",
    );

    // insufficient-funds
    assert_refused(
        &mint(&wallet.blinds(&[10; 10]), "3"),
        402,
        "insufficient-funds",
        "response mint",
    );

    // not-found
    let cddc = json!({"cdd_serial": 7, "message_reference": 8, "type": "request cddc"});
    let answer = wallet.post("/cddc", None, &cddc);
    assert_refused(&answer, 404, "not-found", "response cddc");
    assert_eq!(answer.body["cddc"], Value::Null);
    assert_refused(
        &wallet.post("/resume", None, &request_resume("dead")),
        404,
        "not-found",
        "response mint",
    );
    assert_problem(&wallet.post("/nowhere", None, &cddc), 404, "not-found");

    // too-large
    let blind = wallet.blind(1, "a").blind;
    let thousand_and_one = changed(&good, &|message| {
        message["blinds"] = Value::Array(vec![blind.clone(); 1001])
    });
    assert_refused(
        &wallet.post("/mint", Some(&alice), &thousand_and_one),
        413,
        "too-large",
        "response mint",
    );
    assert_problem(
        &wallet.post_bytes("/mint", Some(&alice), vec![b' '; 4 * 1024 * 1024 + 1]),
        413,
        "too-large",
    );

    // invalid
    let n = wallet.key(1)["public_mint_key"]["modulus"].as_str().unwrap();
    for number in ["0", "1", n] {
        let message = changed(&good, &|message| {
            message["blinds"][0]["blinded_payload_hash"] = json!(number)
        });
        assert_refused(
            &wallet.post("/mint", Some(&alice), &message),
            422,
            "invalid",
            "response mint",
        );
    }
    let unknown_key = changed(&good, &|message| {
        message["blinds"][0]["mint_key_id"] = json!("abc")
    });
    assert_refused(
        &wallet.post("/mint", Some(&alice), &unknown_key),
        422,
        "invalid",
        "response mint",
    );
    assert_refused(&mint(&[], "4"), 422, "invalid", "response mint");
    assert_refused(
        &mint(&[wallet.blind(1, "same"), wallet.blind(1, "same")], "5"),
        422,
        "invalid",
        "response mint",
    );
    let renew =
        |coins: &[Value], blinds: &[Blinded]| wallet.post("/renew", None, &request_renew(coins, blinds, "6"));
    assert_refused(
        &renew(&[coin.clone(), coin.clone()], &[wallet.blind(10, "r")]),
        422,
        "invalid",
        "response mint",
    );
    assert_refused(
        &renew(std::slice::from_ref(&coin), &[wallet.blind(10, "r")]),
        422,
        "invalid",
        "response mint",
    );
    assert_refused(
        &renew(&[], &[wallet.blind(10, "r")]),
        422,
        "invalid",
        "response mint",
    );
    for change in [
        &|coin: &mut Value| coin["signature"] = json!("ab"),
        &|coin: &mut Value| coin["payload"]["serial"] = json!("ab"),
        &|coin: &mut Value| coin["payload"]["issuer_id"] = json!("ab"),
        &|coin: &mut Value| coin["payload"]["mint_key_id"] = wallet.key(10)["id"].clone(),
    ] as [&dyn Fn(&mut Value); 4]
    {
        assert_refused(
            &renew(&[changed(&coin, change)], &[wallet.blind(5, "r")]),
            422,
            "invalid",
            "response mint",
        );
    }

    // None of these requests moved money: the coin is still valid, and the account is unchanged.
    assert_eq!(currency.balance("alice"), 95);
    let fresh = vec![wallet.blind(5, "r")];
    assert_eq!(wallet.unblind(&fresh, &renew(&[coin], &fresh)).len(), 1);
    currency.audit();
    currency.stop();
}

#[test]
fn documents_are_published_in_pretty_text_with_an_etag() {
    let currency = Currency::start(RFC9474, Database::Sqlite);
    let http = reqwest::blocking::Client::new();
    let get = |path: &str| http.get(currency.url(path)).send().unwrap();
    for path in ["/cddc", "/cddc/1", "/mkcs"] {
        let response = get(path);
        assert_eq!(response.status().as_u16(), 200);
        let etag = response.headers()["etag"].clone();
        let text = response.text().unwrap();
        let unchanged = http
            .get(currency.url(path))
            .header("if-none-match", etag)
            .send()
            .unwrap();
        assert_eq!(
            (unchanged.status().as_u16(), unchanged.text().unwrap().as_str()),
            (304, "")
        );
        let file = currency.scratch("document.json");
        std::fs::write(&file, &text).unwrap();
        if path != "/mkcs" {
            let exact =
                opencoin_e2e::opencoin(&["inspect", file.to_str().unwrap(), "--form", "pretty"]).success();
            assert_eq!(exact.stdout, text);
        }
    }
    assert_eq!(get("/health/live").status().as_u16(), 200);
    assert_eq!(get("/health/ready").status().as_u16(), 200);
    assert_eq!(get("/cddc/9").status().as_u16(), 404);
    assert_eq!(get("/mkcs/abc").status().as_u16(), 404);
    assert_eq!(get("/mkcs/%ff").headers()["opencoin-error"], "not-found");
    assert_eq!(get("/mint").status().as_u16(), 405);
    let serial = json!({"message_reference": 7, "type": "request cdd serial"});
    let response = http
        .post(currency.url("/cddc/serial"))
        .body(serial.to_string())
        .send()
        .unwrap();
    let body: Value = serde_json::from_str(&response.text().unwrap()).unwrap();
    assert_eq!(
        body,
        json!({"cdd_serial": 1, "message_reference": 7, "status_code": 200, "status_description": "ok", "type": "response cdd serial"})
    );
}

fn assert_refused(answer: &Answer, status: u16, word: &str, response_type: &str) {
    assert_eq!(answer.http_status, status, "{answer:?}");
    assert_eq!(answer.error_word.as_deref(), Some(word), "{answer:?}");
    assert_eq!(answer.body["type"], response_type, "{answer:?}");
    assert_eq!(answer.body["status_code"], status, "{answer:?}");
    assert!(
        answer.body["status_description"]
            .as_str()
            .unwrap()
            .starts_with(word),
        "{answer:?}"
    );
    if response_type == "response mint" {
        assert_eq!(answer.body["blind_signatures"], json!([]), "{answer:?}");
    }
}

fn assert_problem(answer: &Answer, status: u16, word: &str) {
    assert_eq!(answer.http_status, status, "{answer:?}");
    assert_eq!(answer.error_word.as_deref(), Some(word), "{answer:?}");
    assert_eq!(answer.content_type, "application/problem+json", "{answer:?}");
}

fn assert_delayed(answer: &Answer) {
    assert_eq!(answer.http_status, 202, "{answer:?}");
    assert!(answer.retry_after.is_some(), "{answer:?}");
    assert_eq!(answer.body["type"], "response delay", "{answer:?}");
    assert_eq!(answer.body["status_code"], 300, "{answer:?}");
}
