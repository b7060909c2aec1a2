//! Pages of entries, and the directory.

use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn pages_contain_every_entry_once_in_both_directions() {
    let world = World::new().await;
    let alice = world.open("alice", 1000).await;
    world.open("bob", 0).await;
    // All entries have the same time, because the clock stands still.
    for no in 1..=24 {
        world.pay(&alice, &format!("k{no}"), "bob", no).await.with(201);
    }
    let (mut backwards, mut before) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/account/entries?limit=7{before}");
        let page = world.get(&path, &alice).await.with(200);
        backwards.extend(ids(&page));
        let Some(cursor) = page.get("before") else { break };
        before = format!("&before={cursor}");
    }
    let (mut forwards, mut after) = (Vec::new(), 0);
    loop {
        let path = format!("/v1/account/entries?limit=5&after={after}");
        let page = world.get(&path, &alice).await.with(200);
        after = page["after"].as_u64().unwrap();
        let page = ids(&page);
        forwards.extend(page.iter().copied());
        if page.is_empty() {
            break;
        }
        // A later page contains an entry that is made between two pages.
        if forwards.len() == 10 {
            world.pay(&alice, "late", "bob", 1).await.with(201);
        }
    }
    assert_eq!((backwards.len(), forwards.len()), (25, 26));
    assert!(forwards.is_sorted_by(|one, next| one < next) && backwards.is_sorted_by(|one, next| one > next));
    backwards.reverse();
    assert_eq!(backwards, forwards[..25]);
    // `GET /v1/account` contains all entries, so it has no cursor.
    let account = world.get("/v1/account", &alice).await.with(200);
    assert_eq!((ids(&account).len(), account.get("before")), (26, None));
}

fn ids(page: &Value) -> Vec<u64> {
    let entries = page["entries"].as_array().unwrap().iter();
    entries.map(|entry| entry["id"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn wrong_page_parameters_are_refused() {
    let world = World::new().await;
    let alice = world.open("alice", 1).await;
    for (query, status) in [
        ("limit=0", 422),
        ("limit=x", 400),
        ("before=1&after=1", 422),
        ("since=1", 400),
        ("after=-1", 400),
    ] {
        let path = format!("/v1/account/entries?{query}");
        world.get(&path, &alice).await.fails(status);
    }
    let path = format!("/v1/account/entries?after={}", i64::MAX);
    let beyond = world.get(&path, &alice).await.with(200);
    assert_eq!(beyond["entries"], json!([]));
}

#[tokio::test]
async fn the_directory_lists_the_accounts_that_chose_it() {
    let world = World::new().await;
    let (alice, bob) = (world.open("alice", 0).await, world.open("bob", 0).await);
    world.open("carol", 0).await;
    let list = async |token: &str, listed: bool| {
        let body = json!({ "listed": listed });
        world.call("PATCH", "/v1/account", token, body).await.with(204);
    };
    let none = world.get("/v1/directory", &alice).await;
    assert_eq!(none.with(200), json!({ "accounts": [] }));
    list(&alice, true).await;
    list(&bob, true).await;
    let (of_alice, of_bob) = (json!({ "name": "alice" }), json!({ "name": "bob" }));
    for (query, page) in [
        ("", json!({ "accounts": [of_alice, of_bob] })),
        ("?limit=1", json!({ "accounts": [of_alice], "after": "alice" })),
        ("?after=alice", json!({ "accounts": [of_bob] })),
    ] {
        let reply = world.get(&format!("/v1/directory{query}"), &alice).await;
        assert_eq!(reply.with(200), page, "{query}");
    }
    world.get("/v1/directory?after=A", &alice).await.fails(422);
    world.get("/v1/directory", "").await.fails(401);
    list(&alice, false).await;
    let rest = world.get("/v1/directory", &alice).await;
    assert_eq!(rest.with(200), json!({ "accounts": [of_bob] }));
    assert_eq!(world.get("/v1/account", &bob).await.with(200)["listed"], true);
}
