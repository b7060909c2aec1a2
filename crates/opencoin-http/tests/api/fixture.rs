//! The shared fixture of all tests: one currency, a clock, a signer and a ledger that a test controls, and requests.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::http::Response;
use chrono::{DateTime, TimeDelta, Utc};
use opencoin_config::Config;
use opencoin_crypto::{AcceptedBlinds, BlindingSeed, CipherSuite, KeyStore, SignError, Signer};
use opencoin_issuer::{Books, Cashier, Issuer, IssuerOptions, Signed, Token};
use opencoin_keys::{
    CertifiedMintKey, Clock, Currency, Directory, NewCurrency, Passphrase, Randomness, create_with_key_files,
};
use opencoin_ledger::{
    AccountName, Accounts, Amount, BooksPosition, Command, HISTORY_ID_BYTES, HasLog, HasOperators, History,
    HistoryId, KeptSignatures, Ledger, LedgerError, LedgerTime, Mark, MemoryLedger, MintKeyId, MintKeyStatus,
    OperatorCommand, OperatorName, Outcome, Reference, Transaction, TransactionNo, TransactionReference,
    UnsignedPage,
};
use opencoin_schema::{
    BigInt, Blind, BlindSignature, Coin, MintKey, PROTOCOL_VERSION, Payload, RequestMint, RequestRedeem,
    RequestRenew, RequestResume,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;

/// The moment at which the keys are made. Every clock starts here.
pub(crate) const START: &str = "2026-01-01T00:00:00Z";
pub(crate) const URL: &str = "https://issuer.test";
pub(crate) const DENOMINATIONS: [u64; 3] = [1, 2, 5];
const SUITE: CipherSuite = CipherSuite::RsaSha384PssRfc9474;
const SEED: u64 = 7;

/// A clock that only a test moves.
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn at_start() -> Arc<Self> {
        let start: DateTime<Utc> = START.parse().unwrap();
        Arc::new(Self(AtomicI64::new(start.timestamp_micros())))
    }

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

/// A signer that a test can make unavailable.
pub(crate) struct TestSigner {
    signer: Arc<dyn Signer>,
    is_away: AtomicBool,
}

impl TestSigner {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            signer: TestCurrency::get().signer(),
            is_away: AtomicBool::new(false),
        })
    }

    pub(crate) fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::Relaxed);
    }
}

#[async_trait]
impl Signer for TestSigner {
    async fn sign(&self, accepted: AcceptedBlinds) -> Result<Vec<BigInt>, SignError> {
        if self.is_away.load(Ordering::Relaxed) {
            Err(SignError::Unavailable)
        } else {
            self.signer.sign(accepted).await
        }
    }
}

/// The in-memory ledger with faults that a test can switch on. It records every command.
#[derive(Default)]
pub(crate) struct TestLedger {
    pub(crate) ledger: Arc<MemoryLedger>,
    /// Fails before anything is applied or read.
    pub(crate) fails_before: AtomicBool,
    /// Applies, and then loses the answer.
    pub(crate) fails_after: AtomicBool,
    /// Panics at a mint with this many blinds, as a broken invariant would; 0 is off.
    pub(crate) panics_at_blinds: AtomicUsize,
    recorded: Mutex<Vec<(Command, Outcome)>>,
}

impl TestLedger {
    /// The commands and their outcomes since the last call.
    pub(crate) fn take_recorded(&self) -> Vec<(Command, Outcome)> {
        std::mem::take(&mut self.recorded.lock().unwrap())
    }

    pub(crate) fn books(self: &Arc<Self>) -> Books {
        Books {
            ledger: Arc::clone(self) as Arc<dyn Ledger>,
            accounts: Arc::clone(&self.ledger) as Arc<dyn Accounts>,
            log: self.ledger.log(),
            operators: self.ledger.operators(),
            bank: self.ledger.bank(),
        }
    }
}

fn fail_if(flag: &AtomicBool) -> Result<(), LedgerError> {
    if flag.load(Ordering::Relaxed) {
        Err(LedgerError::Unavailable("by the test".to_owned()))
    } else {
        Ok(())
    }
}

#[async_trait]
impl Ledger for TestLedger {
    async fn apply(&self, batch: &[Command]) -> Result<Vec<Outcome>, LedgerError> {
        fail_if(&self.fails_before)?;
        let panics_at = self.panics_at_blinds.load(Ordering::Relaxed);
        let breaks = |command: &Command| matches!(command, Command::Mint { blinds, .. } if panics_at > 0 && blinds.len() == panics_at);
        assert!(!batch.iter().any(breaks), "an invariant would break");
        let outcomes = self.ledger.apply(batch).await?;
        let recorded = batch.iter().cloned().zip(outcomes.iter().cloned());
        self.recorded.lock().unwrap().extend(recorded);
        fail_if(&self.fails_after)?;
        Ok(outcomes)
    }

    async fn apply_for_operator(&self, batch: &[OperatorCommand]) -> Result<Vec<Outcome>, LedgerError> {
        fail_if(&self.fails_before)?;
        let outcomes = self.ledger.apply_for_operator(batch).await?;
        let commands = batch.iter().map(|command| command.command.clone());
        self.recorded
            .lock()
            .unwrap()
            .extend(commands.zip(outcomes.iter().cloned()));
        fail_if(&self.fails_after)?;
        Ok(outcomes)
    }

    async fn transaction(
        &self,
        reference: &TransactionReference,
    ) -> Result<Option<Transaction>, LedgerError> {
        fail_if(&self.fails_before)?;
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

    async fn forget_rows(&self, id: MintKeyId, coins_max: u32) -> Result<u64, LedgerError> {
        self.ledger.forget_rows(id, coins_max).await
    }

    async fn mint_keys(&self) -> Result<Vec<MintKeyStatus>, LedgerError> {
        self.ledger.mint_keys().await
    }

    async fn signing_paused(&self) -> Result<bool, LedgerError> {
        self.ledger.signing_paused().await
    }

    async fn ready(&self) -> Result<(), LedgerError> {
        fail_if(&self.fails_before)
    }
}

/// A history of books whose id a test decides at each read.
pub(crate) struct TestHistory<F>(pub(crate) F);

#[async_trait]
impl<F: Fn() -> u8 + Send + Sync> History for TestHistory<F> {
    async fn position(&self, _asked: Option<TransactionNo>) -> Result<BooksPosition, LedgerError> {
        Ok(BooksPosition {
            mark: Mark {
                history: HistoryId::new([(self.0)(); HISTORY_ID_BYTES]),
                newest: None,
            },
            is_confirmed: true,
            earlier: Vec::new(),
            asked: None,
        })
    }

    async fn suspend(&self, _new: HistoryId, _at: LedgerTime) -> Result<(), LedgerError> {
        unreachable!("no test recovers these books")
    }

    async fn accept(
        &self,
        _new: HistoryId,
        _above: TransactionNo,
        _at: LedgerTime,
    ) -> Result<(), LedgerError> {
        unreachable!("no test here accepts a history")
    }

    async fn close(&self) {}
}

/// A currency whose keys are in a temporary folder. Keys take long to make, so all tests share one.
pub(crate) struct TestCurrency {
    pub(crate) currency: Currency,
    directory: Directory,
    signer: Arc<dyn Signer>,
    _folder: TempDir,
}

impl TestCurrency {
    pub(crate) fn get() -> &'static Self {
        static MADE: OnceLock<TestCurrency> = OnceLock::new();
        MADE.get_or_init(Self::create)
    }

    fn create() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::new(folder.path().join("currency"));
        let new = NewCurrency {
            name: "OpenCent".to_owned(),
            divisor: 100,
            denominations: DENOMINATIONS.to_vec(),
            url: URL.to_owned(),
            cipher_suite: SUITE,
            log: None,
            config: Config::new("sqlite:ledger.sqlite", "127.0.0.1:0"),
        };
        let made = create_with_key_files(
            &new,
            &directory,
            &Passphrase::new("p".to_owned().into()).unwrap(),
            &*TestClock::at_start(),
            &mut StdRng::seed_from_u64(SEED),
            || Box::new(StdRng::seed_from_u64(SEED + 1)) as Box<dyn Randomness>,
            &mut |_, _| {},
        );
        let (currency, keys) = made.unwrap();
        Self {
            currency,
            directory,
            signer: keys.signer().unwrap(),
            _folder: folder,
        }
    }

    pub(crate) fn signer(&self) -> Arc<dyn Signer> {
        Arc::clone(&self.signer)
    }

    /// Opens an issuer with these books.
    pub(crate) async fn issuer(
        &self,
        books: impl Into<Books>,
        signer: Arc<dyn Signer>,
        clock: Arc<TestClock>,
    ) -> Issuer {
        let currency = self.directory.currency().unwrap();
        Issuer::open(currency, books, signer, clock, IssuerOptions::default())
            .await
            .unwrap()
    }

    pub(crate) fn key(&self, denomination: u64) -> &CertifiedMintKey {
        let is_wanted = |key: &&CertifiedMintKey| key.verified.mint_key().denomination == denomination;
        self.currency.mint_keys().find(is_wanted).unwrap()
    }

    /// The mint key of 5. All mint keys have the same dates.
    pub(crate) fn mint_key(&self) -> &MintKey {
        self.key(5).verified.mint_key()
    }

    pub(crate) fn blind(&self, key: &CertifiedMintKey, rng: &mut StdRng) -> Blinded {
        let mint_key = key.verified.mint_key();
        let payload = Payload {
            cdd_location: format!("{URL}/cddc"),
            denomination: mint_key.denomination,
            issuer_id: mint_key.issuer_id.clone(),
            mint_key_id: mint_key.id.clone(),
            protocol_version: PROTOCOL_VERSION.to_owned(),
            serial: random_number(rng),
        };
        let seed = BlindingSeed::generate(rng);
        let public_key = key.verified.public_key();
        let (blinded_payload_hash, _) = SUITE.blind(public_key, &payload, &seed).unwrap();
        let blind = Blind {
            blinded_payload_hash,
            mint_key_id: mint_key.id.clone(),
            reference: "a".to_owned(),
        };
        Blinded { blind, payload, seed }
    }

    /// The coin that the signature makes of a blind.
    pub(crate) fn finish(&self, blinded: &Blinded, signature: &BlindSignature) -> Coin {
        assert_eq!(blinded.blind.reference, signature.reference);
        let Blinded { payload, seed, .. } = blinded;
        let key = self.currency.mint_key(&payload.mint_key_id).unwrap();
        let public_key = key.verified.public_key();
        let (_, unblinder) = SUITE.blind(public_key, payload, seed).unwrap();
        SUITE
            .finish(public_key, payload, &signature.blind_signature, &unblinder)
            .unwrap()
    }
}

/// A blind and the secrets that its wallet keeps.
#[derive(Clone)]
pub(crate) struct Blinded {
    pub(crate) blind: Blind,
    pub(crate) payload: Payload,
    pub(crate) seed: BlindingSeed,
}

pub(crate) fn reference(number: u8) -> BigInt {
    BigInt::from_be_bytes(&[number])
}

pub(crate) fn mint_request(blinds: Vec<Blind>, transaction: u8) -> RequestMint {
    RequestMint {
        blinds,
        message_reference: 1,
        transaction_reference: reference(transaction),
    }
}

pub(crate) fn renew_request(coins: &[Coin], blinds: Vec<Blind>, transaction: u8) -> RequestRenew {
    RequestRenew {
        blinds,
        coins: coins.to_vec(),
        message_reference: 1,
        transaction_reference: reference(transaction),
    }
}

pub(crate) fn redeem_request(coins: &[Coin]) -> RequestRedeem {
    RequestRedeem {
        coins: coins.to_vec(),
        message_reference: 1,
    }
}

pub(crate) fn resume_request(transaction: u8) -> RequestResume {
    RequestResume {
        message_reference: 1,
        transaction_reference: reference(transaction),
    }
}

pub(crate) fn random_number(rng: &mut StdRng) -> BigInt {
    BigInt::from_be_bytes(&rng.r#gen::<[u8; 16]>())
}

pub(crate) fn signed_now(signed: Signed) -> Vec<BlindSignature> {
    match signed {
        Signed::Now(signatures) => signatures,
        Signed::Later | Signed::WhenPaid => panic!("the signatures are delayed"),
    }
}

/// Opens an account and credits it with this amount, unless it is 0. Returns its token.
pub(crate) async fn open_account(cashier: &Cashier, name: &str, amount: u64) -> Token {
    let name: AccountName = name.parse().unwrap();
    let operator = OperatorName::command_line();
    let cashier = cashier.acting(&operator);
    let token = cashier.open_account(&name, None).await.unwrap();
    if amount > 0 {
        let (amount, reference) = (Amount::new(amount).unwrap(), Reference::new("opening").unwrap());
        cashier.credit(&name, amount, reference).await.unwrap().done();
    }
    token
}

pub(crate) async fn body(response: Response<Body>) -> Vec<u8> {
    to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()
}
