//! Books that were set back while they were served: neither listener answers from them, and no stream goes
//! on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use opencoin_http::router;
use opencoin_issuer::{Guard, HighWaterMark};
use opencoin_ledger::{
    BooksPosition, HISTORY_ID_BYTES, History, HistoryId, LedgerError, LedgerTime, Mark, TransactionNo,
};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::world::{World, request};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Books that are others once they were set back.
#[derive(Default)]
struct Replaced(AtomicBool);

#[async_trait]
impl History for Replaced {
    async fn position(&self, _asked: Option<TransactionNo>) -> Result<BooksPosition, LedgerError> {
        let history = HistoryId::new([u8::from(self.0.load(Ordering::Relaxed)); HISTORY_ID_BYTES]);
        Ok(BooksPosition {
            mark: Mark {
                history,
                newest: None,
            },
            is_confirmed: true,
            earlier: Vec::new(),
            asked: None,
        })
    }

    async fn accept(
        &self,
        _new: HistoryId,
        _above: TransactionNo,
        _at: LedgerTime,
    ) -> Result<(), LedgerError> {
        unreachable!("nobody accepts anything here")
    }

    async fn close(&self) {}
}

#[tokio::test]
async fn nothing_is_answered_or_done_at_either_listener() {
    let (books, folder) = (Arc::new(Replaced::default()), tempfile::tempdir().unwrap());
    let mark = HighWaterMark::new(folder.path().join("high-water-mark.toml"));
    let world = World::guarded_by(
        Guard::begin(Arc::clone(&books) as Arc<dyn History>, mark)
            .await
            .unwrap(),
    )
    .await;
    let alice = world.open("alice", 100).await;
    world.open("bob", 0).await;
    let payout = json!({ "amount": 10, "destination": "DE02" });
    world.once("/v1/payouts", &alice, "a", payout).await.with(201);
    let mut stream = request("GET", "/v1/account/entries", &alice, &Value::Null);
    stream
        .headers_mut()
        .insert("accept", "text/event-stream".parse().unwrap());
    let response = router(Arc::clone(&world.server)).oneshot(stream).await.unwrap();
    let mut events = response.into_body().into_data_stream();
    assert!(events.next().await.unwrap().unwrap().starts_with(b"id:"));

    books.0.store(true, Ordering::Relaxed);
    let issuer = world.server.issuer();
    let noticed = async {
        while !issuer.is_set_back() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        () = issuer.watch_books() => {}
        result = tokio::time::timeout(PATIENCE, noticed) => result.expect("it looks every second"),
    }
    let end = tokio::time::timeout(PATIENCE, events.next())
        .await
        .expect("the stream ends");
    assert!(end.is_none(), "{end:?}");

    let operator = &world.operator;
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
            json!({ "amount": 1, "reference": "r" }),
        ),
        (
            "POST",
            "/v1/admin/accounts/alice/debits",
            operator,
            json!({ "amount": 1, "reference": "d" }),
        ),
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
        assert_eq!(
            world.send(asked).await.refused(),
            (503, "unavailable"),
            "{method} {path}"
        );
    }
    // Another process, which does not guard them, sees that nothing was done.
    let other = world.beside(opencoin_config::AccountsConfig::default()).await;
    assert_eq!(other.balance(&alice).await, 90);
    assert_eq!(
        other
            .get("/v1/admin/accounts/carol", &other.operator)
            .await
            .refused(),
        (404, "not-found")
    );
}
