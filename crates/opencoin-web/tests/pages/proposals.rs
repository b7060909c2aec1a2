//! What waits for a second person.

use opencoin_issuer::AdminScope;
use opencoin_ledger::{IdempotencyKey, Reference};

use crate::bank::{camt, table};
use crate::world::{Answer, Browser, PASSWORD, World};

const CASHIER: &[AdminScope] = &[AdminScope::Cashier];
/// What one operator may move alone.
const LIMIT: u64 = 10_000;
/// That a line of the bank may be another one again.
const WARNING: &str = "It may be in the books already, from another kind of file";

/// Fills in the form of a page and answers its question as often as this. Returns where that leads.
async fn fill(
    browser: &Browser<'_>,
    page: &str,
    path: &str,
    fields: &[(&str, &str)],
    times: usize,
) -> Answer {
    let form = browser.get(page).await.with(200);
    let asked = browser.submit(&form, path, fields).await.with(200);
    let confirm = format!("{path}/confirm");
    let mut done = None;
    for _ in 0..times {
        let answer = browser.submit(&asked, &confirm, &[]).await.with(303);
        done = Some(browser.get(answer.header("location")).await.with(200));
    }
    done.unwrap()
}

async fn balance(world: &World, name: &str) -> u64 {
    let cashier = world.server.issuer().cashier();
    let account = cashier.account(&name.parse().unwrap()).await.unwrap().account;
    account.balance.units()
}

#[tokio::test]
async fn a_large_credit_waits_for_another_operator() {
    let world = World::with_limit(LIMIT).await;
    world.open("alice", 100).await;
    let ann = world.operator("ann", CASHIER).await;
    let benno = world.operator("benno", CASHIER).await;
    benno
        .get("/console/proposals")
        .await
        .with(200)
        .has("Nothing waits for a second person.");
    let page = "/console/accounts/alice/book/credit";
    let typed = [("amount", "100.01"), ("reference", "line <7>")];
    let form = ann.get(page).await.with(200);
    let asked = ann.submit(&form, page, &typed).await.with(200);
    asked.has("waits for a second person");
    asked.has("Propose now");
    for _ in 0..2 {
        let answer = ann
            .submit(&asked, &format!("{page}/confirm"), &[])
            .await
            .with(303);
        assert!(
            answer
                .header("location")
                .starts_with("/console/proposals/1?done=")
        );
        let waits = ann.get(answer.header("location")).await.with(200);
        waits.has("Proposal <bdi>1</bdi> waits for a second person. No money has moved yet.");
        waits.has("You have proposed this.");
        waits.has("line &#60;7&#62;");
        waits.lacks("Carry it out</button>");
    }
    assert_eq!(balance(&world, "alice").await, 100);
    ann.get("/console")
        .await
        .lacks("waits for a second person, and you");
    let today = benno.get("/console").await.with(200);
    today.has("One operation waits for a second person, and you can be that person.");
    let list = benno.get("/console/proposals").await.with(200);
    list.has("Credit <bdi>alice</bdi>");
    list.has("more than <bdi>100.00");

    // Whoever has proposed it does not get around it.
    let own = ann.get("/console/proposals/1").await;
    let (withdraw, approve) = ("/console/proposals/1/decline", "/console/proposals/1/approve");
    for path in [approve.to_owned(), format!("{approve}/confirm")] {
        let refused = ann.submit_as(&own, withdraw, &path, &[]).await.with(403);
        refused.has("Another operator must carry it out.");
    }
    // A form of another session, or of another site, does nothing.
    for path in [format!("{approve}/confirm"), format!("{withdraw}/confirm")] {
        benno.submit_as(&own, withdraw, &path, &[]).await.with(403);
        benno.post_from("cross-site", &path, &[]).await.with(403);
    }
    assert_eq!(balance(&world, "alice").await, 100);

    let one = "/console/proposals/1";
    let done = fill(&benno, one, "/console/proposals/1/approve", &[], 2).await;
    done.has("Proposal <bdi>1</bdi> is carried out.");
    assert_eq!(balance(&world, "alice").await, 10_101);
    benno
        .get(one)
        .await
        .with(200)
        .has("Carried out by <bdi>benno</bdi>");
    benno
        .get("/console/proposals?all=1")
        .await
        .with(200)
        .has("Carried out by");
    let actions = benno.get("/console/actions").await.with(200);
    actions.has("line &#60;7&#62;; proposed by ann");
    actions.has("Proposed something above the limit for <bdi>alice</bdi>");
    actions.has("<bdi class=\"muted\" lang=\"en\">credit: line");
    let late = ann
        .submit(&own, "/console/proposals/1/decline", &[])
        .await
        .with(409);
    late.has("Somebody has decided this meanwhile");
}

/// Whoever decides must see whose money it is, who has brought the statement, and whether the money came twice.
#[tokio::test]
async fn the_line_of_the_bank_is_shown_to_whoever_decides() {
    let world = World::with_limit(LIMIT).await;
    world.open("alice", 0).await;
    let ann = world.operator("ann", CASHIER).await;
    let benno = world.operator("benno", CASHIER).await;
    let statement = ann
        .upload("may.csv", &table(&[("Eve <E>", "rent <7>", "150,00")]))
        .await;
    ann.book(&statement, 1).await.with(303);
    let line = "/console/bank/lines/1";
    fill(&ann, line, &format!("{line}/assign"), &[("account", "alice")], 1)
        .await
        .has("No money has moved yet.");
    let path = "/console/proposals/1";
    let facts = [
        "<dd><bdi>rent &#60;7&#62;</bdi></dd>",
        "<dd><bdi>Eve &#60;E&#62;</bdi></dd>",
        "<dd><bdi>4 May 2026</bdi></dd>",
        "<dt>Statement uploaded by</dt><dd><bdi>ann</bdi></dd>",
    ];
    let ask = async |is_doubtful: bool| {
        let page = benno.get(path).await.with(200);
        page.has("href=\"/console/bank/lines/1\"");
        page.has("href=\"/console/bank/statements/1\"");
        let asked = benno
            .submit(&page, &format!("{path}/approve"), &[])
            .await
            .with(200);
        for page in [&page, &asked] {
            facts.iter().for_each(|fact| page.has(fact));
            assert_eq!(page.text.contains(WARNING), is_doubtful, "{}", page.text);
        }
        asked
    };
    ask(false).await;
    // The same money, from another kind of file.
    let again = benno
        .upload(
            "may.xml",
            &camt(&[("Eve <E>".replace(['<', '>'], "").as_str(), "rent", "150.00")]),
        )
        .await;
    benno.book(&again, 2).await.with(303);
    let asked = ask(true).await;
    let done = benno
        .submit(&asked, &format!("{path}/approve/confirm"), &[])
        .await
        .with(303);
    benno.get(done.header("location")).await.has("is carried out.");
    assert_eq!(balance(&world, "alice").await, 15_000);
    benno
        .get(path)
        .await
        .with(200)
        .has("Carried out by <bdi>benno</bdi>");
}

#[tokio::test]
async fn a_small_credit_needs_nobody_else() {
    let world = World::with_limit(LIMIT).await;
    world.open("alice", 100).await;
    let ann = world.operator("ann", CASHIER).await;
    let page = "/console/accounts/alice/book/credit";
    let typed = [("amount", "100.00"), ("reference", "line 8")];
    fill(&ann, page, page, &typed, 2)
        .await
        .has("Credited <bdi>100.00");
    assert_eq!(balance(&world, "alice").await, 10_100);
}

#[tokio::test]
async fn a_large_debit_is_withdrawn_declined_or_has_too_little_money() {
    let world = World::with_limit(LIMIT).await;
    for text in ["alice", "bob"] {
        world.open(text, LIMIT).await;
    }
    let (cashier, desk) = (world.server.issuer().cashier(), "desk".parse().unwrap());
    let more = cashier.acting(&desk);
    let (name, amount) = (
        "alice".parse().unwrap(),
        opencoin_ledger::Amount::new(100).unwrap(),
    );
    let text = Reference::new("more").unwrap();
    more.credit(&name, amount, text).await.unwrap().done();
    let ann = world.operator("ann", CASHIER).await;
    let benno = world.operator("benno", CASHIER).await;
    let page = "/console/accounts/alice/book/debit";
    for (reference, browser, button, said) in [
        ("a", &ann, "Withdraw it", "is withdrawn"),
        ("b", &benno, "Decline it", "is declined"),
    ] {
        let typed = [("amount", "100.50"), ("reference", reference)];
        let waits = fill(&ann, page, page, &typed, 1).await;
        waits.has("No money has moved yet.");
        let number = if reference == "a" { 1 } else { 2 };
        let path = format!("/console/proposals/{number}");
        browser.get(&path).await.with(200).has(button);
        let done = fill(browser, &path, &format!("{path}/decline"), &[], 2).await;
        done.has(said);
    }
    fill(&ann, page, page, &[("amount", "101.00"), ("reference", "c")], 1).await;
    // The holder spends a part of it meanwhile.
    let holder = world.browser("alice").await;
    let pay = "/account/pay";
    let form = holder.get(pay).await.with(200);
    let typed = [("to", "bob"), ("amount", "1"), ("label", "")];
    let asked = holder.submit(&form, pay, &typed).await.with(200);
    holder.submit(&asked, "/account/pay/confirm", &[]).await.with(303);
    let form = benno.get("/console/proposals/3").await.with(200);
    let asked = benno
        .submit(&form, "/console/proposals/3/approve", &[])
        .await
        .with(200);
    let short = benno
        .submit(&asked, "/console/proposals/3/approve/confirm", &[])
        .await;
    short.with(402).has("too little money for this now");
    assert_eq!(balance(&world, "alice").await, LIMIT);
    benno
        .get("/console/proposals")
        .await
        .has("Debit <bdi>alice</bdi>");
}

#[tokio::test]
async fn a_large_payout_is_settled_by_two() {
    let world = World::with_limit(LIMIT).await;
    world.open("alice", LIMIT).await;
    let (cashier, desk) = (world.server.issuer().cashier(), "desk".parse().unwrap());
    let (name, amount) = (
        "alice".parse().unwrap(),
        opencoin_ledger::Amount::new(LIMIT).unwrap(),
    );
    let text = Reference::new("more").unwrap();
    cashier
        .acting(&desk)
        .credit(&name, amount, text)
        .await
        .unwrap()
        .done();
    let accounts = world.server.issuer().accounts();
    let token = accounts.log_in("alice", PASSWORD).await.unwrap().token;
    let right = opencoin_issuer::accounts::Right::Own;
    let caller = accounts.caller(Some(&token), right).await.unwrap();
    let key = IdempotencyKey::new("one").unwrap();
    let asked = accounts.request_payout(caller.account, key, LIMIT + 1, "DE89370400440532013000");
    asked.await.unwrap();
    let ann = world.operator("ann", CASHIER).await;
    let benno = world.operator("benno", CASHIER).await;
    let payout = "/console/payouts/1";
    let waits = fill(
        &ann,
        payout,
        "/console/payouts/1/paid",
        &[("text", "transfer 7")],
        2,
    )
    .await;
    waits.has("Payout <bdi>1</bdi> of <bdi>alice</bdi> is paid");
    waits.has("No money has moved yet.");
    ann.get("/console/payouts").await.has("Settle");
    let form = benno.get(payout).await.with(200);
    let typed = [("text", "no")];
    let asked = benno
        .submit(&form, "/console/payouts/1/failed", &typed)
        .await
        .with(200);
    let other = benno
        .submit(&asked, "/console/payouts/1/failed/confirm", &[])
        .await;
    other.with(409).has("its settlement was proposed");
    let one = "/console/proposals/1";
    fill(&benno, one, "/console/proposals/1/approve", &[], 1).await;
    benno.get("/console/payouts?state=paid").await.has("transfer 7");
}

#[tokio::test]
async fn a_reader_sees_what_waits_and_no_forms() {
    let world = World::with_limit(LIMIT).await;
    world.open("alice", 100).await;
    let ann = world.operator("ann", CASHIER).await;
    let page = "/console/accounts/alice/book/credit";
    fill(&ann, page, page, &[("amount", "200"), ("reference", "x")], 1).await;
    let reader = world.operator("reader", &[AdminScope::Read]).await;
    reader
        .get("/console")
        .await
        .with(200)
        .lacks("waits for a second person");
    for path in ["/console/proposals", "/console/proposals/1"] {
        let page = reader.get(path).await.with(200);
        page.has("Credit <bdi>alice</bdi>");
        assert_eq!(page.text.matches("method=\"post\"").count(), 1, "{path}");
    }
    for verdict in ["approve", "decline", "approve/confirm", "decline/confirm"] {
        let refused = reader.post(&format!("/console/proposals/1/{verdict}"), &[]).await;
        refused.with(403).has("needs the right of a cashier");
    }
    reader.get("/console/proposals/9").await.with(404);
    let keys = world.operator("keys", &[AdminScope::Keys]).await;
    keys.get("/console/proposals").await.with(403);
    // Without a limit nobody needs the page, and the bar does not name it.
    let free = World::new().await;
    let desk = free.operator("desk", CASHIER).await;
    desk.get("/console").await.with(200).lacks("/console/proposals");
}
