//! Log-in, wrong passwords, log-out, change of the password.

use chrono::TimeDelta;
use opencoin_config::AccountsConfig;
use serde_json::{Value, json};

use crate::world::{PASSWORD, World};

#[tokio::test]
async fn a_session_ends_at_the_log_out() {
    let world = World::new().await;
    world.open("alice", 100).await;
    let session = world.log_in("alice", PASSWORD).await.with(201);
    let token = session["token"].as_str().unwrap();
    assert!(
        token.starts_with("ocs_"),
        "the prefix lets secret scanners find it"
    );
    assert_eq!(session["expires_at"], "2026-01-01T12:00:00Z");
    assert_eq!(world.balance(token).await, 100);
    world.delete("/v1/sessions", token).await.with(204);
    world.get("/v1/account", token).await.fails(401);
    world.delete("/v1/sessions", token).await.fails(401);
}

#[tokio::test]
async fn a_session_ends_in_every_process_at_the_log_out_or_when_it_expires() {
    let world = World::new().await;
    let other = world.beside(AccountsConfig::default()).await;
    world.open("alice", 0).await;
    let [first, second] = [
        world.log_in("alice", PASSWORD).await.text("token"),
        world.log_in("alice", PASSWORD).await.text("token"),
    ];
    assert_eq!(other.balance(&first).await, 0);
    world.delete("/v1/sessions", &first).await.with(204);
    other.get("/v1/account", &first).await.fails(401);
    world
        .clock
        .forward(TimeDelta::hours(12) - TimeDelta::microseconds(1));
    assert_eq!(other.balance(&second).await, 0);
    world.clock.forward(TimeDelta::microseconds(1));
    other.get("/v1/account", &second).await.fails(401);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_get_the_same_answer() {
    let world = World::new().await;
    world.open("alice", 0).await;
    let wrong = world.log_in("alice", "correct horse batterx").await;
    wrong.fails(401);
    for (name, password) in [
        ("alice", ""),
        ("nobody", PASSWORD),
        ("nobody", ""),
        ("Not A Name", PASSWORD),
        ("", ""),
    ] {
        let reply = world.log_in(name, password).await;
        reply.fails(401);
        assert_eq!(reply.json, wrong.json, "{name:?} {password:?}");
    }
    for malformed in [
        json!({ "name": "alice" }),
        json!({ "name": "alice", "password": PASSWORD, "remember": true }),
        json!([]),
    ] {
        world.post("/v1/sessions", "", malformed).await.fails(400);
    }
}

#[tokio::test]
async fn wrong_passwords_delay_the_next_log_in_for_known_and_unknown_names() {
    let world = World::new().await;
    world.open("alice", 0).await;
    for name in ["alice", "nobody"] {
        for _ in 0..5 {
            world.log_in(name, "a wrong password").await.fails(401);
        }
        for wait in [1, 2, 4] {
            let turned_away = world.log_in(name, PASSWORD).await;
            turned_away.fails(429);
            let retry_after = turned_away.headers["retry-after"].to_str().unwrap();
            assert_eq!(retry_after, wait.to_string(), "{name}");
            let almost = TimeDelta::seconds(wait) - TimeDelta::microseconds(1);
            world.clock.forward(almost);
            world.log_in(name, PASSWORD).await.fails(429);
            world.clock.forward(TimeDelta::microseconds(1));
            world.log_in(name, "a wrong password").await.fails(401);
        }
    }
    // The right password, after the delay, resets the count.
    world.clock.forward(TimeDelta::seconds(8));
    world.log_in("alice", PASSWORD).await.with(201);
    world.log_in("alice", "a wrong password").await.fails(401);
    world.log_in("alice", PASSWORD).await.with(201);
}

#[tokio::test]
async fn concurrent_wrong_passwords_in_several_processes_count_together() {
    let world = World::new().await;
    let other = world.beside(AccountsConfig::default()).await;
    world.open("alice", 0).await;
    let guess = |no: usize| if no.is_multiple_of(2) { &world } else { &other };
    let guesses = (0..40).map(|no| guess(no).log_in("alice", "a wrong password"));
    let replies = futures_util::future::join_all(guesses).await;
    let checked = replies.iter().filter(|reply| reply.refused().0 == 401).count();
    assert!((1..=6).contains(&checked), "{checked} passwords were checked");
    assert!(replies.iter().all(|reply| matches!(reply.refused().0, 401 | 429)));
}

#[tokio::test]
async fn a_change_of_the_password_ends_the_other_sessions() {
    let world = World::new().await;
    let account = world.open("alice", 0).await;
    let [mine, other] = [
        world.log_in("alice", PASSWORD).await.text("token"),
        world.log_in("alice", PASSWORD).await.text("token"),
    ];
    let put = async |body: Value| world.put("/v1/account/password", &mine, body).await;
    let change = |current: &str, new: &str| put(json!({ "current": current, "new": new }));
    change("a wrong password", "another password").await.fails(401);
    put(json!({ "new": "another password" })).await.fails(401);
    change(PASSWORD, "short").await.fails(422);
    change(PASSWORD, "another password").await.with(204);
    assert_eq!(world.balance(&mine).await, 0);
    world.get("/v1/account", &other).await.fails(401);
    world.log_in("alice", PASSWORD).await.fails(401);
    let later = world.log_in("alice", "another password").await.text("token");
    // A password that the operator sets ends all sessions, but not the account's own token.
    let (path, body) = (
        "/v1/admin/accounts/alice/password",
        json!({ "new": "from the operator" }),
    );
    world.put(path, &world.operator, body).await.with(204);
    for token in [&mine, &later] {
        world.get("/v1/account", token).await.fails(401);
    }
    world.log_in("alice", "from the operator").await.with(201);
    assert_eq!(world.balance(&account).await, 0);
}

#[tokio::test]
async fn the_first_password_is_set_with_the_accounts_own_token() {
    let world = World::new().await;
    let account = json!({ "name": "alice" });
    let opened = world.admin_post("/v1/admin/accounts", account).await;
    let token = opened.text("token");
    world.log_in("alice", "").await.fails(401);
    let guess = json!({ "current": "a password", "new": PASSWORD });
    world.put("/v1/account/password", &token, guess).await.fails(422);
    let first = json!({ "new": PASSWORD });
    world.put("/v1/account/password", &token, first).await.with(204);
    world.log_in("alice", PASSWORD).await.with(201);
    // The account's own token is not a session.
    world.delete("/v1/sessions", &token).await.fails(422);
}
