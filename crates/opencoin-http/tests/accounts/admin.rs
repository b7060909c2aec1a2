//! The operator's side.

use opencoin_config::AccountsConfig;
use serde_json::{Value, json};

use crate::world::{PASSWORD, World};

#[tokio::test]
async fn the_operators_door_is_the_operators() {
    let world = World::new().await;
    let alice = world.open("alice", 0).await;
    let session = world.log_in("alice", PASSWORD).await.text("token");
    let calls = [
        ("POST", "/v1/admin/accounts", json!({ "name": "mallory" })),
        ("GET", "/v1/admin/accounts", Value::Null),
        ("GET", "/v1/admin/accounts/alice", Value::Null),
        (
            "PUT",
            "/v1/admin/accounts/alice/password",
            json!({ "new": "a new password" }),
        ),
        ("POST", "/v1/admin/accounts/alice/token", Value::Null),
        (
            "POST",
            "/v1/admin/accounts/alice/credits",
            json!({ "amount": 1, "reference": "r" }),
        ),
        (
            "POST",
            "/v1/admin/accounts/alice/debits",
            json!({ "amount": 1, "reference": "r" }),
        ),
        ("GET", "/v1/admin/payouts", Value::Null),
        ("POST", "/v1/admin/payouts/1/paid", json!({ "reference": "r" })),
        ("POST", "/v1/admin/payouts/1/failed", json!({ "reason": "r" })),
    ];
    // A token of the operator of another issuer.
    let other = World::new().await.operator;
    for (method, path, body) in calls {
        for (token, refused) in [
            ("", (401, "unauthorized")),
            ("oca_0", (401, "unauthorized")),
            (&other, (401, "unauthorized")),
            (&alice, (403, "forbidden")),
            (&session, (403, "forbidden")),
        ] {
            assert_eq!(
                world.call(method, path, token, body.clone()).await.refused(),
                refused,
                "{method} {path} {token}"
            );
        }
    }
    // And an operator's token is no holder's.
    assert_eq!(
        world.get("/v1/account", &world.operator).await.refused(),
        (401, "unauthorized")
    );
    assert_eq!(world.balance(&alice).await, 0);
}

#[tokio::test]
async fn accounts_are_opened_once_and_listed() {
    let world = World::new().await;
    let token = world.open("alice", 0).await;
    assert!(token.starts_with("oc_"));
    world.open("bob", 7).await;
    for (body, refused) in [
        (json!({ "name": "alice" }), (409, "exists")),
        (json!({ "name": "Alice" }), (422, "invalid")),
        (json!({ "name": "" }), (422, "invalid")),
        (json!({ "name": "carol", "password": "short" }), (422, "invalid")),
        (
            json!({ "name": "carol", "pasword": "long enough" }),
            (400, "malformed"),
        ),
        (json!({}), (400, "malformed")),
    ] {
        assert_eq!(
            world
                .post("/v1/admin/accounts", &world.operator, body.clone())
                .await
                .refused(),
            refused,
            "{body}"
        );
    }
    let all = world.get("/v1/admin/accounts", &world.operator).await.with(200);
    let account = |name: &str, balance: u64| json!({ "name": name, "balance": balance, "listed": false });
    assert_eq!(
        all,
        json!({ "accounts": [account("alice", 0), account("bob", 7)] })
    );
    let page = world
        .get("/v1/admin/accounts?limit=1&after=alice", &world.operator)
        .await
        .with(200);
    assert_eq!(page, json!({ "accounts": [account("bob", 7)], "after": "bob" }));
    assert_eq!(
        world
            .get("/v1/admin/accounts/bob", &world.operator)
            .await
            .with(200),
        account("bob", 7)
    );
    for name in ["carol", "%00", "No%20Name", "%FF"] {
        let path = format!("/v1/admin/accounts/{name}");
        assert_eq!(
            world.get(&path, &world.operator).await.refused(),
            (404, "not-found"),
            "{name}"
        );
        assert_eq!(
            world
                .call(
                    "PUT",
                    &format!("{path}/password"),
                    &world.operator,
                    json!({ "new": PASSWORD })
                )
                .await
                .refused(),
            (404, "not-found")
        );
    }
}

#[tokio::test]
async fn one_reference_counts_once() {
    let world = World::new().await;
    let alice = world.open("alice", 0).await;
    world.open("bob", 0).await;
    let pay = |path: &'static str, amount: u64, reference: &'static str| {
        let body = json!({ "amount": amount, "reference": reference });
        world.post(path, &world.operator, body)
    };
    let (credits, debits) = (
        "/v1/admin/accounts/alice/credits",
        "/v1/admin/accounts/alice/debits",
    );
    let receipt = json!({ "account": "alice", "amount": 50, "reference": "statement 1", "balance": 50 });
    assert_eq!(pay(credits, 50, "statement 1").await.with(201), receipt);
    assert_eq!(pay(credits, 50, "statement 1").await.with(200), receipt);
    assert_eq!(
        pay(credits, 51, "statement 1").await.refused(),
        (409, "reference-conflict")
    );
    assert_eq!(
        pay("/v1/admin/accounts/bob/credits", 50, "statement 1")
            .await
            .refused(),
        (409, "reference-conflict")
    );
    assert_eq!(
        pay(debits, 50, "statement 1").await.refused(),
        (409, "reference-conflict")
    );
    assert_eq!(pay(debits, 20, "statement 2").await.with(201)["balance"], 30);
    assert_eq!(pay(debits, 20, "statement 2").await.with(200)["balance"], 30);
    assert_eq!(
        pay(debits, 31, "statement 3").await.refused(),
        (402, "insufficient-funds")
    );
    assert_eq!(
        pay("/v1/admin/accounts/carol/credits", 1, "statement 4")
            .await
            .refused(),
        (404, "not-found")
    );
    assert_eq!(pay(credits, 0, "statement 4").await.refused(), (422, "invalid"));
    assert_eq!(pay(credits, 1, "").await.refused(), (422, "invalid"));
    let labels = world.get("/v1/account/entries", &alice).await.with(200);
    assert_eq!(
        (&labels["entries"][0]["label"], &labels["entries"][1]["label"]),
        (&json!("statement 2"), &json!("statement 1"))
    );
}

#[tokio::test]
async fn a_payout_is_settled_once_and_a_failed_one_flows_back() {
    let world = World::new().await;
    let alice = world.open("alice", 100).await;
    for (key, amount) in [("a", 10), ("b", 20), ("c", 30)] {
        world
            .once(
                "/v1/payouts",
                &alice,
                key,
                json!({ "amount": amount, "destination": "DE02" }),
            )
            .await
            .with(201);
    }
    let settle = |id: u64, what: &'static str, text: &'static str| {
        let body = if what == "paid" {
            json!({ "reference": text })
        } else {
            json!({ "reason": text })
        };
        let path = format!("/v1/admin/payouts/{id}/{what}");
        let world = &world;
        async move { world.post(&path, &world.operator, body).await }
    };
    let paid = settle(1, "paid", "bank 1").await.with(200);
    assert_eq!(
        (&paid["state"], &paid["note"]),
        (&json!("paid"), &json!("bank 1"))
    );
    assert_eq!(settle(1, "paid", "bank 1").await.with(200), paid);
    assert_eq!(
        settle(1, "paid", "bank 2").await.refused(),
        (409, "reference-conflict")
    );
    assert_eq!(
        settle(1, "failed", "no such bank account").await.refused(),
        (409, "reference-conflict")
    );
    assert_eq!(world.balance(&alice).await, 40);
    let failed = settle(2, "failed", "no such bank account").await.with(200);
    assert_eq!(
        (&failed["state"], &failed["note"]),
        (&json!("failed"), &json!("no such bank account"))
    );
    assert_eq!(
        settle(2, "failed", "no such bank account").await.with(200),
        failed
    );
    assert_eq!(
        settle(2, "paid", "bank 1").await.refused(),
        (409, "reference-conflict")
    );
    assert_eq!(world.balance(&alice).await, 60);
    assert_eq!(settle(9, "paid", "bank 9").await.refused(), (404, "not-found"));
    assert_eq!(settle(3, "paid", "").await.refused(), (422, "invalid"));
    let newest = world.get("/v1/account/entries?limit=1", &alice).await.with(200);
    assert_eq!(
        (&newest["entries"][0]["kind"], &newest["entries"][0]["amount"]),
        (&json!("payout-failed"), &json!(20))
    );

    let open = world
        .get("/v1/admin/payouts?state=requested", &world.operator)
        .await
        .with(200);
    assert_eq!(
        (
            open["payouts"].as_array().unwrap().len(),
            &open["payouts"][0]["id"]
        ),
        (1, &json!(3))
    );
    let all = world
        .get("/v1/admin/payouts?after=1", &world.operator)
        .await
        .with(200);
    assert_eq!(
        (all["payouts"].as_array().unwrap().len(), &all["after"]),
        (2, &json!(3))
    );
    assert_eq!(
        world
            .get("/v1/admin/payouts?state=paid", &world.operator)
            .await
            .refused(),
        (422, "invalid")
    );
    assert_eq!(world.get("/v1/payouts/2", &alice).await.with(200), failed);
}

#[tokio::test]
async fn two_operators_at_one_payout_settle_it_once() {
    let world = World::new().await;
    let other = world.beside(AccountsConfig::default()).await;
    let alice = world.open("alice", 100).await;
    world
        .once(
            "/v1/payouts",
            &alice,
            "a",
            json!({ "amount": 10, "destination": "DE02" }),
        )
        .await
        .with(201);
    let (one, two) = tokio::join!(
        world.post(
            "/v1/admin/payouts/1/paid",
            &world.operator,
            json!({ "reference": "bank 1" })
        ),
        other.post(
            "/v1/admin/payouts/1/failed",
            &other.operator,
            json!({ "reason": "closed" })
        ),
    );
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    assert_eq!(
        world.balance(&alice).await,
        if one.status.as_u16() == 200 { 90 } else { 100 }
    );
}

#[tokio::test]
async fn a_lost_token_is_replaced() {
    let world = World::new().await;
    let lost = world.open("alice", 0).await;
    world.get("/v1/account", &lost).await.with(200);
    let path = "/v1/admin/accounts/alice/token";
    // As often as it takes to hear the answer: the last one counts.
    world.post(path, &world.operator, Value::Null).await.with(201);
    let new = world.post(path, &world.operator, Value::Null).await.with(201)["token"].clone();
    let new = new.as_str().unwrap();
    world.get("/v1/account", new).await.with(200);
    world.clock.forward(chrono::TimeDelta::seconds(10));
    assert_eq!(
        world.get("/v1/account", &lost).await.refused(),
        (401, "unauthorized")
    );
    world.get("/v1/account", new).await.with(200);
    let unknown = world.post("/v1/admin/accounts/nobody/token", &world.operator, Value::Null);
    assert_eq!(unknown.await.refused(), (404, "not-found"));
}
