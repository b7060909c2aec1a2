//! The console of operators.

use axum::body::Body;
use axum::http::Request;
use chrono::TimeDelta;
use opencoin_issuer::AdminScope;
use opencoin_ledger::{ActionFilter, IdempotencyKey};
use serde_json::Value;

use crate::world::{Answer, Browser, PASSWORD, Side, World};

const SCRIPT: &str = "<script>alert(1)</script>";
const ALL: &[AdminScope] = &AdminScope::ALL;

/// The forms of the console, with the page that has each.
const FORMS: [&str; 15] = [
    "/console/logout",
    "/console/open-account",
    "/console/open-account/confirm",
    "/console/accounts/alice/book/credit",
    "/console/accounts/alice/book/credit/confirm",
    "/console/accounts/alice/book/debit/confirm",
    "/console/accounts/alice/code",
    "/console/accounts/alice/code/handed-over",
    "/console/accounts/alice/status/frozen",
    "/console/accounts/alice/status/frozen/confirm",
    "/console/accounts/alice/programs/remove",
    "/console/payouts/1/paid/confirm",
    "/console/bank/statements/1/book",
    "/console/bank/lines/1/assign/confirm",
    "/console/bank/lines/1/set-aside/confirm",
];

impl World {
    /// Lets the holder of an account ask for a payout.
    pub(crate) async fn ask_for_payout(&self, name: &str, units: u64, destination: &str) {
        let accounts = self.server.issuer().accounts();
        let token = accounts.log_in(name, PASSWORD).await.unwrap().token;
        let right = opencoin_issuer::accounts::Right::Own;
        let caller = accounts.caller(Some(&token), right).await.unwrap();
        let key = IdempotencyKey::new(format!("{name}-{units}")).unwrap();
        let asked = accounts.request_payout(caller.account, key, units, destination);
        asked.await.unwrap();
    }

    async fn actions(&self) -> Vec<String> {
        let cashier = self.server.issuer().cashier();
        let actions = cashier.actions(ActionFilter::All, None, 100).await.unwrap();
        let said = |action: &opencoin_ledger::RecordedAction| {
            format!("{} {} {}", action.operator, action.kind, action.subject.as_str())
        };
        actions.iter().map(said).collect()
    }
}

/// Fills in a form of two steps, and answers its question as often as this.
async fn fill(browser: &Browser<'_>, path: &str, fields: &[(&str, &str)], times: usize) -> Answer {
    let form = browser.get(path).await.with(200);
    let asked = browser.submit(&form, path, fields).await.with(200);
    let confirm = format!("{path}/confirm");
    let mut done = None;
    for _ in 0..times {
        let answer = browser.submit(&asked, &confirm, &[]).await.with(303);
        done = Some(browser.get(answer.header("location")).await.with(200));
    }
    done.unwrap()
}

#[tokio::test]
async fn an_operator_logs_in_and_out() {
    let world = World::new().await;
    let start = world.get_from(Side::Operators, "/", &[]).await.with(303);
    assert_eq!(start.header("location"), "/console");
    let stranger = world.get_from(Side::Operators, "/console", &[]).await.with(303);
    assert_eq!(stranger.header("location"), "/console/login");
    let login = world.get_from(Side::Operators, "/console/login", &[]).await;
    login.with(200).has("Log in as an operator");
    let token = world.token("desk", ALL);
    let desk = world.operator_with(&token).await;
    let wrong = desk
        .post("/console/login", &[("token", "oca_00")])
        .await
        .with(401);
    wrong.has("This is not the access code of an operator");
    let today = desk.get("/console").await.with(200);
    today.has("Nothing waits for you.");
    assert_eq!(today.header("cache-control"), "no-store");
    today.lacks("oca_");
    let out = desk.submit(&today, "/console/logout", &[]).await.with(303);
    assert!(
        out.header("set-cookie")
            .starts_with("__Host-opencoin-operator=; ")
    );
    let ended = desk.get("/console").await.with(303);
    assert_eq!(ended.header("location"), "/console/login?ended=1");
    // The other listener has no console.
    world.get("/console", &[]).await.with(404);
    world.get("/console/login", &[]).await.with(404);
}

#[tokio::test]
async fn a_session_ends_with_its_token_and_with_time() {
    let world = World::new().await;
    let desk = world.operator("desk", ALL).await;
    desk.get("/console").await.with(200);
    world.tokens.remove(&"desk".parse().unwrap()).unwrap();
    desk.get("/console").await.with(303);
    let again = world.operator("desk-2", ALL).await;
    desk.get("/console").await.with(303);
    world.clock.forward(TimeDelta::minutes(29));
    again.get("/console").await.with(200);
    world.clock.forward(TimeDelta::minutes(30));
    again.get("/console").await.with(303);
}

#[tokio::test]
async fn the_cookie_of_the_console_opens_nothing_in_the_api_and_the_token_opens_no_page() {
    let world = World::new().await;
    world.open("alice", 100).await;
    let token = world.token("desk", ALL);
    let desk = world.operator_with(&token).await;
    for path in ["accounts", "accounts/alice", "actions", "payouts"] {
        desk.get(&format!("/v1/admin/{path}")).await.with(401);
    }
    let credit = "/v1/admin/accounts/alice/credits";
    desk.post(credit, &[]).await.with(401);
    let bearer = format!("Bearer {}", token.expose());
    let headers = [("authorization", bearer.as_str())];
    let page = world.get_from(Side::Operators, "/console", &headers).await;
    assert_eq!(page.with(303).header("location"), "/console/login");
}

#[tokio::test]
async fn forms_work_only_from_pages_of_their_own_session() {
    let world = World::new().await;
    world.open("alice", 100).await;
    let (desk, night) = (
        world.operator("desk", ALL).await,
        world.operator("night", ALL).await,
    );
    let path = "/console/accounts/alice/book/credit";
    let typed = [("amount", "1"), ("reference", "x"), ("key", "k")];
    let form = night.get(path).await.with(200);
    desk.submit(&form, path, &typed[..2]).await.with(403);
    world.ask_for_payout("alice", 10, "DE89370400440532013000").await;
    let before = world.actions().await;
    for path in FORMS {
        desk.post(path, &typed).await.with(403);
        let token = ("form_token", "0123456789abcdef0123456789abcdef");
        desk.post(path, &[token]).await.with(403);
        for site in ["cross-site", "same-site", "none"] {
            let refused = desk.post_from(site, path, &typed).await.with(403);
            refused.has("This is not allowed");
        }
    }
    let foreign = desk.post_from("cross-site", "/console/login", &[]).await;
    foreign.with(403);
    assert_eq!(world.actions().await, before);
    desk.get("/console").await.with(200);
}

#[tokio::test]
async fn a_token_that_may_only_read_sees_no_forms_and_is_told_what_it_lacks() {
    let world = World::new().await;
    world.open("alice", 100).await;
    world.ask_for_payout("alice", 10, "DE89370400440532013000").await;
    let reader = world.operator("reader", &[AdminScope::Read]).await;
    for path in [
        "",
        "/figures",
        "/accounts",
        "/accounts/alice",
        "/payouts",
        "/payouts/1",
        "/keys",
        "/audit",
        "/actions",
    ] {
        let page = reader.get(&format!("/console{path}")).await.with(200);
        // That of the log-out.
        assert_eq!(page.text.matches("method=\"post\"").count(), 1, "{path}");
        page.lacks("/book/");
        page.lacks("open-account");
    }
    for path in &FORMS[1..] {
        let refused = reader.post(path, &[]).await.with(403);
        refused.has("Changing accounts and payouts needs the right of a cashier.");
    }
    let form = reader.get("/console/open-account").await.with(403);
    form.has("The access code <bdi>reader</bdi> does not permit this.");

    let keys = world.operator("key-keeper", &[AdminScope::Keys]).await;
    let today = keys.get("/console").await.with(200);
    today.lacks("/console/payouts");
    today.has("/console/keys");
    for path in ["accounts", "accounts/alice", "payouts", "payouts/1"] {
        let refused = keys.get(&format!("/console/{path}")).await.with(403);
        refused.has("needs the right to look at everything, or that of a cashier");
    }
}

#[tokio::test]
async fn an_account_is_opened_once_and_its_code_is_shown_until_it_is_handed_over() {
    let world = World::new().await;
    let desk = world.operator("desk", ALL).await;
    let path = "/console/open-account";
    let form = desk.get(path).await.with(200);
    let asked = desk.submit(&form, path, &[("name", "Bob")]).await.with(200);
    asked.has("Open an account called <bdi>bob</bdi>?");
    let mut codes = Vec::new();
    for _ in 0..2 {
        let confirm = "/console/open-account/confirm";
        let opened = desk.submit(&asked, confirm, &[]).await.with(303);
        assert_eq!(opened.header("location"), "/console/accounts/bob/code");
        let page = desk.get(opened.header("location")).await.with(200);
        assert_eq!(page.header("cache-control"), "no-store");
        codes.push(code(&page));
    }
    assert_eq!(codes[0], codes[1], "the account is opened once");
    assert_eq!(
        world.actions().await,
        ["desk issue-start-code bob", "desk open-account bob"]
    );

    let shown = desk.get("/console/accounts/bob/code").await;
    let handed_over = "/console/accounts/bob/code/handed-over";
    let done = desk.submit(&shown, handed_over, &[]).await.with(303);
    let account = desk.get(done.header("location")).await.with(200);
    account.has("The start code of <bdi>bob</bdi> is no longer shown.");
    let gone = desk.get("/console/accounts/bob/code").await.with(200);
    gone.lacks(&codes[0]);
    let address = "https://cents.test/account/start?name=bob";
    shown.has(address);
    let path_of_holder = address.strip_prefix("https://cents.test").unwrap();
    let form = world.get(path_of_holder, &[]).await.with(200);
    form.has("value=\"bob\"");
    world.start("bob", &codes[0], PASSWORD).await.with(303);
    world.browser("bob").await.get("/account").await.with(200);

    let issue = "/console/accounts/bob/code";
    let asked = desk.get(&account.link_to("/code/new")).await.with(200);
    asked.has("Make a new start code for <bdi>bob</bdi>?");
    for _ in 0..2 {
        desk.submit(&asked, issue, &[]).await.with(303);
    }
    assert_ne!(code(&desk.get(issue).await), codes[0]);
    assert_eq!(world.actions().await.len(), 3, "a code is issued once");

    let form = desk.get(path).await;
    let taken = desk.submit(&form, path, &[("name", "bob")]).await.with(409);
    taken.has("There is an account of this name.");
    for wrong in ["", "-x", "a b", SCRIPT, "=1+1"] {
        let refused = desk.submit(&form, path, &[("name", wrong)]).await.with(422);
        refused.has("aria-invalid=\"true\"");
        refused.lacks(SCRIPT);
    }
}

/// The start code on a page.
fn code(page: &Answer) -> String {
    let code = page.text.split("<p class=\"large\"><code>").nth(1).unwrap();
    let code = code.split("</code>").next().unwrap();
    assert_eq!(code.len(), 14, "{code}");
    code.to_owned()
}

#[tokio::test]
async fn credits_and_debits_are_asked_about_and_booked_once() {
    let world = World::new().await;
    world.open("alice", 1_000).await;
    world.open("bob", 0).await;
    let desk = world.operator("desk", ALL).await;
    let credit = "/console/accounts/alice/book/credit";
    let form = desk.get(credit).await.with(200);
    let typed = [("amount", "2,50"), ("reference", SCRIPT)];
    let asked = desk.submit(&form, credit, &typed).await.with(200);
    asked.has(
        "Credit <bdi>2.50\u{a0}Open&#60;b&#62;Cent</bdi> to <bdi>alice</bdi> \
         (<bdi>&#60;script&#62;alert(1)&#60;/script&#62;</bdi>)?",
    );
    asked.has("debit the same amount with a reference of its own");
    let confirm = format!("{credit}/confirm");
    for _ in 0..2 {
        let answer = desk.submit(&asked, &confirm, &[]).await.with(303);
        let account = desk.get(answer.header("location")).await.with(200);
        account.has("Credited <bdi>2.50\u{a0}Open&#60;b&#62;Cent</bdi> to <bdi>alice</bdi>.");
        account.has("<bdi>12.50 Open");
        account.lacks(SCRIPT);
    }
    // The same form with another amount is another payment, and nothing is booked.
    let other = [("amount", "3"), ("reference", "other")];
    let asked = desk.submit(&form, credit, &other).await.with(200);
    let refused = desk.submit(&asked, &confirm, &[]).await.with(409);
    refused.has("aria-invalid=\"true\"");

    // Another form with the same reference books nothing.
    let same = [("amount", "2.50"), ("reference", SCRIPT)];
    let done = fill(&desk, credit, &same, 1).await;
    done.has("This reference was booked before for <bdi>alice</bdi>.");
    let form = desk.get("/console/accounts/bob/book/credit").await;
    let asked = desk
        .submit(&form, "/console/accounts/bob/book/credit", &same)
        .await;
    let confirm = "/console/accounts/bob/book/credit/confirm";
    let refused = desk.submit(&asked, confirm, &[]).await.with(409);
    refused.has("This reference was booked or proposed before, for another amount or another account.");

    let debit = "/console/accounts/alice/book/debit";
    let done = fill(&desk, debit, &[("amount", "12"), ("reference", "cash")], 2).await;
    done.has("Debited <bdi>12.00\u{a0}Open&#60;b&#62;Cent</bdi> from <bdi>alice</bdi>.");
    done.has("<bdi>0.50 Open");
    let form = desk.get(debit).await;
    for wrong in ["", "\u{202e}gpj", "a\nb"] {
        let typed = [("amount", "1"), ("reference", wrong)];
        let refused = desk.submit(&form, debit, &typed).await.with(422);
        refused.has("without line breaks and invisible characters");
    }
    let too_much = [("amount", "2"), ("reference", "more")];
    let refused = desk.submit(&form, debit, &too_much).await.with(402);
    refused.has("<bdi>1.50\u{a0}Open&#60;b&#62;Cent</bdi> is missing.");
    desk.get("/console/accounts/alice/book/gift").await.with(404);
    desk.get("/console/accounts/nobody/book/credit").await.with(404);

    // The record is that of the API.
    let bearer = format!("Bearer {}", world.token("script", ALL).expose());
    let request = Request::get("/v1/admin/actions?subject=alice&limit=3")
        .header("authorization", bearer)
        .body(Body::empty());
    let answer = world.send_to(Side::Operators, request.unwrap()).await.with(200);
    let actions: Value = serde_json::from_str(&answer.text).unwrap();
    let (debited, credited) = (&actions["actions"][0], &actions["actions"][1]);
    assert_eq!(debited["operator"], "desk");
    assert_eq!(
        (&debited["kind"], &debited["amount"]),
        (&"debit".into(), &1200.into())
    );
    assert_eq!(
        (&credited["kind"], &credited["detail"]),
        (&"credit".into(), &SCRIPT.into())
    );
}

#[tokio::test]
async fn an_account_is_frozen_opened_again_and_closed() {
    let world = World::new().await;
    world.open("alice", 100).await;
    let desk = world.operator("desk", ALL).await;
    let status = |word: &str| format!("/console/accounts/alice/status/{word}");
    let reason = [("reason", "a stolen telephone")];
    let done = fill(&desk, &status("frozen"), &reason, 2).await;
    done.has("<bdi>alice</bdi> is frozen.");
    desk.get("/console").await.has("One account is frozen.");
    let frozen = desk.get("/console/accounts?only=frozen").await.with(200);
    frozen.has("<bdi>alice</bdi>");
    let done = fill(&desk, &status("open"), &[("reason", "found")], 1).await;
    done.has("<bdi>alice</bdi> is open again.");

    let path = status("closed");
    let form = desk.get(&path).await;
    let asked = desk.submit(&form, &path, &reason).await.with(200);
    let confirm = format!("{path}/confirm");
    let refused = desk.submit(&asked, &confirm, &[]).await.with(422);
    refused.has("The account cannot be closed: it has money");
    let debit = "/console/accounts/alice/book/debit";
    fill(&desk, debit, &[("amount", "1"), ("reference", "out")], 1).await;
    let done = fill(&desk, &path, &[("reason", "moved away")], 2).await;
    done.has("<bdi>alice</bdi> is closed for good.");
    done.lacks("/book/credit");
    let actions = world.actions().await;
    let count = |kind: &str| {
        let action = format!("desk {kind} alice");
        actions.iter().filter(|found| **found == action).count()
    };
    let counts = ["freeze-account", "thaw-account", "close-account"].map(count);
    assert_eq!(counts, [1, 1, 1]);
}

#[tokio::test]
async fn payouts_are_settled_once() {
    let world = World::new().await;
    world.open("alice", 10_000).await;
    let iban = "DE89370400440532013000";
    world.ask_for_payout("alice", 100, iban).await;
    world.ask_for_payout("alice", 250, SCRIPT).await;
    let desk = world.operator("desk", ALL).await;
    let today = desk.get("/console").await;
    today.has("<bdi>2</bdi> payouts wait.");
    today.has("The oldest since: <time");
    let queue = desk.get("/console/payouts").await.with(200);
    queue.has("<bdi>DE89 3704 0044 0532 0130 00</bdi>");
    queue.has("<bdi>&#60;script&#62;");
    queue.lacks(SCRIPT);

    let page = desk.get("/console/payouts/1").await.with(200);
    page.lacks("class=\"note warn\"");
    let reference = [("text", "transfer 7")];
    let paid = "/console/payouts/1/paid";
    let asked = desk.submit(&page, paid, &reference).await.with(200);
    asked.has("Has the bank paid <bdi>1.00\u{a0}Open&#60;b&#62;Cent</bdi> to <bdi>DE89 3704");
    for _ in 0..2 {
        let answer = desk
            .submit(&asked, &format!("{paid}/confirm"), &[])
            .await
            .with(303);
        let list = desk.get(answer.header("location")).await;
        list.has("Payout <bdi>1</bdi> is paid.");
    }
    let failed = "/console/payouts/1/failed";
    let late = desk.submit(&page, failed, &[("text", "no")]).await.with(409);
    late.has("The payout is settled already");

    let page = desk.get("/console/payouts/2").await.with(200);
    page.has("The bank account has no IBAN.");
    let failed = "/console/payouts/2/failed";
    let asked = desk
        .submit(&page, failed, &[("text", "no such bank")])
        .await
        .with(200);
    for _ in 0..2 {
        desk.submit(&asked, &format!("{failed}/confirm"), &[])
            .await
            .with(303);
    }
    let account = desk.get("/console/accounts/alice").await;
    account.has("<bdi>99.00 Open");
    desk.get("/console").await.has("Nothing waits for you.");
    let list = desk.get("/console/payouts?state=paid").await;
    list.has("Reference of the bank: <bdi>transfer 7</bdi>");
    let list = desk.get("/console/payouts?state=failed").await;
    list.has("Reason: <bdi>no such bank</bdi>");
    desk.get("/console/payouts/3").await.with(404);
    desk.get("/console/payouts/x").await.with(404);
    let settled: Vec<String> = world.actions().await;
    assert_eq!(settled[..2], ["desk fail-payout 2", "desk pay-payout 1"]);
}

#[tokio::test]
async fn accounts_are_found_by_the_beginning_of_their_names() {
    let world = World::new().await;
    let names = (0..60).map(|number| format!("shop-{number:02}"));
    for name in names.chain(["shop".to_owned(), "shoe".to_owned(), "tim".to_owned()]) {
        world.open(&name, 0).await;
    }
    let desk = world.operator("reader", &[AdminScope::Read]).await;
    let count = |page: &Answer| page.text.matches("<a href=\"/console/accounts/").count();
    let all = desk.get("/console/accounts").await;
    assert_eq!(count(&all), 50);
    let found = desk.get("/console/accounts?q=Shop").await.with(200);
    found.has("<a href=\"/console/accounts/shop\">");
    found.lacks("shoe");
    assert_eq!(count(&found), 50);
    found.has("href=\"/console/accounts?after=shop-48&#38;q=Shop\"");
    let rest = desk.get("/console/accounts?after=shop-48&q=Shop").await;
    assert_eq!(count(&rest), 11);
    rest.lacks("tim");
    let none = desk.get("/console/accounts?q=%3Cscript%3E").await.with(200);
    none.has("No account begins with <bdi>&#60;script&#62;</bdi>.");
}

#[tokio::test]
async fn every_page_is_there_in_both_languages() {
    let world = World::new().await;
    world.open("alice", 1_000).await;
    world.ask_for_payout("alice", 100, "gpj\u{200b}").await;
    let desk = world.operator("desk", ALL).await;
    for path in [
        "",
        "/figures",
        "/accounts",
        "/open-account",
        "/accounts/alice",
        "/accounts/alice/book/credit",
        "/accounts/alice/code",
        "/accounts/alice/status/closed",
        "/payouts",
        "/payouts/1",
        "/actions",
    ] {
        for (language, word) in [("en", "Today"), ("de", "Heute")] {
            let headers = [("cookie", desk.cookie.as_str()), ("accept-language", language)];
            let path = format!("/console{path}");
            let page = world.get_from(Side::Operators, &path, &headers).await.with(200);
            page.has(&format!("<html lang=\"{language}\">"));
            page.has(word);
            for never in ["oca_", "\u{200b}", "denomination", "null"] {
                page.lacks(never);
            }
            let text = page.text.replace("\\u{200b}", "");
            assert!(!text.contains('{'), "{path}: a placeholder is left");
        }
    }
    desk.get("/console/payouts/1").await.has("gpj\\u{200b}");
}
