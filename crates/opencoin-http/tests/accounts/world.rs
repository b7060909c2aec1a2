//! An issuer with its books in memory, its two routers, and coins for it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use opencoin_config::{AccountsConfig, Config};
use opencoin_crypto::{BlindingSeed, CipherSuite, KeyStore, Signer, Unblinder};
use opencoin_http::{ERROR_HEADER, Server, admin_router, router};
use opencoin_issuer::{AdminTokens, Guard, Issuer, IssuerOptions};
use opencoin_keys::{Clock, Currency, Directory, NewCurrency, Passphrase, Randomness, create_with_key_files};
use opencoin_ledger::MemoryLedger;
use opencoin_schema::{
    BigInt, Blind, Coin, PROTOCOL_VERSION, Payload, RequestMint, RequestRedeem, RequestResume, ResponseMint,
    text,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

const SEED: u64 = 7;
const BODY_BYTES_MAX: usize = 1 << 20;
/// The background work pauses for a second after each turn.
const LESS_THAN_TWO_TURNS: std::time::Duration = std::time::Duration::from_millis(700);
/// A password that is long enough.
pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn forward(&self, delta: TimeDelta) {
        self.0
            .fetch_add(delta.num_microseconds().unwrap(), Ordering::Relaxed);
    }

    pub(crate) fn set(&self, moment: DateTime<Utc>) {
        self.0.store(moment.timestamp_micros(), Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

fn start() -> TestClock {
    TestClock(AtomicI64::new(
        "2026-01-01T00:00:00Z"
            .parse::<DateTime<Utc>>()
            .unwrap()
            .timestamp_micros(),
    ))
}

/// Keys take a while to make, so all tests share one currency.
fn made() -> &'static (TempDir, Directory, Arc<dyn Signer>) {
    static MADE: OnceLock<(TempDir, Directory, Arc<dyn Signer>)> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::new(folder.path().join("currency"));
        let new = NewCurrency {
            name: "OpenCent".to_owned(),
            divisor: 100,
            denominations: vec![5],
            url: "http://127.0.0.1:8080".to_owned(),
            cipher_suite: CipherSuite::default(),
            config: Config::new("sqlite:ledger.sqlite", "127.0.0.1:0"),
        };
        let passphrase = Passphrase::new("p".to_owned().into()).unwrap();
        let mut rng = StdRng::seed_from_u64(SEED);
        let store_rng = || Box::new(StdRng::seed_from_u64(SEED + 1)) as Box<dyn Randomness>;
        let made = create_with_key_files(
            &new,
            &directory,
            &passphrase,
            &start(),
            &mut rng,
            store_rng,
            &mut |_, _| {},
        );
        (folder, directory, made.unwrap().1.signer().unwrap())
    })
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
}

impl Reply {
    /// Status and fixed word, which the problem document must repeat.
    pub(crate) fn refused(&self) -> (u16, &str) {
        let word = self
            .headers
            .get(ERROR_HEADER)
            .map_or("", |word| word.to_str().unwrap());
        if self.headers["content-type"] == "application/problem+json" {
            assert_eq!(self.json["title"], word);
            assert_eq!(self.json["status"], self.status.as_u16());
            assert!(!self.json["detail"].as_str().unwrap().is_empty());
        }
        (self.status.as_u16(), word)
    }

    /// The document of an answer with this status.
    pub(crate) fn with(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self.json
    }

    pub(crate) fn text(&self, field: &str) -> String {
        self.json[field]
            .as_str()
            .unwrap_or_else(|| panic!("{field} is no text in {self:?}"))
            .to_owned()
    }
}

pub(crate) struct World {
    pub(crate) clock: Arc<TestClock>,
    pub(crate) server: Arc<Server>,
    /// Another issuer at the same books, for the background work.
    issuer: Issuer,
    pub(crate) ledger: Arc<MemoryLedger>,
    pub(crate) currency: Currency,
    public: Router,
    admin: Router,
    pub(crate) operator: String,
    _folder: TempDir,
    rng: StdRng,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(AccountsConfig::default()).await
    }

    pub(crate) async fn with(config: AccountsConfig) -> Self {
        Self::over(Arc::new(MemoryLedger::new()), Arc::new(start()), config, None).await
    }

    /// Another process at the same books.
    pub(crate) async fn beside(&self, config: AccountsConfig) -> Self {
        Self::over(Arc::clone(&self.ledger), Arc::clone(&self.clock), config, None).await
    }

    /// A process that this guard keeps from books that were set back.
    pub(crate) async fn guarded_by(guard: Guard) -> Self {
        Self::over(
            Arc::new(MemoryLedger::new()),
            Arc::new(start()),
            AccountsConfig::default(),
            Some(guard),
        )
        .await
    }

    async fn over(
        ledger: Arc<MemoryLedger>,
        clock: Arc<TestClock>,
        config: AccountsConfig,
        guard: Option<Guard>,
    ) -> Self {
        let (_, directory, signer) = made();
        let currency = directory.currency().unwrap();
        let mut rng = StdRng::from_entropy();
        let mut issuers = Vec::new();
        for _ in 0..2 {
            let (books, signer, time) = (
                Arc::clone(&ledger),
                Arc::clone(signer),
                Arc::clone(&clock) as Arc<dyn Clock>,
            );
            let opened = Issuer::open(
                directory.currency().unwrap(),
                books,
                signer,
                time,
                IssuerOptions::default(),
            )
            .await;
            issuers.push(
                opened
                    .unwrap()
                    .with_accounts(config.clone(), Box::new(StdRng::from_rng(&mut rng).unwrap())),
            );
        }
        let (issuer, mut served) = (issuers.pop().unwrap(), issuers.pop().unwrap());
        if let Some(guard) = guard {
            served = served.guarded_by(guard);
        }
        let server = Server::new(served);
        let folder = tempfile::tempdir().unwrap();
        let tokens = AdminTokens::in_folder(folder.path());
        let operator = tokens
            .create(&"desk".parse().unwrap(), clock.now(), &mut rng)
            .unwrap()
            .expose()
            .to_owned();
        let (public, admin) = (
            router(Arc::clone(&server)),
            admin_router(Arc::clone(&server), tokens),
        );
        Self {
            clock,
            server,
            issuer,
            ledger,
            currency,
            public,
            admin,
            operator,
            _folder: folder,
            rng,
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let router = if request.uri().path().starts_with("/v1/admin") {
            &self.admin
        } else {
            &self.public
        };
        let response = router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = to_bytes(body, BODY_BYTES_MAX).await.unwrap();
        let json = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).unwrap()
        };
        Reply {
            status: head.status,
            headers: head.headers,
            json,
        }
    }

    pub(crate) async fn call(&self, method: &str, path: &str, token: &str, body: Value) -> Reply {
        self.send(request(method, path, token, &body)).await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Reply {
        self.call("GET", path, token, Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> Reply {
        self.call("POST", path, token, body).await
    }

    /// With an idempotency key.
    pub(crate) async fn once(&self, path: &str, token: &str, key: &str, body: Value) -> Reply {
        let mut request = request("POST", path, token, &body);
        request
            .headers_mut()
            .insert("idempotency-key", key.parse().unwrap());
        self.send(request).await
    }

    /// Opens an account with the usual password and so much money; its token.
    pub(crate) async fn open(&self, name: &str, amount: u64) -> String {
        let account = json!({ "name": name, "password": PASSWORD });
        let token = self
            .post("/v1/admin/accounts", &self.operator, account)
            .await
            .with(201)["token"]
            .as_str()
            .unwrap()
            .to_owned();
        if amount > 0 {
            self.credit(name, amount, &format!("opening {name}")).await;
        }
        token
    }

    pub(crate) async fn credit(&self, name: &str, amount: u64, reference: &str) {
        let payment = json!({ "amount": amount, "reference": reference });
        self.post(
            &format!("/v1/admin/accounts/{name}/credits"),
            &self.operator,
            payment,
        )
        .await
        .with(201);
    }

    pub(crate) async fn log_in(&self, name: &str, password: &str) -> Reply {
        self.post("/v1/sessions", "", json!({ "name": name, "password": password }))
            .await
    }

    pub(crate) async fn balance(&self, token: &str) -> u64 {
        self.get("/v1/account/balance", token).await.with(200)["balance"]
            .as_u64()
            .unwrap()
    }

    /// Pays; the answer.
    pub(crate) async fn pay(&self, token: &str, key: &str, to: &str, amount: u64) -> Reply {
        self.once("/v1/transfers", token, key, json!({ "to": to, "amount": amount }))
            .await
    }

    /// Lets the background work have a turn.
    pub(crate) async fn run_background(&self) {
        run_background(&[self]).await;
    }

    /// A blind worth 5.
    pub(crate) fn blind(&mut self) -> (Blind, Payload, Unblinder) {
        let key = self.currency.mint_keys().next().unwrap();
        let mint_key = key.verified.mint_key();
        let payload = Payload {
            cdd_location: "http://127.0.0.1:8080/cddc".to_owned(),
            denomination: 5,
            issuer_id: mint_key.issuer_id.clone(),
            mint_key_id: mint_key.id.clone(),
            protocol_version: PROTOCOL_VERSION.to_owned(),
            serial: BigInt::from_be_bytes(&rand::Rng::r#gen::<[u8; 16]>(&mut self.rng)),
        };
        let seed = BlindingSeed::generate(&mut self.rng);
        let (blinded, unblinder) = CipherSuite::default()
            .blind(key.verified.public_key(), &payload, &seed)
            .unwrap();
        let reference = "a".to_owned();
        (
            Blind {
                blinded_payload_hash: blinded,
                mint_key_id: mint_key.id.clone(),
                reference,
            },
            payload,
            unblinder,
        )
    }

    pub(crate) async fn mint(&self, token: &str, blind: &Blind, reference: u8) -> Reply {
        let transaction_reference = BigInt::from_be_bytes(&[reference]);
        let request = RequestMint {
            blinds: vec![blind.clone()],
            message_reference: 1,
            transaction_reference,
        };
        self.message("/mint", token, text::compact(&request)).await
    }

    pub(crate) async fn resume(&self, reference: u8) -> Reply {
        let request = RequestResume {
            message_reference: 1,
            transaction_reference: BigInt::from_be_bytes(&[reference]),
        };
        self.message("/resume", "", text::compact(&request)).await
    }

    pub(crate) async fn redeem(&self, token: &str, coin: &Coin) -> Reply {
        let request = RequestRedeem {
            coins: vec![coin.clone()],
            message_reference: 1,
        };
        self.message("/redeem", token, text::compact(&request)).await
    }

    async fn message(&self, path: &str, token: &str, body: String) -> Reply {
        self.send(
            with_token(Request::post(path), token)
                .body(Body::from(body))
                .unwrap(),
        )
        .await
    }

    /// The coin of an answer.
    pub(crate) fn coin(&self, payload: &Payload, unblinder: &Unblinder, minted: Reply) -> Coin {
        let minted: ResponseMint = serde_json::from_value(minted.with(200)).unwrap();
        let key = self
            .currency
            .mint_key(&payload.mint_key_id)
            .unwrap()
            .verified
            .public_key();
        CipherSuite::default()
            .finish(
                key,
                payload,
                &minted.blind_signatures[0].blind_signature,
                unblinder,
            )
            .unwrap()
    }
}

/// Lets the background work of these processes have a turn, all at one time.
pub(crate) async fn run_background(worlds: &[&World]) {
    tokio::time::pause(); // so that it ends when each waits for its next turn
    async fn turns_of(world: &World) {
        let issuer = &world.issuer;
        tokio::join!(
            issuer.follow_documents(),
            issuer.decide_waiting_mints(),
            world.server.issuer().tidy()
        );
    }
    let turns = futures_util::future::join_all(worlds.iter().map(|world| turns_of(world)));
    assert!(
        tokio::time::timeout(LESS_THAN_TWO_TURNS, turns).await.is_err(),
        "it never ends by itself"
    );
    tokio::time::resume();
}

fn with_token(request: axum::http::request::Builder, token: &str) -> axum::http::request::Builder {
    if token.is_empty() {
        request
    } else {
        request.header("authorization", format!("Bearer {token}"))
    }
}

pub(crate) fn request(method: &str, path: &str, token: &str, body: &Value) -> Request<Body> {
    let body = if body.is_null() {
        Body::empty()
    } else {
        Body::from(body.to_string())
    };
    with_token(Request::builder().method(method).uri(path), token)
        .body(body)
        .unwrap()
}
