//! An issuer with pages, and a browser that asks for them.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use axum::Router;
use axum::body::{Body, BodyDataStream, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use opencoin_config::{AccountsConfig, BankConfig, BankCsvConfig, Config, SignerProcess, WebConfig};
use opencoin_crypto::{CipherSuite, KeyStore, Signer};
use opencoin_http::{Server, ServerOptions, admin_router, router};
use opencoin_issuer::audits::OpenedSource;
use opencoin_issuer::{
    AdminScope, AdminTokens, BankSettings, Issuer, IssuerOptions, NewPassword, SecondPersonLimit, Token,
};
use opencoin_keys::{
    Clock, Cosigners, Directory, KeyFiles, NewCurrency, Passphrase, Randomness, create_with_key_files,
};
use opencoin_ledger::{AccountName, Amount, MemoryLedger, Reference};
use opencoin_private_files as private_files;
use opencoin_web::SiteOptions;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tower::ServiceExt;

use crate::form::Form;

/// When the keys are made. Every clock starts here.
const START: &str = "2026-01-01T00:00:00Z";
const SEED: u64 = 11;
/// The host of the currency's URL, and of every request to the listener for wallets that names no other.
pub(crate) const HOST: &str = "cents.test";
/// The host of every request to the operator's listener.
const OPERATORS_HOST: &str = "127.0.0.1:9464";

/// More than anything that tests move who do not want two operators.
pub(crate) const LARGE_UNITS: u64 = 1_000_000;

/// The operator's account at a bank.
pub(crate) const IBAN: &str = "DE89370400440532013000";
/// Between the parts of a form with a file.
const BOUNDARY: &str = "----pages";

/// The passphrase of all keys.
pub(crate) const KEYS_PASSPHRASE: &str = "correct-horse-4711-battery";

fn passphrase() -> Passphrase {
    Passphrase::new(KEYS_PASSPHRASE.to_owned().into()).unwrap()
}

/// How a server makes keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyMaking {
    /// The master key is in the folder of the currency.
    WithMasterKey,
    /// The master key is in the folder `vault` beside that of the currency.
    MasterElsewhere,
    /// The same for a currency with a public log.
    InPublicLog,
    /// The server has no private keys.
    AtSigner,
    /// A signer on another machine has them.
    AtRemoteSigner,
}

/// A folder with everything that is in another one.
fn copy(from: &Path, to: &Path) {
    private_files::make_private_folder(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let copied = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &copied);
        } else {
            fs::copy(&path, &copied).unwrap();
        }
    }
}

/// A clock that only a test moves.
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    fn at_start() -> Arc<Self> {
        let start: DateTime<Utc> = START.parse().unwrap();
        Arc::new(Self(AtomicI64::new(start.timestamp_micros())))
    }

    pub(crate) fn forward(&self, delta: TimeDelta) {
        self.0
            .fetch_add(delta.num_microseconds().unwrap(), Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

/// The documents and keys of a currency. Keys take long to make, so all tests share them.
struct TestCurrency {
    directory: Directory,
    signer: Arc<dyn Signer>,
    _folder: TempDir,
}

impl TestCurrency {
    fn get() -> &'static Self {
        static MADE: OnceLock<TestCurrency> = OnceLock::new();
        MADE.get_or_init(|| Self::make(None))
    }

    /// With a public log.
    fn in_public_log() -> &'static Self {
        static MADE: OnceLock<TestCurrency> = OnceLock::new();
        MADE.get_or_init(|| Self::make(Some(Cosigners::default())))
    }

    fn make(log: Option<Cosigners>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::new(folder.path().join("currency"));
        let new = NewCurrency {
            name: "Open<b>Cent".to_owned(),
            divisor: 100,
            denominations: vec![5, 200],
            url: format!("https://{HOST}"),
            cipher_suite: CipherSuite::RsaSha384PssRfc9474,
            log,
            config: Config::new("sqlite:ledger.sqlite", "127.0.0.1:0"),
        };
        let made = create_with_key_files(
            &new,
            &directory,
            &passphrase(),
            &*TestClock::at_start(),
            &mut StdRng::seed_from_u64(SEED),
            || Box::new(StdRng::seed_from_u64(SEED + 1)) as Box<dyn Randomness>,
            &mut |_, _| {},
        );
        let (_, keys) = made.unwrap();
        Self {
            directory,
            signer: keys.signer().unwrap(),
            _folder: folder,
        }
    }
}

/// The books that audits read.
pub(crate) struct Audited {
    /// Those of the issuer, unless a test puts others in their place.
    pub(crate) books: Mutex<Arc<MemoryLedger>>,
    /// An audit waits while a test holds its permit.
    pub(crate) door: Semaphore,
}

impl Audited {
    fn opener(self: &Arc<Self>) -> impl Fn() -> OpenedSource + Send + Sync + 'static {
        let audited = Arc::clone(self);
        move || {
            let audited = Arc::clone(&audited);
            Box::pin(async move {
                let _entered = audited.door.acquire().await.expect("it is never closed");
                let books = audited.books.lock().unwrap();
                Ok(Arc::clone(&books) as _)
            })
        }
    }
}

/// A server with pages.
pub(crate) struct World {
    pub(crate) clock: Arc<TestClock>,
    pub(crate) server: Arc<Server>,
    pub(crate) tokens: AdminTokens,
    pub(crate) audited: Arc<Audited>,
    directory: Directory,
    public: Router,
    operators: Router,
    _folder: TempDir,
}

/// A listener of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// That for everybody.
    Public,
    /// That of operators.
    Operators,
}

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Checks the status.
    #[track_caller]
    pub(crate) fn with(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// The page as a session would see it whose token the forms of another page have.
    pub(crate) fn with_tokens_of(&self, other: &Self) -> Self {
        let token = |page: &Self| {
            let tokens = page.text.split("name=\"form_token\" value=\"").nth(1).unwrap();
            tokens.split('"').next().unwrap().to_owned()
        };
        Self {
            status: self.status,
            headers: self.headers.clone(),
            text: self.text.replace(&token(self), &token(other)),
        }
    }

    #[track_caller]
    pub(crate) fn has(&self, text: &str) {
        assert!(self.text.contains(text), "{text:?} is missing:\n{}", self.text);
    }

    #[track_caller]
    pub(crate) fn lacks(&self, text: &str) {
        assert!(!self.text.contains(text), "{text:?} is there:\n{}", self.text);
    }

    /// The address of the first link that ends like this.
    #[track_caller]
    pub(crate) fn link_to(&self, end: &str) -> String {
        let links = self.text.split("href=\"").skip(1);
        let mut links = links.filter_map(|link| link.split('"').next());
        let found = links.find(|link| link.ends_with(end));
        found
            .unwrap_or_else(|| panic!("no link to {end}:\n{}", self.text))
            .to_owned()
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(WebConfig::default()).await
    }

    pub(crate) async fn with(web: WebConfig) -> Self {
        Self::build((web, BankCsvConfig::default()), None, SecondPersonLimit::OFF).await
    }

    /// With a folder of its own, in which operators make keys. What moves more than [`LARGE_UNITS`] needs two operators.
    pub(crate) async fn making_keys(making: KeyMaking) -> Self {
        let limit = SecondPersonLimit::above(Amount::new(LARGE_UNITS).unwrap());
        Self::build(<_>::default(), Some(making), limit).await
    }

    /// The folder of the currency.
    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// A world in which what moves more needs two operators.
    pub(crate) async fn with_limit(units: u64) -> Self {
        let limit = SecondPersonLimit::above(Amount::new(units).unwrap());
        Self::build(<_>::default(), None, limit).await
    }

    /// With these columns of tables of the bank.
    pub(crate) async fn reading(columns: BankCsvConfig) -> Self {
        let settings = (WebConfig::default(), columns);
        Self::build(settings, None, SecondPersonLimit::OFF).await
    }

    async fn build(
        (web, columns): (WebConfig, BankCsvConfig),
        making: Option<KeyMaking>,
        second_person: SecondPersonLimit,
    ) -> Self {
        let currency = match making {
            Some(KeyMaking::InPublicLog) => TestCurrency::in_public_log(),
            _ => TestCurrency::get(),
        };
        let clock = TestClock::at_start();
        let folder = tempfile::tempdir().unwrap();
        let books = Arc::<MemoryLedger>::default();
        let audited = Arc::new(Audited {
            books: Mutex::new(Arc::clone(&books)),
            door: Semaphore::new(1),
        });
        let issuer = Issuer::open(
            currency.directory.currency().unwrap(),
            books,
            Arc::clone(&currency.signer),
            Arc::<TestClock>::clone(&clock),
            IssuerOptions::default(),
        );
        let options = ServerOptions {
            web,
            settings: currency.directory.settings().unwrap().entries(),
            ..ServerOptions::default()
        };
        let issuer = issuer.await.unwrap();
        let issuer = issuer
            .with_accounts(
                AccountsConfig::default(),
                Box::new(StdRng::seed_from_u64(SEED + 2)),
            )
            .with_audits(audited.opener())
            .with_bank(BankSettings {
                account: BankConfig {
                    name: Some("The Mint".to_owned()),
                    iban: Some(IBAN.to_owned()),
                    ..BankConfig::default()
                },
                columns,
                second_person,
            });
        let directory = Directory::new(folder.path().join("currency"));
        let issuer = match making {
            None => issuer,
            Some(making) => {
                copy(currency.directory.root(), directory.root());
                if matches!(making, KeyMaking::MasterElsewhere | KeyMaking::InPublicLog) {
                    let vault = directory.root().with_file_name("vault");
                    fs::rename(directory.master_folder(), vault).unwrap();
                }
                let mut config = directory.config().unwrap();
                if making == KeyMaking::AtRemoteSigner {
                    config.signer.process = Some(SignerProcess::Tls {
                        address: "192.0.2.1:4000".to_owned(),
                        name: "signer".to_owned(),
                        certificate: "own.pem".into(),
                        key: "own.key".into(),
                        authority: "authority.pem".into(),
                    });
                }
                let rng = || Box::new(StdRng::seed_from_u64(SEED + 4));
                let keys = KeyFiles::open(directory.root(), &config.keys, Some(passphrase()), rng()).unwrap();
                let store = (!matches!(making, KeyMaking::AtSigner | KeyMaking::AtRemoteSigner))
                    .then(|| Arc::new(keys) as Arc<dyn KeyStore>);
                issuer
                    .in_folder(directory.clone())
                    .with_key_making(config, store, rng())
            }
        };
        let tokens = AdminTokens::in_folder(folder.path());
        let pages = opencoin_web::pages(SiteOptions {
            rng: Box::new(StdRng::seed_from_u64(SEED + 3)),
            clock: Arc::<TestClock>::clone(&clock),
            operators: tokens.clone(),
        });
        let server = Server::with_pages(issuer, options, Some(pages));
        let public = router(Arc::clone(&server));
        let operators = admin_router(Arc::clone(&server), tokens.clone());
        Self {
            clock,
            server,
            tokens,
            audited,
            directory,
            public,
            operators,
            _folder: folder,
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        self.send_to(Side::Public, request).await
    }

    /// Sends a request to a listener.
    pub(crate) async fn send_to(&self, side: Side, mut request: Request<Body>) -> Answer {
        let (router, host) = match side {
            Side::Public => (&self.public, HOST),
            Side::Operators => (&self.operators, OPERATORS_HOST),
        };
        request
            .headers_mut()
            .entry("host")
            .or_insert(host.parse().unwrap());
        let response = router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: head.status,
            headers: head.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    /// A GET by a browser with these headers besides `Accept`.
    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.get_from(Side::Public, path, headers).await
    }

    /// The same from a listener.
    pub(crate) async fn get_from(&self, side: Side, path: &str, headers: &[(&str, &str)]) -> Answer {
        let request = Request::get(path).header("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        let request = headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value));
        self.send_to(side, request.body(Body::empty()).unwrap()).await
    }

    /// A new token of an operator.
    pub(crate) fn token(&self, name: &str, scopes: &[AdminScope]) -> Token {
        let mut rng = StdRng::seed_from_u64(SEED + name.len() as u64);
        let scopes = scopes.iter().copied().collect();
        self.tokens
            .create(&name.parse().unwrap(), scopes, self.clock.now(), &mut rng)
            .unwrap()
    }

    /// A browser in which an operator with a token of these scopes is logged in.
    pub(crate) async fn operator(&self, name: &str, scopes: &[AdminScope]) -> Browser<'_> {
        let token = self.token(name, scopes);
        self.operator_with(&token).await
    }

    /// A browser in which the operator with this token is logged in.
    pub(crate) async fn operator_with(&self, token: &Token) -> Browser<'_> {
        let mut browser = Browser {
            world: self,
            side: Side::Operators,
            cookie: String::new(),
        };
        let form = [("token", token.expose())];
        let answer = browser.post("/console/login", &form).await.with(303);
        assert_eq!(answer.header("location"), "/console");
        browser.cookie = session_cookie(&answer, "__Host-opencoin-operator=");
        browser
    }

    /// Opens an account with [`PASSWORD`] and pays this amount in.
    pub(crate) async fn open(&self, name: &str, units: u64) {
        let name: AccountName = name.parse().unwrap();
        let (cashier, desk) = (self.server.issuer().cashier(), "desk".parse().unwrap());
        let cashier = cashier.acting(&desk);
        let password = NewPassword::new(PASSWORD).unwrap();
        cashier.open_account(&name, Some(password)).await.unwrap();
        if units > 0 {
            let (amount, text) = (
                Amount::new(units).unwrap(),
                Reference::new(format!("opening {name}")).unwrap(),
            );
            cashier.credit(&name, amount, text).await.unwrap().done();
        }
    }

    /// Sends the form of the first log-in.
    pub(crate) async fn start(&self, name: &str, code: &str, password: &str) -> Answer {
        let browser = Browser {
            world: self,
            side: Side::Public,
            cookie: String::new(),
        };
        let fields = [
            ("name", name),
            ("code", code),
            ("new", password),
            ("repeated", password),
        ];
        browser.post("/account/start", &fields).await
    }

    /// A browser in which nobody is logged in.
    pub(crate) fn stranger(&self) -> Browser<'_> {
        Browser {
            world: self,
            side: Side::Public,
            cookie: String::new(),
        }
    }

    /// A browser in which this account is logged in.
    pub(crate) async fn browser(&self, name: &str) -> Browser<'_> {
        let mut browser = self.stranger();
        let form = [("name", name), ("password", PASSWORD)];
        let answer = browser.post("/account/login", &form).await.with(303);
        assert_eq!(answer.header("location"), "/account");
        browser.cookie = session_cookie(&answer, "__Host-opencoin-account=ocs_");
        browser
    }
}

/// The cookie of a new session, which begins so.
fn session_cookie(answer: &Answer, begin: &str) -> String {
    let (pair, attributes) = answer.header("set-cookie").split_once("; ").unwrap();
    assert_eq!(attributes, "Path=/; Secure; HttpOnly; SameSite=Strict");
    assert!(pair.starts_with(begin), "{pair}");
    pair.to_owned()
}

/// The password of every account.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A browser with the cookie of a session.
pub(crate) struct Browser<'world> {
    world: &'world World,
    side: Side,
    pub(crate) cookie: String,
}

impl Browser<'_> {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        let cookie = [("cookie", self.cookie.as_str())];
        self.world.get_from(self.side, path, &cookie).await
    }

    /// Opens a stream of this type.
    pub(crate) async fn stream(&self, path: &str, content_type: &str) -> BodyDataStream {
        let request = Request::get(path)
            .header("host", HOST)
            .header("accept", content_type)
            .header("cookie", &self.cookie)
            .body(Body::empty());
        let response = self.world.public.clone().oneshot(request.unwrap()).await.unwrap();
        assert!(
            response.headers()["content-type"]
                .to_str()
                .unwrap()
                .starts_with(content_type)
        );
        response.into_body().into_data_stream()
    }

    /// Sends a form as it is.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_from("same-origin", path, fields).await
    }

    /// Sends a form from a page of this or another site.
    pub(crate) async fn post_from(&self, site: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = Request::post(path)
            .header("accept", "text/html")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", site)
            .header("cookie", &self.cookie);
        let body = Body::from(serde_urlencoded::to_string(fields).unwrap());
        self.world.send_to(self.side, request.body(body).unwrap()).await
    }

    /// Fills in the form of a page that is sent to `action`: its hidden fields, and these.
    pub(crate) async fn submit(&self, page: &Answer, action: &str, fields: &[(&str, &str)]) -> Answer {
        self.submit_as(page, action, action, fields).await
    }

    /// Fills in a form of a page and sends it to another address than its own.
    pub(crate) async fn submit_as(
        &self,
        page: &Answer,
        form: &str,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        let form = Form::of(&page.text, form);
        fields.iter().for_each(|(name, _)| form.has_field(name));
        let hidden = form.hidden();
        let mut all: Vec<(&str, &str)> = hidden
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        all.extend(fields);
        self.post(action, &all).await
    }

    /// Sends a form with a file: the hidden fields of the form of a page that is sent to `action`, these fields, and this
    /// file under this name.
    pub(crate) async fn send_file(
        &self,
        page: &Answer,
        action: &str,
        fields: &[(&str, &str)],
        (name, content): (&str, &[u8]),
    ) -> Answer {
        let form = Form::of(&page.text, action);
        fields.iter().for_each(|(name, _)| form.has_field(name));
        form.has_field("file");
        form.sends_files();
        let hidden = form.hidden();
        let hidden = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let all: Vec<_> = hidden.chain(fields.iter().copied()).collect();
        self.post_file(action, &all, (name, content)).await
    }

    /// Sends these fields and a file as they are.
    pub(crate) async fn post_file(
        &self,
        action: &str,
        fields: &[(&str, &str)],
        (name, content): (&str, &[u8]),
    ) -> Answer {
        let mut body = Vec::new();
        for (name, value) in fields {
            let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
            body.extend_from_slice(format!("{head}{value}\r\n").as_bytes());
        }
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        let request = Request::post(action)
            .header("accept", "text/html")
            .header(
                "content-type",
                format!("multipart/form-data; boundary={BOUNDARY}"),
            )
            .header("sec-fetch-site", "same-origin")
            .header("cookie", &self.cookie);
        self.world
            .send_to(self.side, request.body(Body::from(body)).unwrap())
            .await
    }

    pub(crate) async fn balance(&self) -> String {
        let page = self.get("/account").await.with(200);
        let large = page.text.split("data-live-balance>").nth(1).unwrap();
        large.split(' ').next().unwrap().to_owned()
    }
}
