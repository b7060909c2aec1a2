//! Entries as server-sent events.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use futures_util::StreamExt;
use opencoin_config::AccountsConfig;
use opencoin_http::router;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::world::{PASSWORD, World, request};

/// The longest wait for an event.
const PATIENCE: Duration = Duration::from_secs(20);

/// The events of a stream, read as a client reads them.
struct Events {
    body: axum::body::BodyDataStream,
    text: String,
}

impl Events {
    async fn open(world: &World, token: &str, after: &str, last_event_id: Option<&str>) -> Self {
        let response = connect(world, token, after, last_event_id).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        }
    }

    /// The next event with data: its id and its entry. `None` at the end of the stream.
    async fn next(&mut self) -> Option<(u64, Value)> {
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    event
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .map(|value| value.trim().to_owned())
                };
                let (id, data) = (field("id:"), field("data:"));
                self.text = rest.to_owned();
                if let (Some(id), Some(data)) = (id, data) {
                    return Some((id.parse().unwrap(), serde_json::from_str(&data).unwrap()));
                }
            }
            let chunk = tokio::time::timeout(PATIENCE, self.body.next())
                .await
                .expect("an event or the end")?;
            self.text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
        }
    }

    async fn amounts(&mut self, count: usize) -> Vec<i64> {
        let mut amounts = Vec::new();
        for _ in 0..count {
            let (id, entry) = self.next().await.expect("the stream goes on");
            assert_eq!(entry["id"], id);
            amounts.push(entry["amount"].as_i64().unwrap());
        }
        amounts
    }
}

async fn connect(world: &World, token: &str, after: &str, last_event_id: Option<&str>) -> Response<Body> {
    let mut request: Request<Body> =
        request("GET", &format!("/v1/account/entries{after}"), token, &Value::Null);
    request
        .headers_mut()
        .insert("accept", "text/event-stream".parse().unwrap());
    if let Some(id) = last_event_id {
        request.headers_mut().insert("last-event-id", id.parse().unwrap());
    }
    router(std::sync::Arc::clone(&world.server))
        .oneshot(request)
        .await
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_stream_resumed_at_another_process_has_no_gap_and_no_duplicate() {
    let world = World::new().await;
    let other = world.beside(AccountsConfig::default()).await;
    let alice = world.open("alice", 1000).await;
    world.open("bob", 0).await;
    let mut from_the_beginning = Events::open(&world, &alice, "?after=0", None).await;
    let mut from_now_on = Events::open(&world, &alice, "", None).await;
    assert_eq!(from_the_beginning.amounts(1).await, [1000]);
    for amount in 1..=3 {
        world
            .pay(&alice, &format!("k{amount}"), "bob", amount)
            .await
            .with(201);
    }
    assert_eq!(from_now_on.amounts(3).await, [-1, -2, -3]);
    let (seen, _) = from_the_beginning.next().await.unwrap();
    drop(from_the_beginning);
    world.pay(&alice, "k4", "bob", 4).await.with(201);
    // `Last-Event-ID` takes precedence over `after`.
    let mut again = Events::open(&other, &alice, "?after=0", Some(&seen.to_string())).await;
    assert_eq!(again.amounts(3).await, [-2, -3, -4]);
    assert_eq!(from_now_on.amounts(1).await, [-4]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_delivers_many_entries() {
    let world = World::new().await;
    let alice = world.open("alice", 1000).await;
    world.open("bob", 0).await;
    for no in 0..250 {
        world.pay(&alice, &format!("k{no}"), "bob", 1).await.with(201);
    }
    let mut events = Events::open(&world, &alice, "?after=0", None).await;
    assert_eq!(events.amounts(251).await.iter().sum::<i64>(), 750);
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_its_session() {
    let world = World::new().await;
    let account = world.open("alice", 10).await;
    let session = world.log_in("alice", PASSWORD).await.text("token");
    let mut events = Events::open(&world, &session, "?after=0", None).await;
    assert_eq!(events.amounts(1).await, [10]);
    world.delete("/v1/sessions", &session).await.with(204);
    assert_eq!(events.next().await, None);
    assert_eq!(connect(&world, &session, "", None).await.status(), 401);
    let service = json!({ "name": "shop", "scopes": ["mint"] });
    let service = world.post("/v1/services", &account, service).await;
    let login = json!({ "id": service.text("id"), "key": service.text("key") });
    let mints = world.post("/v1/services/session", "", login).await.text("token");
    assert_eq!(connect(&world, &mints, "", None).await.status(), 403);
}

#[tokio::test(start_paused = true)]
async fn the_number_of_streams_of_an_account_is_limited() {
    let world = World::new().await;
    let alice = world.open("alice", 10).await;
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(Events::open(&world, &alice, "", None).await);
    }
    let one_more = connect(&world, &alice, "", None).await;
    assert_eq!(one_more.status(), 429);
    assert_eq!(one_more.headers()["opencoin-error"], "too-many-requests");
    assert_eq!(one_more.headers()["retry-after"], "30");
    let bob = world.open("bob", 10).await;
    Events::open(&world, &bob, "", None).await;
    open.pop();
    Events::open(&world, &alice, "", None).await;
}

#[tokio::test]
async fn a_stream_with_wrong_parameters_is_refused() {
    let world = World::new().await;
    let alice = world.open("alice", 10).await;
    for (token, query, last_event_id, status) in [
        (alice.as_str(), "?before=3", None, 422),
        (&alice, "", Some("x"), 400),
        ("", "", None, 401),
    ] {
        let response = connect(&world, token, query, last_event_id).await;
        assert_eq!(response.status(), status);
    }
}
