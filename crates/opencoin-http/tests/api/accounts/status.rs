//! Frozen and closed accounts, start codes, and what an operator does with services.

use chrono::TimeDelta;
use opencoin_config::AccountsConfig;
use serde_json::{Value, json};

use crate::world::{PASSWORD, Reply, World};

async fn set(world: &World, name: &str, status: &str) -> Reply {
    let body = json!({ "status": status, "reason": "asked for by the court" });
    let path = format!("/v1/admin/accounts/{name}");
    world.call("PATCH", &path, &world.operator, body).await
}

async fn start(world: &World, name: &str, code: &str, password: &str) -> Reply {
    let body = json!({ "name": name, "code": code, "password": password });
    world.post("/v1/sessions/start", "", body).await
}

/// The holder of a frozen account reads and gets money, and moves none.
#[tokio::test]
async fn a_frozen_account_is_read_and_moves_nothing() {
    let world = World::new().await;
    let (alice, bob) = (world.open("alice", 50).await, world.open("bob", 10).await);
    assert_eq!(set(&world, "alice", "frozen").await.with(200)["status"], "frozen");
    assert_eq!(set(&world, "alice", "frozen").await.with(200)["status"], "frozen");

    for (filter, names) in [
        ("", vec!["alice", "bob"]),
        ("?frozen=true", vec!["alice"]),
        ("?frozen=true&after=alice", vec![]),
    ] {
        let listed = world.admin_get(&format!("/v1/admin/accounts{filter}")).await;
        let listed = &listed.with(200)["accounts"];
        let listed = listed.as_array().unwrap().iter();
        let listed: Vec<_> = listed.map(|account| account["name"].as_str().unwrap()).collect();
        assert_eq!(listed, names, "{filter}");
    }
    let pay = |to: &str, amount: u64| json!({ "to": to, "amount": amount });
    let refused = world.once("/v1/transfers", &alice, "1", pay("bob", 1)).await;
    refused.fails_with(403, "forbidden");
    assert!(refused.text("detail").contains("frozen"));
    let payout = json!({ "amount": 1, "destination": "DE02" });
    world.once("/v1/payouts", &alice, "2", payout).await.fails(403);
    assert_eq!(
        world.get("/v1/account", &alice).await.with(200)["status"],
        "frozen"
    );
    let session = world.log_in("alice", PASSWORD).await.text("token");
    world.get("/v1/account/entries", &session).await.with(200);

    world
        .once("/v1/transfers", &bob, "3", pay("alice", 4))
        .await
        .with(201);
    world.credit("alice", 1, "statement 9").await;
    assert_eq!(world.balance(&alice).await, 55);
    assert_eq!(set(&world, "alice", "open").await.with(200)["status"], "open");
    world
        .once("/v1/transfers", &alice, "1", pay("bob", 1))
        .await
        .with(201);

    let actions = world
        .admin_get("/v1/admin/actions?subject=alice&limit=3")
        .await
        .with(200);
    let shown: Vec<_> = actions["actions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|action| {
            (
                action["kind"].as_str().unwrap(),
                action["detail"].as_str().unwrap(),
            )
        })
        .collect();
    let reason = "asked for by the court";
    assert_eq!(shown[0], ("thaw-account", reason));
    assert_eq!(shown[1].0, "credit");
    assert_eq!(shown[2], ("freeze-account", reason));
    for (body, status) in [
        (json!({ "status": "gone", "reason": "x" }), 422),
        (json!({ "status": "open", "reason": "" }), 422),
        (json!({ "status": "open" }), 400),
    ] {
        let path = "/v1/admin/accounts/alice";
        world
            .call("PATCH", path, &world.operator, body)
            .await
            .fails(status);
    }
    set(&world, "carol", "frozen").await.fails(404);
}

/// An account is closed when it is empty, and then there is no way in.
#[tokio::test]
async fn a_person_who_left_has_no_way_back_in() {
    let world = World::new().await;
    let (alice, bob) = (world.open("alice", 5).await, world.open("bob", 10).await);
    let session = world.log_in("alice", PASSWORD).await.text("token");
    let service = world
        .post(
            "/v1/services",
            &alice,
            json!({ "name": "till", "scopes": ["read"] }),
        )
        .await;
    let (service_id, key) = (service.text("id"), service.text("key"));
    set(&world, "alice", "closed").await.fails(422);
    let all = json!({ "to": "bob", "amount": 5 });
    world.once("/v1/transfers", &alice, "1", all).await.with(201);
    assert_eq!(set(&world, "alice", "closed").await.with(200)["status"], "closed");
    assert_eq!(set(&world, "alice", "closed").await.with(200)["status"], "closed");
    set(&world, "alice", "open").await.fails(422);

    world.clock.forward(TimeDelta::seconds(11)); // a token is remembered for ten seconds
    for token in [&alice, &session] {
        world.get("/v1/account", token).await.fails(401);
    }
    world.log_in("alice", PASSWORD).await.fails(401);
    let login = json!({ "id": service_id, "key": key });
    world.post("/v1/services/session", "", login).await.fails(401);
    let body = json!({ "new": PASSWORD });
    world
        .put("/v1/admin/accounts/alice/password", &world.operator, body)
        .await
        .fails(422);
    for path in ["token", "start-code"] {
        let path = format!("/v1/admin/accounts/alice/{path}");
        world.admin_post(&path, Value::Null).await.fails(422);
    }
    let payment = json!({ "amount": 1, "reference": "late" });
    world
        .admin_post("/v1/admin/accounts/alice/credits", payment)
        .await
        .fails(422);
    let late = json!({ "to": "alice", "amount": 1 });
    world.once("/v1/transfers", &bob, "2", late).await.fails(404);
    let again = world
        .admin_post("/v1/admin/accounts", json!({ "name": "alice" }))
        .await;
    again.fails_with(409, "exists");
    let services = world
        .admin_get("/v1/admin/accounts/alice/services")
        .await
        .with(200);
    assert_eq!(services, json!({ "services": [] }));
}

/// A holder sets the first password with a code that the operator has given. It works once, as people type it.
#[tokio::test]
async fn a_holder_begins_with_a_start_code() {
    let world = World::new().await;
    let opened = world
        .admin_post(
            "/v1/admin/accounts",
            json!({ "name": "alice", "start_code": true }),
        )
        .await;
    let code = opened.text("start_code");
    let opened = opened.with(201);
    assert!(opened.get("token").is_none() && opened["start_code_expires_at"].is_string());
    assert_eq!(code.len(), 14);

    start(&world, "alice", "0000-0000-0000", PASSWORD)
        .await
        .fails(401);
    start(&world, "bob", &code, PASSWORD).await.fails(401);
    start(&world, "No Name", &code, PASSWORD).await.fails(401);
    start(&world, "alice", "?", PASSWORD).await.fails(401);
    start(&world, "alice", &code, "short").await.fails(422);
    let typed = format!(" {} ", code.to_lowercase().replace('-', " "));
    let session = start(&world, "alice", &typed, PASSWORD).await;
    let token = session.text("token");
    session.with(201);
    world.get("/v1/account", &token).await.with(200);
    world.log_in("alice", PASSWORD).await.with(201);
    start(&world, "alice", &code, "another password").await.fails(401);

    // The next one replaces a forgotten password, and ends what that has opened.
    let first = world
        .admin_post("/v1/admin/accounts/alice/start-code", Value::Null)
        .await;
    let second = world
        .admin_post("/v1/admin/accounts/alice/start-code", Value::Null)
        .await;
    let (first, second) = (first.text("start_code"), second.text("start_code"));
    start(&world, "alice", &first, "another password")
        .await
        .fails(401);
    start(&world, "alice", &second, "another password")
        .await
        .with(201);
    world.get("/v1/account", &token).await.fails(401);
    world.log_in("alice", "another password").await.with(201);

    let late = world
        .admin_post("/v1/admin/accounts/alice/start-code", Value::Null)
        .await;
    world.clock.forward(TimeDelta::seconds(14 * 24 * 60 * 60));
    start(&world, "alice", &late.text("start_code"), PASSWORD)
        .await
        .fails(401);
}

/// Guesses of a code are counted like those of a password, also for names that nobody has.
#[tokio::test]
async fn start_codes_are_not_guessed() {
    let world = World::with(AccountsConfig::default()).await;
    let opened = world
        .admin_post(
            "/v1/admin/accounts",
            json!({ "name": "alice", "start_code": true }),
        )
        .await;
    let code = opened.text("start_code");
    for name in ["alice", "nobody"] {
        for _ in 0..5 {
            start(&world, name, "0000-0000-0000", PASSWORD).await.fails(401);
        }
        start(&world, name, &code, PASSWORD).await.fails(429);
    }
    world.clock.forward(TimeDelta::seconds(2));
    start(&world, "alice", &code, PASSWORD).await.with(201);
}

/// The operator sees and removes programs that act for a holder, and reads the entries of an account.
#[tokio::test]
async fn an_operator_sees_services_and_entries_of_an_account() {
    let world = World::new().await;
    let alice = world.open("alice", 5).await;
    world.credit("alice", 2, "statement 2").await;
    let service = world
        .post(
            "/v1/services",
            &alice,
            json!({ "name": "till", "scopes": ["mint"] }),
        )
        .await;
    let (id, key) = (service.text("id"), service.text("key"));
    let login = json!({ "id": id, "key": key });
    let session = world
        .post("/v1/services/session", "", login.clone())
        .await
        .text("token");
    let path = "/v1/admin/accounts/alice/services";
    let services = world.admin_get(path).await.with(200);
    assert_eq!(
        (&services["services"][0]["id"], &services["services"][0]["name"]),
        (&json!(id), &json!("till"))
    );
    assert!(!services.to_string().contains(&key));
    let entries = world
        .admin_get("/v1/admin/accounts/alice/entries?limit=1")
        .await
        .with(200);
    assert_eq!(
        (&entries["entries"][0]["label"], &entries["before"]),
        (&json!("statement 2"), &json!(2))
    );
    let older = world
        .admin_get("/v1/admin/accounts/alice/entries?before=2")
        .await
        .with(200);
    assert_eq!(older["entries"][0]["label"], "opening alice");

    world.open("bob", 0).await;
    world
        .delete(&format!("/v1/admin/accounts/bob/services/{id}"), &world.operator)
        .await
        .fails(404);
    world
        .delete(&format!("{path}/{id}"), &world.operator)
        .await
        .with(204);
    world
        .delete(&format!("{path}/{id}"), &world.operator)
        .await
        .fails(404);
    world
        .delete(&format!("{path}/till"), &world.operator)
        .await
        .fails(404);
    world.post("/v1/services/session", "", login).await.fails(401);
    world.delete("/v1/sessions", &session).await.fails(401);
    let actions = world.admin_get("/v1/admin/actions?limit=1").await.with(200);
    assert_eq!(actions["actions"][0]["detail"], format!("till ({id})"));
    for path in ["entries", "services"] {
        world
            .admin_get(&format!("/v1/admin/accounts/carol/{path}"))
            .await
            .fails(404);
    }
}
