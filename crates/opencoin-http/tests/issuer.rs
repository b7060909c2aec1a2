//! The issuer on the in-memory ledger, with a clock that the test sets: windows of mint keys, delays, faults,
//! logs.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use opencoin_config::Config;
use opencoin_crypto::{AcceptedBlinds, BlindingSeed, CipherSuite, KeyStore, SignError, Signer, Unblinder};
use opencoin_http::{ERROR_HEADER, Server, router, serve};
use opencoin_issuer::{
    Books, Cashier, Guard, HighWaterMark, Issuer, IssuerOptions, Reason, Refusal, Signed, Token,
};
use opencoin_keys::{Clock, Currency, Directory, NewCurrency, Passphrase, Randomness, create_with_key_files};
use opencoin_ledger::{
    Account, AccountName, Accounts, Amount, BooksPosition, Command, HISTORY_ID_BYTES, History, HistoryId,
    KeptSignatures, Ledger, LedgerError, LedgerTime, Mark, MemoryLedger, MintKeyId, MintKeyStatus, Outcome,
    Reference, TokenHash, Transaction, TransactionNo, TransactionReference, UnsignedPage,
};
use opencoin_schema::{
    BigInt, Blind, Coin, MintKey, PROTOCOL_VERSION, Payload, RequestMint, RequestRedeem, RequestRenew,
    RequestResume, text,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tempfile::TempDir;
use tower::ServiceExt;

const SEED: u64 = 7;
const START: &str = "2026-01-01T00:00:00Z";

fn start() -> DateTime<Utc> {
    START.parse().unwrap()
}

struct TestClock(AtomicI64);

impl TestClock {
    fn set(&self, moment: DateTime<Utc>) {
        self.0.store(moment.timestamp_micros(), Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

/// A signer that can be away.
struct Switch {
    signer: Arc<dyn Signer>,
    is_away: AtomicBool,
}

#[async_trait]
impl Signer for Switch {
    async fn sign(&self, accepted: AcceptedBlinds) -> Result<Vec<BigInt>, SignError> {
        if self.is_away.load(Ordering::Relaxed) {
            Err(SignError::Unavailable)
        } else {
            self.signer.sign(accepted).await
        }
    }
}

/// A ledger that can be away: before it applies, or after, when only the answer is lost.
#[derive(Default)]
struct Faulty {
    ledger: Arc<MemoryLedger>,
    fails_before: AtomicBool,
    fails_after: AtomicBool,
    /// A mint with this many blinds would break an invariant.
    panics_at_blinds: AtomicUsize,
}

fn away(flag: &AtomicBool) -> Result<(), LedgerError> {
    if flag.load(Ordering::Relaxed) {
        Err(LedgerError::Unavailable("by the test".to_owned()))
    } else {
        Ok(())
    }
}

#[async_trait]
impl Ledger for Faulty {
    async fn apply(&self, batch: &[Command]) -> Result<Vec<Outcome>, LedgerError> {
        away(&self.fails_before)?;
        let breaks = |command: &Command| matches!(command, Command::Mint { blinds, .. } if blinds.len() == self.panics_at_blinds.load(Ordering::Relaxed));
        assert!(!batch.iter().any(breaks), "an invariant would break");
        let outcomes = self.ledger.apply(batch).await?;
        away(&self.fails_after)?;
        Ok(outcomes)
    }

    async fn transaction(
        &self,
        reference: &TransactionReference,
    ) -> Result<Option<Transaction>, LedgerError> {
        away(&self.fails_before)?;
        self.ledger.transaction(reference).await
    }

    async fn unsigned(
        &self,
        key: &MintKeyStatus,
        after: TransactionNo,
        transactions_max: usize,
    ) -> Result<UnsignedPage, LedgerError> {
        self.ledger.unsigned(key, after, transactions_max).await
    }

    async fn keep_signatures(&self, kept: &[KeptSignatures]) -> Result<Vec<bool>, LedgerError> {
        self.ledger.keep_signatures(kept).await
    }

    async fn check_coins(&self, id: MintKeyId) -> Result<(), LedgerError> {
        self.ledger.check_coins(id).await
    }

    async fn forget_coins(&self, id: MintKeyId, coins_max: u32) -> Result<u64, LedgerError> {
        self.ledger.forget_coins(id, coins_max).await
    }

    async fn account_by_token(&self, token_hash: &TokenHash) -> Result<Option<Account>, LedgerError> {
        self.ledger.account_by_token(token_hash).await
    }

    async fn account_by_name(&self, name: &AccountName) -> Result<Option<Account>, LedgerError> {
        self.ledger.account_by_name(name).await
    }

    async fn mint_keys(&self) -> Result<Vec<MintKeyStatus>, LedgerError> {
        self.ledger.mint_keys().await
    }

    async fn signing_paused(&self) -> Result<bool, LedgerError> {
        self.ledger.signing_paused().await
    }

    async fn ready(&self) -> Result<(), LedgerError> {
        away(&self.fails_before)
    }
}

/// Keys take a while to make, so all tests share one currency's folder.
fn directory() -> &'static Directory {
    &made().1
}

fn made() -> &'static (TempDir, Directory, Arc<dyn Signer>) {
    static FOLDER: OnceLock<(TempDir, Directory, Arc<dyn Signer>)> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::new(folder.path().join("currency"));
        let new = NewCurrency {
            name: "OpenCent".to_owned(),
            divisor: 100,
            denominations: vec![1, 5],
            url: "http://127.0.0.1:8080".to_owned(),
            cipher_suite: CipherSuite::default(),
            config: Config::new("sqlite:ledger.sqlite", "127.0.0.1:0"),
        };
        let clock = TestClock(AtomicI64::new(start().timestamp_micros()));
        let passphrase = Passphrase::new("p".to_owned().into()).unwrap();
        let mut rng = StdRng::seed_from_u64(SEED);
        let store_rng = || Box::new(StdRng::seed_from_u64(SEED + 1)) as Box<dyn Randomness>;
        let made = create_with_key_files(
            &new,
            &directory,
            &passphrase,
            &clock,
            &mut rng,
            store_rng,
            &mut |_, _| {},
        );
        (folder, directory, made.unwrap().1.signer().unwrap())
    })
}

struct Fixture {
    clock: Arc<TestClock>,
    signer: Arc<Switch>,
    ledger: Arc<Faulty>,
    server: Arc<Server>,
    issuer: Issuer,
    currency: Currency,
    token: Token,
    rng: StdRng,
}

impl Fixture {
    async fn new() -> Self {
        let clock = Arc::new(TestClock(AtomicI64::new(start().timestamp_micros())));
        let signer = Arc::new(Switch {
            signer: Arc::clone(&made().2),
            is_away: AtomicBool::new(false),
        });
        let ledger = Arc::new(Faulty::default());
        let books = Books {
            ledger: Arc::clone(&ledger) as Arc<dyn Ledger>,
            accounts: Arc::clone(&ledger.ledger) as Arc<dyn Accounts>,
        };
        let open = || {
            let (books, signer, clock) = (books.clone(), Arc::clone(&signer), Arc::clone(&clock));
            async {
                Issuer::open(
                    directory().currency().unwrap(),
                    books,
                    signer,
                    clock,
                    IssuerOptions::default(),
                )
                .await
                .unwrap()
            }
        };
        let (issuer, server) = (open().await, Server::new(open().await));
        let rng = StdRng::seed_from_u64(SEED);
        let time = Arc::clone(&clock) as Arc<dyn Clock>;
        let cashier = Cashier::new(books, time, Box::new(StdRng::seed_from_u64(SEED + 2)));
        let alice = "alice".parse().unwrap();
        let token = cashier.open_account(&alice, None).await.unwrap();
        cashier
            .credit(
                &alice,
                Amount::new(100).unwrap(),
                Reference::new("opening").unwrap(),
            )
            .await
            .unwrap();
        let currency = directory().currency().unwrap();
        Self {
            clock,
            signer,
            ledger,
            server,
            issuer,
            currency,
            token,
            rng,
        }
    }

    fn mint_key(&self) -> &MintKey {
        self.currency
            .mint_keys()
            .map(|key| key.verified.mint_key())
            .find(|key| key.denomination == 5)
            .unwrap()
    }

    fn blind(&mut self) -> (Blind, Payload, Unblinder) {
        let mint_key = self.mint_key().clone();
        let payload = Payload {
            cdd_location: "http://127.0.0.1:8080/cddc".to_owned(),
            denomination: 5,
            issuer_id: mint_key.issuer_id.clone(),
            mint_key_id: mint_key.id.clone(),
            protocol_version: PROTOCOL_VERSION.to_owned(),
            serial: BigInt::from_be_bytes(&rand::Rng::r#gen::<[u8; 16]>(&mut self.rng)),
        };
        let key = self
            .currency
            .mint_key(&mint_key.id)
            .unwrap()
            .verified
            .public_key();
        let (blinded_payload_hash, unblinder) = CipherSuite::default()
            .blind(key, &payload, &BlindingSeed::generate(&mut self.rng))
            .unwrap();
        (
            Blind {
                blinded_payload_hash,
                mint_key_id: mint_key.id,
                reference: "a".to_owned(),
            },
            payload,
            unblinder,
        )
    }

    fn finish(&self, payload: &Payload, unblinder: &Unblinder, signed: Signed) -> Coin {
        let Signed::Now(signatures) = signed else {
            panic!("the signatures are delayed")
        };
        let key = self
            .currency
            .mint_key(&payload.mint_key_id)
            .unwrap()
            .verified
            .public_key();
        CipherSuite::default()
            .finish(key, payload, &signatures[0].blind_signature, unblinder)
            .unwrap()
    }

    async fn mint(&self, blind: &Blind, reference: u8) -> Result<Signed, Refusal> {
        let request = RequestMint {
            blinds: vec![blind.clone()],
            message_reference: 1,
            transaction_reference: BigInt::from_be_bytes(&[reference]),
        };
        self.issuer.mint(Some(&self.token), request).await
    }

    async fn mint_coin(&mut self, reference: u8) -> Coin {
        let (blind, payload, unblinder) = self.blind();
        let signed = self.mint(&blind, reference).await.unwrap();
        self.finish(&payload, &unblinder, signed)
    }

    async fn renew(&self, coin: &Coin, blind: &Blind, reference: u8) -> Result<Signed, Refusal> {
        let request = RequestRenew {
            blinds: vec![blind.clone()],
            coins: vec![coin.clone()],
            message_reference: 1,
            transaction_reference: BigInt::from_be_bytes(&[reference]),
        };
        self.issuer.renew(request).await
    }

    async fn redeem(&self, coin: &Coin) -> Result<(), Refusal> {
        let request = RequestRedeem {
            coins: vec![coin.clone()],
            message_reference: 1,
        };
        self.issuer.redeem(Some(&self.token), request).await
    }

    async fn resume(&self, reference: u8) -> Result<Signed, Refusal> {
        let transaction_reference = BigInt::from_be_bytes(&[reference]);
        self.issuer
            .resume(&RequestResume {
                message_reference: 1,
                transaction_reference,
            })
            .await
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
    let from = fixture.mint_key().sign_coins_not_before.to_utc();
    let to = fixture.mint_key().sign_coins_not_after.to_utc();
    let tick = TimeDelta::microseconds(1);
    for (reference, moment, signs) in [
        (1, from - tick, false),
        (2, from, true),
        (3, to, true),
        (4, to + tick, false),
    ] {
        fixture.clock.set(moment);
        let (blind, ..) = fixture.blind();
        let result = fixture.mint(&blind, reference).await;
        if signs {
            drop(result.unwrap())
        } else {
            assert_eq!(reason(result), Reason::KeyExpired, "{moment}")
        }
    }
}

#[tokio::test]
async fn coins_come_in_until_their_expiry_and_not_after() {
    let mut fixture = Fixture::new().await;
    let (early, late) = (fixture.mint_coin(1).await, fixture.mint_coin(2).await);
    let expiry = fixture.mint_key().coins_expiry_date.to_utc();
    fixture.clock.set(expiry);
    fixture.redeem(&early).await.unwrap();
    fixture.clock.set(expiry + TimeDelta::microseconds(1));
    assert_eq!(reason(fixture.redeem(&late).await), Reason::KeyExpired);
    // What was answered before is answered again.
    fixture.redeem(&early).await.unwrap();
}

#[tokio::test]
async fn what_was_accepted_is_signed_after_the_window_too() {
    let mut fixture = Fixture::new().await;
    let (blind, payload, unblinder) = fixture.blind();
    fixture.signer.is_away.store(true, Ordering::Relaxed);
    assert!(matches!(fixture.mint(&blind, 1).await.unwrap(), Signed::Later));
    assert!(matches!(fixture.resume(1).await.unwrap(), Signed::Later));
    fixture
        .clock
        .set(fixture.mint_key().sign_coins_not_after.to_utc() + TimeDelta::days(1));
    fixture.signer.is_away.store(false, Ordering::Relaxed);
    let resumed = fixture.resume(1).await.unwrap();
    let coin = fixture.finish(&payload, &unblinder, resumed);
    let repeated = fixture.mint(&blind, 1).await.unwrap();
    assert_eq!(fixture.finish(&payload, &unblinder, repeated), coin);
}

#[tokio::test]
async fn failed_and_not_stored_or_failed_but_stored_a_repeat_ends_well() {
    let mut fixture = Fixture::new().await;
    let coin = fixture.mint_coin(1).await;
    let (blind, payload, unblinder) = fixture.blind();
    fixture.ledger.fails_before.store(true, Ordering::Relaxed);
    assert_eq!(reason(fixture.renew(&coin, &blind, 2).await), Reason::Unavailable);
    assert_eq!(reason(fixture.resume(2).await), Reason::Unavailable);
    fixture.ledger.fails_before.store(false, Ordering::Relaxed);
    assert_eq!(reason(fixture.resume(2).await), Reason::NotFound);
    fixture.ledger.fails_after.store(true, Ordering::Relaxed);
    assert_eq!(reason(fixture.renew(&coin, &blind, 2).await), Reason::Unavailable);
    fixture.ledger.fails_after.store(false, Ordering::Relaxed);
    let signed = fixture.renew(&coin, &blind, 2).await.unwrap();
    let fresh = fixture.finish(&payload, &unblinder, signed);
    fixture.redeem(&fresh).await.unwrap();
    assert_eq!(reason(fixture.redeem(&coin).await), Reason::DoubleSpend);
}

#[tokio::test]
async fn a_database_that_is_away_is_a_503_that_says_when_to_ask_again() {
    let mut fixture = Fixture::new().await;
    fixture.ledger.fails_before.store(true, Ordering::Relaxed);
    let (blind, ..) = fixture.blind();
    let request = RequestMint {
        blinds: vec![blind],
        message_reference: 4,
        transaction_reference: BigInt::from_be_bytes(&[1]),
    };
    let response = fixture.post("/mint", text::compact(&request)).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()[ERROR_HEADER], "unavailable");
    assert!(response.headers().contains_key("retry-after"));
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    assert!(
        body.starts_with(r#"{"blind_signatures": [], "message_reference": 4, "status_code": 503, "#),
        "{body}"
    );
    assert!(
        !body.contains("by the test"),
        "what the server knows about itself stays there: {body}"
    );
    let ready = router(Arc::clone(&fixture.server))
        .oneshot(Request::get("/health/ready").body(Body::empty()).unwrap())
        .await;
    assert_eq!(ready.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_command_that_would_break_an_invariant_fails_alone() {
    let mut fixture = Fixture::new().await;
    fixture.ledger.panics_at_blinds.store(2, Ordering::Relaxed);
    let (first, ..) = fixture.blind();
    let mut second = fixture.blind().0;
    second.reference = "b".to_owned();
    let bad = RequestMint {
        blinds: vec![first.clone(), second],
        message_reference: 1,
        transaction_reference: BigInt::from_be_bytes(&[1]),
    };
    let good = RequestMint {
        blinds: vec![first],
        message_reference: 1,
        transaction_reference: BigInt::from_be_bytes(&[2]),
    };
    // Both are in the queue before the committer runs, so they share a batch.
    let (refused, signed) = tokio::join!(
        fixture.issuer.mint(Some(&fixture.token), bad),
        fixture.issuer.mint(Some(&fixture.token), good.clone())
    );
    assert_eq!(reason(refused), Reason::Unavailable);
    assert!(matches!(signed.unwrap(), Signed::Now(_)));
    assert!(matches!(
        fixture.issuer.mint(Some(&fixture.token), good).await.unwrap(),
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

/// Mint, renew, resume, redeem, a double spend and a malformed request over the router; gives what must not
/// be logged.
async fn every_flow() -> Vec<String> {
    let mut fixture = Fixture::new().await;
    let reference = "feedfacefeedfacefeedface";
    let (blind, payload, unblinder) = fixture.blind();
    let mint = RequestMint {
        blinds: vec![blind.clone()],
        message_reference: 1,
        transaction_reference: reference.parse().unwrap(),
    };
    assert_eq!(
        fixture.post("/mint", text::compact(&mint)).await.status(),
        StatusCode::OK
    );
    let signed = fixture
        .issuer
        .mint(Some(&fixture.token), mint.clone())
        .await
        .unwrap();
    let Signed::Now(signatures) = &signed else {
        panic!("delayed")
    };
    let blind_signature = signatures[0].blind_signature.to_string();
    let coin = fixture.finish(&payload, &unblinder, signed);
    let (next, ..) = fixture.blind();
    let renew = RequestRenew {
        blinds: vec![next.clone()],
        coins: vec![coin.clone()],
        message_reference: 1,
        transaction_reference: "deadbeefdeadbeefdeadbeef".parse().unwrap(),
    };
    for expected in [StatusCode::OK, StatusCode::OK] {
        assert_eq!(
            fixture.post("/renew", text::compact(&renew)).await.status(),
            expected
        );
    }
    let resume = RequestResume {
        message_reference: 1,
        transaction_reference: renew.transaction_reference,
    };
    assert_eq!(
        fixture.post("/resume", text::compact(&resume)).await.status(),
        StatusCode::OK
    );
    let redeem = RequestRedeem {
        coins: vec![coin.clone()],
        message_reference: 1,
    };
    assert_eq!(
        fixture.post("/redeem", text::compact(&redeem)).await.status(),
        StatusCode::CONFLICT
    );
    let malformed = text::compact(&mint).replace("blinds", "blindz");
    assert_eq!(
        fixture.post("/mint", malformed).await.status(),
        StatusCode::BAD_REQUEST
    );
    vec![
        fixture.token.expose().to_owned(),
        reference.to_owned(),
        "deadbeefdeadbeefdeadbeef".to_owned(),
        payload.serial.to_string(),
        blind.blinded_payload_hash.to_string(),
        next.blinded_payload_hash.to_string(),
        blind_signature,
        coin.signature.to_string(),
    ]
}

/// Books of which the second look ends in a panic.
#[derive(Default)]
struct SeenOnce(AtomicUsize);

#[async_trait]
impl History for SeenOnce {
    async fn position(&self, _asked: Option<TransactionNo>) -> Result<BooksPosition, LedgerError> {
        assert_ne!(
            self.0.fetch_add(1, Ordering::Relaxed),
            1,
            "a fault of the program"
        );
        let mark = Mark {
            history: HistoryId::new([1; HISTORY_ID_BYTES]),
            newest: None,
        };
        Ok(BooksPosition {
            mark,
            is_confirmed: true,
            earlier: vec![],
            asked: None,
        })
    }

    async fn accept(
        &self,
        _new: HistoryId,
        _above: TransactionNo,
        _at: LedgerTime,
    ) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn close(&self) {}
}

#[tokio::test]
async fn a_server_whose_watch_over_the_books_panics_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mark = HighWaterMark::new(folder.path().join("mark"));
    let guard = Guard::begin(Arc::new(SeenOnce::default()), mark).await.unwrap();
    let clock = Arc::new(TestClock(AtomicI64::new(start().timestamp_micros())));
    let (currency, ledger) = (directory().currency().unwrap(), Arc::new(MemoryLedger::new()));
    let issuer = Issuer::open(
        currency,
        ledger,
        Arc::clone(&made().2),
        clock,
        IssuerOptions::default(),
    )
    .await
    .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let served = tokio::spawn(serve(
        listener,
        Server::new(issuer.guarded_by(guard)),
        std::future::pending(),
    ));
    let ended = served.await;
    let text = ended.expect("serving does not panic").unwrap_err().to_string();
    assert!(text.starts_with("the watch over the books has ended"), "{text}");
}
