//! Services: declaration, scopes, key rotation, last use.

use std::slice::from_ref;

use chrono::TimeDelta;
use opencoin_config::AccountsConfig;
use serde_json::{Value, json};

use crate::world::{PASSWORD, Reply, World};

async fn declare(world: &World, token: &str, name: &str, scopes: &[&str]) -> (String, String) {
    let body = json!({ "name": name, "scopes": scopes });
    let reply = world.post("/v1/services", token, body).await;
    (reply.text("id"), reply.text("key"))
}

async fn log_in(world: &World, id: &str, key: &str) -> Reply {
    let body = json!({ "id": id, "key": key });
    world.post("/v1/services/session", "", body).await
}

#[tokio::test]
async fn a_service_may_do_only_what_its_scopes_say() {
    let mut world = World::new().await;
    let alice = world.open("alice", 100).await;
    world.open("bob", 0).await;
    let mut tokens = Vec::new();
    for scope in ["mint", "redeem", "read"] {
        let (id, key) = declare(&world, &alice, scope, &[scope]).await;
        assert!(key.starts_with("ock_"), "the prefix lets secret scanners find it");
        let session = log_in(&world, &id, &key).await.with(201);
        assert_eq!(session["scopes"], json!([scope]));
        tokens.push(session["token"].as_str().unwrap().to_owned());
    }
    let blind = world.blind();
    let minted = world.mint(&tokens[0], &blind, 1).await;
    let coin = world.coin(&blind, minted);
    for (index, token) in tokens.iter().enumerate() {
        let replies = [
            world.mint(token, &blind, 1).await,
            world.redeem(token, from_ref(&coin)).await,
            world.get("/v1/account", token).await,
        ];
        for (of, reply) in replies.into_iter().enumerate() {
            if of == index {
                reply.with(200);
            } else {
                reply.fails(403);
            }
        }
    }
    let reader = &tokens[2];
    for path in [
        "/v1/account/balance",
        "/v1/account/entries",
        "/v1/payouts",
        "/v1/directory",
    ] {
        world.get(path, reader).await.with(200);
    }
    for token in &tokens {
        world.pay(token, "k", "bob", 1).await.fails(403);
        world.request_payout(token, "k", 1).await.fails(403);
        let passwords = json!({ "current": PASSWORD, "new": PASSWORD });
        for (method, path, body) in [
            ("PUT", "/v1/account/password", passwords),
            ("PATCH", "/v1/account", json!({ "listed": true })),
            ("POST", "/v1/services", json!({ "name": "x", "scopes": ["mint"] })),
            ("GET", "/v1/services", Value::Null),
        ] {
            world.call(method, path, token, body).await.fails(403);
        }
    }
    // A service may end its own session.
    world.delete("/v1/sessions", reader).await.with(204);
    world.get("/v1/account", reader).await.fails(401);
}

#[tokio::test]
async fn a_new_key_ends_the_old_one_and_its_sessions_in_every_process() {
    let world = World::new().await;
    let other = world.beside(AccountsConfig::default()).await;
    let (alice, bob) = (world.open("alice", 0).await, world.open("bob", 0).await);
    let (id, key) = declare(&world, &alice, "shop", &["read"]).await;
    let session = log_in(&world, &id, &key).await.text("token");
    assert_eq!(other.balance(&session).await, 0);
    let rotate = format!("/v1/services/{id}/rotate");
    world.post(&rotate, &bob, Value::Null).await.fails(404);
    let unknown = format!("/v1/services/{}/rotate", "0".repeat(32));
    world.post(&unknown, &alice, Value::Null).await.fails(404);
    assert_eq!(other.balance(&session).await, 0);

    let rotated = world.post(&rotate, &alice, Value::Null).await;
    let new_key = rotated.text("key");
    assert_eq!((rotated.status.as_u16(), rotated.text("id")), (200, id.clone()));
    other.get("/v1/account", &session).await.fails(401);
    for (id, key) in [
        (&id, &key),
        (&id, &String::new()),
        (&"0".repeat(32), &new_key),
        (&"x".to_owned(), &new_key),
    ] {
        log_in(&other, id, key).await.fails(401);
    }
    let session = log_in(&other, &id, &new_key).await.text("token");

    let path = format!("/v1/services/{id}");
    world.delete(&path, &bob).await.fails(404);
    world.delete(&path, &alice).await.with(204);
    world.delete(&path, &alice).await.fails(404);
    other.get("/v1/account", &session).await.fails(401);
    log_in(&world, &id, &new_key).await.fails(401);
}

#[tokio::test]
async fn the_list_shows_the_last_use_of_a_service_and_no_secret() {
    let world = World::new().await;
    let alice = world.open("alice", 0).await;
    let (id, key) = declare(&world, &alice, "shop", &["read", "mint", "read"]).await;
    declare(&world, &alice, "backup", &["read"]).await;
    // Returns the entry of `shop` after it has checked that `shop` is in this state.
    let list = async |state: &str| {
        let list = world.get("/v1/services", &alice).await.with(200);
        assert!(!list.to_string().contains("ock_"), "{list}");
        let [backup, shop] = [0, 1].map(|index| list["services"][index].clone());
        assert_eq!(
            (&backup["name"], &backup["state"]),
            (&json!("backup"), &json!("new"))
        );
        assert_eq!((&shop["name"], &shop["state"]), (&json!("shop"), &json!(state)));
        shop
    };
    list("new").await;
    let session = log_in(&world, &id, &key).await.text("token");
    list("new").await; // a login does not wait until its time is stored
    world.run_background().await;
    let shop = list("live").await;
    assert_eq!(shop["scopes"], json!(["mint", "read"]));
    assert_eq!(shop["last_seen_at"], "2026-01-01T00:00:00Z");
    // Further uses are recorded once a minute.
    world.clock.forward(TimeDelta::seconds(59));
    world.get("/v1/account", &session).await.with(200);
    world.run_background().await;
    assert_eq!(list("live").await["last_seen_at"], "2026-01-01T00:00:00Z");
    world.clock.forward(TimeDelta::seconds(1));
    world.get("/v1/account", &session).await.with(200);
    // The background task records it; no request waits for that.
    assert_eq!(list("live").await["last_seen_at"], "2026-01-01T00:00:00Z");
    world.run_background().await;
    assert_eq!(list("live").await["last_seen_at"], "2026-01-01T00:01:00Z");
    let too_long = TimeDelta::minutes(5) + TimeDelta::microseconds(1);
    world.clock.forward(too_long);
    list("silent").await;
    // A service's session lasts an hour.
    world.clock.forward(TimeDelta::hours(1));
    world.get("/v1/account", &session).await.fails(401);
}

#[tokio::test]
async fn a_service_needs_a_unique_name_and_known_scopes() {
    let world = World::new().await;
    let alice = world.open("alice", 0).await;
    declare(&world, &alice, "shop", &["read"]).await;
    let taken = json!({ "name": "shop", "scopes": ["mint"] });
    let taken = world.post("/v1/services", &alice, taken).await;
    taken.fails_with(409, "exists");
    for (body, status) in [
        (json!({ "name": "Shop!", "scopes": ["mint"] }), 422),
        (json!({ "name": "other", "scopes": [] }), 422),
        (json!({ "name": "other", "scopes": ["spend"] }), 422),
        (json!({ "name": "other" }), 400),
    ] {
        world.post("/v1/services", &alice, body).await.fails(status);
    }
    let bob = world.open("bob", 0).await;
    declare(&world, &bob, "shop", &["read"]).await;
}
