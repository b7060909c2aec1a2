//! A currency whose keys are files, with books in memory and a clock that the test sets.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use opencoin_config::Config;
use opencoin_crypto::CipherSuite;
use opencoin_issuer::Operator;
use opencoin_keys::{
    Clock, Cosigners, Directory, KeyFiles, KeyManager, NewCurrency, Passphrase, Randomness,
    create_with_key_files,
};
use opencoin_ledger::{Ledger, MemoryLedger, OperatorName};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tempfile::TempDir;

pub(crate) const SUITE: CipherSuite = CipherSuite::RsaSha384PssRfc9474;

pub(crate) struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

/// A currency whose only coins are of 5, and whose books do not have its mint key yet.
pub(crate) struct TestCurrency {
    pub(crate) clock: Arc<TestClock>,
    pub(crate) config: Config,
    pub(crate) directory: Directory,
    pub(crate) files: KeyFiles,
    pub(crate) ledger: Arc<MemoryLedger>,
    pub(crate) passphrase: Passphrase,
    folder: TempDir,
}

impl TestCurrency {
    /// A currency with these settings and with a public log, if cosigners are given.
    pub(crate) fn new(seed: u64, config: Config, log: Option<Cosigners>) -> Self {
        let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(start.timestamp_micros())));
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::new(folder.path().join("currency"));
        let passphrase = Passphrase::new("p".to_owned().into()).unwrap();
        let new = NewCurrency {
            name: "OpenCent".to_owned(),
            divisor: 100,
            denominations: vec![5],
            url: "http://127.0.0.1:8080".to_owned(),
            cipher_suite: SUITE,
            log,
            config: config.clone(),
        };
        // Each opened store makes different keys.
        let store_seed = AtomicU64::new(seed + 1);
        let store_rng = || {
            Box::new(StdRng::seed_from_u64(store_seed.fetch_add(1, Ordering::Relaxed))) as Box<dyn Randomness>
        };
        let made = create_with_key_files(
            &new,
            &directory,
            &passphrase,
            clock.as_ref(),
            &mut StdRng::seed_from_u64(seed),
            store_rng,
            &mut |_, _| {},
        );
        let (_, files) = made.unwrap();
        Self {
            clock,
            config,
            directory,
            files,
            ledger: Arc::new(MemoryLedger::new()),
            passphrase,
            folder,
        }
    }

    /// A folder in which the currency is another one.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(crate) fn set(&self, moment: DateTime<Utc>) {
        self.clock.0.store(moment.timestamp_micros(), Ordering::Relaxed);
    }

    pub(crate) fn shared_clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as Arc<dyn Clock>
    }

    pub(crate) fn manager(&self) -> KeyManager {
        let ledger = Arc::clone(&self.ledger) as Arc<dyn Ledger>;
        let store = Box::new(self.files.clone());
        KeyManager::new(
            self.directory.clone(),
            self.config.clone(),
            store,
            ledger,
            self.shared_clock(),
        )
    }

    pub(crate) fn operator(&self) -> Operator {
        let name = OperatorName::command_line();
        Operator::new(Arc::clone(&self.ledger), self.shared_clock(), name)
    }
}
