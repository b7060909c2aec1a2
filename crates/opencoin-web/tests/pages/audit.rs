//! The page with the checks of the books.

use std::sync::Arc;

use chrono::TimeDelta;
use opencoin_issuer::AdminScope;
use opencoin_ledger::{
    ActionFilter, Amount, Ledger, LedgerTime, MemoryLedger, MintKeyId, MintKeyTerms,
    register_uncertified_mint_key,
};

use crate::world::World;

const ALL: &[AdminScope] = &AdminScope::ALL;
const PAGE: &str = "/console/audit";

impl World {
    /// Waits until no audit runs.
    async fn audit_ends(&self) {
        while self
            .server
            .issuer()
            .audit_state()
            .await
            .unwrap()
            .running
            .is_some()
        {
            tokio::task::yield_now().await;
        }
    }

    /// How often each action was recorded, the newest first.
    pub(crate) async fn recorded(&self) -> Vec<String> {
        let cashier = self.server.issuer().cashier();
        let actions = cashier.actions(ActionFilter::All, None, 100).await.unwrap();
        actions.into_iter().map(|action| action.kind).collect()
    }
}

#[tokio::test]
async fn the_books_are_checked_once_for_a_form_and_agree() {
    let world = World::new().await;
    world.open("alice", 100).await;
    let desk = world.operator("desk", ALL).await;
    let page = desk.get(PAGE).await.with(200);
    page.has("The books were not checked yet.");

    let held = world.audited.door.acquire().await.unwrap();
    for _ in 0..2 {
        let started = desk.submit(&page, PAGE, &[]).await.with(303);
        let running = desk.get(started.header("location")).await.with(200);
        running.has("The check has begun.");
        running.has("The books are being checked.");
        running.has("Started by <bdi>desk</bdi>.");
        // There is no button until it ends.
        running.lacks("Check now");
    }
    // A form of another page starts no second one either.
    let other = world.operator("night", ALL).await;
    let form = [
        ("key", "other"),
        ("form_token", &token_of(&other.get("/console").await.text)),
    ];
    other.post(PAGE, &form).await.with(303);
    drop(held);
    world.audit_ends().await;
    let recorded = world.recorded().await;
    assert_eq!(recorded[..2], ["audit-holds", "run-audit"]);
    assert!(!recorded[2..].contains(&"run-audit".to_owned()), "{recorded:?}");

    let page = desk.get(PAGE).await.with(200);
    page.has("The books agree.");
    page.has("Check now");
    page.has("No account is below zero.");
    page.has("1 January 2026, 00:00 UTC");
    page.lacks("mint key");
    desk.get("/console").await.has("Nothing waits for you.");
}

/// The token in the forms of a page.
fn token_of(page: &str) -> String {
    let token = page.split("name=\"form_token\" value=\"").nth(1).unwrap();
    token.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_broken_is_said_in_words_and_on_the_first_page() {
    let world = World::new().await;
    let desk = world.operator("desk", ALL).await;
    // Books with a key that nobody has certified.
    let books = Arc::<MemoryLedger>::default();
    let [from, until, expiry] = [1, 2, 3].map(LedgerTime::from_unix_micros);
    let terms = MintKeyTerms::new(Amount::new(1).unwrap(), from, until, expiry).unwrap();
    let register = register_uncertified_mint_key(MintKeyId::new([1; 20]), terms, from);
    books.apply(&[register]).await.unwrap().remove(0).unwrap();
    *world.audited.books.lock().unwrap() = books;
    let page = desk.get(PAGE).await.with(200);
    desk.submit(&page, PAGE, &[]).await.with(303);
    world.audit_ends().await;
    for (language, said, rule) in [
        (
            "en",
            "One rule is broken:",
            "The certificates of all keys are right",
        ),
        (
            "de",
            "Eine Regel ist verletzt:",
            "Die Zertifikate aller Schlüssel sind richtig",
        ),
    ] {
        let page = desk.get(&format!("{PAGE}?lang={language}")).await.with(303);
        let cookie = page.header("set-cookie").split(';').next().unwrap().to_owned();
        let cookies = format!("{}; {cookie}", desk.cookie);
        let headers = [("cookie", cookies.as_str())];
        let page = world
            .get_from(crate::world::Side::Operators, PAGE, &headers)
            .await
            .with(200);
        page.has(said);
        page.has(rule);
    }
    let today = desk.get("/console").await;
    today.has("The last check of the books found faults.");
    today.has("href=\"/console/audit\"");
}

#[tokio::test]
async fn whoever_may_not_check_the_books_may_look_and_others_may_not() {
    let world = World::new().await;
    let reader = world.operator("reader", &[AdminScope::Read]).await;
    let page = reader.get(PAGE).await.with(200);
    page.has("needs the right to change keys");
    page.lacks("Check now");
    let refused = reader.post(PAGE, &[]).await.with(403);
    refused.has("Changing keys and signing needs the right to change keys.");
    let cashier = world.operator("till", &[AdminScope::Cashier]).await;
    cashier.get("/console").await.lacks(PAGE);
    let refused = cashier.get(PAGE).await.with(403);
    refused.has("needs the right to look at everything, or to change keys");
    let keys = world.operator("key-keeper", &[AdminScope::Keys]).await;
    keys.get(PAGE).await.has("Check now");
    for site in ["cross-site", "same-site", "none"] {
        keys.post_from(site, PAGE, &[]).await.with(403);
    }
    keys.post(PAGE, &[("key", "k")]).await.with(403);
    assert_eq!(world.recorded().await, [""; 0]);
}

#[tokio::test]
async fn books_that_nobody_has_checked_for_weeks_are_named() {
    let world = World::new().await;
    world.clock.forward(TimeDelta::days(36));
    let desk = world.operator("desk", ALL).await;
    desk.get("/console")
        .await
        .has("The books were never checked from here.");
    let page = desk.get(PAGE).await;
    desk.submit(&page, PAGE, &[]).await.with(303);
    world.audit_ends().await;
    desk.get("/console").await.lacks("checked from here");
    world.clock.forward(TimeDelta::days(36));
    let desk = world.operator("desk-2", ALL).await;
    desk.get("/console")
        .await
        .has("No check of the books was started here for a long time.");
}
