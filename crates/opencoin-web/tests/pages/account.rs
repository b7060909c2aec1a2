//! The pages of a holder.

use std::collections::BTreeSet;

use futures_util::StreamExt;
use opencoin_ledger::{AccountStatus, Amount, Reference, Scope};

use crate::world::{PASSWORD, World};

/// Texts that would do harm in a page, in a table or to the order of words.
const SCRIPT: &str = "<script>alert(1)</script>";
const FORMULA: &str = "=1+1";

#[tokio::test]
async fn a_holder_logs_in_and_out() {
    let world = World::new().await;
    world.open("alice", 1234).await;
    let stranger = world.get("/account", &[]).await.with(303);
    assert_eq!(stranger.header("location"), "/account/login");
    world.get("/account/login", &[]).await.with(200);
    let browser = world.browser("alice").await;
    let page = browser.get("/account").await.with(200);
    page.has("12.34 Open");
    for way in ["The Mint", "DE89 3704 0044 0532 0130 00", "OC-ALICE-"] {
        page.has(way);
    }
    assert_eq!(page.header("cache-control"), "no-store");
    page.lacks("ocs_");
    let out = browser.submit(&page, "/account/logout", &[]).await.with(303);
    assert!(out.header("set-cookie").starts_with("__Host-opencoin-account=; "));
    let ended = browser.get("/account").await.with(303);
    assert_eq!(ended.header("location"), "/account/login?ended=1");
    world
        .get("/account/login?ended=1", &[])
        .await
        .has("You were logged out");
}

#[tokio::test]
async fn a_wrong_password_is_said_and_then_slowed_down() {
    let world = World::new().await;
    world.open("alice", 0).await;
    let browser = world.browser("alice").await;
    let wrong = [("name", "alice\"><script>"), ("password", "wrong")];
    let answer = browser.post("/account/login", &wrong).await.with(401);
    answer.has("The name or the password is wrong.");
    answer.has("value=\"alice&#34;&#62;&#60;script&#62;\"");
    for _ in 0..5 {
        let wrong = [("name", "alice"), ("password", "wrong")];
        browser.post("/account/login", &wrong).await.with(401);
    }
    let wrong = [("name", "alice"), ("password", "wrong")];
    let slowed = browser.post("/account/login", &wrong).await.with(429);
    slowed.has("Too many wrong attempts.");
    slowed.has("<button type=\"submit\" data-wait=\"");
}

#[tokio::test]
async fn a_payment_is_asked_about_and_made_once() {
    let world = World::new().await;
    world.open("alice", 10_000).await;
    world.open("bob", 0).await;
    let alice = world.browser("alice").await;
    let form = alice.get("/account/pay").await.with(200);
    let typed = [("to", "Bob"), ("amount", "1,20"), ("label", "rent")];
    let asked = alice.submit(&form, "/account/pay", &typed).await.with(200);
    asked.has("Pay <bdi>1.20\u{a0}Open&#60;b&#62;Cent</bdi> to <bdi>bob</bdi> (<bdi>rent</bdi>)?");
    assert_eq!(alice.balance().await, "100.00", "nothing is paid yet");
    for _ in 0..2 {
        let paid = alice.submit(&asked, "/account/pay/confirm", &[]).await.with(303);
        let done = alice.get(paid.header("location")).await.with(200);
        done.has("Paid <bdi>1.20\u{a0}Open&#60;b&#62;Cent</bdi> to <bdi>bob</bdi> (<time datetime=\"");
        done.has("Payment to <bdi>bob</bdi>: <bdi>rent</bdi>");
    }
    assert_eq!(alice.balance().await, "98.80");
    assert_eq!(world.browser("bob").await.balance().await, "1.20");
    // The same form with another amount is another payment, and is not made.
    let other = [("to", "bob"), ("amount", "5"), ("label", "")];
    let asked = alice.submit(&form, "/account/pay", &other).await.with(200);
    alice.submit(&asked, "/account/pay/confirm", &[]).await.with(409);
    assert_eq!(alice.balance().await, "98.80");
}

#[tokio::test]
async fn faults_of_a_payment_stand_beside_their_fields() {
    let world = World::new().await;
    world.open("alice", 1_000).await;
    world.open("bob", 0).await;
    let alice = world.browser("alice").await;
    let form = alice.get("/account/pay").await;
    for (to, amount, label, status, text) in [
        ("bbo", "1", "", 404, "Nobody here is called <bdi>bbo</bdi>."),
        (
            "bob",
            "22",
            "",
            402,
            "<bdi>12.00\u{a0}Open&#60;b&#62;Cent</bdi> is missing.",
        ),
        ("bob", "1.000", "", 422, "without marks between thousands"),
        ("bob", "0.0001", "", 422, "too many decimals"),
        ("bob", "x", "", 422, "Write an amount like <bdi>12.50</bdi>."),
        ("bob", "1", "a\nb", 422, "without line breaks"),
        (SCRIPT, "1", "", 404, "Nobody here is called"),
        ("alice", "1", "", 422, "This is your own account."),
        ("Alice", "1", "", 422, "This is your own account."),
    ] {
        let typed = [("to", to), ("amount", amount), ("label", label)];
        let answer = alice.submit(&form, "/account/pay", &typed).await.with(status);
        answer.has(text);
        answer.has("aria-invalid=\"true\"");
        answer.lacks(SCRIPT);
    }
    assert_eq!(alice.balance().await, "10.00");
}

#[tokio::test]
async fn a_frozen_account_is_told_that_no_money_leaves() {
    let world = World::new().await;
    world.open("alice", 1_000).await;
    world.open("bob", 0).await;
    let alice = world.browser("alice").await;
    let (pay, payouts) = (
        alice.get("/account/pay").await,
        alice.get("/account/payouts").await,
    );
    pay.lacks("Your account is frozen");
    let (cashier, desk) = (world.server.issuer().cashier(), "desk".parse().unwrap());
    let reason = Reference::new("a stolen telephone").unwrap();
    let name = "alice".parse().unwrap();
    let cashier = cashier.acting(&desk);
    cashier
        .set_status(&name, AccountStatus::Frozen, &reason)
        .await
        .unwrap();
    for path in [
        "/account",
        "/account/pay",
        "/account/payouts",
        "/account/entries",
        "/account/programs",
        "/account/settings",
    ] {
        alice.get(path).await.with(200).has("Your account is frozen");
    }
    let payment = [("to", "bob"), ("amount", "1"), ("label", "")];
    let payout = [("amount", "1"), ("destination", "cash")];
    for (form, path, typed) in [
        (&pay, "/account/pay", &payment[..]),
        (&payouts, "/account/payouts", &payout[..]),
    ] {
        let answer = alice.submit(form, path, typed).await.with(403);
        answer.has("id=\"amount-fault\"");
        answer.has("aria-invalid=\"true\"");
    }
    assert_eq!(alice.balance().await, "10.00");
}

#[tokio::test]
async fn forms_work_only_from_pages_of_their_own_session() {
    let world = World::new().await;
    world.open("alice", 1_000).await;
    world.open("bob", 1_000).await;
    let (alice, bob) = (world.browser("alice").await, world.browser("bob").await);
    let form = bob.get("/account/pay").await;
    let typed = [("to", "bob"), ("amount", "1"), ("label", "")];
    // The token of another session, none, and a form of another site.
    alice.submit(&form, "/account/pay", &typed).await.with(403);
    for path in [
        "/account/pay",
        "/account/pay/confirm",
        "/account/payouts",
        "/account/payouts/confirm",
        "/account/programs/pair",
        "/account/programs/remove",
        "/account/settings/directory",
        "/account/settings/logout",
        "/account/settings/password",
        "/account/logout",
    ] {
        alice.post(path, &typed).await.with(403);
        let token = ("form_token", "0123456789abcdef0123456789abcdef");
        alice.post(path, &[token]).await.with(403);
        for site in ["cross-site", "same-site", "none"] {
            let answer = alice.post_from(site, path, &typed).await.with(403);
            answer.has("This is not allowed");
        }
    }
    alice
        .post_from("cross-site", "/account/login", &[])
        .await
        .with(403);
    assert_eq!(alice.balance().await, "10.00");
}

#[tokio::test]
async fn the_cookie_of_a_page_opens_nothing_in_the_api() {
    let world = World::new().await;
    world.open("alice", 1_000).await;
    let alice = world.browser("alice").await;
    for path in [
        "/v1/account",
        "/v1/account/entries",
        "/v1/payouts",
        "/v1/services",
    ] {
        alice.get(path).await.with(401);
    }
    alice.post("/v1/transfers", &[]).await.with(401);
}

#[tokio::test]
async fn a_payout_is_requested_once() {
    let world = World::new().await;
    world.open("alice", 10_000).await;
    let alice = world.browser("alice").await;
    let form = alice.get("/account/payouts").await.with(200);
    form.has("No payouts yet.");
    let typed = [("amount", "40"), ("destination", SCRIPT)];
    let asked = alice.submit(&form, "/account/payouts", &typed).await.with(200);
    for _ in 0..2 {
        let answer = alice
            .submit(&asked, "/account/payouts/confirm", &[])
            .await
            .with(303);
        let list = alice.get(answer.header("location")).await.with(200);
        list.has("Requested: <bdi>40.00\u{a0}Open&#60;b&#62;Cent</bdi> to <bdi>&#60;script&#62;");
        list.has("&#60;script&#62;alert(1)&#60;/script&#62;");
        list.lacks(SCRIPT);
        assert_eq!(list.text.matches("<span class=\"state warn\">").count(), 1);
    }
    assert_eq!(alice.balance().await, "60.00");
    for (wrong, fault) in [
        ("DE88 3704 0044 0532 0130 00", "its digits do not fit together"),
        ("DE89 3704 0044 0532 0130", "or some are missing"),
        (
            "DE89370400440532013000 FR1420041010050500013M02606",
            "Write one IBAN only.",
        ),
    ] {
        let typed = [("amount", "1"), ("destination", wrong)];
        let refused = alice.submit(&form, "/account/payouts", &typed).await.with(422);
        refused.has(fault);
    }
    let typed = [("amount", "1"), ("destination", "DE89370400440532013000")];
    let asked = alice.submit(&form, "/account/payouts", &typed).await.with(200);
    asked.has("<bdi>DE89 3704 0044 0532 0130 00</bdi>");
    let too_much = [("amount", "61"), ("destination", "the desk")];
    let answer = alice.submit(&form, "/account/payouts", &too_much).await.with(402);
    answer.has("<bdi>1.00\u{a0}Open&#60;b&#62;Cent</bdi> is missing.");
}

#[tokio::test]
async fn entries_are_filtered_and_written_as_a_table() {
    let world = World::new().await;
    world.open("alice", 10_000).await;
    world.open("bob", 0).await;
    let alice = world.browser("alice").await;
    for label in [SCRIPT, FORMULA] {
        let form = alice.get("/account/pay").await;
        let typed = [("to", "bob"), ("amount", "1"), ("label", label)];
        let asked = alice.submit(&form, "/account/pay", &typed).await.with(200);
        alice.submit(&asked, "/account/pay/confirm", &[]).await.with(303);
    }
    let all = alice.get("/account/entries").await.with(200);
    all.has("Payment to <bdi>bob</bdi>: <bdi>&#60;script&#62;alert(1)&#60;/script&#62;</bdi>");
    all.has("Paid in: <bdi>opening alice</bdi>");
    all.lacks(SCRIPT);
    all.has("<tr class=\"day\"><th colspan=\"3\" scope=\"rowgroup\">");
    // New entries belong on the first page of all entries alone.
    all.has("data-live-after=\"3\"");
    for part in ["?q=bob", "?only=out", "?before=3"] {
        let part = alice.get(&format!("/account/entries{part}")).await.with(200);
        part.lacks("data-live-after");
    }
    let found = alice.get("/account/entries?q=BOB&only=out").await;
    found.has("<td class=\"amount\">\u{2212}1.00</td>");
    found.lacks("Paid in:");
    alice
        .get("/account/entries?only=payouts")
        .await
        .has("No entries.");
    let table = alice.get("/account/entries.csv?q=&only=").await.with(200);
    assert_eq!(table.header("content-type"), "text/csv; charset=utf-8");
    let rows: Vec<&str> = table.text.trim_start_matches('\u{feff}').split("\r\n").collect();
    assert_eq!(rows[0], "Number,Time (UTC),What,Other account,Text,Amount");
    assert_eq!(
        rows[1],
        "3,2026-01-01T00:00:00Z,Payment to bob: =1+1,bob,'=1+1,-1.00"
    );
    assert_eq!(rows.len(), 5, "{rows:?}");
}

/// Somebody else may have begun it.
#[tokio::test]
async fn a_long_table_ends_with_the_session() {
    let world = World::new().await;
    world.open("alice", 1).await;
    let (cashier, desk) = (world.server.issuer().cashier(), "desk".parse().unwrap());
    let (name, cashier) = ("alice".parse().unwrap(), cashier.acting(&desk));
    for number in 0..600 {
        let (amount, text) = (
            Amount::new(1).unwrap(),
            Reference::new(format!("{number}")).unwrap(),
        );
        cashier.credit(&name, amount, text).await.unwrap().done();
    }
    let alice = world.browser("alice").await;
    let mut whole = alice.stream("/account/entries.csv", "text/csv").await;
    let mut pieces = 0;
    while let Some(piece) = whole.next().await {
        piece.unwrap();
        pieces += 1;
    }
    assert_eq!(pieces, 2);
    let mut cut = alice.stream("/account/entries.csv", "text/csv").await;
    cut.next().await.unwrap().unwrap();
    let asked = alice.get("/account/settings/logout").await.with(200);
    alice
        .submit(&asked, "/account/settings/logout", &[])
        .await
        .with(303);
    let end = cut.next().await.unwrap();
    assert!(end.is_err(), "{end:?}");
    assert!(cut.next().await.is_none());
}

#[tokio::test]
async fn programs_are_shown_and_removed() {
    let world = World::new().await;
    world.open("alice", 0).await;
    let alice = world.browser("alice").await;
    alice.get("/account/programs").await.has("No program has access.");
    let accounts = world.server.issuer().accounts();
    let account = accounts.log_in("alice", PASSWORD).await.unwrap().token;
    let caller = accounts
        .caller(Some(&account), opencoin_issuer::accounts::Right::Own)
        .await
        .unwrap();
    let scopes = BTreeSet::from([Scope::Mint, Scope::Redeem]);
    accounts.declare_service(&caller, "phone", scopes).await.unwrap();
    let page = alice.get("/account/programs").await.with(200);
    page.has("<bdi>phone</bdi>");
    page.has("take out coins");
    page.lacks("read the balance");
    let question = page.link_to("/remove");
    let asked = alice.get(&question).await.with(200);
    asked.has("Remove <bdi>phone</bdi>?");
    for _ in 0..2 {
        alice
            .submit(&asked, "/account/programs/remove", &[])
            .await
            .with(303);
    }
    alice.get("/account/programs").await.has("No program has access.");
    let gone = alice.get(&question).await.with(303);
    assert_eq!(gone.header("location"), "/account/programs");
}

#[tokio::test]
async fn settings_are_changed() {
    let world = World::new().await;
    world.open("alice", 0).await;
    let (alice, elsewhere) = (world.browser("alice").await, world.browser("alice").await);
    let page = alice.get("/account/settings").await.with(200);
    page.lacks("value=\"yes\" checked");
    alice
        .submit(&page, "/account/settings/directory", &[("listed", "yes")])
        .await
        .with(303);
    alice.get("/account/settings").await.has("value=\"yes\" checked");
    let change = async |current: &str, new: &str, repeated: &str| {
        let fields = [("current", current), ("new", new), ("repeated", repeated)];
        alice.submit(&page, "/account/settings/password", &fields).await
    };
    let new = "another long password";
    change("wrong", new, new)
        .await
        .with(422)
        .has("This is not the password.");
    change(PASSWORD, "short", "short")
        .await
        .with(422)
        .has("too short");
    change(PASSWORD, new, "different")
        .await
        .with(422)
        .has("The two new passwords differ.");
    elsewhere.get("/account").await.with(200);
    let changed = change(PASSWORD, new, new).await.with(303);
    alice.get(changed.header("location")).await.has("Saved.");
    elsewhere.get("/account").await.with(303);
}

#[tokio::test]
async fn every_page_is_there_in_both_languages() {
    let world = World::new().await;
    world.open("alice", 1_000).await;
    let alice = world.browser("alice").await;
    for path in ["", "/pay", "/payouts", "/entries", "/programs", "/settings"] {
        for (language, word) in [("en", "Overview"), ("de", "Überblick")] {
            let headers = [("cookie", alice.cookie.as_str()), ("accept-language", language)];
            let page = world.get(&format!("/account{path}"), &headers).await.with(200);
            page.has(&format!("<html lang=\"{language}\">"));
            page.has(word);
            for never in ["ocs_", "denomination", "units", "null", "{"] {
                page.lacks(never);
            }
        }
    }
}

#[tokio::test]
async fn an_open_page_shows_what_happens() {
    let world = World::new().await;
    world.open("alice", 1_000).await;
    let alice = world.browser("alice").await;
    let page = alice.get("/account").await;
    page.has("data-live=\"/account/live\" data-live-name=\"alice\" data-live-after=\"1\"");
    let mut stream = alice.stream("/account/live?after=0", "text/event-stream").await;
    let first = next_event(&mut stream).await;
    assert!(first.contains("\"what\":\"Paid in: opening alice\""), "{first}");
    assert!(first.contains("\"amount\":\"+10.00\""), "{first}");
    assert!(first.contains("\"balance\":\"10.00 Open<b>Cent\""), "{first}");
    world.get("/account/live?after=0", &[]).await.with(303);
}

/// The next data of a stream.
async fn next_event(stream: &mut axum::body::BodyDataStream) -> String {
    let chunk = futures_util::StreamExt::next(stream).await.unwrap().unwrap();
    String::from_utf8(chunk.to_vec()).unwrap()
}

#[tokio::test]
async fn a_start_code_becomes_a_password_once() {
    let world = World::new().await;
    world.open("alice", 1_000).await;
    let (cashier, desk) = (world.server.issuer().cashier(), "desk".parse().unwrap());
    let (code, _) = cashier
        .acting(&desk)
        .issue_start_code(&"alice".parse().unwrap())
        .await
        .unwrap();
    let code = code.expose().to_lowercase();
    let page = world.get("/account/start?name=alice", &[]).await.with(200);
    page.has("value=\"alice\"");
    world
        .get("/account/login", &[])
        .await
        .has("href=\"/account/start\"");
    let stranger = world.stranger();
    for (typed, new, repeated, status, text) in [
        (
            code.as_str(),
            "a new password",
            "another one",
            422,
            "The two new passwords differ.",
        ),
        (&code, "short", "short", 422, "too short"),
        (
            "0000-0000-0000",
            "a new password",
            "a new password",
            401,
            "the start code is wrong",
        ),
    ] {
        let form = [
            ("name", "alice"),
            ("code", typed),
            ("new", new),
            ("repeated", repeated),
        ];
        let answer = stranger.post("/account/start", &form).await.with(status);
        answer.has(text);
        answer.has("aria-invalid=\"true\"");
        answer.lacks(&code);
    }
    let form = [
        ("name", "alice"),
        ("code", code.as_str()),
        ("new", "a new password"),
        ("repeated", "a new password"),
    ];
    let cross = stranger.post_from("cross-site", "/account/start", &form).await;
    assert_eq!(cross.status, 403);
    let begun = stranger.post("/account/start", &form).await.with(303);
    assert_eq!(begun.header("location"), "/account");
    assert!(
        begun
            .header("set-cookie")
            .starts_with("__Host-opencoin-account=ocs_")
    );
    stranger.post("/account/start", &form).await.with(401);
    let login = [("name", "alice"), ("password", "a new password")];
    stranger.post("/account/login", &login).await.with(303);
}

#[tokio::test]
async fn a_wallet_gets_its_link_once() {
    let world = World::new().await;
    world.open("alice", 1_000).await;
    let alice = world.browser("alice").await;
    let programs = alice.get("/account/programs").await.with(200);
    let wrong = [("name", "My Phone")];
    let answer = alice
        .submit(&programs, "/account/programs/pair", &wrong)
        .await
        .with(422);
    answer.has("Write 1 to 64 small letters");
    let named = [("name", "phone")];
    let shown = alice
        .submit(&programs, "/account/programs/pair", &named)
        .await
        .with(200);
    assert_eq!(shown.header("cache-control"), "no-store");
    shown.has("<svg class=\"code\"");
    shown.has("data-copy=\"link\"");
    let link = shown.text.split("spellcheck=\"false\">").nth(1).unwrap();
    let link: opencoin_api::PairingLink = link.split("</textarea>").next().unwrap().parse().unwrap();
    assert_eq!(link.url, "https://cents.test");
    let login = format!("{{\"id\":\"{}\",\"key\":\"{}\"}}", link.id, link.key.expose());
    let request = axum::http::Request::post("/v1/services/session").body(login.into());
    world.send(request.unwrap()).await.with(201);
    // To send the form again makes no second program.
    let again = alice
        .submit(&programs, "/account/programs/pair", &named)
        .await
        .with(422);
    again.has("A program of this name has access already.");
    again.lacks("ock_");
    let page = world.get("/account/pair", &[]).await.with(200);
    page.has("opencoin wallet pair");
}

#[tokio::test]
async fn a_holder_logs_out_everywhere() {
    let world = World::new().await;
    world.open("alice", 1_000).await;
    let (here, there) = (world.browser("alice").await, world.browser("alice").await);
    let settings = here.get("/account/settings").await.with(200);
    let asked = here.get(&settings.link_to("/settings/logout")).await.with(200);
    asked.has("Log out everywhere?");
    let out = here
        .submit(&asked, "/account/settings/logout", &[])
        .await
        .with(303);
    assert!(out.header("set-cookie").starts_with("__Host-opencoin-account=; "));
    for browser in [here, there] {
        browser.get("/account").await.with(303);
    }
}
