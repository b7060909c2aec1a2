//! The keys in the console: how they stand, stopping one, pausing all.

use chrono::TimeDelta;
use opencoin_issuer::{AdminScope, MintKeyOverview};
use opencoin_ledger::ActionFilter;

use crate::world::{Answer, World};

const ALL: &[AdminScope] = &AdminScope::ALL;
const PAGE: &str = "/console/keys";
const SCRIPT: &str = "<script>alert(1)</script>";

impl World {
    async fn key_of(&self, denomination: u64) -> MintKeyOverview {
        let keys = self.server.issuer().mint_key_overview().await.unwrap();
        keys.denominations[&denomination][0].clone()
    }

    /// What was done to keys and signing, the oldest first.
    async fn done_to_keys(&self) -> Vec<String> {
        let cashier = self.server.issuer().cashier();
        let actions = cashier.actions(ActionFilter::All, None, 100).await.unwrap();
        let said = actions.iter().rev().map(|action| {
            let detail = action.detail.as_ref().map_or("", |detail| detail.as_str());
            format!("{} {} {detail}", action.operator, action.kind)
        });
        said.collect()
    }
}

#[tokio::test]
async fn the_keys_of_each_value_are_listed_with_what_is_due() {
    let world = World::new().await;
    let desk = world.operator("desk", ALL).await;
    let page = desk.get(PAGE).await.with(200);
    for text in [
        "Coins of <bdi>0.05\u{a0}Open",
        "Coins of <bdi>2.00\u{a0}Open",
        "<span class=\"state good\">Signs</span>",
        "The next key is due on <time ",
        "The description of the currency is valid until",
        "Pause signing",
    ] {
        page.has(text);
    }
    for never in ["mint key", "denomination", "oca_"] {
        page.lacks(never);
    }
    // Each has a bar for the time in which it signs, and one for that in which its coins are valid.
    let shown = world.server.issuer().mint_key_overview().await.unwrap();
    for part in ["<rect class=\"signs\" ", "<rect class=\"coins\" "] {
        assert_eq!(page.text.matches(part).count(), shown.keys().count(), "{part}");
    }
    desk.get("/console").await.has("Nothing waits for you.");

    // Before the last key ends, the first page says from when on nobody gets coins.
    let key = world.key_of(5).await;
    world
        .clock
        .forward(key.signs_until - key.signs_from - TimeDelta::days(3));
    let desk = world.operator("desk-2", ALL).await;
    let today = desk.get("/console").await.with(200);
    today.has("Nobody gets new coins of <bdi>0.05 · 2.00</bdi> after <time ");
    today.has("href=\"/console/keys\"");
    desk.get(PAGE).await.has("The next key is due now.");
    world.clock.forward(TimeDelta::days(4));
    let desk = world.operator("desk-3", ALL).await;
    let today = desk.get("/console").await.with(200);
    today.has("Nobody gets coins of <bdi>0.05 · 2.00</bdi>: no key for them signs.");
    desk.get(PAGE).await.has("Signs no more");

    // Whoever keeps the accounts knows it too, and has no link.
    let cashier = world.operator("cashier", &[AdminScope::Cashier]).await;
    let today = cashier.get("/console").await.with(200);
    today.has("no key for them signs");
    today.lacks("/console/keys");
    world.clock.forward(TimeDelta::days(5000));
    let desk = world.operator("desk-4", ALL).await;
    desk.get("/console")
        .await
        .has("The description of the currency has expired.");
    desk.get(PAGE).await.has("And one key whose coins have expired.");
}

#[tokio::test]
async fn a_key_is_stopped_by_whoever_types_the_value_of_its_coins() {
    let world = World::new().await;
    let desk = world.operator("desk", ALL).await;
    let path = format!("/console/keys/stop/{}", world.key_of(5).await.id);
    desk.get(PAGE).await.has(&format!("href=\"{path}\""));
    let form = desk.get(&path).await.with(200);
    form.has("Stop a key for coins of <bdi>0.05\u{a0}Open");
    form.has("to confirm: 0.05");
    for wrong in ["", "5", "2.00", "0,5", "stop"] {
        let typed = [("value", wrong), ("reason", "a stolen laptop")];
        let refused = desk.submit(&form, &path, &typed).await.with(422);
        refused.has("This is not the value of its coins.");
        refused.has("value=\"a stolen laptop\"");
    }
    for wrong in ["", "a\u{202e}b"] {
        let typed = [("value", "0.05"), ("reason", wrong)];
        let refused = desk.submit(&form, &path, &typed).await.with(422);
        refused.has("without line breaks and invisible characters");
    }
    assert_eq!(world.done_to_keys().await, [""; 0]);

    let asked = desk
        .submit(&form, &path, &[("value", "0,05"), ("reason", SCRIPT)])
        .await
        .with(200);
    asked.has("<bdi>&#60;script&#62;alert(1)&#60;/script&#62;</bdi>)?");
    asked.has("Stop the key of <time datetime=\"");
    asked.has("</time> for coins of <bdi>0.05\u{a0}Open&#60;b&#62;Cent</bdi> for good (");
    let confirm = format!("{path}/confirm");
    // A second operator has the question before them at the same time.
    let night = world.operator("night", ALL).await;
    let other = night.get(&path).await.with(200);
    let other = night
        .submit(&other, &path, &[("value", "0.05"), ("reason", "because")])
        .await
        .with(200);
    for _ in 0..2 {
        let done = desk.submit(&asked, &confirm, &[]).await.with(303);
        let page = desk.get(done.header("location")).await.with(200);
        page.has("The key for coins of <bdi>0.05\u{a0}Open&#60;b&#62;Cent</bdi> is stopped.");
        page.has("<span class=\"state bad\">Stopped</span>");
        page.has("Why: <bdi>&#60;script&#62;");
        page.lacks(SCRIPT);
        page.lacks(&path);
    }
    let late = night.submit(&other, &confirm, &[]).await.with(303);
    let page = night.get(late.header("location")).await.with(200);
    page.has("was stopped before. Its first reason stays.");
    assert_eq!(
        world.done_to_keys().await,
        [format!("desk revoke-key {SCRIPT}")],
        "it is stopped once"
    );

    let form = desk.get(&path).await.with(200);
    form.has("This key is stopped already.");
    let typed = [("value", "0.05"), ("reason", "again"), ("key", "again")];
    let token = token(&form);
    let typed = [&typed[..], &[("form_token", token.as_str())]].concat();
    let refused = desk.post(&path, &typed).await.with(409);
    refused.has("This key is stopped already.");
    let today = desk.get("/console").await;
    today.has("Nobody gets coins of <bdi>0.05</bdi>: no key for them signs.");
    for unknown in ["0123", "x"] {
        desk.get(&format!("/console/keys/stop/{unknown}")).await.with(404);
    }
}

/// The token in the forms of a page.
fn token(page: &Answer) -> String {
    let token = page.text.split("name=\"form_token\" value=\"").nth(1).unwrap();
    token.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn signing_is_paused_and_goes_on() {
    let world = World::new().await;
    let desk = world.operator("desk", ALL).await;
    for (path, question, said) in [
        (
            "/console/keys/signing/paused",
            "Pause signing, for all coins?",
            "Signing is paused.",
        ),
        ("/console/keys/signing/on", "Go on signing?", "Signing goes on."),
    ] {
        let page = desk.get(PAGE).await.with(200);
        let asked = desk.submit(&page, path, &[]).await.with(200);
        asked.has(question);
        for _ in 0..2 {
            let done = desk
                .submit(&asked, &format!("{path}/confirm"), &[])
                .await
                .with(303);
            desk.get(done.header("location")).await.has(said);
        }
        let today = desk.get("/console").await;
        assert_eq!(
            today.text.contains("Signing is paused: nobody gets coins."),
            path.ends_with("paused")
        );
    }
    assert_eq!(
        world.done_to_keys().await,
        ["desk pause-signing ", "desk resume-signing "]
    );
    let token = token(&desk.get(PAGE).await);
    let form = [("form_token", token.as_str()), ("key", "k")];
    desk.post("/console/keys/signing/off", &form).await.with(404);
}

#[tokio::test]
async fn keys_are_changed_with_their_scope_and_from_pages_of_ones_own_session() {
    let world = World::new().await;
    let stop = format!("/console/keys/stop/{}", world.key_of(5).await.id);
    let forms = [
        stop.clone(),
        format!("{stop}/confirm"),
        "/console/keys/signing/paused".to_owned(),
        "/console/keys/signing/paused/confirm".to_owned(),
    ];
    let typed = [("value", "0.05"), ("reason", "x"), ("key", "k")];
    let reader = world.operator("reader", &[AdminScope::Read]).await;
    let page = reader.get(PAGE).await.with(200);
    page.lacks("/console/keys/stop");
    page.lacks("/console/keys/signing");
    let cashier = world.operator("till", &[AdminScope::Cashier]).await;
    cashier
        .get(PAGE)
        .await
        .with(403)
        .has("needs the right to look at everything, or to change keys");
    let keeper = world.operator("key-keeper", &[AdminScope::Keys]).await;
    keeper.get(PAGE).await.has(&stop);
    for form in &forms {
        for operator in [&reader, &cashier] {
            let refused = operator.post(form, &typed).await.with(403);
            refused.has("Changing keys and signing needs the right to change keys.");
        }
        keeper.post(form, &typed).await.with(403);
        for site in ["cross-site", "same-site", "none"] {
            keeper.post_from(site, form, &typed).await.with(403);
        }
    }
    reader.get(&stop).await.with(403);
    assert_eq!(world.done_to_keys().await, [""; 0]);
}
