//! Transfers, payouts, and coins in and out.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn a_transfer_moves_money_once() {
    let world = World::new().await;
    let (alice, bob) = (world.open("alice", 100).await, world.open("bob", 0).await);
    let transfer = json!({ "to": "bob", "amount": 30, "label": "invoice 7" });
    let first = world
        .once("/v1/transfers", &alice, "key-1", transfer.clone())
        .await
        .with(201);
    assert_eq!(
        (&first["kind"], &first["amount"], &first["counterparty"]),
        (&json!("transfer"), &json!(-30), &json!("bob"))
    );
    let again = world
        .once("/v1/transfers", &alice, "key-1", transfer)
        .await
        .with(200);
    assert_eq!(again, first);
    for other in [
        json!({ "to": "bob", "amount": 31, "label": "invoice 7" }),
        json!({ "to": "bob", "amount": 30, "label": "8" }),
    ] {
        assert_eq!(
            world
                .once("/v1/transfers", &alice, "key-1", other)
                .await
                .refused(),
            (409, "reference-conflict")
        );
    }
    assert_eq!((world.balance(&alice).await, world.balance(&bob).await), (70, 30));
    let entries = world.get("/v1/account/entries", &bob).await.with(200);
    let received = &entries["entries"][0];
    assert_eq!(
        (&received["amount"], &received["label"]),
        (&json!(30), &json!("invoice 7"))
    );
    assert_eq!(
        (&received["counterparty"], &received["id"]),
        (&json!("alice"), &first["id"])
    );
    // The same key of another account is another one.
    world.pay(&bob, "key-1", "alice", 1).await.with(201);
}

#[tokio::test]
async fn what_cannot_be_paid_is_refused_and_changes_nothing() {
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
        assert_eq!(
            world.once("/v1/transfers", &alice, "k", transfer).await.refused(),
            (422, "invalid"),
            "{amount}"
        );
        let payout = json!({ "amount": amount, "destination": "DE00" });
        assert_eq!(
            world.once("/v1/payouts", &alice, "k", payout).await.refused(),
            (422, "invalid"),
            "{amount}"
        );
    }
    let transfer = |to: &str, amount: u64, label: &str| json!({ "to": to, "amount": amount, "label": label });
    for (body, refused) in [
        (transfer("bob", 101, ""), (402, "insufficient-funds")),
        (transfer("carol", 1, ""), (404, "not-found")),
        (transfer("No Name", 1, ""), (404, "not-found")),
        (transfer("alice", 1, ""), (422, "invalid")),
        (transfer("bob", 1, "two\nlines"), (422, "invalid")),
        (transfer("bob", 1, &"x".repeat(201)), (422, "invalid")),
        (json!({ "to": "bob" }), (400, "malformed")),
        (
            json!({ "to": "bob", "amount": 1, "amuont": 1 }),
            (400, "malformed"),
        ),
    ] {
        assert_eq!(
            world
                .once("/v1/transfers", &alice, "k", body.clone())
                .await
                .refused(),
            refused,
            "{body}"
        );
    }
    let body = transfer("bob", 1, "");
    assert_eq!(
        world.post("/v1/transfers", &alice, body.clone()).await.refused(),
        (400, "malformed"),
        "no key"
    );
    for key in ["two words", &"x".repeat(65)] {
        assert_eq!(
            world
                .once("/v1/transfers", &alice, key, body.clone())
                .await
                .refused(),
            (400, "malformed"),
            "{key}"
        );
    }
    assert_eq!(
        world.once("/v1/transfers", "", "k", body.clone()).await.refused(),
        (401, "unauthorized")
    );
    assert_eq!(
        world
            .once("/v1/transfers", "oc_wrong", "k", json!("not read"))
            .await
            .refused(),
        (401, "unauthorized")
    );
    assert_eq!(world.balance(&alice).await, 100);
    world.once("/v1/transfers", &alice, "k", body).await.with(201); // none of them has taken the key
}

#[tokio::test]
async fn of_fifty_spends_of_one_balance_exactly_those_that_fit_are_made() {
    let world = World::new().await;
    let (alice, bob) = (world.open("alice", 70).await, world.open("bob", 0).await);
    let keys: Vec<String> = (0..50).map(|no| format!("key-{no}")).collect();
    let replies = join_all(keys.iter().map(|key| world.pay(&alice, key, "bob", 10))).await;
    let made = replies
        .iter()
        .filter(|reply| reply.status.as_u16() == 201)
        .count();
    let refused = replies
        .iter()
        .filter(|reply| reply.status.as_u16() == 402)
        .count();
    assert_eq!((made, refused), (7, 43));
    assert_eq!((world.balance(&alice).await, world.balance(&bob).await), (0, 70));
    // And one key at the same time moves money once.
    let replies = join_all((0..20).map(|_| world.pay(&bob, "same", "alice", 10))).await;
    let ids: Vec<&Value> = replies.iter().map(|reply| &reply.json["id"]).collect();
    assert_eq!(
        replies
            .iter()
            .filter(|reply| reply.status.as_u16() == 201)
            .count(),
        1
    );
    assert!(ids.iter().all(|id| *id == ids[0] && id.is_u64()), "{ids:?}");
    assert_eq!(world.balance(&bob).await, 60);
}

#[tokio::test]
async fn a_mint_takes_and_a_redeem_gives_and_the_entries_sum_up() {
    let mut world = World::new().await;
    let (alice, bob) = (world.open("alice", 12).await, world.open("bob", 0).await);
    let (blind, payload, unblinder) = world.blind();
    let minted = world.mint(&alice, &blind, 1).await;
    assert_eq!(world.balance(&alice).await, 7);
    let coin = world.coin(&payload, &unblinder, minted);
    world.redeem(&bob, &coin).await.with(200);
    assert_eq!(world.balance(&bob).await, 5);
    world.pay(&alice, "k", "bob", 2).await.with(201);
    for (token, kinds) in [
        (&alice, ["transfer", "mint", "credit"].as_slice()),
        (&bob, ["transfer", "redeem"].as_slice()),
    ] {
        let account = world.get("/v1/account", token).await.with(200);
        let entries = account["entries"].as_array().unwrap();
        let sum: i64 = entries
            .iter()
            .map(|entry| entry["amount"].as_i64().unwrap())
            .sum();
        assert_eq!(account["balance"], sum);
        assert_eq!(
            entries
                .iter()
                .map(|entry| entry["kind"].as_str().unwrap())
                .collect::<Vec<_>>(),
            kinds
        );
    }
}

#[tokio::test]
async fn a_payout_leaves_the_account_at_once_and_is_the_holders_alone() {
    let world = World::new().await;
    let (alice, bob) = (world.open("alice", 100).await, world.open("bob", 100).await);
    let body = json!({ "amount": 40, "destination": "DE02 1203 0000 0000 2020 51" });
    let payout = world
        .once("/v1/payouts", &alice, "key-1", body.clone())
        .await
        .with(201);
    assert_eq!(
        (&payout["state"], &payout["amount"], &payout["account"]),
        (&json!("requested"), &json!(40), &json!("alice"))
    );
    assert_eq!(
        world.once("/v1/payouts", &alice, "key-1", body).await.with(200),
        payout
    );
    let other = json!({ "amount": 41, "destination": "DE02 1203 0000 0000 2020 51" });
    assert_eq!(
        world.once("/v1/payouts", &alice, "key-1", other).await.refused(),
        (409, "reference-conflict")
    );
    assert_eq!(
        world.pay(&alice, "key-1", "bob", 40).await.refused(),
        (409, "reference-conflict"),
        "transfers share the keys"
    );
    assert_eq!(world.balance(&alice).await, 60);
    let too_much = json!({ "amount": 61, "destination": "DE02" });
    assert_eq!(
        world
            .once("/v1/payouts", &alice, "key-2", too_much)
            .await
            .refused(),
        (402, "insufficient-funds")
    );

    let path = format!("/v1/payouts/{}", payout["id"]);
    assert_eq!(world.get(&path, &alice).await.with(200), payout);
    for (path, token) in [
        (path.as_str(), &bob),
        ("/v1/payouts/99", &alice),
        ("/v1/payouts/x", &alice),
        ("/v1/payouts/-1", &alice),
    ] {
        assert_eq!(
            world.get(path, token).await.refused(),
            (404, "not-found"),
            "{path}"
        );
    }
    let list = world.get("/v1/payouts", &alice).await.with(200);
    assert_eq!(
        (&list["payouts"], &list["after"]),
        (&json!([payout]), &payout["id"])
    );
    let rest = world
        .get(&format!("/v1/payouts?after={}", payout["id"]), &alice)
        .await
        .with(200);
    assert_eq!((&rest["payouts"], &rest["after"]), (&json!([]), &payout["id"]));
    assert_eq!(
        world.get("/v1/payouts", &bob).await.with(200)["payouts"],
        json!([])
    );
}
