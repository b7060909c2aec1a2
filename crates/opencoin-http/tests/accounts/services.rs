//! Services: declared, limited, rotated, seen.

use chrono::TimeDelta;
use opencoin_config::AccountsConfig;
use serde_json::{Value, json};

use crate::world::{PASSWORD, World};

async fn declare(world: &World, token: &str, name: &str, scopes: &[&str]) -> (String, String) {
    let reply = world
        .post("/v1/services", token, json!({ "name": name, "scopes": scopes }))
        .await;
    assert_eq!(reply.status.as_u16(), 201, "{reply:?}");
    (reply.text("id"), reply.text("key"))
}

async fn log_in(world: &World, id: &str, key: &str) -> crate::world::Reply {
    world
        .post("/v1/services/session", "", json!({ "id": id, "key": key }))
        .await
}

#[tokio::test]
async fn a_service_does_what_its_scopes_say_and_nothing_else() {
    let mut world = World::new().await;
    let alice = world.open("alice", 100).await;
    world.open("bob", 0).await;
    let mut tokens = Vec::new();
    for scope in ["mint", "redeem", "read"] {
        let (id, key) = declare(&world, &alice, scope, &[scope]).await;
        assert!(key.starts_with("ock_"), "scanners know it");
        let session = log_in(&world, &id, &key).await.with(201);
        assert_eq!(session["scopes"], json!([scope]));
        tokens.push(session["token"].as_str().unwrap().to_owned());
    }
    let (blind, payload, unblinder) = world.blind();
    let minted = world.mint(&tokens[0], &blind, 1).await;
    let coin = world.coin(&payload, &unblinder, minted);
    for (token, may) in tokens
        .iter()
        .zip([[true, false, false], [false, true, false], [false, false, true]])
    {
        let replies = [
            world.mint(token, &blind, 1).await,
            world.redeem(token, &coin).await,
            world.get("/v1/account", token).await,
        ];
        for (reply, may) in replies.iter().zip(may) {
            if may {
                assert_eq!(reply.status.as_u16(), 200)
            } else {
                assert_eq!(reply.refused(), (403, "forbidden"))
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
        let transfer = json!({ "to": "bob", "amount": 1 });
        let payout = json!({ "amount": 1, "destination": "DE02" });
        let refused = [
            world.once("/v1/transfers", token, "k", transfer).await,
            world.once("/v1/payouts", token, "k", payout).await,
            world
                .call(
                    "PUT",
                    "/v1/account/password",
                    token,
                    json!({ "current": PASSWORD, "new": PASSWORD }),
                )
                .await,
            world
                .call("PATCH", "/v1/account", token, json!({ "listed": true }))
                .await,
            world
                .post("/v1/services", token, json!({ "name": "x", "scopes": ["mint"] }))
                .await,
            world.get("/v1/services", token).await,
        ];
        assert!(
            refused.iter().all(|reply| reply.refused() == (403, "forbidden")),
            "{refused:?}"
        );
    }
    // It may end its own session.
    world
        .call("DELETE", "/v1/sessions", reader, Value::Null)
        .await
        .with(204);
    assert_eq!(
        world.get("/v1/account", reader).await.refused(),
        (401, "unauthorized")
    );
}

#[tokio::test]
async fn another_key_ends_the_old_one_and_its_sessions_in_every_process() {
    let world = World::new().await;
    let other = world.beside(AccountsConfig::default()).await;
    let (alice, bob) = (world.open("alice", 0).await, world.open("bob", 0).await);
    let (id, key) = declare(&world, &alice, "shop", &["read"]).await;
    let session = log_in(&world, &id, &key).await.text("token");
    assert_eq!(other.balance(&session).await, 0);
    let rotate = format!("/v1/services/{id}/rotate");
    assert_eq!(
        world.post(&rotate, &bob, Value::Null).await.refused(),
        (404, "not-found")
    );
    let unknown = format!("/v1/services/{}/rotate", "0".repeat(32));
    assert_eq!(
        world.post(&unknown, &alice, Value::Null).await.refused(),
        (404, "not-found")
    );
    assert_eq!(other.balance(&session).await, 0);

    let rotated = world.post(&rotate, &alice, Value::Null).await;
    let new_key = rotated.text("key");
    assert_eq!((rotated.status.as_u16(), rotated.text("id")), (200, id.clone()));
    assert_eq!(
        other.get("/v1/account", &session).await.refused(),
        (401, "unauthorized")
    );
    for (id, key) in [
        (&id, &key),
        (&id, &String::new()),
        (&"0".repeat(32), &new_key),
        (&"x".to_owned(), &new_key),
    ] {
        assert_eq!(log_in(&other, id, key).await.refused(), (401, "unauthorized"));
    }
    let session = log_in(&other, &id, &new_key).await.text("token");

    let path = format!("/v1/services/{id}");
    assert_eq!(
        world.call("DELETE", &path, &bob, Value::Null).await.refused(),
        (404, "not-found")
    );
    world.call("DELETE", &path, &alice, Value::Null).await.with(204);
    assert_eq!(
        world.call("DELETE", &path, &alice, Value::Null).await.refused(),
        (404, "not-found")
    );
    assert_eq!(
        other.get("/v1/account", &session).await.refused(),
        (401, "unauthorized")
    );
    assert_eq!(
        log_in(&world, &id, &new_key).await.refused(),
        (401, "unauthorized")
    );
}

#[tokio::test]
async fn the_list_says_when_a_service_was_heard_of_and_no_secret() {
    let world = World::new().await;
    let alice = world.open("alice", 0).await;
    let (id, key) = declare(&world, &alice, "shop", &["read", "mint", "read"]).await;
    declare(&world, &alice, "backup", &["read"]).await;
    let list = |expected: [(&'static str, &'static str); 2]| {
        let (world, alice, key) = (&world, &alice, key.as_str());
        async move {
            let list = world.get("/v1/services", alice).await.with(200);
            assert!(
                !list.to_string().contains(key) && !list.to_string().contains("ock_"),
                "{list}"
            );
            let state = |no: usize| {
                (
                    list["services"][no]["name"].clone(),
                    list["services"][no]["state"].clone(),
                )
            };
            assert_eq!(
                [state(0), state(1)],
                expected.map(|(name, state)| (json!(name), json!(state)))
            );
            list
        }
    };
    list([("backup", "new"), ("shop", "new")]).await;
    let session = log_in(&world, &id, &key).await.text("token");
    list([("backup", "new"), ("shop", "new")]).await; // a login does not wait for last_seen to be stored
    world.run_background().await;
    let seen = list([("backup", "new"), ("shop", "live")]).await;
    assert_eq!(seen["services"][1]["scopes"], json!(["mint", "read"]));
    assert_eq!(seen["services"][1]["last_seen_at"], "2026-01-01T00:00:00Z");
    // Heard of again, it is noted once a minute.
    world.clock.forward(TimeDelta::seconds(59));
    world.get("/v1/account", &session).await.with(200);
    world.run_background().await;
    assert_eq!(
        list([("backup", "new"), ("shop", "live")]).await["services"][1]["last_seen_at"],
        "2026-01-01T00:00:00Z"
    );
    world.clock.forward(TimeDelta::seconds(1));
    world.get("/v1/account", &session).await.with(200);
    assert_eq!(
        list([("backup", "new"), ("shop", "live")]).await["services"][1]["last_seen_at"],
        "2026-01-01T00:00:00Z",
        "no request waits for that"
    );
    world.run_background().await;
    assert_eq!(
        list([("backup", "new"), ("shop", "live")]).await["services"][1]["last_seen_at"],
        "2026-01-01T00:01:00Z"
    );
    world
        .clock
        .forward(TimeDelta::minutes(5) + TimeDelta::microseconds(1));
    list([("backup", "new"), ("shop", "silent")]).await;
    // Its session lasts an hour.
    world.clock.forward(TimeDelta::hours(1));
    assert_eq!(
        world.get("/v1/account", &session).await.refused(),
        (401, "unauthorized")
    );
}

#[tokio::test]
async fn a_service_has_a_name_of_its_own_and_scopes() {
    let world = World::new().await;
    let alice = world.open("alice", 0).await;
    declare(&world, &alice, "shop", &["read"]).await;
    for (body, refused) in [
        (json!({ "name": "shop", "scopes": ["mint"] }), (409, "exists")),
        (json!({ "name": "Shop!", "scopes": ["mint"] }), (422, "invalid")),
        (json!({ "name": "other", "scopes": [] }), (422, "invalid")),
        (json!({ "name": "other", "scopes": ["spend"] }), (422, "invalid")),
        (json!({ "name": "other" }), (400, "malformed")),
    ] {
        assert_eq!(
            world.post("/v1/services", &alice, body.clone()).await.refused(),
            refused,
            "{body}"
        );
    }
    let bob = world.open("bob", 0).await;
    declare(&world, &bob, "shop", &["read"]).await;
}
