//! Books that were set back while the server runs: neither listener answers from them, and every stream ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use opencoin_http::router;
use opencoin_issuer::{Guard, HighWaterMark};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::fixture::TestHistory;
use crate::world::{World, request};

/// The longest wait for a task or a stream.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn neither_listener_answers_after_the_books_were_set_back() {
    let (is_replaced, folder) = (Arc::new(AtomicBool::new(false)), tempfile::tempdir().unwrap());
    let mark = HighWaterMark::new(folder.path().join("high-water-mark.toml"));
    let shared = Arc::clone(&is_replaced);
    let history = TestHistory(move || u8::from(shared.load(Ordering::Relaxed)));
    let guard = Guard::begin(Arc::new(history), mark).await.unwrap();
    let world = World::guarded_by(guard).await;
    let alice = world.open("alice", 100).await;
    world.open("bob", 0).await;
    world.request_payout(&alice, "a", 10).await.with(201);
    let mut stream = request("GET", "/v1/account/entries", &alice, &Value::Null);
    stream
        .headers_mut()
        .insert("accept", "text/event-stream".parse().unwrap());
    let response = router(Arc::clone(&world.server)).oneshot(stream).await.unwrap();
    let mut events = response.into_body().into_data_stream();
    assert!(events.next().await.unwrap().unwrap().starts_with(b"id:"));

    is_replaced.store(true, Ordering::Relaxed);
    let issuer = world.server.issuer();
    let noticed = async {
        while !issuer.is_set_back() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        () = issuer.watch_books() => {}
        result = tokio::time::timeout(PATIENCE, noticed) => result.expect("the books are checked every second"),
    }
    let end = tokio::time::timeout(PATIENCE, events.next())
        .await
        .expect("the stream ends");
    assert!(end.is_none(), "{end:?}");

    let operator = &world.operator;
    let payment = json!({ "amount": 1, "reference": "r" });
    for (method, path, token, body) in [
        ("GET", "/v1/account/balance", &alice, Value::Null),
        ("PATCH", "/v1/account", &alice, json!({ "listed": true })),
        (
            "POST",
            "/v1/transfers",
            &alice,
            json!({ "to": "bob", "amount": 1 }),
        ),
        ("GET", "/v1/admin/accounts", operator, Value::Null),
        ("POST", "/v1/admin/accounts", operator, json!({ "name": "carol" })),
        (
            "POST",
            "/v1/admin/accounts/alice/credits",
            operator,
            payment.clone(),
        ),
        ("POST", "/v1/admin/accounts/alice/debits", operator, payment),
        (
            "POST",
            "/v1/admin/payouts/1/failed",
            operator,
            json!({ "reason": "closed" }),
        ),
    ] {
        let mut asked = request(method, path, token, &body);
        asked
            .headers_mut()
            .insert("idempotency-key", "k".parse().unwrap());
        world.send(asked).await.fails(503);
    }
    // A second process without a guard sees that no request had an effect.
    let other = world.beside(opencoin_config::AccountsConfig::default()).await;
    assert_eq!(other.balance(&alice).await, 90);
    other.admin_get("/v1/admin/accounts/carol").await.fails(404);
}
