//! The throw-away currency that is measured: one mint key of each size, its books, and one account with funds.
//!
//! The load generator holds the private mint keys. That is how it makes coins to spend without asking the issuer, which
//! would warm the issuer up and cost time. For each coin made so the books record that a blind was accepted, so that at the
//! end the audit balances.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use opencoin_crypto::{CipherSuite, PrivateKey, VerifiedCddc, sign_cddc, sign_mint_key_certificate};
use opencoin_issuer::admission::ITEMS_MAX;
use opencoin_issuer::{
    Clock, Config, DATABASE_DEFAULT, Directory, KeyFiles, Operator, Passphrase, SignedCertificates, StoreMode, SystemClock,
    Token, open_ledger, register_mint_keys,
};
use opencoin_ledger::{
    AccountId, AccountName, Amount, Blind, CoinIn, Command, Ledger, LedgerTime, MintKeyId, PayloadHash, Reference,
    TransactionReference,
};
use opencoin_schema::{BigInt, Cdd, MintKey, Mkc, PROTOCOL_VERSION, Timestamp, WeightedUrl};
use rand::RngCore;
use rand::rngs::OsRng;
use zeroize::Zeroizing;

use crate::progress::Progress;

/// The master key signs a few certificates and is thrown away.
const MASTER_KEY_BITS: usize = 2048;
/// The keys are thrown away with their folder, so this is no secret.
pub(super) const PASSPHRASE: &str = "bench";
/// Documents name a place; nobody looks there.
const URL: &str = "http://127.0.0.1";
/// How long keys and documents hold, much longer than any run.
const LIFETIME: TimeDelta = TimeDelta::days(30);
/// Enough for every run.
const FUNDS: u64 = 1_000_000_000_000_000;
/// Coins of one command, and commands of one batch, when the ledger is measured alone.
const LEDGER_COMMAND_COINS: usize = 64;
const LEDGER_BATCH_COMMANDS: usize = 8;
const LEDGER_BATCHES: usize = 32;

/// A currency, its books, and the account that pays for everything.
pub(super) struct Currency {
    directory: Directory,
    cddc: VerifiedCddc,
    keys: Vec<SigningKey>,
    ledger: Arc<dyn Ledger>,
    operator: Operator,
    account: AccountId,
    token: Token,
}

/// A mint key with its private half.
pub(super) struct SigningKey {
    /// The key.
    pub(super) private: PrivateKey,
    /// What its coins are worth.
    pub(super) denomination: u64,
    /// How the books know it.
    pub(super) ledger_id: MintKeyId,
}

impl Currency {
    /// Makes keys of these sizes, a folder under `folder`, and the books there or in the PostgreSQL database `database`.
    pub(super) async fn create(folder: &Path, database: Option<&str>, key_bits: &[usize]) -> Result<Self> {
        let database = database.unwrap_or(DATABASE_DEFAULT).to_owned();
        let directory = Directory::new(folder.join("currency"));
        let config = Config::new(database, "127.0.0.1:0");
        let (cddc, keys) = tokio::task::block_in_place(|| make_keys(&directory, &config, key_bits))?;
        let ledger = open_ledger(&config.database, directory.root(), StoreMode::Create).await?;
        let has_books = !ledger.mint_keys().await?.is_empty();
        ensure!(!has_books, "the database holds the books of a currency; name an empty one with --database");
        register_mint_keys(&directory.currency()?, ledger.as_ref(), &SystemClock).await?;

        let operator = Operator::new(Arc::clone(&ledger), Arc::new(SystemClock));
        let name: AccountName = "bench".parse()?;
        let token = operator.create_account(&name, &mut OsRng).await?;
        operator.credit(&name, Amount::new(FUNDS)?, Reference::new("funds of the benchmark")?).await?;
        let account = operator.account(&name).await?.id;
        Ok(Self { directory, cddc, keys, ledger, operator, account, token })
    }

    /// Where it is.
    pub(super) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The currency's own description.
    pub(super) fn cdd(&self) -> &Cdd {
        self.cddc.cdd()
    }

    /// How coins are made.
    pub(super) fn cipher_suite(&self) -> CipherSuite {
        self.cddc.cipher_suite()
    }

    /// The mint keys, one of each size.
    pub(super) fn keys(&self) -> &[SigningKey] {
        &self.keys
    }

    /// The token of the account that pays.
    pub(super) fn token(&self) -> &Token {
        &self.token
    }

    /// Records in the books that so many blinds were accepted, for coins that are signed without the issuer.
    pub(super) async fn record_minted(&self, key: &SigningKey, coins: usize) -> Result<()> {
        let mut missing = coins;
        while missing > 0 {
            let count = missing.min(ITEMS_MAX);
            self.apply(&[self.mint(key, count)?]).await?;
            missing -= count;
        }
        Ok(())
    }

    /// Coins that the ledger takes back in a second, without HTTP and RSA, in large batches.
    pub(super) async fn ledger_coins_per_second(&self) -> Result<f64> {
        let key = self.keys.first().context("a currency has a mint key")?;
        let coins = LEDGER_COMMAND_COINS * LEDGER_BATCH_COMMANDS * LEDGER_BATCHES;
        self.record_minted(key, coins).await?;
        let mut spent = Duration::ZERO;
        for _ in 0..LEDGER_BATCHES {
            let batch: Vec<_> = (0..LEDGER_BATCH_COMMANDS).map(|_| self.redeem(key)).collect::<Result<_>>()?;
            let begun = Instant::now();
            self.apply(&batch).await?;
            spent += begun.elapsed();
        }
        Ok(coins as f64 / spent.as_secs_f64())
    }

    /// Computes every invariant of the books again; the names of those that are broken.
    pub(super) async fn broken_invariants(&self) -> Result<Vec<String>> {
        let report = self.operator.audit().await?;
        ensure!(!report.checks.is_empty(), "an audit checks something");
        Ok(report.checks.iter().filter(|check| !check.holds).map(|check| format!("{}: {}", check.name, check.detail)).collect())
    }

    fn mint(&self, key: &SigningKey, count: usize) -> Result<Command> {
        let blind = |index: usize| {
            let blinded = random_bytes(key.private.public_key().modulus_bytes() - 1);
            Blind { reference: index.to_string(), mint_key: key.ledger_id, blinded }
        };
        let transaction_reference = TransactionReference::new(random_bytes(16))?;
        Ok(Command::Mint { account: self.account, transaction_reference, blinds: (0..count).map(blind).collect(), at: now() })
    }

    fn redeem(&self, key: &SigningKey) -> Result<Command> {
        let coin = |_| {
            let payload_hash = PayloadHash::new(&random_bytes(32))?;
            anyhow::Ok(CoinIn { mint_key: key.ledger_id, payload_hash })
        };
        let coins = (0..LEDGER_COMMAND_COINS).map(coin).collect::<Result<_>>()?;
        Ok(Command::Redeem { account: self.account, coins, at: now() })
    }

    async fn apply(&self, batch: &[Command]) -> Result<()> {
        let outcomes = self.ledger.apply(batch).await?;
        outcomes.into_iter().try_for_each(|outcome| outcome.map(|_| ())).context("the ledger refused the preparation")
    }
}

/// Random bytes of the operating system.
pub(super) fn random_bytes(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    OsRng.fill_bytes(&mut bytes);
    bytes
}

fn now() -> LedgerTime {
    LedgerTime::from_unix_micros(SystemClock.now().timestamp_micros())
}

fn make_keys(directory: &Directory, config: &Config, key_bits: &[usize]) -> Result<(VerifiedCddc, Vec<SigningKey>)> {
    let progress = Progress::new("making keys");
    let master_key = PrivateKey::generate(MASTER_KEY_BITS, &mut OsRng)?;
    let cddc = sign_cddc(cdd(&master_key, key_bits.len()), &master_key, &mut OsRng)?;
    let (mut keys, mut mkcs): (Vec<SigningKey>, Vec<Mkc>) = (Vec::new(), Vec::new());
    for (made, (denomination, bits)) in (1..).zip(key_bits).enumerate() {
        progress.set(made + 1, key_bits.len() + 1);
        let private = PrivateKey::generate(*bits, &mut OsRng).with_context(|| format!("a mint key of {bits} bits"))?;
        let mint_key = mint_key(&cddc, &private, denomination);
        let verified = sign_mint_key_certificate(mint_key, &cddc, &master_key, &mut OsRng)?;
        let ledger_id = MintKeyId::from_be_bytes(private.public_key().id().as_be_bytes())?;
        mkcs.push(verified.mkc().clone());
        keys.push(SigningKey { private, denomination, ledger_id });
    }
    directory.create(config, &SignedCertificates::new(Some(cddc.cddc().clone()), mkcs))?;
    let passphrase = Passphrase::new(Zeroizing::new(PASSPHRASE.to_owned()))?;
    let files = KeyFiles::open(directory, &config.keys, Some(passphrase), Box::new(OsRng))?;
    keys.iter().try_for_each(|key| files.add(&key.private))?;
    Ok((cddc, keys))
}

fn cdd(master_key: &PrivateKey, denominations: usize) -> Cdd {
    let service = vec![WeightedUrl(1, URL.to_owned())];
    let now = SystemClock.now();
    Cdd {
        additional_info: String::new(),
        cdd_expiry_date: Timestamp::from_utc(now + LIFETIME),
        cdd_location: format!("{URL}/cddc"),
        cdd_serial: 1,
        cdd_signing_date: Timestamp::from_utc(now),
        currency_divisor: 1,
        currency_name: "Bench".to_owned(),
        denominations: (1..).take(denominations).collect(),
        id: master_key.public_key().id().clone(),
        info_service: service.clone(),
        issuer_cipher_suite: CipherSuite::default().name().to_owned(),
        issuer_public_master_key: master_key.public_key().document().clone(),
        mint_service: service.clone(),
        protocol_version: PROTOCOL_VERSION.to_owned(),
        redeem_service: service.clone(),
        renew_service: service,
    }
}

fn mint_key(cddc: &VerifiedCddc, key: &PrivateKey, denomination: u64) -> MintKey {
    let signing_date = cddc.cdd().cdd_signing_date;
    let id: &BigInt = key.public_key().id();
    MintKey {
        cdd_serial: cddc.cdd().cdd_serial,
        coins_expiry_date: Timestamp::from_utc(signing_date.to_utc() + LIFETIME),
        denomination,
        id: id.clone(),
        issuer_id: cddc.master_key().id().clone(),
        public_mint_key: key.public_key().document().clone(),
        sign_coins_not_after: Timestamp::from_utc(signing_date.to_utc() + LIFETIME / 2),
        sign_coins_not_before: signing_date,
    }
}
