//! The fixture: books, keys, a signer and its client in a temporary folder.

use std::future::Future;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use opencoin_crypto::{
    AcceptedBlinds, BlindToSign, LocalSigner, LocalSignerOptions, PrivateKey, PublicKey, SignError, Signer,
};
use opencoin_ledger::{
    AccountId, Amount, Applied, Blind, Command, Effect, KeptSignatures, Ledger, LedgerError, LedgerTime,
    MemoryLedger, MintKeyId, MintKeyStatus, MintKeyTerms, OperatorCommand, Outcome, Reference, TokenHash,
    Transaction, TransactionNo, TransactionReference, UnsignedPage, register_uncertified_mint_key,
};
use opencoin_schema::BigInt;
use opencoin_signer::{
    CountingEnded, CountsMode, Endpoint, Listener, PublicKeys, RemoteSigner, RemoteSignerOptions,
    SOCKET_MODE, SignedCounts, SignerServer, SignerServerOptions,
};
use opencoin_testkit::keys::seeded_key;
use tempfile::TempDir;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

pub(crate) const NOW: LedgerTime = LedgerTime::from_unix_micros(150);

/// Two mint keys. They are short, because the tests are not about cryptography.
pub(crate) static KEYS: LazyLock<[PrivateKey; 2]> = LazyLock::new(|| [1, 2].map(|seed| key(1024, seed)));

pub(crate) fn key(bits: usize, seed: u64) -> PrivateKey {
    seeded_key(bits, seed)
}

/// Options with short pauses.
pub(crate) const OPTIONS: RemoteSignerOptions = RemoteSignerOptions {
    connections: NonZeroUsize::new(2).unwrap(),
    blinds_in_flight_max: 4096,
    request_duration_max: Duration::from_secs(20),
    silence_duration_max: Duration::from_secs(10),
    reconnect_pause: Duration::from_millis(10),
};

pub(crate) fn id(key: &PrivateKey) -> MintKeyId {
    MintKeyId::from_be_bytes(key.public_key().id().as_be_bytes()).unwrap()
}

pub(crate) fn public_keys() -> PublicKeys {
    let keys: Vec<PublicKey> = KEYS.iter().map(|key| key.public_key().clone()).collect();
    Arc::new(move |id: &BigInt| keys.iter().find(|key| key.id() == id).cloned())
}

pub(crate) fn local_signer() -> Arc<dyn Signer> {
    let copies = KEYS
        .iter()
        .map(|key| PrivateKey::from_pkcs8_pem(&key.to_pkcs8_pem()).unwrap());
    Arc::new(LocalSigner::start(copies, LocalSignerOptions::default()).unwrap())
}

/// Adds an account with money and both mint keys.
pub(crate) async fn fill(ledger: &dyn Ledger) {
    let mut batch = vec![
        Command::OpenAccount {
            name: "alice".parse().unwrap(),
            token_hash: Some(TokenHash::new([1; 32])),
            password: None,
            at: NOW,
        },
        Command::Credit {
            account: AccountId::FIRST_HOLDER,
            amount: Amount::new(1_000_000).unwrap(),
            reference: Reference::new("paid in").unwrap(),
            at: NOW,
        },
    ];
    batch.extend(KEYS.iter().map(|key| registration(id(key))));
    for outcome in ledger.apply(&batch).await.unwrap() {
        outcome.unwrap();
    }
}

/// The command that registers a mint key, which signs at [`NOW`].
pub(crate) fn registration(id: MintKeyId) -> Command {
    let [from, to, expiry] = [100, 200, 300].map(LedgerTime::from_unix_micros);
    let terms = MintKeyTerms::new(Amount::new(1).unwrap(), from, to, expiry).unwrap();
    register_uncertified_mint_key(id, terms, NOW)
}

/// Applies a command, which must not be refused.
pub(crate) async fn apply(ledger: &dyn Ledger, command: Command) -> Applied {
    ledger.apply(&[command]).await.unwrap().remove(0).unwrap()
}

pub(crate) async fn books() -> Arc<dyn Ledger> {
    let ledger = MemoryLedger::new();
    fill(&ledger).await;
    Arc::new(ledger)
}

/// This number of blinds for a key, different for each reference.
pub(crate) fn blinds(key: &PrivateKey, reference: &str, count: usize) -> Vec<BlindToSign> {
    let number = |index: usize| {
        let length = key.public_key().modulus_bytes();
        let mut bytes = format!("{reference} {index} ").into_bytes().repeat(length)[..length].to_vec();
        bytes[0] = 1; // below the modulus
        BigInt::from_be_bytes(&bytes)
    };
    (0..count)
        .map(|index| BlindToSign {
            mint_key_id: key.public_key().id().clone(),
            blinded: number(index),
        })
        .collect()
}

/// The request of an issuer to its signer.
pub(crate) fn request(reference: &str, blinds: Vec<BlindToSign>) -> AcceptedBlinds {
    AcceptedBlinds {
        transaction_reference: reference.as_bytes().to_vec(),
        blinds: blinds.into(),
    }
}

/// Accepts blinds with a mint, and returns the request of the issuer to its signer.
pub(crate) async fn accept(ledger: &dyn Ledger, reference: &str, blinds: Vec<BlindToSign>) -> AcceptedBlinds {
    let stored = blinds.iter().enumerate().map(|(index, blind)| Blind {
        reference: index.to_string(),
        mint_key: MintKeyId::from_be_bytes(blind.mint_key_id.as_be_bytes()).unwrap(),
        blinded: blind.blinded.as_be_bytes().to_vec(),
    });
    let mint = Command::Mint {
        account: AccountId::FIRST_HOLDER,
        transaction_reference: TransactionReference::new(reference.as_bytes()).unwrap(),
        blinds: stored.collect(),
        payment: None,
        wait_until: None,
        at: NOW,
    };
    let applied = apply(ledger, mint).await;
    assert!(matches!(applied.effect, Effect::Accepted { .. }));
    request(reference, blinds)
}

pub(crate) fn sign_each(accepted: &AcceptedBlinds) -> Vec<BigInt> {
    let sign = |blind: &BlindToSign| {
        let key = KEYS
            .iter()
            .find(|key| *key.public_key().id() == blind.mint_key_id)
            .unwrap();
        let input = blind
            .blinded
            .to_padded_be_bytes(key.public_key().modulus_bytes())
            .unwrap();
        BigInt::from_be_bytes(&key.raw_sign(&input).unwrap())
    };
    accepted.blinds.iter().map(sign).collect()
}

/// A folder for a socket and counts.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("signer.socket")
    }

    pub(crate) async fn counts(&self, ledger: &Arc<dyn Ledger>) -> Arc<SignedCounts> {
        Arc::new(
            SignedCounts::open(
                &self.path("counts.sqlite"),
                CountsMode::Create,
                Arc::clone(ledger),
            )
            .await
            .unwrap(),
        )
    }

    pub(crate) async fn start(&self, ledger: &Arc<dyn Ledger>, engine: Arc<dyn Signer>) -> Running {
        let listener = Listener::unix(&self.socket(), SOCKET_MODE).unwrap();
        Running::start(
            listener,
            ledger,
            engine,
            self.counts(ledger).await,
            SignerServerOptions::default(),
        )
    }

    pub(crate) fn remote(&self) -> RemoteSigner {
        self.remote_with(OPTIONS)
    }

    pub(crate) async fn connected_remote(&self) -> Arc<RemoteSigner> {
        let remote = Arc::new(self.remote());
        within("connecting", remote.connected()).await;
        remote
    }

    pub(crate) fn remote_with(&self, options: RemoteSignerOptions) -> RemoteSigner {
        RemoteSigner::start(Endpoint::Unix(self.socket()), public_keys(), options)
    }
}

/// A running signer.
pub(crate) struct Running {
    pub(crate) counts: Arc<SignedCounts>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), CountingEnded>>,
}

impl Running {
    pub(crate) fn start(
        listener: Listener,
        ledger: &Arc<dyn Ledger>,
        engine: Arc<dyn Signer>,
        counts: Arc<SignedCounts>,
        options: SignerServerOptions,
    ) -> Self {
        let server = SignerServer::new(
            Arc::clone(ledger),
            engine,
            public_keys(),
            Arc::clone(&counts),
            options,
        );
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            server
                .serve(listener, async {
                    let _ = stopped.await;
                })
                .await
        });
        Self {
            counts,
            stop: Some(stop),
            task,
        }
    }

    /// Tells the signer to stop, without waiting.
    pub(crate) fn tell_to_stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Stops the signer gracefully and waits.
    pub(crate) async fn stop(mut self) {
        if self.stop.is_some() {
            self.tell_to_stop();
        }
        self.task.await.unwrap().unwrap();
        self.counts.close().await;
    }

    /// Waits until the signer stops by itself.
    pub(crate) async fn ended(self) -> CountingEnded {
        self.task.await.unwrap().unwrap_err()
    }

    /// Aborts the signer.
    pub(crate) async fn abort(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
        self.counts.close().await;
    }
}

/// An engine that signs when the test permits it, and counts started and dropped requests.
pub(crate) struct Gated {
    engine: Arc<dyn Signer>,
    pub(crate) gate: Semaphore,
    pub(crate) begun: AtomicUsize,
    pub(crate) dropped: AtomicUsize,
}

impl Gated {
    pub(crate) fn closed() -> Arc<Self> {
        let (begun, dropped) = Default::default();
        Arc::new(Self {
            engine: local_signer(),
            gate: Semaphore::new(0),
            begun,
            dropped,
        })
    }

    /// Permits all signing from now on.
    pub(crate) fn open(&self) {
        self.gate.add_permits(1_000_000);
    }

    pub(crate) fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    pub(crate) fn dropped(&self) -> usize {
        self.dropped.load(Ordering::SeqCst)
    }
}

struct Dropped<'engine>(Option<&'engine AtomicUsize>);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.0 {
            count.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[async_trait]
impl Signer for Gated {
    async fn sign(&self, accepted: AcceptedBlinds) -> Result<Vec<BigInt>, SignError> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let mut dropped = Dropped(Some(&self.dropped));
        self.gate.acquire().await.unwrap().forget();
        dropped.0 = None;
        self.engine.sign(accepted).await
    }
}

/// Waits until a condition holds because of another task.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    within(what, waiting).await;
}

/// Fails the test if it hangs.
pub(crate) async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), work)
        .await
        .unwrap_or_else(|_| panic!("hangs: {what}"))
}

pub(crate) fn disagrees(result: Result<Vec<BigInt>, SignError>) -> bool {
    matches!(result, Err(SignError::NotAccepted(reason)) if reason.contains("disagree"))
}

pub(crate) fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Transactions of some books and counters of others, as if somebody had changed the database, or functions that fail
/// instead.
pub(crate) struct TwoBooks {
    pub(crate) transactions: Books,
    pub(crate) counters: Books,
}

pub(crate) type Books = Result<Arc<dyn Ledger>, fn() -> LedgerError>;

#[async_trait]
impl Ledger for TwoBooks {
    async fn transaction(
        &self,
        reference: &TransactionReference,
    ) -> Result<Option<Transaction>, LedgerError> {
        let transactions = self.transactions.as_ref().map_err(|fail| fail())?;
        transactions.transaction(reference).await
    }

    async fn mint_keys(&self) -> Result<Vec<MintKeyStatus>, LedgerError> {
        let counters = self.counters.as_ref().map_err(|fail| fail())?;
        counters.mint_keys().await
    }

    async fn signing_paused(&self) -> Result<bool, LedgerError> {
        let counters = self.counters.as_ref().map_err(|fail| fail())?;
        counters.signing_paused().await
    }

    async fn apply(&self, _: &[Command]) -> Result<Vec<Outcome>, LedgerError> {
        unreachable!("a signer only reads transactions and counters")
    }

    async fn apply_for_operator(&self, _: &[OperatorCommand]) -> Result<Vec<Outcome>, LedgerError> {
        unreachable!("a signer only reads transactions and counters")
    }

    async fn unsigned(
        &self,
        _: &MintKeyStatus,
        _: TransactionNo,
        _: usize,
    ) -> Result<UnsignedPage, LedgerError> {
        unreachable!("a signer only reads transactions and counters")
    }

    async fn keep_signatures(&self, _: &[KeptSignatures]) -> Result<Vec<bool>, LedgerError> {
        unreachable!("a signer only reads transactions and counters")
    }

    async fn check_coins(&self, _: MintKeyId) -> Result<(), LedgerError> {
        unreachable!("a signer only reads transactions and counters")
    }

    async fn forget_rows(&self, _: MintKeyId, _: u32) -> Result<u64, LedgerError> {
        unreachable!("a signer only reads transactions and counters")
    }

    async fn ready(&self) -> Result<(), LedgerError> {
        unreachable!("a signer only reads transactions and counters")
    }
}

pub(crate) fn away() -> LedgerError {
    LedgerError::Unavailable("the database is away".to_owned())
}
