//! Pages of entries, and the directory.

use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn pages_hold_every_entry_once_in_both_directions() {
    let world = World::new().await;
    let alice = world.open("alice", 1000).await;
    world.open("bob", 0).await;
    // All at the same moment: the clock stands still.
    for no in 1..=24 {
        world.pay(&alice, &format!("k{no}"), "bob", no).await.with(201);
    }
    let (mut backwards, mut before) = (Vec::new(), String::new());
    loop {
        let page = world
            .get(&format!("/v1/account/entries?limit=7{before}"), &alice)
            .await
            .with(200);
        backwards.extend(ids(&page));
        let Some(cursor) = page.get("before") else { break };
        before = format!("&before={cursor}");
    }
    let (mut forwards, mut after) = (Vec::new(), 0);
    loop {
        let page = world
            .get(&format!("/v1/account/entries?limit=5&after={after}"), &alice)
            .await
            .with(200);
        after = page["after"].as_u64().unwrap();
        let page = ids(&page);
        forwards.extend(page.iter().copied());
        if page.is_empty() {
            break;
        }
        // What happens between two pages is found by those to come.
        if forwards.len() == 10 {
            world.pay(&alice, "late", "bob", 1).await.with(201);
        }
    }
    assert_eq!((backwards.len(), forwards.len()), (25, 26));
    assert!(forwards.is_sorted_by(|one, next| one < next) && backwards.is_sorted_by(|one, next| one > next));
    backwards.reverse();
    assert_eq!(backwards, forwards[..25]);
    // The account's own page goes on where it ends.
    let account = world.get("/v1/account", &alice).await.with(200);
    assert_eq!((ids(&account).len(), account.get("before")), (26, None));
}

fn ids(page: &Value) -> Vec<u64> {
    page["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["id"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn a_page_has_bounds() {
    let world = World::new().await;
    let alice = world.open("alice", 1).await;
    for (query, refused) in [
        ("limit=0", (422, "invalid")),
        ("limit=501", (422, "invalid")),
        ("limit=x", (400, "malformed")),
        ("before=1&after=1", (422, "invalid")),
        ("since=1", (400, "malformed")),
        ("after=-1", (400, "malformed")),
    ] {
        assert_eq!(
            world
                .get(&format!("/v1/account/entries?{query}"), &alice)
                .await
                .refused(),
            refused,
            "{query}"
        );
    }
    let beyond = world
        .get(&format!("/v1/account/entries?after={}", i64::MAX), &alice)
        .await
        .with(200);
    assert_eq!(beyond["entries"], json!([]));
    for path in ["entries?after", "entries?before"] {
        let number = 1_u64 << 63;
        assert_eq!(
            world
                .get(&format!("/v1/account/{path}={number}"), &alice)
                .await
                .refused(),
            (422, "invalid"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_directory_has_those_who_chose_it() {
    let world = World::new().await;
    let [alice, bob, _carol] = [
        world.open("alice", 0).await,
        world.open("bob", 0).await,
        world.open("carol", 0).await,
    ];
    let listed = |listed: bool| json!({ "listed": listed });
    assert_eq!(
        world.get("/v1/directory", &alice).await.with(200),
        json!({ "accounts": [] })
    );
    for token in [&alice, &bob] {
        world
            .call("PATCH", "/v1/account", token, listed(true))
            .await
            .with(204);
    }
    let both = json!({ "accounts": [{ "name": "alice" }, { "name": "bob" }] });
    assert_eq!(world.get("/v1/directory", &alice).await.with(200), both);
    let first = world.get("/v1/directory?limit=1", &alice).await.with(200);
    assert_eq!(
        first,
        json!({ "accounts": [{ "name": "alice" }], "after": "alice" })
    );
    let rest = world.get("/v1/directory?after=alice", &alice).await.with(200);
    assert_eq!(rest, json!({ "accounts": [{ "name": "bob" }] }));
    assert_eq!(
        world.get("/v1/directory?after=A", &alice).await.refused(),
        (422, "invalid")
    );
    assert_eq!(
        world.get("/v1/directory", "").await.refused(),
        (401, "unauthorized")
    );
    world
        .call("PATCH", "/v1/account", &alice, listed(false))
        .await
        .with(204);
    assert_eq!(
        world.get("/v1/directory", &alice).await.with(200),
        json!({ "accounts": [{ "name": "bob" }] })
    );
    assert_eq!(world.get("/v1/account", &bob).await.with(200)["listed"], true);
}
