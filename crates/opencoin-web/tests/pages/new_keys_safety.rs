//! New keys from the console: the master key signs what the operator has seen, guesses of its passphrase wait, who does what
//! is recorded first, and a broken request takes no other page away.

use std::fs;

use axum::body::Body;
use axum::http::Request;
use chrono::TimeDelta;
use opencoin_issuer::AdminScope;
use opencoin_keys::{CddDraft, Directory, SigningRequest};
use opencoin_schema::text;

use crate::new_keys::number_of_keys;
use crate::world::{KEYS_PASSPHRASE, KeyMaking, World};

const ALL: &[AdminScope] = &AdminScope::ALL;
const PAGE: &str = "/console/keys";
const MAKE: &str = "/console/keys/new";
const REQUEST: &str = "/console/keys/request";
const CHANGED: &str = "what waits for the master key has changed";

/// Lets a description of the currency with this serial wait for the master key, as a command that was interrupted leaves it.
pub(crate) fn let_a_description_wait(directory: &Directory, serials_on: u64) -> SigningRequest {
    let currency = directory.currency().unwrap();
    let mut next = CddDraft::of(currency.current().cdd());
    next.cdd_serial += serials_on;
    next.additional_info = "Another description".to_owned();
    let request = SigningRequest::new(Some(currency.current().cddc().clone()), Some(next), Vec::new());
    fs::write(directory.pending_file(), text::compact(&request)).unwrap();
    request
}

fn serial(directory: &Directory) -> u64 {
    directory.currency().unwrap().current().cdd().cdd_serial
}

fn rotate(body: &str) -> Request<Body> {
    let request = Request::post("/v1/admin/keys/rotate").body(Body::from(body.to_owned()));
    request.unwrap()
}

#[tokio::test]
async fn the_master_key_signs_only_what_the_operator_has_seen() {
    let world = World::making_keys(KeyMaking::WithMasterKey).await;
    let directory = world.directory().clone();
    world.until_keys_are_due().await;
    let desk = world.operator("desk", ALL).await;
    let form = desk.get(MAKE).await.with(200);
    form.lacks("A new description of the currency");

    let (before, request) = (serial(&directory), let_a_description_wait(&directory, 1));
    let typed = [("passphrase", KEYS_PASSPHRASE)];
    let shown = desk.submit(&form, MAKE, &typed).await.with(409);
    shown.has(CHANGED);
    shown.has("A new description of the currency");
    shown.has(&request.fingerprint());
    let body = format!("{{\"master_passphrase\":\"{KEYS_PASSPHRASE}\"}}");
    world
        .api(rotate(&body), ALL)
        .await
        .with(409)
        .has("preview-changed");
    let other = format!("{{\"master_passphrase\":\"{KEYS_PASSPHRASE}\",\"request\":\"0 0\"}}");
    world.api(rotate(&other), ALL).await.with(409);
    assert_eq!(serial(&directory), before);
    assert_eq!(world.done().await, [""; 0]);

    let signed = desk.submit(&shown, MAKE, &typed).await.with(303);
    let page = desk.get(signed.header("location")).await.with(200);
    page.has("The new description of the currency is certified.");
    assert_eq!(serial(&directory), before + 1);
    assert_eq!(world.done().await, ["desk change-description"]);
    // What was seen is finished: there is nothing to sign under its fingerprint.
    let again = format!(
        "{{\"master_passphrase\":\"{KEYS_PASSPHRASE}\",\"request\":\"{}\"}}",
        request.fingerprint()
    );
    let keys = number_of_keys(&directory);
    world.api(rotate(&again), ALL).await.with(409);
    assert_eq!(number_of_keys(&directory), keys);
}

#[tokio::test]
async fn guesses_of_the_passphrase_wait_and_are_recorded() {
    let world = World::making_keys(KeyMaking::WithMasterKey).await;
    let directory = world.directory().clone();
    world.until_keys_are_due().await;
    let desk = world.operator("desk", ALL).await;
    let form = desk.get(MAKE).await.with(200);
    let before = number_of_keys(&directory);
    for guess in ["1", "2", "3", "4", "5"] {
        desk.submit(&form, MAKE, &[("passphrase", guess)]).await.with(422);
    }
    // The right one has to wait as well, and so has everybody else.
    let right = [("passphrase", KEYS_PASSPHRASE)];
    let waits = desk.submit(&form, MAKE, &right).await.with(429);
    waits.has("Too many wrong passphrases were sent. Wait one second");
    let body = format!("{{\"master_passphrase\":\"{KEYS_PASSPHRASE}\"}}");
    let waits = world.api(rotate(&body), ALL).await.with(429);
    assert_eq!(waits.header("retry-after"), "1");
    assert_eq!(number_of_keys(&directory), before);
    assert_eq!(world.done().await, ["desk wrong-passphrase"; 5]);

    // Each further one waits for longer.
    world.clock.forward(TimeDelta::seconds(1));
    desk.submit(&form, MAKE, &[("passphrase", "6")]).await.with(422);
    world.clock.forward(TimeDelta::seconds(1));
    desk.submit(&form, MAKE, &right).await.with(429);
    world.clock.forward(TimeDelta::seconds(1));
    desk.submit(&form, MAKE, &right).await.with(303);
    assert_eq!(number_of_keys(&directory), before + 2);
    desk.get("/console/actions")
        .await
        .has("Sent a wrong passphrase of the master key");
}

#[tokio::test]
async fn who_lets_the_master_key_sign_is_recorded_before_it_does_and_once() {
    let world = World::making_keys(KeyMaking::WithMasterKey).await;
    let directory = world.directory().clone();
    let desk = world.operator("desk", ALL).await;
    // The master key refuses a second description with the same serial, so the work ends after the record.
    let_a_description_wait(&directory, 0);
    for _ in 0..2 {
        let form = desk.get(MAKE).await.with(200);
        let refused = desk.submit(&form, MAKE, &[("passphrase", KEYS_PASSPHRASE)]).await;
        assert_ne!(refused.status, 303, "{}", refused.text);
        assert_eq!(world.done().await, ["desk change-description"]);
    }
    // Somebody else who tries it is recorded, too.
    let night = world.operator("night", ALL).await;
    let form = night.get(MAKE).await.with(200);
    night
        .submit(&form, MAKE, &[("passphrase", KEYS_PASSPHRASE)])
        .await;
    assert_eq!(
        world.done().await,
        ["desk change-description", "night change-description"]
    );
}

#[tokio::test]
async fn keys_can_be_stopped_while_the_request_cannot_be_read() {
    for making in [KeyMaking::WithMasterKey, KeyMaking::MasterElsewhere] {
        let world = World::making_keys(making).await;
        let desk = world.operator("desk", ALL).await;
        fs::write(world.directory().pending_file(), "{").unwrap();
        let page = desk.get(PAGE).await.with(200);
        page.has("What waits for the master key cannot be read.");
        page.has("/console/keys/stop/");
        assert_eq!(desk.get(MAKE).await.with(303).header("location"), PAGE);
        desk.get(REQUEST)
            .await
            .with(200)
            .has("What waits for the master key cannot be read.");
        fs::remove_file(world.directory().pending_file()).unwrap();
        desk.get(PAGE)
            .await
            .lacks("What waits for the master key cannot be read.");
    }
}
