//! An issuer with an in-memory ledger, its two routers, and the requests that tests send to them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use opencoin_config::{AccountsConfig, BankConfig, BankCsvConfig};
use opencoin_http::{ERROR_HEADER, Server, admin_router, router};
use opencoin_issuer::{AdminScope, AdminTokens, BankSettings, Guard, Issuer, SecondPersonLimit};
use opencoin_keys::Clock;
use opencoin_ledger::{Amount, MemoryLedger};
use opencoin_schema::{Coin, ResponseMint, text};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::audited::AuditDoor;
use crate::fixture::{Blinded, TestClock, TestCurrency, body, mint_request, redeem_request, resume_request};

/// Background work pauses for a second after each turn, so this lets each task have one.
const LESS_THAN_TWO_TURNS: Duration = Duration::from_millis(700);
/// The password of every account.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// The operator's account at a bank.
fn bank() -> BankSettings {
    BankSettings {
        account: BankConfig {
            name: Some("Issuer".to_owned()),
            iban: Some("DE89370400440532013000".to_owned()),
            ..BankConfig::default()
        },
        ..BankSettings::default()
    }
}

#[derive(Debug)]
pub(crate) struct Reply {
    /// Method and path of the request, for failures.
    asked: String,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
}

impl Reply {
    /// The status and the fixed word. Checks that the problem document repeats them.
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

    /// Checks that the request was refused with this status and the usual fixed word for it.
    #[track_caller]
    pub(crate) fn fails(&self, status: u16) {
        let word = match status {
            400 => "malformed",
            401 => "unauthorized",
            402 => "insufficient-funds",
            403 => "forbidden",
            404 => "not-found",
            409 => "reference-conflict",
            413 => "too-large",
            422 => "invalid",
            429 => "too-many-requests",
            503 => "unavailable",
            other => panic!("{other} has no fixed word"),
        };
        self.fails_with(status, word);
    }

    #[track_caller]
    pub(crate) fn fails_with(&self, status: u16, word: &str) {
        assert_eq!(self.refused(), (status, word), "{}: {:?}", self.asked, self.json);
    }

    /// Checks that the answer is a `ResponseDelay`.
    #[track_caller]
    pub(crate) fn waits(&self) {
        assert_eq!(self.status, 202, "{self:?}");
        assert_eq!(self.json["type"], "response delay");
        assert_eq!(self.json["status_code"], 300);
    }

    /// Checks the status and returns the document.
    #[track_caller]
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
    /// A second issuer with the same ledger, for the background work.
    issuer: Issuer,
    pub(crate) ledger: Arc<MemoryLedger>,
    pub(crate) currency: &'static TestCurrency,
    public: Router,
    admin: Router,
    pub(crate) operator: String,
    pub(crate) door: Arc<AuditDoor>,
    folder: TempDir,
    rng: StdRng,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(AccountsConfig::default()).await
    }

    pub(crate) async fn with(config: AccountsConfig) -> Self {
        Self::over(Arc::default(), TestClock::at_start(), config, None, bank()).await
    }

    /// A second server process with the same ledger and clock.
    pub(crate) async fn beside(&self, config: AccountsConfig) -> Self {
        let (ledger, clock) = (Arc::clone(&self.ledger), Arc::clone(&self.clock));
        Self::over(ledger, clock, config, None, bank()).await
    }

    /// A server with a guard against books that were set back.
    pub(crate) async fn guarded_by(guard: Guard) -> Self {
        let config = AccountsConfig::default();
        let bank = bank();
        Self::over(Arc::default(), TestClock::at_start(), config, Some(guard), bank).await
    }

    /// A server that reads tables of the bank, and where what moves more than this needs two operators.
    pub(crate) async fn with_limit(units: u64) -> Self {
        let bank = BankSettings {
            account: BankConfig {
                iban: Some("DE89370400440532013000".to_owned()),
                ..BankConfig::default()
            },
            columns: BankCsvConfig {
                day: Some("day".to_owned()),
                amount: Some("amount".to_owned()),
                text: vec!["text".to_owned()],
                ..BankCsvConfig::default()
            },
            second_person: SecondPersonLimit::above(Amount::new(units).unwrap()),
        };
        let config = AccountsConfig::default();
        Self::over(Arc::default(), TestClock::at_start(), config, None, bank).await
    }

    async fn over(
        ledger: Arc<MemoryLedger>,
        clock: Arc<TestClock>,
        config: AccountsConfig,
        guard: Option<Guard>,
        bank: BankSettings,
    ) -> Self {
        let (currency, mut rng) = (TestCurrency::get(), StdRng::from_entropy());
        let mut issuers = Vec::new();
        for _ in 0..2 {
            let issuer = currency
                .issuer(Arc::clone(&ledger), currency.signer(), Arc::clone(&clock))
                .await;
            let rng = Box::new(StdRng::from_rng(&mut rng).unwrap());
            issuers.push(issuer.with_accounts(config.clone(), rng));
        }
        let (issuer, mut served) = (issuers.pop().unwrap(), issuers.pop().unwrap());
        let door = AuditDoor::new(Arc::clone(&ledger));
        served = served.with_audits(door.opener()).with_bank(bank);
        if let Some(guard) = guard {
            served = served.guarded_by(guard);
        }
        let server = Server::new(served);
        let folder = tempfile::tempdir().unwrap();
        let tokens = AdminTokens::in_folder(folder.path());
        let operator = tokens
            .create(
                &"desk".parse().unwrap(),
                AdminScope::ALL.into(),
                clock.now(),
                &mut rng,
            )
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
            door,
            folder,
            rng,
        }
    }

    /// The answer of the listener that has the path.
    pub(crate) async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let path = request.uri().path();
        let router = if path.starts_with("/v1/admin") || path == "/metrics" {
            &self.admin
        } else {
            &self.public
        };
        router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let asked = format!("{} {}", request.method(), request.uri());
        let response = self.answer(request).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = body(response).await;
        let json = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).unwrap()
        };
        Reply {
            asked,
            status,
            headers,
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

    pub(crate) async fn put(&self, path: &str, token: &str, body: Value) -> Reply {
        self.call("PUT", path, token, body).await
    }

    pub(crate) async fn delete(&self, path: &str, token: &str) -> Reply {
        self.call("DELETE", path, token, Value::Null).await
    }

    /// The token of another operator, with these scopes.
    pub(crate) fn operator_with(&self, name: &str, scopes: &[AdminScope]) -> String {
        let tokens = AdminTokens::in_folder(self.folder.path());
        let (name, scopes) = (name.parse().unwrap(), scopes.iter().copied().collect());
        let token = tokens.create(&name, scopes, self.clock.now(), &mut StdRng::from_entropy());
        token.unwrap().expose().to_owned()
    }

    /// A GET by the operator.
    pub(crate) async fn admin_get(&self, path: &str) -> Reply {
        self.get(path, &self.operator).await
    }

    /// A POST by the operator.
    pub(crate) async fn admin_post(&self, path: &str, body: Value) -> Reply {
        self.post(path, &self.operator, body).await
    }

    /// A POST with an idempotency key.
    pub(crate) async fn once(&self, path: &str, token: &str, key: &str, body: Value) -> Reply {
        let mut request = request("POST", path, token, &body);
        request
            .headers_mut()
            .insert("idempotency-key", key.parse().unwrap());
        self.send(request).await
    }

    /// Opens an account with [`PASSWORD`] and this balance. Returns its token.
    pub(crate) async fn open(&self, name: &str, amount: u64) -> String {
        let account = json!({ "name": name, "password": PASSWORD });
        let token = self.admin_post("/v1/admin/accounts", account).await.text("token");
        if amount > 0 {
            self.credit(name, amount, &format!("opening {name}")).await;
        }
        token
    }

    pub(crate) async fn credit(&self, name: &str, amount: u64, reference: &str) {
        let payment = json!({ "amount": amount, "reference": reference });
        let path = format!("/v1/admin/accounts/{name}/credits");
        self.admin_post(&path, payment).await.with(201);
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

    pub(crate) async fn transfer(&self, token: &str, key: &str, body: Value) -> Reply {
        self.once("/v1/transfers", token, key, body).await
    }

    pub(crate) async fn request_payout(&self, token: &str, key: &str, amount: u64) -> Reply {
        let body = json!({ "amount": amount, "destination": "DE02" });
        self.once("/v1/payouts", token, key, body).await
    }

    pub(crate) async fn pay(&self, token: &str, key: &str, to: &str, amount: u64) -> Reply {
        self.transfer(token, key, json!({ "to": to, "amount": amount }))
            .await
    }

    /// Gives each background task one turn.
    pub(crate) async fn run_background(&self) {
        run_background(&[self]).await;
    }

    /// A blind worth 5.
    pub(crate) fn blind(&mut self) -> Blinded {
        self.currency.blind(self.currency.key(5), &mut self.rng)
    }

    pub(crate) async fn mint(&self, token: &str, blinded: &Blinded, reference: u8) -> Reply {
        let request = mint_request(vec![blinded.blind.clone()], reference);
        self.message("/mint", token, text::compact(&request)).await
    }

    pub(crate) async fn resume(&self, reference: u8) -> Reply {
        let request = resume_request(reference);
        self.message("/resume", "", text::compact(&request)).await
    }

    pub(crate) async fn redeem(&self, token: &str, coins: &[Coin]) -> Reply {
        let request = redeem_request(coins);
        self.message("/redeem", token, text::compact(&request)).await
    }

    async fn message(&self, path: &str, token: &str, body: String) -> Reply {
        let request = with_token(Request::post(path), token).body(Body::from(body));
        self.send(request.unwrap()).await
    }

    /// The coin that the answer to a mint makes of a blind.
    pub(crate) fn coin(&self, blinded: &Blinded, minted: Reply) -> Coin {
        let minted: ResponseMint = serde_json::from_value(minted.with(200)).unwrap();
        self.currency.finish(blinded, &minted.blind_signatures[0])
    }
}

/// Gives each background task of these processes one turn, all at the same time.
pub(crate) async fn run_background(worlds: &[&World]) {
    tokio::time::pause(); // the timeout ends once every task waits for its next turn
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
        "background tasks never end"
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
