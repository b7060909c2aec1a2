//! Books, keys, a signer and an issuer, in a folder of their own.

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
    Account, AccountId, AccountName, Amount, Blind, Command, Effect, KeptSignatures, Ledger, LedgerError,
    LedgerTime, MemoryLedger, MintKeyId, MintKeyStatus, MintKeyTerms, Outcome, Reference, TokenHash,
    Transaction, TransactionNo, TransactionReference, UnsignedPage,
};
use opencoin_schema::BigInt;
use opencoin_signer::{
    CountsMode, Endpoint, Listener, PublicKeys, RemoteSigner, RemoteSignerOptions, SOCKET_MODE, SignedCounts,
    SignerServer, SignerServerOptions,
};
use opencoin_testkit::keys::seeded_key;
use tempfile::TempDir;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

pub(crate) const NOW: LedgerTime = LedgerTime::from_unix_micros(150);

/// Two mint keys; short ones, because these tests are about the way and not about the cryptography.
pub(crate) static KEYS: LazyLock<[PrivateKey; 2]> = LazyLock::new(|| [1, 2].map(|seed| key(1024, seed)));

pub(crate) fn key(bits: usize, seed: u64) -> PrivateKey {
    seeded_key(bits, seed)
}

/// What an issuer waits in these tests: less than a person would.
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

/// Adds what everything needs: an account with money, and both mint keys.
pub(crate) async fn fill(ledger: &dyn Ledger) {
    let terms = MintKeyTerms::new(Amount::new(1).unwrap(), at(100), at(200), at(300)).unwrap();
    let mut batch = vec![
        Command::OpenAccount {
            name: "alice".parse().unwrap(),
            token_hash: TokenHash::new([1; 32]),
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
    batch.extend(KEYS.iter().map(|key| Command::RegisterMintKey {
        id: id(key),
        terms,
        at: NOW,
    }));
    for outcome in ledger.apply(&batch).await.unwrap() {
        outcome.unwrap();
    }
}

pub(crate) fn at(micros: i64) -> LedgerTime {
    LedgerTime::from_unix_micros(micros)
}

pub(crate) async fn books() -> Arc<dyn Ledger> {
    let ledger = MemoryLedger::new();
    fill(&ledger).await;
    Arc::new(ledger)
}

/// As many blinds for this key, different for each reference.
pub(crate) fn blinds(key: &PrivateKey, reference: &str, count: usize) -> Vec<BlindToSign> {
    let number = |index: usize| {
        let length = key.public_key().modulus_bytes();
        let mut bytes = format!("{reference} {index} ").into_bytes().repeat(length)[..length].to_vec();
        bytes[0] = 1; // less than the modulus
        BigInt::from_be_bytes(&bytes)
    };
    (0..count)
        .map(|index| BlindToSign {
            mint_key_id: key.public_key().id().clone(),
            blinded: number(index),
        })
        .collect()
}

/// What an issuer hands to its signer.
pub(crate) fn request(reference: &str, blinds: Vec<BlindToSign>) -> AcceptedBlinds {
    AcceptedBlinds {
        transaction_reference: reference.as_bytes().to_vec(),
        blinds: blinds.into(),
    }
}

/// Accepts blinds as a mint, and gives the request that an issuer makes of it.
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
        wait_until: None,
        at: NOW,
    };
    let applied = ledger.apply(&[mint]).await.unwrap().remove(0).unwrap();
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

/// A folder with a socket and counts.
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

    pub(crate) fn remote_with(&self, options: RemoteSignerOptions) -> RemoteSigner {
        RemoteSigner::start(Endpoint::Unix(self.socket()), public_keys(), options)
    }
}

/// A signer that serves.
pub(crate) struct Running {
    pub(crate) counts: Arc<SignedCounts>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
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
                .await;
        });
        Self {
            counts,
            stop: Some(stop),
            task,
        }
    }

    /// Tells it to stop, without waiting.
    pub(crate) fn tell_to_stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Stops it in order and waits.
    pub(crate) async fn stop(mut self) {
        if self.stop.is_some() {
            self.tell_to_stop();
        }
        self.task.await.unwrap();
        self.counts.close().await;
    }

    /// Drops it in the middle of whatever it does.
    pub(crate) async fn drop_dead(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
        self.counts.close().await;
    }
}

/// An engine that signs when the test lets it, and counts what was begun and dropped.
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

    /// Lets everything through from now on.
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

/// Waits for something that happens soon, on another task.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    within(what, waiting).await;
}

/// Fails the test where it would hang.
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

/// Books that are away.
pub(crate) struct Away;

/// Transactions of some books and counters of others: somebody writes into the database, or one half is away.
pub(crate) struct TwoBooks {
    pub(crate) transactions: Arc<dyn Ledger>,
    pub(crate) counters: Arc<dyn Ledger>,
}

#[async_trait]
impl Ledger for TwoBooks {
    async fn apply(&self, batch: &[Command]) -> Result<Vec<Outcome>, LedgerError> {
        self.transactions.apply(batch).await
    }

    async fn transaction(
        &self,
        reference: &TransactionReference,
    ) -> Result<Option<Transaction>, LedgerError> {
        self.transactions.transaction(reference).await
    }

    async fn unsigned(
        &self,
        key: &MintKeyStatus,
        after: TransactionNo,
        transactions_max: usize,
    ) -> Result<UnsignedPage, LedgerError> {
        self.transactions.unsigned(key, after, transactions_max).await
    }

    async fn keep_signatures(&self, kept: &[KeptSignatures]) -> Result<Vec<bool>, LedgerError> {
        self.transactions.keep_signatures(kept).await
    }

    async fn check_coins(&self, id: MintKeyId) -> Result<(), LedgerError> {
        self.counters.check_coins(id).await
    }

    async fn forget_coins(&self, id: MintKeyId, coins_max: u32) -> Result<u64, LedgerError> {
        self.counters.forget_coins(id, coins_max).await
    }

    async fn account_by_token(&self, token_hash: &TokenHash) -> Result<Option<Account>, LedgerError> {
        self.transactions.account_by_token(token_hash).await
    }

    async fn account_by_name(&self, name: &AccountName) -> Result<Option<Account>, LedgerError> {
        self.transactions.account_by_name(name).await
    }

    async fn mint_keys(&self) -> Result<Vec<MintKeyStatus>, LedgerError> {
        self.counters.mint_keys().await
    }

    async fn signing_paused(&self) -> Result<bool, LedgerError> {
        self.counters.signing_paused().await
    }

    async fn ready(&self) -> Result<(), LedgerError> {
        self.counters.ready().await
    }
}

#[async_trait]
impl Ledger for Away {
    async fn apply(&self, _: &[Command]) -> Result<Vec<Outcome>, LedgerError> {
        Err(away())
    }

    async fn transaction(&self, _: &TransactionReference) -> Result<Option<Transaction>, LedgerError> {
        Err(away())
    }

    async fn unsigned(
        &self,
        _: &MintKeyStatus,
        _: TransactionNo,
        _: usize,
    ) -> Result<UnsignedPage, LedgerError> {
        Err(away())
    }

    async fn keep_signatures(&self, _: &[KeptSignatures]) -> Result<Vec<bool>, LedgerError> {
        Err(away())
    }

    async fn check_coins(&self, _: MintKeyId) -> Result<(), LedgerError> {
        Err(away())
    }

    async fn forget_coins(&self, _: MintKeyId, _: u32) -> Result<u64, LedgerError> {
        Err(away())
    }

    async fn account_by_token(&self, _: &TokenHash) -> Result<Option<Account>, LedgerError> {
        Err(away())
    }

    async fn account_by_name(&self, _: &AccountName) -> Result<Option<Account>, LedgerError> {
        Err(away())
    }

    async fn mint_keys(&self) -> Result<Vec<MintKeyStatus>, LedgerError> {
        Err(away())
    }

    async fn signing_paused(&self) -> Result<bool, LedgerError> {
        Err(away())
    }

    async fn ready(&self) -> Result<(), LedgerError> {
        Err(away())
    }
}

fn away() -> LedgerError {
    LedgerError::Unavailable("the database is away".to_owned())
}
