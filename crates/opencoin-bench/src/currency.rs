//! The temporary currency that is measured: one mint key of each size, its books, and accounts with funds.
//!
//! The load generator uses the private mint keys to make coins without the issuer, which saves time and does not warm
//! the issuer up. For each such coin the books record an accepted blind, so that the audit at the end balances.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use opencoin_audit::check;
use opencoin_config::{Config, PublicLogConfig};
use opencoin_crypto::{AcceptedBlinds, BlindToSign};
use opencoin_issuer::admission::ITEMS_MAX;
use opencoin_issuer::{Cashier, SecondPersonLimit, StoreMode, Token, open_audit_source, open_books};
use opencoin_keys::{Clock, Cosigners, Directory, SystemClock, register_mint_keys};
use opencoin_ledger::{
    AccountId, AccountName, Amount, Blind, CoinIn, Command, Ledger, LedgerTime, LogStore, OperatorName,
    Reference, SPENT_DIGEST_BYTES, SpentDigest, TransactionReference,
};
use opencoin_schema::BigInt;
use rand::RngCore;
use rand::rngs::OsRng;

use super::engine::EngineSettings;
use super::mint_keys::{KeyKind, MintKeys, SigningKey};

/// Enough for every run.
const FUNDS: u64 = 1_000_000_000_000_000;
/// Coins per command and commands per batch, when the ledger is measured alone.
const LEDGER_COMMAND_COINS: usize = 64;
const LEDGER_BATCH_COMMANDS: usize = 8;
const LEDGER_BATCHES: usize = 32;

/// The fastest rhythm of a log, so that a cell of some seconds pays for the sealing of all its leaves. The default is a
/// batch a minute.
const RHYTHM: &str = "1s";

/// What a currency is made of.
#[derive(Clone, Copy)]
pub(super) struct NewCurrency<'run> {
    /// The PostgreSQL database of the books; `None` for SQLite.
    pub(super) database: Option<&'run str>,
    pub(super) engine: &'run EngineSettings,
    pub(super) kinds: &'run [KeyKind],
    /// The number of accounts of the clients.
    pub(super) accounts: usize,
    pub(super) is_distributed: bool,
    /// Its public log, if it has one.
    pub(super) log: Option<&'run Cosigners>,
}

/// A currency, its books, and the accounts of the clients.
pub(super) struct Currency {
    pub(super) directory: Directory,
    pub(super) config: Config,
    pub(super) engine: EngineSettings,
    pub(super) mint_keys: MintKeys,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) log: Arc<dyn LogStore>,
    /// The first account, which pays for everything that is recorded without the issuer.
    pub(super) account: AccountId,
    /// The token of each account of the clients.
    tokens: Vec<Token>,
    next_token: AtomicUsize,
    /// The token of the neighbour's account.
    neighbour: Token,
}

/// Who sends a request, and so which account it uses.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sender {
    /// The clients, who use their accounts in turn.
    Clients,
    /// Somebody else with an account of their own.
    Neighbour,
}

impl Currency {
    /// Creates a currency in `folder` with its keys and its books. The mint keys of one with a log do not sign before an
    /// issuer has published it.
    pub(super) async fn create(folder: &Path, new: &NewCurrency<'_>) -> Result<Self> {
        let NewCurrency {
            database,
            engine,
            kinds,
            accounts,
            is_distributed,
            log,
        } = *new;
        let directory = Directory::new(folder.join("currency"));
        let mut config = engine.config(database, folder);
        if log.is_some() {
            config.public_log = PublicLogConfig {
                every: RHYTHM.parse().expect("a span of time"),
                leaves_min: 1,
                ..PublicLogConfig::default()
            };
        }
        let mint_keys =
            tokio::task::block_in_place(|| MintKeys::make(&directory, &config, engine, kinds, log))?;
        let mode = if is_distributed {
            StoreMode::CreateDistributed
        } else {
            StoreMode::Create
        };
        let books = open_books(&config.database, directory.root(), mode).await?.books;
        let (ledger, log) = (Arc::clone(&books.ledger), Arc::clone(&books.log));
        let has_books = !ledger.mint_keys().await?.is_empty();
        ensure!(
            !has_books,
            "the database holds the books of a currency; name an empty one"
        );
        register_mint_keys(&directory.currency()?, ledger.as_ref(), &SystemClock).await?;

        let cashier = Cashier::new(
            books,
            Arc::new(SystemClock),
            Box::new(OsRng),
            SecondPersonLimit::OFF,
        );
        let operator = OperatorName::command_line();
        let acting = cashier.acting(&operator);
        let name = |index| format!("bench-{index}").parse::<AccountName>();
        let count = accounts + 1;
        let mut tokens = Vec::with_capacity(count);
        for index in 0..count {
            let name = name(index)?;
            tokens.push(acting.open_account(&name, None).await?);
            let reference = Reference::new(format!("funds of {name}"))?;
            let funds = Amount::new(FUNDS / count as u64)?;
            acting.credit(&name, funds, reference).await?.done();
        }
        let neighbour = tokens.pop().expect("one account was added for the neighbour");
        let account = cashier.account(&name(0)?).await?.account.id;
        Ok(Self {
            directory,
            config,
            engine: engine.clone(),
            mint_keys,
            ledger,
            log,
            account,
            tokens,
            next_token: AtomicUsize::new(0),
            neighbour,
        })
    }

    /// The token for the next request.
    pub(super) fn token(&self, sender: Sender) -> &Token {
        match sender {
            Sender::Clients => {
                &self.tokens[self.next_token.fetch_add(1, Ordering::Relaxed) % self.tokens.len()]
            }
            Sender::Neighbour => &self.neighbour,
        }
    }

    /// The mint key of the first size.
    pub(super) fn first_key(&self) -> Result<&SigningKey> {
        self.mint_keys.keys.first().context("--key-bits names no size")
    }

    /// Records accepted blinds in the books, for `coins` coins that are signed without the issuer.
    pub(super) async fn record_minted(&self, key: &SigningKey, coins: usize) -> Result<()> {
        let mut missing = coins;
        while missing > 0 {
            let count = missing.min(ITEMS_MAX);
            self.apply(&[self.mint(key, &random_blinds(key, count))?]).await?;
            missing -= count;
        }
        Ok(())
    }

    /// Records accepted requests in the books and returns them for signing.
    pub(super) async fn accept(
        &self,
        key: &SigningKey,
        requests: usize,
        blinds: usize,
    ) -> Result<Vec<AcceptedBlinds>> {
        let accepted: Vec<_> = (0..requests).map(|_| random_blinds(key, blinds)).collect();
        for batch in accepted.chunks(LEDGER_BATCH_COMMANDS) {
            let commands: Vec<_> = batch
                .iter()
                .map(|blinds| self.mint(key, blinds))
                .collect::<Result<_>>()?;
            self.apply(&commands).await?;
        }
        Ok(accepted)
    }

    /// Measures how many coins a second the ledger redeems in large batches, without HTTP and RSA.
    pub(super) async fn ledger_coins_per_second(&self) -> Result<f64> {
        let key = self.first_key()?;
        let coins = LEDGER_COMMAND_COINS * LEDGER_BATCH_COMMANDS * LEDGER_BATCHES;
        self.record_minted(key, coins).await?;
        let mut spent = Duration::ZERO;
        for _ in 0..LEDGER_BATCHES {
            let batch: Vec<_> = (0..LEDGER_BATCH_COMMANDS)
                .map(|_| self.redeem(key))
                .collect::<Result<_>>()?;
            let begun = Instant::now();
            self.apply(&batch).await?;
            spent += begun.elapsed();
        }
        Ok(coins as f64 / spent.as_secs_f64())
    }

    /// Audits the books and returns the broken invariants.
    pub(super) async fn broken_invariants(&self) -> Result<Vec<String>> {
        let books = open_audit_source(&self.config.database, self.directory.root()).await?;
        let report = check(&books.audit_facts().await?);
        ensure!(!report.checks.is_empty(), "an audit checks something");
        Ok(report
            .checks
            .iter()
            .filter(|check| !check.holds)
            .map(|check| format!("{}: {}", check.name, check.detail))
            .collect())
    }

    /// Destroys the private mint keys at the end of the run.
    pub(super) fn destroy_keys(self) -> Result<()> {
        tokio::task::block_in_place(|| self.mint_keys.destroy())
    }

    fn mint(&self, key: &SigningKey, accepted: &AcceptedBlinds) -> Result<Command> {
        let transaction_reference = TransactionReference::new(accepted.transaction_reference.as_slice())?;
        let blind = |(index, blind): (usize, &BlindToSign)| {
            let blinded = blind.blinded.as_be_bytes().to_vec();
            Blind {
                reference: index.to_string(),
                mint_key: key.ledger_id,
                blinded,
            }
        };
        let blinds = accepted.blinds.iter().enumerate().map(blind).collect();
        Ok(Command::Mint {
            account: self.account,
            transaction_reference,
            blinds,
            payment: None,
            wait_until: None,
            at: now(),
        })
    }

    fn redeem(&self, key: &SigningKey) -> Result<Command> {
        let coin = |_| {
            let mut digest = [0; SPENT_DIGEST_BYTES];
            OsRng.fill_bytes(&mut digest);
            CoinIn {
                mint_key: key.ledger_id,
                spent_digest: SpentDigest::new(digest),
            }
        };
        let coins = (0..LEDGER_COMMAND_COINS).map(coin).collect();
        Ok(Command::Redeem {
            account: self.account,
            coins,
            at: now(),
        })
    }

    async fn apply(&self, batch: &[Command]) -> Result<()> {
        let outcomes = self.ledger.apply(batch).await?;
        outcomes
            .into_iter()
            .try_for_each(|outcome| outcome.map(|_| ()))
            .context("the ledger refused the preparation")
    }
}

pub(super) fn random_bytes(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    OsRng.fill_bytes(&mut bytes);
    bytes
}

pub(super) fn now() -> LedgerTime {
    LedgerTime::from_unix_micros(SystemClock.now().timestamp_micros())
}

/// Random numbers, which the issuer cannot distinguish from real blinds.
fn random_blinds(key: &SigningKey, count: usize) -> AcceptedBlinds {
    let blind = |_| {
        let blinded = BigInt::from_be_bytes(&random_bytes(key.public.modulus_bytes() - 1));
        BlindToSign {
            mint_key_id: key.public.id().clone(),
            blinded,
        }
    };
    AcceptedBlinds {
        transaction_reference: random_bytes(16),
        blinds: (0..count).map(blind).collect(),
    }
}
