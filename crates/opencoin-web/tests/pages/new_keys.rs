//! New keys from the console: with the master key here, with one elsewhere, and with a signer of its own.

use axum::body::Body;
use axum::http::Request;
use chrono::TimeDelta;
use opencoin_issuer::AdminScope;
use opencoin_keys::{Directory, Passphrase, SigningRequest, Vault};
use opencoin_ledger::ActionFilter;
use opencoin_schema::from_json;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;

use crate::world::{Answer, Browser, KEYS_PASSPHRASE, KeyMaking, Side, World};

const ALL: &[AdminScope] = &AdminScope::ALL;
const PAGE: &str = "/console/keys";
const MAKE: &str = "/console/keys/new";
const REQUEST: &str = "/console/keys/request";

impl World {
    /// Goes on to a time at which new keys are due.
    pub(crate) async fn until_keys_are_due(&self) {
        let keys = self.server.issuer().mint_key_overview().await.unwrap();
        let due = keys.rotations.values().max().unwrap();
        self.clock.forward(*due - keys.at + TimeDelta::seconds(1));
    }

    /// What was done, the oldest first.
    pub(crate) async fn done(&self) -> Vec<String> {
        let cashier = self.server.issuer().cashier();
        let actions = cashier.actions(ActionFilter::All, None, 100).await.unwrap();
        let said = |action: opencoin_ledger::RecordedAction| format!("{} {}", action.operator, action.kind);
        actions.into_iter().rev().map(said).collect()
    }

    /// Asks the API.
    pub(crate) async fn api(&self, request: Request<Body>, scopes: &[AdminScope]) -> Answer {
        // Names of one length have the same token in these tests.
        let name = format!("script-{}", "x".repeat(scopes.len()));
        let _ = self.tokens.remove(&name.parse().unwrap());
        let token = self.token(&name, scopes);
        let (mut head, body) = request.into_parts();
        let bearer = format!("Bearer {}", token.expose());
        head.headers.insert("authorization", bearer.parse().unwrap());
        self.send_to(Side::Operators, Request::from_parts(head, body))
            .await
    }
}

const WRONG: &str = "wrong-donkey-0815-staple";

/// Checks that no passphrase is in an answer.
#[track_caller]
fn hides_passphrases(answer: &Answer) {
    for secret in [WRONG, KEYS_PASSPHRASE] {
        answer.lacks(secret);
        assert!(!format!("{:?}", answer.headers).contains(secret));
    }
}

pub(crate) fn number_of_keys(directory: &Directory) -> usize {
    directory.root().join("keys").read_dir().unwrap().count()
}

async fn make(desk: &Browser<'_>, passphrase: &str) -> Answer {
    let form = desk.get(MAKE).await.with(200);
    // Without the master key here the form has no field for it.
    let typed = [("passphrase", passphrase)];
    let typed = if passphrase.is_empty() { &[] } else { &typed[..] };
    desk.submit(&form, MAKE, typed).await
}

#[tokio::test]
async fn keys_that_are_due_are_made_with_the_passphrase_of_the_master_key() {
    let world = World::making_keys(KeyMaking::WithMasterKey).await;
    let directory = world.directory().clone();
    let desk = world.operator("desk", ALL).await;
    desk.get(PAGE).await.has("No new key is due.");
    // Nothing is due, so there is no form.
    assert_eq!(desk.get(MAKE).await.with(303).header("location"), PAGE);

    world.until_keys_are_due().await;
    let desk = world.operator("desk-2", ALL).await;
    let page = desk.get(PAGE).await.with(200);
    page.has("New keys are due");
    page.has(MAKE);
    let form = desk.get(MAKE).await.with(200);
    form.has("Coins of <bdi>0.05\u{a0}Open");
    form.has("type=\"password\"");
    let before = number_of_keys(&directory);
    for wrong in ["", WRONG, &format!("{KEYS_PASSPHRASE} ")] {
        let refused = desk.submit(&form, MAKE, &[("passphrase", wrong)]).await.with(422);
        refused.has("This passphrase does not open the master key.");
        hides_passphrases(&refused);
    }
    assert_eq!(
        number_of_keys(&directory),
        before,
        "nothing is made for a wrong passphrase"
    );
    assert_eq!(world.done().await, ["desk-2 wrong-passphrase"; 2]);

    for _ in 0..2 {
        let made = desk
            .submit(&form, MAKE, &[("passphrase", KEYS_PASSPHRASE)])
            .await
            .with(303);
        let page = desk.get(made.header("location")).await.with(200);
        page.has("<bdi>2</bdi> new keys are made and certified.");
        page.has("Signs later");
        hides_passphrases(&page);
        page.has("No new key is due.");
    }
    assert_eq!(number_of_keys(&directory), before + 2);
    assert_eq!(world.done().await.last().unwrap(), "desk-2 rotate-keys");
    assert_eq!(world.done().await.len(), 3);
    let today = desk.get("/console").await;
    today.lacks("unless new keys are made");
    for page in ["/console", "/console/actions", PAGE, MAKE, REQUEST] {
        hides_passphrases(&desk.get(page).await);
    }
    let cashier = world.server.issuer().cashier();
    let actions = cashier.actions(ActionFilter::All, None, 100).await.unwrap();
    assert!(!format!("{actions:?}").contains(WRONG) && !format!("{actions:?}").contains(KEYS_PASSPHRASE));

    // The API finds nothing due, and needs the passphrase as well.
    let rotate = |body: &str| Request::post("/v1/admin/keys/rotate").body(Body::from(body.to_owned()));
    let answer = world.api(rotate("{}").unwrap(), ALL).await.with(422);
    answer.has("master_passphrase");
    let body = format!("{{\"master_passphrase\":\"{KEYS_PASSPHRASE}\"}}");
    let answer = world.api(rotate(&body).unwrap(), ALL).await.with(200);
    let answer: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(
        (&answer["result"], &answer["keys"]),
        (&"nothing".into(), &Value::Array(Vec::new()))
    );
    let pending = Request::get("/v1/admin/keys/pending").body(Body::empty());
    world.api(pending.unwrap(), ALL).await.with(404);
    // Neither a wrong passphrase nor one of a wrong type is repeated.
    for wrong in [format!("\"{WRONG}\""), "47114711".to_owned()] {
        let body = format!("{{\"master_passphrase\":{wrong}}}");
        let answer = world.api(rotate(&body).unwrap(), ALL).await.with(422);
        hides_passphrases(&answer);
        answer.lacks("47114711");
    }
}

#[tokio::test]
async fn a_command_that_changes_keys_at_this_moment_comes_first() {
    let world = World::making_keys(KeyMaking::WithMasterKey).await;
    let directory = world.directory().clone();
    world.until_keys_are_due().await;
    let desk = world.operator("desk", ALL).await;
    let form = desk.get(MAKE).await.with(200);
    let typed = [("passphrase", KEYS_PASSPHRASE)];
    let lock = directory.lock().unwrap();
    desk.submit(&form, MAKE, &typed).await.with(503);
    drop(lock);
    // The same form goes on.
    desk.submit(&form, MAKE, &typed).await.with(303);
    assert_eq!(world.done().await, ["desk rotate-keys"]);

    // Two operators at once: one makes the keys, and the other one finds nothing due.
    world.clock.forward(TimeDelta::days(1));
    world.until_keys_are_due().await;
    let (desk, night) = (
        world.operator("desk-2", ALL).await,
        world.operator("night", ALL).await,
    );
    let (one, other) = (desk.get(MAKE).await.with(200), night.get(MAKE).await.with(200));
    let (one, other) = tokio::join!(
        desk.submit(&one, MAKE, &typed),
        night.submit(&other, MAKE, &typed)
    );
    let mut said = Vec::new();
    for (browser, made) in [(&desk, one), (&night, other)] {
        let page = browser.get(made.with(303).header("location")).await.with(200);
        said.push(page.text.contains("new keys are made and certified"));
    }
    said.sort_unstable();
    assert_eq!(said, [false, true]);
    assert_eq!(world.done().await.len(), 2);
}

#[tokio::test]
async fn keys_wait_for_a_master_key_on_another_machine() {
    let world = World::making_keys(KeyMaking::MasterElsewhere).await;
    let directory = world.directory().clone();
    world.until_keys_are_due().await;
    let desk = world.operator("desk", ALL).await;
    let form = desk.get(MAKE).await.with(200);
    form.lacks("type=\"password\"");
    for _ in 0..2 {
        let asked = desk.submit(&form, MAKE, &[]).await.with(303);
        let page = desk.get(asked.header("location")).await.with(200);
        page.has("The new keys are made. They still need the master key.");
    }
    // Another form makes no more keys: the request waits.
    assert_eq!(
        make(&desk, "")
            .await
            .with(303)
            .header("location")
            .split('?')
            .next(),
        Some(REQUEST)
    );
    let page = desk.get(REQUEST).await.with(200);
    let file = desk.get("/console/keys/pending.json").await.with(200);
    assert_eq!(file.header("content-type"), "application/json");
    assert!(file.header("content-disposition").starts_with("attachment;"));
    let request: SigningRequest = from_json(file.text.as_bytes()).unwrap();
    page.has(&request.fingerprint());
    page.has("for coins of <bdi>0.05\u{a0}Open");
    desk.get(PAGE).await.has("New keys wait for the master key");
    let pending = Request::get("/v1/admin/keys/pending").body(Body::empty());
    let pending = world.api(pending.unwrap(), &[AdminScope::Read]).await.with(200);
    let pending: Value = serde_json::from_str(&pending.text).unwrap();
    assert_eq!(pending["request"], file.text);
    assert_eq!(pending["fingerprint"], request.fingerprint());

    for wrong in ["", "{}", "not json"] {
        let refused = desk
            .send_file(&page, REQUEST, &[], ("certificates.json", wrong.as_bytes()))
            .await
            .with(422);
        refused.has("This file was not taken, and nothing changed.");
    }
    let long = vec![b' '; opencoin_issuer::CERTIFICATES_BYTES_MAX + 1];
    desk.send_file(&page, REQUEST, &[], ("long.json", &long))
        .await
        .with(422);
    // Once, however often somebody asks what to do.
    assert_eq!(world.done().await, ["desk rotate-keys"]);

    let vault = Vault::new(directory.root().with_file_name("vault"));
    let passphrase = Passphrase::new(KEYS_PASSPHRASE.to_owned().into()).unwrap();
    let now = opencoin_keys::Clock::now(&*world.clock);
    let signed = vault.sign(&request, &passphrase, now, &mut StdRng::seed_from_u64(1));
    let signed = opencoin_schema::text::compact(&signed.unwrap());
    for _ in 0..2 {
        let taken = desk
            .send_file(&page, REQUEST, &[], ("certificates.json", signed.as_bytes()))
            .await
            .with(303);
        let page = desk.get(taken.header("location")).await.with(200);
        page.has("<bdi>2</bdi> new keys are made and certified.");
        page.has("No new key is due.");
    }
    // Another file is not what the form has taken.
    desk.send_file(&page, REQUEST, &[], ("certificates.json", b"{}"))
        .await
        .with(409);
    desk.get(REQUEST).await.has("Nothing waits for the master key.");
    desk.get("/console/keys/pending.json").await.with(404);
    // The API takes the same file again, and changes nothing.
    let again = Request::post("/v1/admin/keys/certificates").body(Body::from(signed));
    let again = world.api(again.unwrap(), ALL).await.with(200);
    let again: Value = serde_json::from_str(&again.text).unwrap();
    assert_eq!((&again["imported"], &again["late"]), (&false.into(), &0.into()));
    let done = world.done().await;
    assert_eq!(done, ["desk rotate-keys", "desk import-certificates"]);
}

#[tokio::test]
async fn a_server_without_the_private_keys_says_where_they_are_made() {
    let world = World::making_keys(KeyMaking::AtSigner).await;
    world.until_keys_are_due().await;
    let desk = world.operator("desk", ALL).await;
    let form = desk.get(MAKE).await.with(200);
    form.has("A signer on its own has the private keys");
    form.has(&format!(
        "opencoin issuer keys rotate --dir {}",
        world.directory().root().display()
    ));
    form.lacks("name=\"key\"");
    let rotate = Request::post("/v1/admin/keys/rotate").body(Body::from("{}"));
    world.api(rotate.unwrap(), ALL).await.with(422);
    assert_eq!(world.done().await, [""; 0]);
}

#[tokio::test]
async fn keys_of_a_signer_on_another_machine_are_made_and_certified_there() {
    let world = World::making_keys(KeyMaking::AtRemoteSigner).await;
    world.until_keys_are_due().await;
    let desk = world.operator("desk", ALL).await;
    let form = desk.get(MAKE).await.with(200);
    form.has("A signer on another machine has the private keys");
    form.has("opencoin issuer import certificates.json --dir");
    form.lacks("name=\"key\"");
    for (path, body) in [
        ("rotate", r#"{}"#),
        ("certificates", r#"{}"#),
        ("give-up", r#"{"request": "a fingerprint"}"#),
    ] {
        let request = Request::post(format!("/v1/admin/keys/{path}")).body(Body::from(body));
        let refused = world.api(request.unwrap(), ALL).await.with(422);
        refused.has("a signer on another machine has the private keys");
        refused.has("copy");
    }
    let page = desk.get(REQUEST).await.with(200);
    page.has("A signer on another machine has the private keys");
    assert_eq!(world.done().await, [""; 0]);
}

#[tokio::test]
async fn keys_are_made_with_their_scope_and_from_pages_of_ones_own_session() {
    let world = World::making_keys(KeyMaking::MasterElsewhere).await;
    world.until_keys_are_due().await;
    let reader = world.operator("reader", &[AdminScope::Read]).await;
    reader.get(PAGE).await.with(200).lacks(MAKE);
    reader.get(REQUEST).await.with(200);
    reader.get(MAKE).await.with(403);
    let cashier = world.operator("till", &[AdminScope::Cashier]).await;
    for path in [MAKE, REQUEST, "/console/keys/pending.json"] {
        cashier.get(path).await.with(403);
    }
    let keeper = world.operator("key-keeper", &[AdminScope::Keys]).await;
    let typed = [("key", "k"), ("passphrase", KEYS_PASSPHRASE)];
    for form in [MAKE, REQUEST] {
        for operator in [&reader, &cashier] {
            let refused = operator.post(form, &typed).await.with(403);
            refused.has("Changing keys and signing needs the right to change keys.");
        }
        keeper.post_from("cross-site", form, &typed).await.with(403);
    }
    keeper.post(MAKE, &typed).await.with(403);
    for (path, scopes, status) in [
        ("rotate", &[AdminScope::Read][..], 403),
        ("certificates", &[AdminScope::Read, AdminScope::Cashier][..], 403),
    ] {
        let request = Request::post(format!("/v1/admin/keys/{path}")).body(Body::from("{}"));
        world.api(request.unwrap(), scopes).await.with(status);
    }
    assert_eq!(world.done().await, [""; 0]);
}
