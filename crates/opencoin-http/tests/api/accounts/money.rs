//! Transfers, payouts, mints and redeems.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn a_transfer_moves_money_once() {
    let world = World::new().await;
    let (alice, bob) = (world.open("alice", 100).await, world.open("bob", 0).await);
    let transfer = json!({ "to": "bob", "amount": 30, "label": "invoice 7" });
    let first = world.transfer(&alice, "key-1", transfer.clone()).await.with(201);
    assert_eq!(
        (&first["kind"], &first["amount"], &first["counterparty"]),
        (&json!("transfer"), &json!(-30), &json!("bob"))
    );
    let again = world.transfer(&alice, "key-1", transfer).await.with(200);
    assert_eq!(again, first);
    for other in [
        json!({ "to": "bob", "amount": 31, "label": "invoice 7" }),
        json!({ "to": "bob", "amount": 30, "label": "8" }),
    ] {
        world.transfer(&alice, "key-1", other).await.fails(409);
    }
    assert_eq!((world.balance(&alice).await, world.balance(&bob).await), (70, 30));
    let entries = world.get("/v1/account/entries", &bob).await.with(200);
    let received = &entries["entries"][0];
    assert_eq!(
        (&received["amount"], &received["label"], &received["counterparty"]),
        (&json!(30), &json!("invoice 7"), &json!("alice"))
    );
    // Each account numbers its own entries, and alice has one for her money.
    assert_eq!((&received["id"], &first["id"]), (&json!(1), &json!(2)));
    // Another account can use the same idempotency key.
    world.pay(&bob, "key-1", "alice", 1).await.with(201);
}

#[tokio::test]
async fn a_refused_payment_changes_nothing() {
    let world = World::new().await;
    let alice = world.open("alice", 100).await;
    world.open("bob", 0).await;
    for amount in [
        json!(0),
        json!(-1),
        json!(1.5),
        json!("1"),
        json!(null),
        json!(u64::MAX),
        json!(1_u64 << 63),
    ] {
        let transfer = json!({ "to": "bob", "amount": amount });
        world.transfer(&alice, "k", transfer).await.fails(422);
        let payout = json!({ "amount": amount, "destination": "DE00" });
        world.once("/v1/payouts", &alice, "k", payout).await.fails(422);
    }
    let transfer = |to: &str, amount: u64, label: &str| json!({ "to": to, "amount": amount, "label": label });
    for (body, status) in [
        (transfer("bob", 101, ""), 402),
        (transfer("carol", 1, ""), 404),
        (transfer("No Name", 1, ""), 404),
        (transfer("alice", 1, ""), 422),
        (transfer("bob", 1, "two\nlines"), 422),
        (json!({ "to": "bob" }), 400),
        (json!({ "to": "bob", "amount": 1, "amuont": 1 }), 400),
    ] {
        world.transfer(&alice, "k", body).await.fails(status);
    }
    let body = transfer("bob", 1, "");
    // Without an idempotency key.
    world.post("/v1/transfers", &alice, body.clone()).await.fails(400);
    world.transfer(&alice, "two words", body.clone()).await.fails(400);
    world.transfer("", "k", body.clone()).await.fails(401);
    world
        .transfer("oc_wrong", "k", json!("not read"))
        .await
        .fails(401);
    assert_eq!(world.balance(&alice).await, 100);
    // No refused request has used up the key.
    world.transfer(&alice, "k", body).await.with(201);
}

#[tokio::test]
async fn concurrent_transfers_never_overdraw_an_account() {
    let world = World::new().await;
    let (alice, bob) = (world.open("alice", 70).await, world.open("bob", 0).await);
    let keys: Vec<String> = (0..50).map(|no| format!("key-{no}")).collect();
    let replies = join_all(keys.iter().map(|key| world.pay(&alice, key, "bob", 10))).await;
    let made = replies.iter().filter(|reply| reply.status == 201).count();
    let refused = replies.iter().filter(|reply| reply.status == 402).count();
    assert_eq!((made, refused), (7, 43));
    assert_eq!((world.balance(&alice).await, world.balance(&bob).await), (0, 70));
    // Concurrent requests with one key move money once.
    let replies = join_all((0..20).map(|_| world.pay(&bob, "same", "alice", 10))).await;
    let ids: Vec<&Value> = replies.iter().map(|reply| &reply.json["id"]).collect();
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1);
    assert!(ids.iter().all(|id| *id == ids[0] && id.is_u64()), "{ids:?}");
    assert_eq!(world.balance(&bob).await, 60);
}

#[tokio::test]
async fn the_entries_of_mints_and_redeems_add_up_to_the_balance() {
    let mut world = World::new().await;
    let (alice, bob) = (world.open("alice", 12).await, world.open("bob", 0).await);
    let blind = world.blind();
    let minted = world.mint(&alice, &blind, 1).await;
    assert_eq!(world.balance(&alice).await, 7);
    let coin = world.coin(&blind, minted);
    world.redeem(&bob, &[coin]).await.with(200);
    assert_eq!(world.balance(&bob).await, 5);
    world.pay(&alice, "k", "bob", 2).await.with(201);
    for (token, kinds) in [
        (&alice, &["transfer", "mint", "credit"][..]),
        (&bob, &["transfer", "redeem"]),
    ] {
        let account = world.get("/v1/account", token).await.with(200);
        let entries = account["entries"].as_array().unwrap();
        let amounts = entries.iter().map(|entry| entry["amount"].as_i64().unwrap());
        assert_eq!(account["balance"], amounts.sum::<i64>());
        assert!(entries.iter().map(|entry| &entry["kind"]).eq(kinds), "{account}");
    }
}

#[tokio::test]
async fn a_payout_leaves_the_account_at_once_and_only_its_holder_sees_it() {
    let world = World::new().await;
    let (alice, bob) = (world.open("alice", 100).await, world.open("bob", 100).await);
    let payout = world.request_payout(&alice, "key-1", 40).await.with(201);
    assert_eq!(
        (&payout["state"], &payout["amount"], &payout["account"]),
        (&json!("requested"), &json!(40), &json!("alice"))
    );
    let again = world.request_payout(&alice, "key-1", 40).await;
    assert_eq!(again.with(200), payout);
    world.request_payout(&alice, "key-1", 41).await.fails(409);
    // Transfers share the keys.
    world.pay(&alice, "key-1", "bob", 40).await.fails(409);
    assert_eq!(world.balance(&alice).await, 60);
    world.request_payout(&alice, "key-2", 61).await.fails(402);

    let path = format!("/v1/payouts/{}", payout["id"]);
    assert_eq!(world.get(&path, &alice).await.with(200), payout);
    for (path, token) in [
        (path.as_str(), &bob),
        ("/v1/payouts/99", &alice),
        ("/v1/payouts/x", &alice),
        ("/v1/payouts/-1", &alice),
    ] {
        world.get(path, token).await.fails(404);
    }
    let list = world.get("/v1/payouts", &alice).await.with(200);
    assert_eq!(
        (&list["payouts"], &list["after"]),
        (&json!([payout]), &payout["id"])
    );
    let path = format!("/v1/payouts?after={}", payout["id"]);
    let rest = world.get(&path, &alice).await.with(200);
    assert_eq!((&rest["payouts"], &rest["after"]), (&json!([]), &payout["id"]));
    let of_bob = world.get("/v1/payouts", &bob).await.with(200);
    assert_eq!(of_bob["payouts"], json!([]));
}
