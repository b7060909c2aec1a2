//! The network between wallets and issuers, and the disk: both can be looked at, and turned back, at every
//! step.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use opencoin_crypto::CipherSuite;
use opencoin_schema::{BigInt, ResponseDelay, ResponseMint, from_json, text};
use opencoin_wallet::{Balance, Clock, HttpAnswer, NoAnswer, Secret, Transport, Wallet};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use tempfile::TempDir;

use crate::fake_issuer::{Books, FakeIssuer, Signing, begin, http};

pub(crate) const URL: &str = "http://issuer.test";
pub(crate) const TOKEN: &str = "alices token";
pub(crate) const DENOMINATIONS: [u64; 4] = [1, 2, 5, 10];

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It does not arrive, and nobody knows.
    RequestLost,
    /// There is no connection.
    NoConnection,
    /// A server answers that does not do what is asked, and points somewhere else. To a GET it answers that
    /// there is nothing.
    Redirect,
    /// It is carried out, and the answer does not arrive.
    AnswerLost,
    /// The issuer is shutting down: nothing is done.
    Unavailable,
    /// It is refused, for a reason that has nothing to do with what was accepted before.
    Refused,
    /// It is accepted; the signatures come later.
    Delay,
    /// It is kept until the account has enough, and nothing is done yet.
    Wait,
    /// It was kept, in vain.
    WaitedInVain,
    /// It is carried out, and something between spoils the answer.
    BadGateway,
    /// It is carried out, and the answer is not what it should be.
    Nonsense,
    /// It is carried out, and the first signature is wrong.
    WrongSignature,
    /// It is carried out, and the first signature is missing.
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

/// One request, and how things stood before it.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) url: String,
    pub(crate) body: String,
    /// The length of the watched journal.
    pub(crate) journal_bytes: u64,
    /// The books of the first issuer.
    pub(crate) books: Books,
}

/// All issuers, a clock, and what happens to requests.
pub(crate) struct Network {
    issuers: Mutex<BTreeMap<String, Arc<FakeIssuer>>>,
    now_s: AtomicI64,
    watched: Mutex<Option<PathBuf>>,
    /// What goes wrong, by the number of the request.
    faults: Mutex<BTreeMap<usize, Fault>>,
    pub(crate) steps: Mutex<Vec<Step>>,
    /// How far the issuers' clocks are ahead of the wallets', in seconds.
    pub(crate) issuers_ahead_s: AtomicI64,
}

#[async_trait]
impl Transport for Network {
    async fn post(&self, url: &str, token: Option<&Secret>, body: &str) -> Result<HttpAnswer, NoAnswer> {
        let no_answer = || NoAnswer {
            url: url.to_owned(),
            reason: "the test says so".to_owned(),
            was_sent: true,
        };
        let number = self.note_step(url, body);
        let fault = self.faults.lock().unwrap().get(&number).copied();
        if fault == Some(Fault::RequestLost) {
            return Err(no_answer());
        }
        if fault == Some(Fault::NoConnection) {
            return Err(NoAnswer {
                was_sent: false,
                ..no_answer()
            });
        }
        if fault == Some(Fault::Redirect) {
            return Ok(HttpAnswer {
                location: Some("https://elsewhere.test/".to_owned()),
                ..http(301, None, String::new())
            });
        }
        if fault == Some(Fault::Unavailable) {
            return Ok(http(503, Some("unavailable"), "{}".to_owned()));
        }
        if fault == Some(Fault::Refused) {
            return Ok(http(413, Some("too-large"), "{}".to_owned()));
        }
        if fault == Some(Fault::Wait) {
            let (message_reference, status_description) = (0, "later".to_owned());
            let delay = ResponseDelay {
                message_reference,
                status_code: 300,
                status_description,
            };
            return Ok(http(202, None, text::compact(&delay)));
        }
        if fault == Some(Fault::WaitedInVain) {
            return Ok(http(402, Some("insufficient-funds"), "{}".to_owned()));
        }
        let signing = if fault == Some(Fault::Delay) {
            Signing::Later
        } else {
            Signing::Now
        };
        let issuer = self.issuer_at(url).ok_or_else(no_answer)?;
        let answer = issuer.answer(token, body, self.now(), signing);
        match fault {
            Some(Fault::AnswerLost) => Err(no_answer()),
            Some(Fault::BadGateway) => Ok(http(502, None, "<html>bad gateway</html>".to_owned())),
            Some(Fault::Nonsense) => Ok(http(200, None, "{\"type\": \"response nonsense\"}".to_owned())),
            Some(Fault::WrongSignature) => Ok(spoil(answer, |response| {
                response.blind_signatures[0].blind_signature = BigInt::from_be_bytes(&[7]);
            })),
            Some(Fault::MissingSignature) => Ok(spoil(answer, |response| {
                drop(response.blind_signatures.remove(0))
            })),
            Some(
                Fault::RequestLost
                | Fault::NoConnection
                | Fault::Redirect
                | Fault::Unavailable
                | Fault::Refused
                | Fault::Delay
                | Fault::Wait
                | Fault::WaitedInVain,
            )
            | None => Ok(HttpAnswer {
                date: Some(self.now() + TimeDelta::seconds(self.issuers_ahead_s.load(Ordering::SeqCst))),
                ..answer
            }),
        }
    }

    async fn get(&self, url: &str, token: Option<&Secret>) -> Result<HttpAnswer, NoAnswer> {
        let no_answer = || NoAnswer {
            url: url.to_owned(),
            reason: "the test says so".to_owned(),
            was_sent: true,
        };
        let number = self.note_step(url, "");
        match self.faults.lock().unwrap().get(&number).copied() {
            Some(Fault::RequestLost | Fault::AnswerLost | Fault::NoConnection) => Err(no_answer()),
            Some(Fault::Redirect) => Ok(http(404, None, "<html>not here</html>".to_owned())),
            Some(Fault::Unavailable | Fault::BadGateway) => {
                Ok(http(503, None, "<html>away</html>".to_owned()))
            }
            Some(Fault::Nonsense) => Ok(http(200, None, "nonsense".to_owned())),
            Some(
                Fault::Refused
                | Fault::Delay
                | Fault::Wait
                | Fault::WaitedInVain
                | Fault::WrongSignature
                | Fault::MissingSignature,
            )
            | None => Ok(self.issuer_at(url).ok_or_else(no_answer)?.get(url, token)),
        }
    }
}

impl Network {
    pub(crate) fn now(&self) -> DateTime<Utc> {
        begin() + TimeDelta::seconds(self.now_s.load(Ordering::SeqCst))
    }

    pub(crate) fn set_day(&self, day: i64) {
        self.now_s.store(day * 24 * 60 * 60, Ordering::SeqCst);
    }

    /// Puts an issuer at its URL, in place of any other.
    pub(crate) fn connect(&self, url: &str, issuer: Arc<FakeIssuer>) {
        self.issuers.lock().unwrap().insert(url.to_owned(), issuer);
    }

    /// From now on request number `number`, counted from here, goes wrong.
    pub(crate) fn fail(&self, number: usize, fault: Fault) {
        self.steps.lock().unwrap().clear();
        *self.faults.lock().unwrap() = BTreeMap::from([(number, fault)]);
    }

    /// Every request to come goes wrong.
    pub(crate) fn fail_all(&self, fault: Fault) {
        self.steps.lock().unwrap().clear();
        *self.faults.lock().unwrap() = (0..1000).map(|number| (number, fault)).collect();
    }

    pub(crate) fn heal(&self) {
        self.faults.lock().unwrap().clear();
        self.steps.lock().unwrap().clear();
    }

    /// The requests since the last change of faults.
    pub(crate) fn take_steps(&self) -> Vec<Step> {
        std::mem::take(&mut *self.steps.lock().unwrap())
    }

    fn note_step(&self, url: &str, body: &str) -> usize {
        let journal = self.watched.lock().unwrap().clone();
        let journal_bytes = journal
            .and_then(|path| fs::metadata(path).ok())
            .map_or(0, |metadata| metadata.len());
        let books = self
            .issuers
            .lock()
            .unwrap()
            .get(URL)
            .map(|issuer| issuer.books.lock().unwrap().clone())
            .unwrap_or_default();
        let mut steps = self.steps.lock().unwrap();
        steps.push(Step {
            url: url.to_owned(),
            body: body.to_owned(),
            journal_bytes,
            books,
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

/// One issuer and a disk.
pub(crate) struct World {
    pub(crate) network: Arc<Network>,
    pub(crate) issuer: Arc<FakeIssuer>,
    disk: TempDir,
}

impl World {
    /// An issuer at [`URL`] with so much in the account of [`TOKEN`].
    pub(crate) fn new(suite: CipherSuite, funds: u64) -> Self {
        let name = if suite == CipherSuite::default() {
            "OpenCent"
        } else {
            "ChaumCent"
        };
        let issuer = Arc::new(FakeIssuer::new(name, URL, suite, &DENOMINATIONS));
        issuer.credit(TOKEN, funds);
        let network = Network {
            issuers: Mutex::default(),
            now_s: AtomicI64::new(0),
            watched: Mutex::default(),
            faults: Mutex::default(),
            steps: Mutex::default(),
            issuers_ahead_s: AtomicI64::new(0),
        };
        network.set_day(1);
        network.connect(URL, Arc::clone(&issuer));
        Self {
            network: Arc::new(network),
            issuer,
            disk: tempfile::tempdir().unwrap(),
        }
    }

    /// Revokes the keys that sign first.
    pub(crate) fn revoke_all(&self) {
        DENOMINATIONS
            .iter()
            .for_each(|denomination| self.issuer.revoke(*denomination, 0));
    }

    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.disk.path().join(name)
    }

    /// Opens the wallet of this name; its journal is the one that is watched from now on.
    pub(crate) fn open(&self, name: &str) -> Wallet {
        let network = Arc::clone(&self.network);
        let mut wallet = self.open_with_clock(name, Arc::new(move || network.now()));
        // The wallet keeps no token on the disk.
        wallet.use_token(token());
        wallet
    }

    /// As [`Self::open`], with a clock of its own and no token.
    pub(crate) fn open_with_clock(&self, name: &str, clock: Clock) -> Wallet {
        let folder = self.folder(name);
        *self.network.watched.lock().unwrap() = Some(journal_of(&folder));
        let transport = Arc::clone(&self.network) as Arc<dyn Transport>;
        // Another process draws other numbers: the journal's length is a seed that says where it stands.
        let seed = fs::metadata(journal_of(&folder)).map_or(0, |metadata| metadata.len());
        let seed = name.bytes().fold(seed, |seed, byte| {
            seed.wrapping_mul(257).wrapping_add(byte.into())
        });
        let rng = Box::new(ChaCha20Rng::seed_from_u64(seed));
        Wallet::create(&folder, transport, clock, rng).unwrap()
    }

    /// A wallet that knows the currency and has minted so much.
    pub(crate) async fn wallet_with(&self, name: &str, amount: u64) -> Wallet {
        let mut wallet = self.open(name);
        wallet.add(URL).await.unwrap();
        if amount > 0 {
            mint(&mut wallet, amount).await.unwrap();
        }
        wallet
    }

    pub(crate) fn journal(&self, name: &str) -> Vec<u8> {
        fs::read(journal_of(&self.folder(name))).unwrap()
    }

    /// Puts a journal where a crash has left it.
    pub(crate) fn put_journal(&self, name: &str, bytes: &[u8]) {
        fs::create_dir_all(self.folder(name)).unwrap();
        fs::write(journal_of(&self.folder(name)), bytes).unwrap();
    }
}

fn journal_of(folder: &Path) -> PathBuf {
    folder.join("journal.jsonl")
}

pub(crate) async fn mint(wallet: &mut Wallet, amount: u64) -> Result<(), opencoin_wallet::WalletError> {
    wallet
        .mint(None, amount, &token(), &mut |_, _| {})
        .await
        .map(drop)
}

pub(crate) fn token() -> Secret {
    Secret::new(TOKEN)
}

/// The balance of the only currency.
pub(crate) fn balance(wallet: &Wallet) -> Balance {
    let mut balances = wallet.balances();
    assert_eq!(balances.len(), 1);
    balances.remove(0)
}
