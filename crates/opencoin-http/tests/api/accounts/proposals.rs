//! Operations that need a second operator.

use axum::body::Body;
use axum::http::Request;
use opencoin_issuer::AdminScope;
use serde_json::{Value, json};

use crate::world::World;

const CASHIER: &[AdminScope] = &[AdminScope::Cashier];
const CREDITS: &str = "/v1/admin/accounts/alice/credits";
const DEBITS: &str = "/v1/admin/accounts/alice/debits";

fn payment(amount: u64, reference: &str) -> Value {
    json!({ "amount": amount, "reference": reference })
}

async fn balance(world: &World) -> Value {
    let account = world.admin_get("/v1/admin/accounts/alice").await.with(200);
    account["balance"].clone()
}

async fn decide(world: &World, operator: &str, no: u64, verdict: &str) -> crate::world::Reply {
    let path = format!("/v1/admin/proposals/{no}/{verdict}");
    world.post(&path, operator, Value::Null).await
}

#[tokio::test]
async fn a_large_payment_is_accepted_as_a_proposal_and_carried_out_by_another_operator() {
    let world = World::with_limit(100).await;
    world.open("alice", 50).await;
    let (ann, ben) = (
        world.operator_with("ann", CASHIER),
        world.operator_with("ben", CASHIER),
    );
    world.post(CREDITS, &ann, payment(100, "small")).await.with(201);
    let waits = world.post(CREDITS, &ann, payment(101, "large")).await.with(202);
    assert_eq!(waits["id"], 1);
    assert_eq!(waits["operation"], "credit");
    assert_eq!(
        (&waits["account"], &waits["amount"]),
        (&json!("alice"), &json!(101))
    );
    assert_eq!(
        (&waits["text"], &waits["state"]),
        (&json!("large"), &json!("waiting"))
    );
    assert_eq!(waits["proposed_by"], "ann");
    for operator in [&ann, &ben] {
        assert_eq!(
            world
                .post(CREDITS, operator, payment(101, "large"))
                .await
                .with(202),
            waits
        );
    }
    world.post(CREDITS, &ben, payment(102, "large")).await.fails(409);
    assert_eq!(balance(&world).await, 150);
    let mine = world.get("/v1/admin/overview", &ann).await.with(200);
    assert_eq!(mine["proposals"], json!({ "count": 0 }));
    let others = world.get("/v1/admin/overview", &ben).await.with(200);
    assert_eq!(others["proposals"]["count"], 1);
    let list = world.get("/v1/admin/proposals", &ben).await.with(200);
    assert_eq!(list, json!({ "proposals": [waits], "after": 1 }));

    let own = decide(&world, &ann, 1, "approve").await;
    own.fails_with(403, "second-person");
    assert!(own.text("detail").contains("another operator"));
    decide(&world, &ben, 2, "approve").await.fails(404);
    assert_eq!(balance(&world).await, 150);
    let done = decide(&world, &ben, 1, "approve").await.with(200);
    assert_eq!(
        (&done["state"], &done["decided_by"]),
        (&json!("carried-out"), &json!("ben"))
    );
    assert_eq!(decide(&world, &ben, 1, "approve").await.with(200), done);
    assert_eq!(world.get("/v1/admin/proposals/1", &ann).await.with(200), done);
    decide(&world, &ben, 1, "decline")
        .await
        .fails_with(409, "decided");
    assert_eq!(balance(&world).await, 251);
    // The same request is answered as a payment that was booked.
    world.post(CREDITS, &ann, payment(101, "large")).await.with(200);
    let list = world.get("/v1/admin/proposals", &ben).await.with(200);
    assert_eq!(list, json!({ "proposals": [], "after": 0 }));
    let all = world
        .get("/v1/admin/proposals?all=true&limit=1", &ben)
        .await
        .with(200);
    assert_eq!(all["proposals"], json!([done]));
}

#[tokio::test]
async fn what_the_books_refuse_waits_on_and_can_be_withdrawn() {
    let world = World::with_limit(100).await;
    let alice = world.open("alice", 100).await;
    let (ann, ben) = (
        world.operator_with("ann", CASHIER),
        world.operator_with("ben", CASHIER),
    );
    world.post(DEBITS, &ann, payment(101, "cash")).await.fails(402);
    world.post(CREDITS, &ann, payment(1, "one more")).await.with(201);
    world.post(DEBITS, &ann, payment(101, "cash")).await.with(202);
    let payout = json!({ "amount": 20, "destination": "DE02" });
    world.once("/v1/payouts", &alice, "1", payout).await.with(201);
    decide(&world, &ben, 1, "approve").await.fails(402);
    let waits = world.get("/v1/admin/proposals/1", &ben).await.with(200);
    assert_eq!(waits["state"], "waiting");
    let gone = decide(&world, &ann, 1, "decline").await.with(200);
    assert_eq!(
        (&gone["state"], &gone["decided_by"]),
        (&json!("declined"), &json!("ann"))
    );
    assert_eq!(decide(&world, &ben, 1, "decline").await.with(200), gone);
    decide(&world, &ben, 1, "approve")
        .await
        .fails_with(409, "decided");
    assert_eq!(balance(&world).await, 81);
    // A small payout needs nobody else.
    let paid = json!({ "reference": "bank 7" });
    world.post("/v1/admin/payouts/1/paid", &ann, paid).await.with(200);
    let actions = world.get("/v1/admin/actions?limit=3", &ann).await.with(200);
    let kinds: Vec<&Value> = actions["actions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|action| &action["kind"])
        .collect();
    assert_eq!(kinds, ["pay-payout", "withdraw-proposal", "propose"]);
}

#[tokio::test]
async fn a_large_payout_is_settled_with_two_names() {
    let world = World::with_limit(100).await;
    let alice = world.open("alice", 100).await;
    world.admin_post(CREDITS, payment(50, "more")).await.with(201);
    let (ann, ben) = (
        world.operator_with("ann", CASHIER),
        world.operator_with("ben", CASHIER),
    );
    let payout = json!({ "amount": 150, "destination": "DE02" });
    world.once("/v1/payouts", &alice, "1", payout).await.with(201);
    let failed = json!({ "reason": "no such account" });
    let waits = world
        .post("/v1/admin/payouts/1/failed", &ann, failed)
        .await
        .with(202);
    assert_eq!(
        (&waits["operation"], &waits["payout"]),
        (&json!("fail-payout"), &json!(1))
    );
    let paid = json!({ "reference": "bank 7" });
    world
        .post("/v1/admin/payouts/1/paid", &ben, paid)
        .await
        .fails(409);
    assert_eq!(balance(&world).await, 0);
    decide(&world, &ben, 1, "approve").await.with(200);
    assert_eq!(balance(&world).await, 150);
}

#[tokio::test]
async fn large_lines_of_the_bank_need_a_second_operator() {
    let world = World::with_limit(100).await;
    world.open("alice", 0).await;
    let (ann, ben) = (
        world.operator_with("ann", CASHIER),
        world.operator_with("ben", CASHIER),
    );
    let code = opencoin_bank::payment_code::of_account("alice");
    let (small, large) = ("1,00", "2,00");
    let table = format!(
        "day;text;amount\n04.05.2026;{code};{small}\n04.05.2026;{code};{large}\n04.05.2026;gift;{large}\n"
    );
    let upload = Request::post("/v1/admin/statements?name=may")
        .header("authorization", format!("Bearer {ann}"))
        .body(Body::from(table))
        .unwrap();
    world.send(upload).await.with(201);
    let preview = world.get("/v1/admin/statements/1", &ann).await.with(200);
    assert_eq!(preview["lines_above_limit"], 1);
    let book = json!({ "preview": preview["preview"] });
    let refused = world
        .post("/v1/admin/statements/1/book", &ann, book.clone())
        .await;
    refused.fails_with(403, "second-person");
    assert_eq!(balance(&world).await, 0);
    world
        .post("/v1/admin/statements/1/book", &ben, book)
        .await
        .with(201);
    assert_eq!(balance(&world).await, 300);
    let lines = world
        .get("/v1/admin/bank-lines?state=unmatched", &ann)
        .await
        .with(200);
    let id = lines["lines"][0]["line"]["id"].as_str().unwrap().to_owned();
    // Whoever decides looks at it first.
    let line = world
        .get(&format!("/v1/admin/bank-lines/{id}"), &ben)
        .await
        .with(200);
    assert_eq!(line["line"]["id"], id);
    world
        .get("/v1/admin/bank-lines/1", &ben)
        .await
        .fails_with(404, "not-found");
    let assign = format!("/v1/admin/bank-lines/{id}/assign");
    let waits = world
        .post(&assign, &ann, json!({ "account": "alice" }))
        .await
        .with(202);
    assert_eq!(
        (&waits["operation"], &waits["bank_line"]),
        (&json!("assign-bank-line"), &json!(id))
    );
    decide(&world, &ann, 1, "approve")
        .await
        .fails_with(403, "second-person");
    decide(&world, &ben, 1, "approve").await.with(200);
    assert_eq!(balance(&world).await, 500);
    world
        .post(&assign, &ann, json!({ "account": "alice" }))
        .await
        .with(200);
}

#[tokio::test]
async fn proposals_need_the_scope_of_a_cashier() {
    let world = World::with_limit(100).await;
    world.open("alice", 0).await;
    world.admin_post(CREDITS, payment(101, "large")).await.with(202);
    let reader = world.operator_with("reader", &[AdminScope::Read]);
    let keys = world.operator_with("keys", &[AdminScope::Keys]);
    world.get("/v1/admin/proposals/1", &reader).await.with(200);
    world.get("/v1/admin/proposals", &keys).await.fails(403);
    for verdict in ["approve", "decline"] {
        for operator in [&reader, &keys] {
            decide(&world, operator, 1, verdict).await.fails(403);
        }
    }
    assert_eq!(balance(&world).await, 0);
}
