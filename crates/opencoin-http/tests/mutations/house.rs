//! An issuer whose books are watched: every command that reaches the ledger is remembered. Its signer can be
//! away, its clock set.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use chrono::{DateTime, TimeDelta, Utc};
use opencoin_audit::{AuditFacts, AuditSource};
use opencoin_config::Config;
use opencoin_crypto::{AcceptedBlinds, CipherSuite, KeyStore, SignError, Signer};
use opencoin_http::{Server, router};
use opencoin_issuer::{Books, Cashier, Issuer, IssuerOptions};
use opencoin_keys::{Clock, Currency, Directory, NewCurrency, Passphrase, Randomness, create_with_key_files};
use opencoin_ledger::{
    Account, AccountId, AccountName, Accounts, Amount, Command, KeptSignatures, Ledger, LedgerError,
    MemoryLedger, MintKeyId, MintKeyStatus, Outcome, Reference, TokenHash, Transaction, TransactionNo,
    TransactionReference, UnsignedPage,
};
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

pub(crate) const DENOMINATIONS: [u64; 3] = [1, 2, 5];
pub(crate) const URL: &str = "http://127.0.0.1:8080";
const START: &str = "2026-01-01T00:00:00Z";
/// What the rich holder has; the poor one begins with nothing.
const FORTUNE: u64 = 1_000_000_000_000;

/// When a message arrives, as the mint keys see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    Signing,
    /// No key signs any more, coins are still taken.
    Grace,
    /// Coins have expired, too.
    Expired,
}

struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

struct SignerWithHolidays {
    signer: Arc<dyn Signer>,
    is_away: AtomicBool,
}

#[async_trait]
impl Signer for SignerWithHolidays {
    async fn sign(&self, accepted: AcceptedBlinds) -> Result<Vec<opencoin_schema::BigInt>, SignError> {
        if self.is_away.load(Ordering::Relaxed) {
            Err(SignError::Unavailable)
        } else {
            self.signer.sign(accepted).await
        }
    }
}

#[derive(Default)]
struct WatchedLedger {
    ledger: Arc<MemoryLedger>,
    seen: Mutex<Vec<(Command, Outcome)>>,
}

#[async_trait]
impl Ledger for WatchedLedger {
    async fn apply(&self, batch: &[Command]) -> Result<Vec<Outcome>, LedgerError> {
        let outcomes = self.ledger.apply(batch).await?;
        self.seen
            .lock()
            .unwrap()
            .extend(batch.iter().cloned().zip(outcomes.iter().cloned()));
        Ok(outcomes)
    }

    async fn transaction(
        &self,
        reference: &TransactionReference,
    ) -> Result<Option<Transaction>, LedgerError> {
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
        self.ledger.ready().await
    }
}

/// Somebody with an account.
pub(crate) struct Holder {
    pub(crate) account: AccountId,
    pub(crate) token: String,
}

pub(crate) struct House {
    pub(crate) router: Router,
    pub(crate) currency: Currency,
    /// The rich one and the poor one.
    pub(crate) holders: [Holder; 2],
    ledger: Arc<WatchedLedger>,
    signer: Arc<SignerWithHolidays>,
    clock: Arc<SetClock>,
}

impl House {
    pub(crate) async fn open(rng: &mut StdRng) -> Self {
        let start: DateTime<Utc> = START.parse().unwrap();
        let clock = Arc::new(SetClock(AtomicI64::new(start.timestamp_micros())));
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::new(folder.path().join("currency"));
        let new = NewCurrency {
            name: "OpenCent".to_owned(),
            divisor: 100,
            denominations: DENOMINATIONS.to_vec(),
            url: URL.to_owned(),
            cipher_suite: CipherSuite::default(),
            config: Config::new("sqlite:ledger.sqlite", "127.0.0.1:0"),
        };
        let passphrase = Passphrase::new("p".to_owned().into()).unwrap();
        let keys_seed = rng.next_u64();
        let store_rng = || Box::new(StdRng::seed_from_u64(keys_seed)) as Box<dyn Randomness>;
        let made = create_with_key_files(
            &new,
            &directory,
            &passphrase,
            clock.as_ref(),
            rng,
            store_rng,
            &mut |_, _| {},
        );
        let (_, keys) = made.unwrap();
        let currency = || directory.currency().unwrap();
        let signer = Arc::new(SignerWithHolidays {
            signer: keys.signer().unwrap(),
            is_away: AtomicBool::new(false),
        });
        let ledger = Arc::new(WatchedLedger::default());
        let accounts = Arc::clone(&ledger.ledger) as Arc<dyn Accounts>;
        let books = Books {
            ledger: Arc::clone(&ledger) as Arc<dyn Ledger>,
            accounts,
        };
        let (engine, time) = (Arc::clone(&signer), Arc::clone(&clock));
        let issuer = Issuer::open(currency(), books.clone(), engine, time, IssuerOptions::default())
            .await
            .unwrap();

        let time = Arc::clone(&clock) as Arc<dyn Clock>;
        let cashier = Cashier::new(books, time, Box::new(StdRng::seed_from_u64(rng.next_u64())));
        let mut holders = Vec::new();
        for name in ["rich", "poor"] {
            let name: AccountName = name.parse().unwrap();
            let token = cashier
                .open_account(&name, None)
                .await
                .unwrap()
                .expose()
                .to_owned();
            holders.push(Holder {
                account: cashier.account(&name).await.unwrap().account.id,
                token,
            });
        }
        let (fortune, reference) = (Amount::new(FORTUNE).unwrap(), Reference::new("opening").unwrap());
        cashier
            .credit(&"rich".parse().unwrap(), fortune, reference)
            .await
            .unwrap();
        let Ok(holders) = holders.try_into() else {
            panic!("there are two")
        };
        let house = Self {
            router: router(Server::new(issuer)),
            currency: currency(),
            holders,
            ledger,
            signer,
            clock,
        };
        house.seen();
        house
    }

    /// The commands that the ledger was asked for since this was called last.
    pub(crate) fn seen(&self) -> Vec<(Command, Outcome)> {
        std::mem::take(&mut self.ledger.seen.lock().unwrap())
    }

    pub(crate) async fn facts(&self) -> AuditFacts {
        self.ledger.ledger.audit_facts().await.unwrap()
    }

    pub(crate) fn set_signer_away(&self, is_away: bool) {
        self.signer.is_away.store(is_away, Ordering::Relaxed);
    }

    pub(crate) fn set_moment(&self, moment: Moment) {
        let terms = self.currency.mint_keys().next().unwrap().verified.mint_key();
        let second = TimeDelta::seconds(1);
        let now = match moment {
            Moment::Signing => START.parse().unwrap(),
            Moment::Grace => terms.sign_coins_not_after.to_utc() + second,
            Moment::Expired => terms.coins_expiry_date.to_utc() + second,
        };
        self.clock.0.store(now.timestamp_micros(), Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }
}
