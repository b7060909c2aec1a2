//! The operator's API.

use opencoin_config::AccountsConfig;
use serde_json::{Value, json};

use crate::world::{PASSWORD, World};

#[tokio::test]
async fn only_an_operators_token_opens_the_operators_api() {
    let world = World::new().await;
    let alice = world.open("alice", 0).await;
    let session = world.log_in("alice", PASSWORD).await.text("token");
    let payment = json!({ "amount": 1, "reference": "r" });
    let calls = [
        ("POST", "/v1/admin/accounts", json!({ "name": "mallory" })),
        ("GET", "/v1/admin/accounts", Value::Null),
        ("GET", "/v1/admin/accounts/alice", Value::Null),
        (
            "PUT",
            "/v1/admin/accounts/alice/password",
            json!({ "new": PASSWORD }),
        ),
        ("POST", "/v1/admin/accounts/alice/token", Value::Null),
        ("POST", "/v1/admin/accounts/alice/credits", payment.clone()),
        ("POST", "/v1/admin/accounts/alice/debits", payment),
        (
            "PATCH",
            "/v1/admin/accounts/alice",
            json!({ "status": "frozen", "reason": "r" }),
        ),
        ("POST", "/v1/admin/accounts/alice/start-code", Value::Null),
        ("GET", "/v1/admin/accounts/alice/entries", Value::Null),
        ("GET", "/v1/admin/accounts/alice/services", Value::Null),
        ("DELETE", "/v1/admin/accounts/alice/services/0", Value::Null),
        ("GET", "/v1/admin/actions", Value::Null),
        ("GET", "/v1/admin/payouts", Value::Null),
        ("POST", "/v1/admin/payouts/1/paid", json!({ "reference": "r" })),
        ("POST", "/v1/admin/payouts/1/failed", json!({ "reason": "r" })),
    ];
    // An operator of another issuer.
    let other = World::new().await.operator;
    for (method, path, body) in calls {
        for (token, status) in [
            ("", 401),
            ("oca_0", 401),
            (&other, 401),
            (&alice, 403),
            (&session, 403),
        ] {
            let reply = world.call(method, path, token, body.clone()).await;
            reply.fails(status);
        }
    }
    // An operator's token opens no account.
    world.admin_get("/v1/account").await.fails(401);
    assert_eq!(world.balance(&alice).await, 0);
}

#[tokio::test]
async fn an_account_is_opened_once_and_listed() {
    let world = World::new().await;
    let token = world.open("alice", 0).await;
    assert!(token.starts_with("oc_"));
    world.open("bob", 7).await;
    let path = "/v1/admin/accounts";
    let again = world.admin_post(path, json!({ "name": "alice" })).await;
    again.fails_with(409, "exists");
    for (body, status) in [
        (json!({ "name": "Alice" }), 422),
        (json!({ "name": "" }), 422),
        (json!({ "name": "carol", "password": "short" }), 422),
        (json!({ "name": "carol", "pasword": "long enough" }), 400),
        (json!({}), 400),
    ] {
        world.admin_post(path, body).await.fails(status);
    }
    let all = world.admin_get(path).await.with(200);
    let account = |name: &str, balance: u64| json!({ "name": name, "balance": balance, "listed": false, "status": "open" });
    let (alice, bob) = (account("alice", 0), account("bob", 7));
    assert_eq!(all, json!({ "accounts": [alice, bob] }));
    let page = world.admin_get(&format!("{path}?limit=1&after=alice")).await;
    assert_eq!(page.with(200), json!({ "accounts": [bob], "after": "bob" }));
    assert_eq!(world.admin_get(&format!("{path}/bob")).await.with(200), bob);
    for name in ["carol", "%00", "No%20Name", "%FF"] {
        let path = format!("/v1/admin/accounts/{name}");
        world.admin_get(&path).await.fails(404);
        let (path, body) = (format!("{path}/password"), json!({ "new": PASSWORD }));
        world.put(&path, &world.operator, body).await.fails(404);
    }
}

#[tokio::test]
async fn each_reference_is_booked_once() {
    let world = World::new().await;
    let alice = world.open("alice", 0).await;
    world.open("bob", 0).await;
    let pay = async |path: &str, amount: u64, reference: &str| {
        let body = json!({ "amount": amount, "reference": reference });
        world
            .admin_post(&format!("/v1/admin/accounts/{path}"), body)
            .await
    };
    let (credits, debits) = ("alice/credits", "alice/debits");
    let receipt = json!({ "account": "alice", "amount": 50, "reference": "statement 1", "balance": 50 });
    assert_eq!(pay(credits, 50, "statement 1").await.with(201), receipt);
    assert_eq!(pay(credits, 50, "statement 1").await.with(200), receipt);
    pay(credits, 51, "statement 1").await.fails(409);
    pay("bob/credits", 50, "statement 1").await.fails(409);
    pay(debits, 50, "statement 1").await.fails(409);
    assert_eq!(pay(debits, 20, "statement 2").await.with(201)["balance"], 30);
    assert_eq!(pay(debits, 20, "statement 2").await.with(200)["balance"], 30);
    pay(debits, 31, "statement 3").await.fails(402);
    pay("carol/credits", 1, "statement 4").await.fails(404);
    pay(credits, 0, "statement 4").await.fails(422);
    pay(credits, 1, "").await.fails(422);
    let page = world.get("/v1/account/entries", &alice).await.with(200);
    assert_eq!(page["entries"][0]["label"], "statement 2");
    assert_eq!(page["entries"][1]["label"], "statement 1");
}

#[tokio::test]
async fn a_payout_is_settled_once_and_a_failed_one_is_returned() {
    let world = World::new().await;
    let alice = world.open("alice", 100).await;
    for (key, amount) in [("a", 10), ("b", 20), ("c", 30)] {
        world.request_payout(&alice, key, amount).await.with(201);
    }
    let pay = async |id: u64, reference: &str| {
        let path = format!("/v1/admin/payouts/{id}/paid");
        world.admin_post(&path, json!({ "reference": reference })).await
    };
    let fail = async |id: u64| {
        let path = format!("/v1/admin/payouts/{id}/failed");
        world.admin_post(&path, json!({ "reason": "closed" })).await
    };
    let paid = pay(1, "bank 1").await.with(200);
    assert_eq!(
        (&paid["state"], &paid["note"]),
        (&json!("paid"), &json!("bank 1"))
    );
    assert_eq!(pay(1, "bank 1").await.with(200), paid);
    pay(1, "bank 2").await.fails(409);
    fail(1).await.fails(409);
    assert_eq!(world.balance(&alice).await, 40);
    let failed = fail(2).await.with(200);
    assert_eq!(
        (&failed["state"], &failed["note"]),
        (&json!("failed"), &json!("closed"))
    );
    assert_eq!(fail(2).await.with(200), failed);
    pay(2, "bank 1").await.fails(409);
    assert_eq!(world.balance(&alice).await, 60);
    pay(9, "bank 9").await.fails(404);
    pay(3, "").await.fails(422);
    let newest = world.get("/v1/account/entries?limit=1", &alice).await.with(200);
    assert_eq!(newest["entries"][0]["kind"], "payout-failed");
    assert_eq!(newest["entries"][0]["amount"], 20);

    let queries = [
        ("state=requested", &[3][..]),
        ("state=paid", &[1]),
        ("state=failed", &[2]),
        ("after=1", &[2, 3]),
    ];
    for (query, ids) in queries {
        let page = world
            .admin_get(&format!("/v1/admin/payouts?{query}"))
            .await
            .with(200);
        let payouts = page["payouts"].as_array().unwrap();
        assert!(payouts.iter().map(|payout| &payout["id"]).eq(ids), "{page}");
        assert_eq!(page["after"], *ids.last().unwrap());
    }
    world.admin_get("/v1/admin/payouts?state=lost").await.fails(400);
    assert_eq!(world.get("/v1/payouts/2", &alice).await.with(200), failed);
}

#[tokio::test]
async fn a_payout_that_two_operators_settle_at_once_is_settled_once() {
    let world = World::new().await;
    let other = world.beside(AccountsConfig::default()).await;
    let alice = world.open("alice", 100).await;
    world.request_payout(&alice, "a", 10).await.with(201);
    let (one, two) = tokio::join!(
        world.admin_post("/v1/admin/payouts/1/paid", json!({ "reference": "bank 1" })),
        other.admin_post("/v1/admin/payouts/1/failed", json!({ "reason": "closed" })),
    );
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    let balance = if one.status == 200 { 90 } else { 100 };
    assert_eq!(world.balance(&alice).await, balance);
}

#[tokio::test]
async fn a_lost_token_is_replaced() {
    let world = World::new().await;
    let lost = world.open("alice", 0).await;
    world.get("/v1/account", &lost).await.with(200);
    let path = "/v1/admin/accounts/alice/token";
    // An operator who lost the answer asks again; only the last token is good.
    world.admin_post(path, Value::Null).await.with(201);
    let new = world.admin_post(path, Value::Null).await.text("token");
    world.get("/v1/account", &new).await.with(200);
    // Whoever has the old one makes no access that would stay, and moves no money, from this moment on.
    let service = json!({ "name": "till", "scopes": ["mint"] });
    world.post("/v1/services", &lost, service).await.fails(401);
    let password = json!({ "new": PASSWORD });
    world
        .put("/v1/account/password", &lost, password)
        .await
        .fails(401);
    world.clock.forward(chrono::TimeDelta::seconds(10));
    world.get("/v1/account", &lost).await.fails(401);
    world.get("/v1/account", &new).await.with(200);
    let unknown = world.admin_post("/v1/admin/accounts/nobody/token", Value::Null);
    unknown.await.fails(404);
}

/// Such a payment would keep the line from being credited.
#[tokio::test]
async fn no_payment_takes_the_reference_of_a_line_of_the_bank() {
    let world = World::new().await;
    let alice = world.open("alice", 100).await;
    let of_line = format!("bank line {}", "0".repeat(32));
    for (way, reference, status) in [
        ("credits", of_line.as_str(), 422),
        ("debits", &of_line, 422),
        ("credits", "bank line of Monday", 201),
    ] {
        let path = format!("/v1/admin/accounts/alice/{way}");
        let payment = json!({ "amount": 1, "reference": reference });
        world.admin_post(&path, payment).await.with(status);
    }
    assert_eq!(world.balance(&alice).await, 101);
}
