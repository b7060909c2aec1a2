//! Files of payouts for the bank, and how they end.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::fixture::body;
use crate::world::{World, request};

/// Makes a file of the payout with this number, which is new under this key.
async fn export(world: &World, key: &str, payout: u64) {
    let wanted = json!({ "payouts": [payout], "format": "csv" });
    let mut request = request("POST", "/v1/admin/payouts/exports", &world.operator, &wanted);
    request
        .headers_mut()
        .insert("idempotency-key", key.parse().unwrap());
    let made = world.answer(request).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    let file = String::from_utf8(body(made).await).unwrap();
    assert!(file.contains("GB29NWBK60161331926819"), "{file}");
}

/// A world in which alice has asked for two payouts.
async fn world() -> (World, String) {
    let world = World::new().await;
    let alice = world.open("alice", 100).await;
    for key in ["a", "b"] {
        let asked = json!({ "amount": 10, "destination": "GB29NWBK60161331926819" });
        world.once("/v1/payouts", &alice, key, asked).await.with(201);
    }
    (world, alice)
}

#[tokio::test]
async fn a_file_that_was_not_sent_is_withdrawn_once_and_its_payout_can_be_in_another() {
    let (world, _) = world().await;
    export(&world, "one", 1).await;
    let withdraw = "/v1/admin/payouts/exports/1/withdraw";
    let withdrawn = world.admin_post(withdraw, Value::Null).await.with(201);
    assert_eq!(withdrawn["state"], "withdrawn");
    assert_eq!(withdrawn["payouts"], 1);
    assert!(withdrawn["ended_at"].is_string());
    assert_eq!(world.admin_post(withdraw, Value::Null).await.with(200), withdrawn);
    let shown = world.admin_get("/v1/admin/payouts/exports/1").await;
    shown.fails_with(409, "decided");
    let paid = world
        .admin_post("/v1/admin/payouts/exports/1/paid", Value::Null)
        .await;
    paid.fails_with(409, "decided");
    export(&world, "two", 1).await;
    let had = world
        .admin_get("/v1/admin/payouts/exports/1/payouts")
        .await
        .with(200);
    assert_eq!(had["export"], withdrawn);
    assert_eq!(
        (&had["payouts"][0]["id"], &had["payouts"][1]),
        (&json!(1), &Value::Null)
    );
    assert_eq!(had["payouts"][0]["account_frozen"], Value::Null);
    let frozen = json!({ "status": "frozen", "reason": "stolen" });
    world
        .call("PATCH", "/v1/admin/accounts/alice", &world.operator, frozen)
        .await
        .with(200);
    for list in ["/v1/admin/payouts", "/v1/admin/payouts/exports/1/payouts"] {
        let listed = world.admin_get(list).await.with(200);
        assert_eq!(listed["payouts"][0]["account_frozen"], true, "{list}");
    }
    world
        .admin_get("/v1/admin/payouts/exports/9/payouts")
        .await
        .fails(404);
    world
        .admin_post("/v1/admin/payouts/exports/9/withdraw", Value::Null)
        .await
        .fails(404);
}

#[tokio::test]
async fn all_payouts_of_a_file_are_recorded_as_paid_once() {
    let (world, alice) = world().await;
    export(&world, "one", 2).await;
    let pay = "/v1/admin/payouts/exports/1/paid";
    let paid = world.admin_post(pay, Value::Null).await.with(201);
    assert_eq!(paid["export"]["state"], "paid");
    assert_eq!((&paid["paid"], &paid["failed"]), (&json!(1), &json!([])));
    let again = world.admin_post(pay, Value::Null).await.with(200);
    assert_eq!(again["export"], paid["export"]);
    let states = async |no: u64| {
        let path = format!("/v1/payouts/{no}");
        world.get(&path, &alice).await.with(200)["state"].clone()
    };
    assert_eq!(
        (states(1).await, states(2).await),
        (json!("requested"), json!("paid"))
    );
    let withdrawn = world
        .admin_post("/v1/admin/payouts/exports/1/withdraw", Value::Null)
        .await;
    withdrawn.fails_with(409, "decided");
}
