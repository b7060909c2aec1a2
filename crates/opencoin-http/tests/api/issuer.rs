//! The issuer with an in-memory ledger: signing windows of mint keys, delays, faults, logs.

use std::io;
use std::slice::from_ref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use chrono::TimeDelta;
use opencoin_http::{ERROR_HEADER, Server, router, serve};
use opencoin_issuer::{Guard, HighWaterMark, Issuer, Reason, Refusal, Signed, Token};
use opencoin_ledger::MemoryLedger;
use opencoin_schema::{Coin, RequestMint, RequestRenew, RequestResume, text};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tower::ServiceExt;

use crate::fixture::{
    Blinded, TestClock, TestCurrency, TestHistory, TestLedger, TestSigner, body, mint_request, open_account,
    redeem_request, renew_request, resume_request, signed_now,
};

const SEED: u64 = 7;

/// Two issuers with the same ledger: one is called directly, the other over HTTP.
struct Fixture {
    clock: Arc<TestClock>,
    signer: Arc<TestSigner>,
    ledger: Arc<TestLedger>,
    currency: &'static TestCurrency,
    issuer: Issuer,
    server: Arc<Server>,
    token: Token,
    rng: StdRng,
}

impl Fixture {
    async fn new() -> Self {
        let (clock, signer) = (TestClock::at_start(), TestSigner::new());
        let (ledger, currency) = (Arc::new(TestLedger::default()), TestCurrency::get());
        let open = || currency.issuer(ledger.books(), signer.clone(), clock.clone());
        let (issuer, server) = (open().await, Server::new(open().await));
        let token = open_account(&issuer.cashier(), "alice", 100).await;
        let rng = StdRng::seed_from_u64(SEED);
        Self {
            clock,
            signer,
            ledger,
            currency,
            issuer,
            server,
            token,
            rng,
        }
    }

    fn blind(&mut self) -> Blinded {
        self.currency.blind(self.currency.key(5), &mut self.rng)
    }

    fn finish(&self, blinded: &Blinded, signed: Signed) -> Coin {
        self.currency.finish(blinded, &signed_now(signed)[0])
    }

    async fn mint(&self, blinded: &Blinded, reference: u8) -> Result<Signed, Refusal> {
        let request = mint_request(vec![blinded.blind.clone()], reference);
        self.issuer
            .mint(&(&self.token).into(), request)
            .await
            .map(|answered| answered.answer)
    }

    async fn mint_coin(&mut self, reference: u8) -> Coin {
        let blinded = self.blind();
        let signed = self.mint(&blinded, reference).await.unwrap();
        self.finish(&blinded, signed)
    }

    async fn renew(&self, coin: &Coin, blinded: &Blinded, reference: u8) -> Result<Signed, Refusal> {
        let coins = from_ref(coin);
        let request = renew_request(coins, vec![blinded.blind.clone()], reference);
        self.issuer.renew(request).await.map(|answered| answered.answer)
    }

    async fn redeem(&self, coin: &Coin) -> Result<(), Refusal> {
        let request = redeem_request(from_ref(coin));
        self.issuer
            .redeem(&(&self.token).into(), request)
            .await
            .map(|answered| answered.answer)
    }

    async fn resume(&self, reference: u8) -> Result<Signed, Refusal> {
        self.issuer
            .resume(&resume_request(reference))
            .await
            .map(|answered| answered.answer)
    }

    async fn post(&self, path: &str, body: String) -> Response<Body> {
        let request = Request::post(path)
            .header("authorization", format!("Bearer {}", self.token.expose()))
            .body(Body::from(body))
            .unwrap();
        router(Arc::clone(&self.server)).oneshot(request).await.unwrap()
    }
}

fn reason<T>(result: Result<T, Refusal>) -> Reason {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(refusal) => refusal.reason,
    }
}

#[tokio::test]
async fn a_mint_key_signs_exactly_inside_its_window() {
    let mut fixture = Fixture::new().await;
    let from = fixture.currency.mint_key().sign_coins_not_before.to_utc();
    let to = fixture.currency.mint_key().sign_coins_not_after.to_utc();
    let tick = TimeDelta::microseconds(1);
    for (reference, moment, signs) in [
        (1, from - tick, false),
        (2, from, true),
        (3, to, true),
        (4, to + tick, false),
    ] {
        fixture.clock.set(moment);
        let blind = fixture.blind();
        let result = fixture.mint(&blind, reference).await;
        if signs {
            drop(result.unwrap())
        } else {
            assert_eq!(reason(result), Reason::KeyExpired, "{moment}")
        }
    }
}

#[tokio::test]
async fn a_coin_is_accepted_until_its_expiry() {
    let mut fixture = Fixture::new().await;
    let (early, late) = (fixture.mint_coin(1).await, fixture.mint_coin(2).await);
    let expiry = fixture.currency.mint_key().coins_expiry_date.to_utc();
    fixture.clock.set(expiry);
    fixture.redeem(&early).await.unwrap();
    fixture.clock.set(expiry + TimeDelta::microseconds(1));
    assert_eq!(reason(fixture.redeem(&late).await), Reason::KeyExpired);
    // A repeated request still succeeds.
    fixture.redeem(&early).await.unwrap();
}

#[tokio::test]
async fn a_mint_accepted_within_the_window_is_signed_after_it() {
    let mut fixture = Fixture::new().await;
    let blind = fixture.blind();
    fixture.signer.set_away(true);
    assert!(matches!(fixture.mint(&blind, 1).await.unwrap(), Signed::Later));
    assert!(matches!(fixture.resume(1).await.unwrap(), Signed::Later));
    fixture
        .clock
        .set(fixture.currency.mint_key().sign_coins_not_after.to_utc() + TimeDelta::days(1));
    fixture.signer.set_away(false);
    let resumed = fixture.resume(1).await.unwrap();
    let coin = fixture.finish(&blind, resumed);
    let repeated = fixture.mint(&blind, 1).await.unwrap();
    assert_eq!(fixture.finish(&blind, repeated), coin);
}

#[tokio::test]
async fn a_retry_succeeds_after_a_fault_before_or_after_the_commit() {
    let mut fixture = Fixture::new().await;
    let coin = fixture.mint_coin(1).await;
    let blind = fixture.blind();
    fixture.ledger.fails_before.store(true, Ordering::Relaxed);
    assert_eq!(reason(fixture.renew(&coin, &blind, 2).await), Reason::Unavailable);
    assert_eq!(reason(fixture.resume(2).await), Reason::Unavailable);
    fixture.ledger.fails_before.store(false, Ordering::Relaxed);
    assert_eq!(reason(fixture.resume(2).await), Reason::NotFound);
    fixture.ledger.fails_after.store(true, Ordering::Relaxed);
    assert_eq!(reason(fixture.renew(&coin, &blind, 2).await), Reason::Unavailable);
    fixture.ledger.fails_after.store(false, Ordering::Relaxed);
    let signed = fixture.renew(&coin, &blind, 2).await.unwrap();
    let fresh = fixture.finish(&blind, signed);
    fixture.redeem(&fresh).await.unwrap();
    assert_eq!(reason(fixture.redeem(&coin).await), Reason::DoubleSpend);
}

#[tokio::test]
async fn an_unavailable_database_is_a_503_with_retry_after() {
    let mut fixture = Fixture::new().await;
    fixture.ledger.fails_before.store(true, Ordering::Relaxed);
    let blind = fixture.blind();
    let request = mint_request(vec![blind.blind.clone()], 1);
    let response = fixture.post("/mint", text::compact(&request)).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()[ERROR_HEADER], "unavailable");
    assert!(response.headers().contains_key("retry-after"));
    let body = String::from_utf8(body(response).await).unwrap();
    assert!(
        body.starts_with(r#"{"blind_signatures": [], "message_reference": 1, "status_code": 503, "#),
        "{body}"
    );
    assert!(
        !body.contains("by the test"),
        "internal errors must not reach the client: {body}"
    );
    let ready = router(Arc::clone(&fixture.server))
        .oneshot(Request::get("/health/ready").body(Body::empty()).unwrap())
        .await;
    assert_eq!(ready.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_command_that_breaks_an_invariant_fails_without_its_batch() {
    let mut fixture = Fixture::new().await;
    fixture.ledger.panics_at_blinds.store(2, Ordering::Relaxed);
    let (first, mut second) = (fixture.blind(), fixture.blind());
    second.blind.reference = "b".to_owned();
    let bad = mint_request(vec![first.blind.clone(), second.blind], 1);
    let good = mint_request(vec![first.blind], 2);
    // Both are in the queue before the committer runs, so they share a batch.
    let token = (&fixture.token).into();
    let (refused, signed) = tokio::join!(
        fixture.issuer.mint(&token, bad),
        fixture.issuer.mint(&token, good.clone())
    );
    assert_eq!(reason(refused), Reason::Unavailable);
    assert!(matches!(signed.unwrap().answer, Signed::Now(_)));
    assert!(matches!(
        fixture
            .issuer
            .mint(&(&fixture.token).into(), good)
            .await
            .unwrap()
            .answer,
        Signed::Now(_)
    ));
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn secrets_do_not_reach_the_log_at_trace() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // If a process has one subscriber, threads without a subscriber can disable call sites for all threads, and this log
    // would miss lines while other tests run. A second subscriber prevents that.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    let secrets = tracing::subscriber::with_default(subscriber, || runtime.block_on(every_flow()));
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("/renew"), "the flows were logged: {log}");
    for secret in secrets {
        assert!(
            secret.len() > 20 && !log.contains(&secret),
            "{secret} is in the log"
        );
    }
}

/// Sends a mint, a renew twice, a resume, a double spend and a malformed request. Returns the secrets that must not
/// be in the log.
async fn every_flow() -> Vec<String> {
    let mut fixture = Fixture::new().await;
    let reference = "feedfacefeedfacefeedface";
    let blind = fixture.blind();
    let mint = RequestMint {
        transaction_reference: reference.parse().unwrap(),
        ..mint_request(vec![blind.blind.clone()], 1)
    };
    let signed = fixture.issuer.mint(&(&fixture.token).into(), mint.clone()).await;
    let signatures = signed_now(signed.unwrap().answer);
    let coin = fixture.currency.finish(&blind, &signatures[0]);
    let next = fixture.blind();
    let renew = RequestRenew {
        transaction_reference: "deadbeefdeadbeefdeadbeef".parse().unwrap(),
        ..renew_request(from_ref(&coin), vec![next.blind.clone()], 1)
    };
    let resume = RequestResume {
        message_reference: 1,
        transaction_reference: renew.transaction_reference.clone(),
    };
    let redeem = redeem_request(from_ref(&coin));
    let malformed = text::compact(&mint).replace("blinds", "blindz");
    for (path, body, status) in [
        ("/mint", text::compact(&mint), StatusCode::OK),
        ("/renew", text::compact(&renew), StatusCode::OK),
        ("/renew", text::compact(&renew), StatusCode::OK),
        ("/resume", text::compact(&resume), StatusCode::OK),
        ("/redeem", text::compact(&redeem), StatusCode::CONFLICT),
        ("/mint", malformed, StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(fixture.post(path, body).await.status(), status, "{path}");
    }
    vec![
        fixture.token.expose().to_owned(),
        reference.to_owned(),
        "deadbeefdeadbeefdeadbeef".to_owned(),
        blind.payload.serial.to_string(),
        blind.blind.blinded_payload_hash.to_string(),
        next.blind.blinded_payload_hash.to_string(),
        signatures[0].blind_signature.to_string(),
        coin.signature.to_string(),
    ]
}

#[tokio::test]
async fn the_server_stops_when_the_watch_over_the_books_panics() {
    let (folder, reads) = (tempfile::tempdir().unwrap(), AtomicUsize::new(0));
    let mark = HighWaterMark::new(folder.path().join("mark"));
    let history = TestHistory(move || {
        assert_ne!(reads.fetch_add(1, Ordering::Relaxed), 1, "the second read fails");
        1
    });
    let guard = Guard::begin(Arc::new(history), mark).await.unwrap();
    let (currency, ledger) = (TestCurrency::get(), Arc::new(MemoryLedger::new()));
    let issuer = currency
        .issuer(ledger, currency.signer(), TestClock::at_start())
        .await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::new(issuer.guarded_by(guard));
    let served = tokio::spawn(serve(listener, server, std::future::pending()));
    let ended = served
        .await
        .expect("serving does not panic")
        .unwrap_err()
        .to_string();
    assert!(ended.starts_with("the watch over the books has ended"), "{ended}");
}
