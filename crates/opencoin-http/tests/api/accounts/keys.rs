//! Mint keys and signing, as operators see and stop them.

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_issuer::AdminScope;
use serde_json::{Value, json};

use crate::fixture::{DENOMINATIONS, START};
use crate::world::World;

/// The key of 5, in the list of all keys.
async fn key_of_5(world: &World) -> Value {
    let all = world.admin_get("/v1/admin/keys").await.with(200);
    let keys = all["keys"].as_array().unwrap();
    keys.iter().find(|key| key["denomination"] == 5).unwrap().clone()
}

fn moment(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_list_has_every_key_its_counts_and_what_is_due() {
    let mut world = World::new().await;
    let alice = world.open("alice", 50).await;
    let (one, two) = (world.blind(), world.blind());
    let coin = world.coin(&one, world.mint(&alice, &one, 1).await);
    world.mint(&alice, &two, 2).await.with(200);
    world.redeem(&alice, &[coin]).await.with(200);

    let all = world.admin_get("/v1/admin/keys").await.with(200);
    let of = |field: &str| -> Vec<Value> {
        let keys = all["keys"].as_array().unwrap();
        keys.iter().map(|key| key[field].clone()).collect()
    };
    assert_eq!(of("denomination"), DENOMINATIONS.map(Value::from));
    assert_eq!(of("state"), ["signs", "signs", "signs"]);
    assert_eq!(of("issued"), [0, 0, 2]);
    assert_eq!(of("returned"), [0, 0, 1]);
    assert_eq!(all["signing_paused"], false);
    let start: DateTime<Utc> = START.parse().unwrap();
    let key = key_of_5(&world).await;
    assert_eq!(key["id"], world.currency.mint_key().id.to_string());
    assert!(key.get("stop_reason").is_none());
    let [from, until, expiry] =
        ["signs_from", "signs_until", "coins_expire_at"].map(|field| moment(&key[field]));
    assert!(from <= start && start < until && until < expiry, "{key}");
    let rotations = all["rotations"].as_array().unwrap();
    assert_eq!(rotations.len(), DENOMINATIONS.len());
    for rotation in rotations {
        let due = moment(&rotation["due_at"]);
        assert!(start < due && due < until, "{rotation}");
    }
    let [due, expires] = ["description_due_at", "description_expires_at"].map(|field| moment(&all[field]));
    assert!(start < due && due < expires);

    for (moment, state) in [(until, "ended"), (expiry, "expired")] {
        world.clock.set(moment + TimeDelta::seconds(1));
        assert_eq!(key_of_5(&world).await["state"], state);
    }
    // Without a key that signs, a new one is due now, not at some time of the past.
    let late = world.admin_get("/v1/admin/keys").await.with(200);
    assert_eq!(late["rotations"][0]["due_at"], late["at"]);
}

/// Stopping is what `opencoin issuer keys revoke` does, takes effect at once, and is done and recorded once.
#[tokio::test]
async fn a_stopped_key_signs_nothing_and_its_coins_are_refused() {
    let mut world = World::new().await;
    let alice = world.open("alice", 50).await;
    let (one, two) = (world.blind(), world.blind());
    let coin = world.coin(&one, world.mint(&alice, &one, 1).await);
    let id = world.currency.mint_key().id.to_string();
    let path = format!("/v1/admin/keys/{id}/stop");
    let keeper = world.operator_with("keeper", &[AdminScope::Keys]);
    let stopped = world
        .post(&path, &keeper, json!({ "reason": "stolen" }))
        .await
        .with(200);
    assert_eq!(
        [&stopped["id"], &stopped["state"], &stopped["stop_reason"]],
        [&json!(id), &json!("stopped"), &json!("stolen")]
    );
    let revoked = world.get("/v1/revocations", "").await.with(200);
    assert_eq!(revoked["mint_keys"], json!([{ "id": id, "reason": "stolen" }]));
    world.mint(&alice, &two, 2).await.fails_with(410, "key-revoked");
    world.redeem(&alice, &[coin]).await.fails_with(410, "key-revoked");

    let again = world
        .admin_post(&path, json!({ "reason": "really stolen" }))
        .await
        .with(200);
    assert_eq!(again, stopped);
    let actions = world
        .admin_get(&format!("/v1/admin/actions?subject={id}"))
        .await
        .with(200);
    let actions = actions["actions"].as_array().unwrap();
    assert_eq!(actions.len(), 1, "{actions:?}");
    assert_eq!(
        [
            &actions[0]["operator"],
            &actions[0]["kind"],
            &actions[0]["detail"]
        ],
        ["keeper", "revoke-key", "stolen"]
    );

    for (id, body, status) in [
        ("00ff", json!({ "reason": "stolen" }), 404),
        ("no-number", json!({ "reason": "stolen" }), 404),
        (id.as_str(), json!({ "reason": "" }), 422),
        (id.as_str(), json!({ "reason": "two\nlines" }), 422),
        (id.as_str(), json!({}), 400),
    ] {
        let path = format!("/v1/admin/keys/{id}/stop");
        world.admin_post(&path, body).await.fails(status);
    }
}

#[tokio::test]
async fn signing_is_paused_and_resumed() {
    let mut world = World::new().await;
    let alice = world.open("alice", 50).await;
    let blind = world.blind();
    for paused in [true, true] {
        let said = world
            .admin_post("/v1/admin/signing", json!({ "paused": paused }))
            .await;
        assert_eq!(said.with(200), json!({ "paused": paused }));
    }
    let all = world.admin_get("/v1/admin/keys").await.with(200);
    assert_eq!(all["signing_paused"], true);
    world.mint(&alice, &blind, 1).await.waits();
    world
        .admin_post("/v1/admin/signing", json!({ "paused": false }))
        .await
        .with(200);
    world.resume(1).await.with(200);
    let actions = world
        .admin_get("/v1/admin/actions?subject=signing")
        .await
        .with(200);
    let actions = actions["actions"].as_array().unwrap();
    let kinds: Vec<&Value> = actions.iter().map(|action| &action["kind"]).collect();
    assert_eq!(kinds, ["resume-signing", "pause-signing"]);
}

#[tokio::test]
async fn keys_need_their_scope() {
    let world = World::new().await;
    let reader = world.operator_with("reader", &[AdminScope::Read]);
    let cashier = world.operator_with("cashier", &[AdminScope::Cashier]);
    let keys = world.operator_with("keys", &[AdminScope::Keys]);
    for (token, status) in [(&reader, 200), (&keys, 200), (&cashier, 403)] {
        let reply = world.get("/v1/admin/keys", token).await;
        assert_eq!(reply.status, status);
    }
    let stop = format!("/v1/admin/keys/{}/stop", world.currency.mint_key().id);
    for (path, body) in [
        (stop.as_str(), json!({ "reason": "stolen" })),
        ("/v1/admin/signing", json!({ "paused": true })),
    ] {
        for token in [&reader, &cashier] {
            let refused = world.post(path, token, body.clone()).await;
            refused.fails_with(403, "forbidden");
            assert!(refused.text("detail").contains("`keys`"));
        }
    }
    let all = world.admin_get("/v1/admin/keys").await.with(200);
    assert_eq!(
        (&all["keys"][2]["state"], &all["signing_paused"]),
        (&json!("signs"), &json!(false))
    );
}
