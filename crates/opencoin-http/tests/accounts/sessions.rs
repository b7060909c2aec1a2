//! Logging in, guessing, logging out, another password.

use chrono::TimeDelta;
use opencoin_config::AccountsConfig;
use serde_json::{Value, json};

use crate::world::{PASSWORD, World};

fn retry_after(reply: &crate::world::Reply) -> i64 {
    reply.headers["retry-after"].to_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_password_opens_a_session_that_ends_when_it_is_ended() {
    let world = World::new().await;
    world.open("alice", 100).await;
    let session = world.log_in("alice", PASSWORD).await.with(201);
    let token = session["token"].as_str().unwrap();
    assert!(token.starts_with("ocs_"), "scanners know it");
    assert_eq!(session["expires_at"], "2026-01-01T12:00:00Z");
    assert_eq!(world.balance(token).await, 100);
    world
        .call("DELETE", "/v1/sessions", token, Value::Null)
        .await
        .with(204);
    assert_eq!(
        world.get("/v1/account", token).await.refused(),
        (401, "unauthorized")
    );
    assert_eq!(
        world
            .call("DELETE", "/v1/sessions", token, Value::Null)
            .await
            .refused(),
        (401, "unauthorized")
    );
}

#[tokio::test]
async fn a_session_ends_in_every_process_at_once_and_by_itself_to_the_moment() {
    let world = World::new().await;
    let other = world.beside(AccountsConfig::default()).await;
    world.open("alice", 0).await;
    let [first, second] = [
        world.log_in("alice", PASSWORD).await.text("token"),
        world.log_in("alice", PASSWORD).await.text("token"),
    ];
    assert_eq!(other.balance(&first).await, 0);
    world
        .call("DELETE", "/v1/sessions", &first, Value::Null)
        .await
        .with(204);
    assert_eq!(
        other.get("/v1/account", &first).await.refused(),
        (401, "unauthorized")
    );
    world
        .clock
        .forward(TimeDelta::hours(12) - TimeDelta::microseconds(1));
    assert_eq!(other.balance(&second).await, 0);
    world.clock.forward(TimeDelta::microseconds(1));
    assert_eq!(
        other.get("/v1/account", &second).await.refused(),
        (401, "unauthorized")
    );
}

#[tokio::test]
async fn a_wrong_password_an_empty_one_and_an_unknown_name_are_answered_alike() {
    let world = World::new().await;
    world.open("alice", 0).await;
    let wrong = world.log_in("alice", "correct horse batterx").await;
    assert_eq!(wrong.refused(), (401, "unauthorized"));
    for (name, password) in [
        ("alice", ""),
        ("nobody", PASSWORD),
        ("nobody", ""),
        ("Not A Name", PASSWORD),
        ("", ""),
    ] {
        let reply = world.log_in(name, password).await;
        assert_eq!(
            (reply.refused(), &reply.json),
            ((401, "unauthorized"), &wrong.json),
            "{name:?} {password:?}"
        );
    }
    for malformed in [
        json!({ "name": "alice" }),
        json!({ "name": "alice", "password": PASSWORD, "remember": true }),
        json!([]),
    ] {
        assert_eq!(
            world.post("/v1/sessions", "", malformed).await.refused(),
            (400, "malformed")
        );
    }
}

#[tokio::test]
async fn guessing_is_slowed_down_for_names_that_exist_and_for_others() {
    let world = World::new().await;
    world.open("alice", 0).await;
    for name in ["alice", "nobody"] {
        for _ in 0..5 {
            assert_eq!(
                world.log_in(name, "a wrong password").await.refused(),
                (401, "unauthorized")
            );
        }
        for wait in [1, 2, 4] {
            let turned_away = world.log_in(name, PASSWORD).await;
            assert_eq!(
                (turned_away.refused(), retry_after(&turned_away)),
                ((429, "too-many-requests"), wait),
                "{name}"
            );
            world
                .clock
                .forward(TimeDelta::seconds(wait) - TimeDelta::microseconds(1));
            assert_eq!(world.log_in(name, PASSWORD).await.refused().0, 429);
            world.clock.forward(TimeDelta::microseconds(1));
            assert_eq!(
                world.log_in(name, "a wrong password").await.refused(),
                (401, "unauthorized")
            );
        }
    }
    // The right one, when its time has come, ends it.
    world.clock.forward(TimeDelta::seconds(8));
    world.log_in("alice", PASSWORD).await.with(201);
    assert_eq!(
        world.log_in("alice", "a wrong password").await.refused(),
        (401, "unauthorized")
    );
    world.log_in("alice", PASSWORD).await.with(201);
}

#[tokio::test]
async fn guesses_at_the_same_time_and_in_other_processes_count() {
    let world = World::new().await;
    let other = world.beside(AccountsConfig::default()).await;
    world.open("alice", 0).await;
    let guess = |no: usize| if no.is_multiple_of(2) { &world } else { &other };
    let guesses = (0..40).map(|no| guess(no).log_in("alice", "a wrong password"));
    let replies = futures_util::future::join_all(guesses).await;
    let looked_at = replies.iter().filter(|reply| reply.refused().0 == 401).count();
    assert!(
        (1..=6).contains(&looked_at),
        "{looked_at} passwords were looked at"
    );
    assert!(replies.iter().all(|reply| matches!(reply.refused().0, 401 | 429)));
}

#[tokio::test]
async fn another_password_ends_the_other_sessions() {
    let world = World::new().await;
    let account = world.open("alice", 0).await;
    let [mine, other] = [
        world.log_in("alice", PASSWORD).await.text("token"),
        world.log_in("alice", PASSWORD).await.text("token"),
    ];
    let change = |current: Value, new: &str| json!({ "current": current, "new": new });
    let put = |token: &str, body: Value| {
        let (world, token) = (&world, token.to_owned());
        async move { world.call("PUT", "/v1/account/password", &token, body).await }
    };
    assert_eq!(
        put(&mine, change(json!("a wrong password"), "another password"))
            .await
            .refused(),
        (401, "unauthorized")
    );
    assert_eq!(
        put(&mine, json!({ "new": "another password" })).await.refused(),
        (401, "unauthorized")
    );
    assert_eq!(
        put(&mine, change(json!(PASSWORD), "short")).await.refused(),
        (422, "invalid")
    );
    put(&mine, change(json!(PASSWORD), "another password"))
        .await
        .with(204);
    assert_eq!(world.balance(&mine).await, 0);
    assert_eq!(
        world.get("/v1/account", &other).await.refused(),
        (401, "unauthorized")
    );
    assert_eq!(
        world.log_in("alice", PASSWORD).await.refused(),
        (401, "unauthorized")
    );
    let later = world.log_in("alice", "another password").await.text("token");
    // The operator's ends them all, and the account's own token stays.
    world
        .call(
            "PUT",
            "/v1/admin/accounts/alice/password",
            &world.operator,
            json!({ "new": "from the operator" }),
        )
        .await
        .with(204);
    for token in [&mine, &later] {
        assert_eq!(
            world.get("/v1/account", token).await.refused(),
            (401, "unauthorized")
        );
    }
    world.log_in("alice", "from the operator").await.with(201);
    assert_eq!(world.balance(&account).await, 0);
}

#[tokio::test]
async fn the_first_password_is_set_with_the_accounts_own_token() {
    let world = World::new().await;
    let account = json!({ "name": "alice" });
    let token = world
        .post("/v1/admin/accounts", &world.operator, account)
        .await
        .text("token");
    assert_eq!(world.log_in("alice", "").await.refused(), (401, "unauthorized"));
    let guess = json!({ "current": "a password", "new": PASSWORD });
    assert_eq!(
        world
            .call("PUT", "/v1/account/password", &token, guess)
            .await
            .refused(),
        (422, "invalid")
    );
    world
        .call("PUT", "/v1/account/password", &token, json!({ "new": PASSWORD }))
        .await
        .with(204);
    world.log_in("alice", PASSWORD).await.with(201);
    // The token is no session.
    assert_eq!(
        world
            .call("DELETE", "/v1/sessions", &token, Value::Null)
            .await
            .refused(),
        (422, "invalid")
    );
}
