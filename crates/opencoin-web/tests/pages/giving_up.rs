//! A request that waits for the master key is given up: only the one that the operator has seen, by one of two, recorded
//! first, and never if its description may be signed.

use std::fs;

use axum::body::Body;
use axum::http::Request;
use chrono::TimeDelta;
use opencoin_issuer::AdminScope;
use opencoin_keys::{Clock, Directory, Passphrase, SigningRequest, Vault};
use opencoin_ledger::ActionFilter;
use opencoin_schema::{from_json, text};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::new_keys_safety::let_a_description_wait;
use crate::world::{Browser, KEYS_PASSPHRASE, KeyMaking, World};

const ALL: &[AdminScope] = &AdminScope::ALL;
const PAGE: &str = "/console/keys";
const MAKE: &str = "/console/keys/new";
const REQUEST: &str = "/console/keys/request";
const GIVE_UP: &str = "/console/keys/give-up";

fn pending(directory: &Directory) -> SigningRequest {
    from_json(&fs::read(directory.pending_file()).unwrap()).unwrap()
}

/// Makes keys that wait for the master key.
async fn request_keys(world: &World, desk: &Browser<'_>) -> SigningRequest {
    let form = desk.get(MAKE).await.with(200);
    desk.submit(&form, MAKE, &[]).await.with(303);
    pending(world.directory())
}

fn by_api(fingerprint: &str, never_signed: bool) -> Request<Body> {
    let body = format!("{{\"request\":\"{fingerprint}\",\"never_signed\":{never_signed}}}");
    let request = Request::post("/v1/admin/keys/give-up").body(Body::from(body));
    request.unwrap()
}

/// The vault of a master key on another machine.
fn vault(directory: &Directory) -> Vault {
    Vault::new(directory.root().with_file_name("vault"))
}

fn sign(world: &World, vault: &Vault, request: &SigningRequest) -> String {
    let passphrase = Passphrase::new(KEYS_PASSPHRASE.to_owned().into()).unwrap();
    let signed = vault.sign(
        request,
        &passphrase,
        world.clock.now(),
        &mut StdRng::seed_from_u64(1),
    );
    text::compact(&signed.unwrap())
}

#[tokio::test]
async fn an_unwanted_request_is_given_up_by_one_of_two_operators() {
    let world = World::making_keys(KeyMaking::MasterElsewhere).await;
    let directory = world.directory().clone();
    let early = world.operator("early", ALL).await;
    assert_eq!(early.get(GIVE_UP).await.with(303).header("location"), PAGE);
    world.until_keys_are_due().await;
    let (desk, night) = (
        world.operator("desk", ALL).await,
        world.operator("night", ALL).await,
    );
    let request = request_keys(&world, &desk).await;
    let signed = sign(&world, &vault(&directory), &request);
    desk.get(REQUEST).await.has(GIVE_UP);
    let (one, other) = (
        desk.get(GIVE_UP).await.with(200),
        night.get(GIVE_UP).await.with(200),
    );
    one.has(&request.fingerprint());
    one.has("for coins of <bdi>0.05");
    // Another request than the one that was seen.
    world
        .api(by_api("0 0", false), ALL)
        .await
        .with(409)
        .has("preview-changed");
    assert_eq!(world.done().await, ["desk rotate-keys"]);

    // A command has the turn, then the same form goes on.
    let lock = directory.lock().unwrap();
    desk.submit(&one, GIVE_UP, &[]).await.with(503);
    drop(lock);
    assert_eq!(world.done().await, ["desk rotate-keys"]);
    let (one, other) = tokio::join!(
        desk.submit(&one, GIVE_UP, &[]),
        night.submit(&other, GIVE_UP, &[])
    );
    let mut said = Vec::new();
    for (browser, answer) in [(&desk, one), (&night, other)] {
        let page = browser.get(answer.with(303).header("location")).await.with(200);
        page.has("New keys are due");
        said.push(page.text.contains("The request is given up."));
    }
    said.sort_unstable();
    assert_eq!(said, [false, true]);
    assert!(!directory.pending_file().exists());
    let done = world.done().await;
    assert_eq!(done.len(), 2, "{done:?}");
    assert!(done[1].ends_with(" give-up-request"), "{done:?}");
    let newest = world.server.issuer().cashier();
    let newest = newest
        .actions(ActionFilter::All, None, 1)
        .await
        .unwrap()
        .remove(0);
    let detail = newest.detail.unwrap();
    assert!(detail.as_str().contains(&request.fingerprint()), "{detail:?}");
    desk.get("/console/actions")
        .await
        .has("Gave up a request to the master key");

    // Its certificates are not taken any more, and a repetition finds nothing.
    let import = Request::post("/v1/admin/keys/certificates").body(Body::from(signed));
    world.api(import.unwrap(), ALL).await.with(422);
    let again = by_api(&request.fingerprint(), false);
    world.api(again, ALL).await.with(200).has("\"given_up\": false");
    assert_eq!(world.done().await.len(), 2);
}

#[tokio::test]
async fn whoever_died_before_the_file_was_gone_gives_it_up_again_and_is_recorded_once() {
    let world = World::making_keys(KeyMaking::MasterElsewhere).await;
    let directory = world.directory().clone();
    world.until_keys_are_due().await;
    let desk = world.operator("desk", ALL).await;
    let request = request_keys(&world, &desk).await;
    let file = fs::read(directory.pending_file()).unwrap();
    for _ in 0..2 {
        // What a death after the record leaves.
        fs::write(directory.pending_file(), &file).unwrap();
        let form = desk.get(GIVE_UP).await.with(200);
        form.has(&request.fingerprint());
        desk.submit(&form, GIVE_UP, &[]).await.with(303);
    }
    assert_eq!(world.done().await, ["desk rotate-keys", "desk give-up-request"]);
}

#[tokio::test]
async fn a_description_is_given_up_only_if_it_was_never_signed() {
    // The master key is elsewhere: only the operator knows.
    let world = World::making_keys(KeyMaking::MasterElsewhere).await;
    let directory = world.directory().clone();
    let desk = world.operator("desk", ALL).await;
    let request = let_a_description_wait(&directory, 1);
    let form = desk.get(GIVE_UP).await.with(200);
    form.has("A new description of the currency");
    let refused = desk.submit(&form, GIVE_UP, &[]).await.with(422);
    refused.has("The request was not given up, and nothing changed.");
    let refused = world
        .api(by_api(&request.fingerprint(), false), ALL)
        .await
        .with(422);
    refused.has("may have signed the description");
    assert!(directory.pending_file().exists());
    assert_eq!(world.done().await, [""; 0]);
    let form = desk.get(GIVE_UP).await.with(200);
    let given_up = desk.submit(&form, GIVE_UP, &[("never_signed", "yes")]).await;
    let page = desk.get(given_up.with(303).header("location")).await.with(200);
    page.has("The request is given up.");
    assert!(!directory.pending_file().exists());

    // The master key is here: its record knows, whatever the operator says.
    let world = World::making_keys(KeyMaking::WithMasterKey).await;
    let directory = world.directory().clone();
    let desk = world.operator("desk", ALL).await;
    let request = let_a_description_wait(&directory, 1);
    let given_up = world.api(by_api(&request.fingerprint(), false), ALL).await;
    given_up.with(200).has("\"given_up\": true");
    let request = let_a_description_wait(&directory, 1);
    sign(&world, &Vault::new(directory.master_folder()), &request);
    desk.get(MAKE).await.with(200).has(GIVE_UP);
    let form = desk.get(GIVE_UP).await.with(200);
    form.lacks("never_signed");
    desk.submit(&form, GIVE_UP, &[]).await.with(422);
    let refused = world
        .api(by_api(&request.fingerprint(), true), ALL)
        .await
        .with(422);
    refused.has("has signed the description");
    assert!(directory.pending_file().exists());
}

#[tokio::test]
async fn what_comes_too_late_is_not_asked_for_and_can_be_given_up() {
    let world = World::making_keys(KeyMaking::InPublicLog).await;
    let directory = world.directory().clone();
    world.until_keys_are_due().await;
    let desk = world.operator("desk", ALL).await;
    let request = request_keys(&world, &desk).await;
    let page = desk.get(REQUEST).await.with(200);
    page.has("The signed file must be here by");
    page.has("3. Bring the signed file back");
    let by = directory.import_deadline(&request).unwrap().unwrap();
    world
        .clock
        .forward(by - world.clock.now() + TimeDelta::seconds(1));

    let desk = world.operator("desk-2", ALL).await;
    let page = desk.get(REQUEST).await.with(200);
    page.has("The signed file had to be here by");
    page.has("These keys can never be used");
    page.lacks("3. Bring the signed file back");
    page.lacks("type=\"file\"");
    page.has(GIVE_UP);
    // The same where the master key is here: it would not sign.
    fs::rename(
        directory.root().with_file_name("vault"),
        directory.master_folder(),
    )
    .unwrap();
    let page = desk.get(MAKE).await.with(200);
    page.has("These keys can never be used");
    page.lacks("type=\"password\"");
    page.has(GIVE_UP);
    let body = format!(
        "{{\"master_passphrase\":\"{KEYS_PASSPHRASE}\",\"request\":\"{}\"}}",
        request.fingerprint()
    );
    let rotate = Request::post("/v1/admin/keys/rotate").body(Body::from(body));
    let refused = world.api(rotate.unwrap(), ALL).await.with(422);
    refused.has("opencoin issuer keys give-up");
    refused.lacks(&directory.root().display().to_string());

    let form = desk.get(GIVE_UP).await.with(200);
    desk.submit(&form, GIVE_UP, &[]).await.with(303);
    desk.get(MAKE).await.with(200).has("type=\"password\"");
}

#[tokio::test]
async fn requests_are_given_up_with_the_scope_for_keys() {
    let world = World::making_keys(KeyMaking::MasterElsewhere).await;
    let request = let_a_description_wait(world.directory(), 1);
    let reader = world.operator("reader", &[AdminScope::Read]).await;
    reader.get(REQUEST).await.with(200).lacks(GIVE_UP);
    reader.get(GIVE_UP).await.with(403);
    let said = [
        ("key", "k"),
        ("request", &request.fingerprint()),
        ("never_signed", "yes"),
    ];
    reader.post(GIVE_UP, &said).await.with(403);
    let api = by_api(&request.fingerprint(), true);
    world
        .api(api, &[AdminScope::Read, AdminScope::Cashier])
        .await
        .with(403);
    let keeper = world.operator("key-keeper", &[AdminScope::Keys]).await;
    keeper.post_from("cross-site", GIVE_UP, &said).await.with(403);
    assert!(world.directory().pending_file().exists());
    assert_eq!(world.done().await, [""; 0]);
}

#[tokio::test]
async fn a_fault_that_stays_says_so_without_the_paths_of_files() {
    let world = World::making_keys(KeyMaking::WithMasterKey).await;
    let directory = world.directory().clone();
    world.until_keys_are_due().await;
    fs::remove_dir_all(directory.root().join("keys")).unwrap();
    fs::write(directory.root().join("keys"), "not a folder").unwrap();
    let body = format!("{{\"master_passphrase\":\"{KEYS_PASSPHRASE}\"}}");
    let rotate = Request::post("/v1/admin/keys/rotate").body(Body::from(body));
    let refused = world.api(rotate.unwrap(), ALL).await.with(422);
    refused.has("finds the reason in its log");
    refused.lacks(&directory.root().display().to_string());
    fs::write(directory.pending_file(), "{").unwrap();
    for (path, body) in [("rotate", "{}"), ("give-up", "{\"request\":\"0\"}")] {
        let body = match path {
            "rotate" => format!("{{\"master_passphrase\":\"{KEYS_PASSPHRASE}\"}}"),
            _ => body.to_owned(),
        };
        let request = Request::post(format!("/v1/admin/keys/{path}")).body(Body::from(body));
        let refused = world.api(request.unwrap(), ALL).await.with(422);
        refused.has("finds the reason in its log");
        refused.lacks(&directory.root().display().to_string());
    }
}
