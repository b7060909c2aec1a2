//! Who the operators are, what their tokens permit, and the record of what they do.

use opencoin_issuer::AdminScope;
use serde_json::{Value, json};

use crate::world::{PASSWORD, World};

/// What a token without the scope gets is refused before anything is read, and the refusal names the scope.
#[tokio::test]
async fn a_token_permits_what_its_scopes_say() {
    let world = World::new().await;
    world.open("alice", 50).await;
    let reader = world.operator_with("reader", &[AdminScope::Read]);
    let cashier = world.operator_with("cashier", &[AdminScope::Cashier]);
    let keys = world.operator_with("keys", &[AdminScope::Keys]);
    for path in [
        "/v1/admin/accounts",
        "/v1/admin/accounts/alice",
        "/v1/admin/payouts",
        "/v1/admin/payouts/exports",
        "/v1/admin/statements",
        "/v1/admin/bank-lines",
    ] {
        world.get(path, &reader).await.with(200);
        world.get(path, &cashier).await.with(200);
        let refused = world.get(path, &keys).await;
        refused.fails_with(403, "forbidden");
        assert!(refused.text("detail").contains("`read` or `cashier`"));
    }
    let payment = json!({ "amount": 1, "reference": "r" });
    let changes = [
        ("POST", "/v1/admin/accounts", json!({ "name": "bob" })),
        (
            "PUT",
            "/v1/admin/accounts/alice/password",
            json!({ "new": PASSWORD }),
        ),
        ("POST", "/v1/admin/accounts/alice/token", Value::Null),
        ("POST", "/v1/admin/accounts/alice/credits", payment.clone()),
        ("POST", "/v1/admin/accounts/alice/debits", payment),
        ("POST", "/v1/admin/payouts/1/paid", json!({ "reference": "r" })),
        ("POST", "/v1/admin/payouts/1/failed", json!({ "reason": "r" })),
        (
            "POST",
            "/v1/admin/payouts/exports",
            json!({ "payouts": [1], "format": "csv" }),
        ),
        ("POST", "/v1/admin/payouts/exports/1/withdraw", Value::Null),
        ("POST", "/v1/admin/payouts/exports/1/paid", Value::Null),
        ("POST", "/v1/admin/statements", Value::Null),
        (
            "POST",
            "/v1/admin/statements/1/book",
            json!({ "preview": "0".repeat(64) }),
        ),
        (
            "POST",
            "/v1/admin/bank-lines/1/assign",
            json!({ "account": "alice" }),
        ),
        (
            "POST",
            "/v1/admin/bank-lines/1/set-aside",
            json!({ "reason": "r" }),
        ),
    ];
    let before = world.admin_get("/v1/admin/actions").await.with(200);
    for token in [&reader, &keys] {
        for (method, path, body) in &changes {
            let refused = world.call(method, path, token, body.clone()).await;
            refused.fails_with(403, "forbidden");
            assert!(refused.text("detail").contains("`cashier`"));
        }
    }
    assert_eq!(world.admin_get("/v1/admin/actions").await.with(200), before);
    world
        .post("/v1/admin/accounts", &cashier, json!({ "name": "bob" }))
        .await
        .with(201);
    for token in [&reader, &cashier, &keys] {
        world.get("/v1/admin/actions", token).await.with(200);
    }
}

/// The record says who did what, once for each change, and has no secret.
#[tokio::test]
async fn what_operators_do_is_recorded() {
    let world = World::new().await;
    let alice = world.open("alice", 0).await;
    let till = world.operator_with("till", &[AdminScope::Cashier]);
    let payment = json!({ "amount": 50, "reference": "statement 1" });
    let credits = "/v1/admin/accounts/alice/credits";
    world.post(credits, &till, payment.clone()).await.with(201);
    world.post(credits, &world.operator, payment).await.with(200);
    let overdraft = json!({ "amount": 51, "reference": "statement 2" });
    world
        .post("/v1/admin/accounts/alice/debits", &till, overdraft)
        .await
        .fails(402);
    let payout = json!({ "amount": 20, "destination": "DE02" });
    world.once("/v1/payouts", &alice, "1", payout).await.with(201);
    for status in [200, 200] {
        let paid = json!({ "reference": "bank 7" });
        world
            .admin_post("/v1/admin/payouts/1/paid", paid)
            .await
            .with(status);
    }
    let token = world
        .admin_post("/v1/admin/accounts/alice/token", Value::Null)
        .await;
    let token = token.text("token");
    let body = json!({ "new": "a new password" });
    world
        .put("/v1/admin/accounts/alice/password", &till, body)
        .await
        .with(204);

    let all = world.admin_get("/v1/admin/actions").await.with(200);
    let actions = all["actions"].as_array().unwrap();
    let shown: Vec<Value> = actions
        .iter()
        .map(|action| {
            json!([
                action["id"],
                action["operator"],
                action["kind"],
                action["subject"],
                action["amount"],
                action["detail"]
            ])
        })
        .collect();
    assert_eq!(
        shown,
        [
            json!([5, "till", "set-password", "alice", null, null]),
            json!([4, "desk", "replace-token", "alice", null, null]),
            json!([3, "desk", "pay-payout", "1", 20, "bank 7"]),
            json!([2, "till", "credit", "alice", 50, "statement 1"]),
            json!([1, "desk", "open-account", "alice", null, null]),
        ]
    );
    let text = all.to_string();
    for secret in [&*alice, &token, "a new password", PASSWORD] {
        assert!(!text.contains(secret));
    }
    assert!(all.get("before").is_none());

    let page = world
        .admin_get("/v1/admin/actions?limit=2&before=5")
        .await
        .with(200);
    let ids = |page: &Value| -> Vec<u64> {
        page["actions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|action| action["id"].as_u64().unwrap())
            .collect()
    };
    assert_eq!((ids(&page), &page["before"]), (vec![4, 3], &json!(3)));
    let of_alice = world
        .admin_get("/v1/admin/actions?subject=alice&before=4")
        .await
        .with(200);
    assert_eq!(ids(&of_alice), [2, 1]);
    for (query, status) in [
        ("limit=0", 422),
        ("subject=", 422),
        ("before=-1", 400),
        ("since=1", 400),
    ] {
        world
            .admin_get(&format!("/v1/admin/actions?{query}"))
            .await
            .fails(status);
    }
}

#[tokio::test]
async fn every_operator_reads_who_the_operators_are() {
    let world = World::new().await;
    let reader = world.operator_with("reader", &[AdminScope::Read]);
    world.operator_with("ann", &[AdminScope::Cashier, AdminScope::Keys]);
    let listed = world.get("/v1/admin/operators", &reader).await.with(200);
    let operators = listed["operators"].as_array().unwrap();
    let scopes = |name: &str| {
        let found = operators.iter().find(|operator| operator["name"] == name);
        found.unwrap()["scopes"].clone()
    };
    assert_eq!(scopes("reader"), json!(["read"]));
    assert_eq!(scopes("ann"), json!(["cashier", "keys"]));
    let text = listed.to_string();
    assert!(!text.contains("sha256") && !text.contains("oca_"), "{text}");
    // This server has no file of settings.
    let settings = world.get("/v1/admin/settings", &reader).await.with(200);
    assert_eq!(settings, json!({ "settings": [] }));
    for path in ["/v1/admin/operators", "/v1/admin/settings"] {
        world.get(path, "").await.fails_with(401, "unauthorized");
    }
}
