//! The network between wallets and issuers, and the disk. Tests inspect and restore both.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use opencoin_crypto::CipherSuite;
use opencoin_schema::{BigInt, Coin, CoinStack, ResponseMint, from_json, text};
use opencoin_wallet::storage::Storage;
use opencoin_wallet::{
    Balance, Clock, HttpAnswer, NoAnswer, OnBehalf, Secret, Transport, Wallet, WalletError,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use tempfile::TempDir;

use crate::fake_issuer::{FakeIssuer, IssuerState, Signing, begin, delay, http};
use crate::fake_keys::KeyBooks;

pub(crate) const URL: &str = "http://issuer.test";
pub(crate) const TOKEN: &str = "alices token";
pub(crate) const DENOMINATIONS: [u64; 4] = [1, 2, 5, 10];

/// A fault of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The request is lost. The wallet cannot know that.
    RequestLost,
    /// There is no connection.
    NoConnection,
    /// Another server answers a POST with a redirect and a GET with 404.
    Redirect,
    /// The request is carried out, and the answer is lost.
    AnswerLost,
    /// The issuer is shutting down and carries out nothing.
    Unavailable,
    /// The request is refused for a reason that does not depend on earlier requests.
    Refused,
    /// The request is accepted; the signatures come later.
    Delay,
    /// The mint waits until its account has enough.
    Wait,
    /// The waiting mint has expired.
    WaitExpired,
    /// The request is carried out, and a proxy replaces the answer.
    BadGateway,
    /// The request is carried out, and the answer is of another type.
    Nonsense,
    /// The request is carried out, and the first signature is wrong.
    WrongSignature,
    /// The request is carried out, and the first signature is missing.
    MissingSignature,
}

impl Fault {
    pub(crate) const ALL: [Self; 11] = [
        Self::RequestLost,
        Self::NoConnection,
        Self::Redirect,
        Self::AnswerLost,
        Self::Unavailable,
        Self::Refused,
        Self::Delay,
        Self::BadGateway,
        Self::Nonsense,
        Self::WrongSignature,
        Self::MissingSignature,
    ];
}

/// A request, with the state before it.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) url: String,
    pub(crate) body: String,
    /// The state of the issuer at [`URL`].
    pub(crate) issuer: IssuerState,
    pub(crate) keys: KeyBooks,
}

/// All issuers, the clock and the faults of requests.
pub(crate) struct Network {
    issuers: Mutex<BTreeMap<String, Arc<FakeIssuer>>>,
    now_s: AtomicI64,
    /// The faults, by the number of the request.
    faults: Mutex<BTreeMap<usize, Fault>>,
    /// The fault of the POST requests whose URLs end so.
    fault_of_path: Mutex<Option<(&'static str, Fault)>>,
    pub(crate) steps: Mutex<Vec<Step>>,
    /// How far the issuers' clocks are ahead of the wallets', in seconds.
    pub(crate) issuers_ahead_s: AtomicI64,
    /// Whether downloads never end.
    pub(crate) is_log_slow: Mutex<bool>,
}

#[async_trait]
impl Transport for Network {
    async fn send(
        &self,
        url: &str,
        on_behalf: OnBehalf<'_>,
        body: Option<&str>,
    ) -> Result<HttpAnswer, NoAnswer> {
        let number = self.note_step(url, body.unwrap_or_default());
        let fault = self.faults.lock().unwrap().get(&number).copied();
        let of_path = *self.fault_of_path.lock().unwrap();
        let of_path = of_path.filter(|(path, _)| body.is_some() && url.ends_with(path));
        let fault = fault.or(of_path.map(|(_, fault)| fault));
        match body {
            Some(body) => self.post(url, on_behalf, body, fault),
            None => self.get(url, on_behalf, fault),
        }
    }

    async fn download(&self, url: &str, bytes_max: usize) -> Result<HttpAnswer, NoAnswer> {
        if *self.is_log_slow.lock().unwrap() {
            std::future::pending::<()>().await;
        }
        let answer = self.send(url, OnBehalf::Nobody, None).await?;
        if answer.body.len() > bytes_max {
            return Err(no_answer(url, true));
        }
        Ok(answer)
    }
}

impl Network {
    fn post(
        &self,
        url: &str,
        on_behalf: OnBehalf<'_>,
        body: &str,
        fault: Option<Fault>,
    ) -> Result<HttpAnswer, NoAnswer> {
        let carried_out = |signing| {
            let issuer = self.issuer_at(url).ok_or_else(|| no_answer(url, true))?;
            Ok(issuer.answer(url, on_behalf, body, self.now(), signing))
        };
        let carry_out = || carried_out(Signing::Now);
        match fault {
            Some(Fault::RequestLost) => Err(no_answer(url, true)),
            Some(Fault::NoConnection) => Err(no_answer(url, false)),
            Some(Fault::Redirect) => Ok(HttpAnswer {
                location: Some("https://elsewhere.test/".to_owned()),
                ..http(301, None, String::new())
            }),
            Some(Fault::Unavailable) => Ok(http(503, Some("unavailable"), "{}".to_owned())),
            Some(Fault::Refused) => Ok(http(413, Some("too-large"), "{}".to_owned())),
            Some(Fault::Wait) => Ok(delay()),
            Some(Fault::WaitExpired) => Ok(http(402, Some("insufficient-funds"), "{}".to_owned())),
            Some(Fault::AnswerLost) => carry_out().and_then(|_| Err(no_answer(url, true))),
            Some(Fault::BadGateway) => {
                carry_out().map(|_| http(502, None, "<html>bad gateway</html>".to_owned()))
            }
            Some(Fault::Nonsense) => {
                carry_out().map(|_| http(200, None, "{\"type\": \"response nonsense\"}".to_owned()))
            }
            Some(Fault::WrongSignature) => carry_out().map(|answer| {
                spoil(answer, |response| {
                    response.blind_signatures[0].blind_signature = BigInt::from_be_bytes(&[7]);
                })
            }),
            Some(Fault::MissingSignature) => {
                carry_out().map(|answer| spoil(answer, |response| drop(response.blind_signatures.remove(0))))
            }
            Some(Fault::Delay) | None => {
                let signing = if fault.is_some() {
                    Signing::Later
                } else {
                    Signing::Now
                };
                let ahead = TimeDelta::seconds(self.issuers_ahead_s.load(Ordering::SeqCst));
                Ok(HttpAnswer {
                    date: Some(self.now() + ahead),
                    ..carried_out(signing)?
                })
            }
        }
    }

    fn get(&self, url: &str, on_behalf: OnBehalf<'_>, fault: Option<Fault>) -> Result<HttpAnswer, NoAnswer> {
        let token = match on_behalf {
            OnBehalf::Account(token) => Some(token),
            OnBehalf::Nobody | OnBehalf::Key(_) => None,
        };
        match fault {
            Some(Fault::RequestLost | Fault::AnswerLost | Fault::NoConnection) => Err(no_answer(url, true)),
            Some(Fault::Redirect) => Ok(http(404, None, "<html>not here</html>".to_owned())),
            Some(Fault::Unavailable | Fault::BadGateway) => {
                Ok(http(503, None, "<html>away</html>".to_owned()))
            }
            Some(Fault::Nonsense) => Ok(http(200, None, "nonsense".to_owned())),
            Some(
                Fault::Refused
                | Fault::Delay
                | Fault::Wait
                | Fault::WaitExpired
                | Fault::WrongSignature
                | Fault::MissingSignature,
            )
            | None => {
                let issuer = self.issuer_at(url).ok_or_else(|| no_answer(url, true))?;
                Ok(issuer.get(url, token, self.now()))
            }
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        begin() + TimeDelta::seconds(self.now_s.load(Ordering::SeqCst))
    }

    pub(crate) fn wait(&self, time: TimeDelta) {
        self.now_s.fetch_add(time.num_seconds(), Ordering::SeqCst);
    }

    pub(crate) fn set_day(&self, day: i64) {
        self.now_s.store(day * 24 * 60 * 60, Ordering::SeqCst);
    }

    /// Puts an issuer at a URL, in place of any other.
    pub(crate) fn connect(&self, url: &str, issuer: Arc<FakeIssuer>) {
        self.issuers.lock().unwrap().insert(url.to_owned(), issuer);
    }

    /// Sets the fault of request number `number`, counted from now.
    pub(crate) fn fail(&self, number: usize, fault: Fault) {
        self.steps.lock().unwrap().clear();
        *self.faults.lock().unwrap() = BTreeMap::from([(number, fault)]);
    }

    /// Sets the fault of all following requests.
    pub(crate) fn fail_all(&self, fault: Fault) {
        self.steps.lock().unwrap().clear();
        *self.faults.lock().unwrap() = (0..1000).map(|number| (number, fault)).collect();
    }

    /// Sets the fault of the POST requests to this path.
    pub(crate) fn fail_on(&self, path: &'static str, fault: Fault) {
        self.steps.lock().unwrap().clear();
        *self.fault_of_path.lock().unwrap() = Some((path, fault));
    }

    /// Removes all faults and forgets the earlier requests.
    pub(crate) fn heal(&self) {
        self.faults.lock().unwrap().clear();
        *self.fault_of_path.lock().unwrap() = None;
        self.steps.lock().unwrap().clear();
    }

    /// Returns the requests since the last change of faults.
    pub(crate) fn take_steps(&self) -> Vec<Step> {
        std::mem::take(&mut *self.steps.lock().unwrap())
    }

    /// Whether a request was sent to this path since the last change of faults. Forgets these requests.
    pub(crate) fn was_asked(&self, path: &str) -> bool {
        self.take_steps().iter().any(|step| step.url.ends_with(path))
    }

    fn note_step(&self, url: &str, body: &str) -> usize {
        let issuer = self.issuers.lock().unwrap().get(URL).cloned();
        let (issuer, keys) = issuer
            .map(|issuer| (issuer.state().clone(), issuer.keys().clone()))
            .unwrap_or_default();
        let mut steps = self.steps.lock().unwrap();
        steps.push(Step {
            url: url.to_owned(),
            body: body.to_owned(),
            issuer,
            keys,
        });
        steps.len() - 1
    }

    fn issuer_at(&self, url: &str) -> Option<Arc<FakeIssuer>> {
        let issuers = self.issuers.lock().unwrap();
        issuers
            .iter()
            .find(|(base, _)| url.starts_with(&format!("{base}/")))
            .map(|(_, issuer)| Arc::clone(issuer))
    }
}

fn no_answer(url: &str, was_sent: bool) -> NoAnswer {
    NoAnswer {
        url: url.to_owned(),
        reason: "a fault of the test".to_owned(),
        was_sent,
    }
}

fn spoil(answer: HttpAnswer, how: impl FnOnce(&mut ResponseMint)) -> HttpAnswer {
    match from_json::<ResponseMint>(&answer.body) {
        Ok(mut response) if !response.blind_signatures.is_empty() => {
            how(&mut response);
            HttpAnswer {
                body: text::compact(&response).into_bytes(),
                ..answer
            }
        }
        Ok(_) | Err(_) => answer,
    }
}

fn name_of(suite: CipherSuite) -> &'static str {
    if suite == CipherSuite::default() {
        "OpenCent"
    } else {
        "ChaumCent"
    }
}

/// A network with one issuer, and a disk.
pub(crate) struct World {
    pub(crate) network: Arc<Network>,
    pub(crate) issuer: Arc<FakeIssuer>,
    disk: TempDir,
    /// How many wallets were opened.
    opened: AtomicU64,
}

impl World {
    /// Makes an issuer at [`URL`] with a balance of `funds` in the account of [`TOKEN`].
    pub(crate) fn new(suite: CipherSuite, funds: u64) -> Self {
        Self::of(FakeIssuer::new(name_of(suite), URL, suite, &DENOMINATIONS), funds)
    }

    /// Makes the same issuer with a public log.
    pub(crate) fn with_log(suite: CipherSuite, funds: u64) -> Self {
        Self::of(
            FakeIssuer::with_log(name_of(suite), URL, suite, &DENOMINATIONS),
            funds,
        )
    }

    /// Makes the same issuer with a public log and an auditor.
    pub(crate) fn with_auditor(suite: CipherSuite, funds: u64) -> Self {
        Self::of(
            FakeIssuer::with_auditor(name_of(suite), URL, suite, &DENOMINATIONS),
            funds,
        )
    }

    fn of(issuer: FakeIssuer, funds: u64) -> Self {
        let issuer = Arc::new(issuer);
        issuer.credit(TOKEN, funds);
        let network = Network {
            issuers: Mutex::default(),
            now_s: AtomicI64::new(0),
            faults: Mutex::default(),
            fault_of_path: Mutex::default(),
            steps: Mutex::default(),
            issuers_ahead_s: AtomicI64::new(0),
            is_log_slow: Mutex::default(),
        };
        network.set_day(1);
        network.connect(URL, Arc::clone(&issuer));
        Self {
            network: Arc::new(network),
            issuer,
            disk: tempfile::tempdir().unwrap(),
            opened: AtomicU64::new(0),
        }
    }

    /// Puts another issuer, with a balance of `funds` in the account of [`TOKEN`], at a URL.
    pub(crate) fn add_issuer(
        &self,
        name: &str,
        url: &str,
        denominations: &[u64],
        funds: u64,
    ) -> Arc<FakeIssuer> {
        let issuer = Arc::new(FakeIssuer::new(name, url, CipherSuite::default(), denominations));
        issuer.credit(TOKEN, funds);
        self.network.connect(url, Arc::clone(&issuer));
        issuer
    }

    /// Revokes the first generation of the mint keys of these denominations.
    pub(crate) fn revoke(&self, denominations: &[u64]) {
        denominations
            .iter()
            .for_each(|denomination| self.issuer.revoke(*denomination, 0));
    }

    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.disk.path().join(name)
    }

    /// Opens the wallet with this name.
    pub(crate) fn open(&self, name: &str) -> Wallet {
        let network = Arc::clone(&self.network);
        let mut wallet = self.open_with_clock(name, Arc::new(move || network.now()));
        // The wallet stores no token.
        wallet.use_token(token());
        wallet
    }

    /// Opens the wallet like [`Self::open`], with another clock and without a token.
    pub(crate) fn open_with_clock(&self, name: &str, clock: Clock) -> Wallet {
        self.try_open_with_clock(name, clock).unwrap()
    }

    pub(crate) fn try_open(&self, name: &str) -> Result<Wallet, WalletError> {
        let network = Arc::clone(&self.network);
        self.try_open_with_clock(name, Arc::new(move || network.now()))
    }

    fn try_open_with_clock(&self, name: &str, clock: Clock) -> Result<Wallet, WalletError> {
        let transport = Arc::clone(&self.network) as Arc<dyn Transport>;
        Wallet::create(&self.folder(name), None, transport, clock, self.rng(name))
    }

    /// Opens the wallet with these rows.
    pub(crate) fn open_storage(&self, name: &str, storage: Box<dyn Storage>) -> Wallet {
        let network = Arc::clone(&self.network);
        let transport = Arc::clone(&self.network) as Arc<dyn Transport>;
        let clock: Clock = Arc::new(move || network.now());
        let mut wallet = Wallet::open(storage, None, transport, clock, self.rng(name)).unwrap();
        wallet.use_token(token());
        wallet
    }

    /// Each process needs other random numbers, so they depend on how often a wallet was opened.
    fn rng(&self, name: &str) -> Box<ChaCha20Rng> {
        let seed = self.opened.fetch_add(1, Ordering::SeqCst);
        let seed = name.bytes().fold(seed, |seed, byte| {
            seed.wrapping_mul(257).wrapping_add(byte.into())
        });
        Box::new(ChaCha20Rng::seed_from_u64(seed))
    }

    /// Opens a wallet, adds the currency and mints `amount`.
    pub(crate) async fn wallet_with(&self, name: &str, amount: u64) -> Wallet {
        let mut wallet = self.open(name);
        wallet.add(URL).await.unwrap();
        if amount > 0 {
            mint(&mut wallet, amount).await.unwrap();
        }
        wallet
    }

    /// Returns the content of the wallet's file.
    pub(crate) fn file(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder(name).join("wallet.db")).unwrap()
    }

    /// Writes the file of a wallet.
    pub(crate) fn put_file(&self, name: &str, file: &str, bytes: &[u8]) {
        fs::create_dir_all(self.folder(name)).unwrap();
        fs::write(self.folder(name).join(file), bytes).unwrap();
    }

    /// Makes a copy of a wallet.
    pub(crate) fn copy(&self, from: &str, to: &str) {
        self.put_file(to, "wallet.db", &self.file(from));
    }
}

pub(crate) async fn mint(wallet: &mut Wallet, amount: u64) -> Result<(), opencoin_wallet::WalletError> {
    wallet
        .mint(None, amount, &token(), &mut |_, _| {})
        .await
        .map(drop)
}

/// Returns the states of the operations or sends of this kind, in their order.
pub(crate) fn states(wallet: &Wallet, kind: &str) -> Vec<String> {
    let entries = wallet.history().unwrap().into_iter();
    entries
        .filter(|entry| entry.kind == kind)
        .map(|entry| entry.state)
        .collect()
}

pub(crate) fn token() -> Secret {
    Secret::new(TOKEN)
}

/// Makes a stack of these coins.
pub(crate) fn stack_of(coins: &[Coin]) -> CoinStack {
    CoinStack {
        coins: coins.to_vec(),
        subject: String::new(),
    }
}

/// Returns the spendable and the pending amount of the only currency.
pub(crate) fn held(wallet: &Wallet) -> (u64, u64) {
    let balance = balance(wallet);
    (balance.balance, balance.pending)
}

/// Returns the balance of the only currency.
pub(crate) fn balance(wallet: &Wallet) -> Balance {
    let mut balances = wallet.balances();
    assert_eq!(balances.len(), 1);
    balances.remove(0)
}
