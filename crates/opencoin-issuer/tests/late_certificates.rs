//! Certificates that come back from a master key on another machine. A mint key must be in the public log when it signs,
//! so one that comes too late is never used.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::cell::Cell;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_config::Config;
use opencoin_crypto::CipherSuite;
use opencoin_issuer::Operator;
use opencoin_keys::{
    Change, Clock, Cosigners, Directory, KeyFiles, KeyManager, KeyManagerError, KeyState, NewCurrency,
    OpenVault, Passphrase, Randomness, SignedCertificates, Vault, create_with_key_files, register_mint_keys,
};
use opencoin_ledger::{Ledger, MemoryLedger, OperatorName, StopReason};
use opencoin_schema::BigInt;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tempfile::TempDir;

const SEED: u64 = 31;
const TICK: TimeDelta = TimeDelta::seconds(1);

struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

/// A currency with a public log, whose master key was taken to another machine.
struct World {
    clock: Arc<TestClock>,
    config: Config,
    directory: Directory,
    files: KeyFiles,
    ledger: Arc<MemoryLedger>,
    passphrase: Passphrase,
    vault: Vault,
    /// Until when the certificates of the last request must come.
    said: Cell<Option<DateTime<Utc>>>,
    _folder: TempDir,
}

impl World {
    async fn new() -> Self {
        let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(start.timestamp_micros())));
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::new(folder.path().join("currency"));
        let config = Config::new("sqlite:ledger.sqlite", "127.0.0.1:0");
        let passphrase = Passphrase::new("p".to_owned().into()).unwrap();
        let new = NewCurrency {
            name: "OpenCent".to_owned(),
            divisor: 100,
            denominations: vec![5],
            url: "http://127.0.0.1:8080".to_owned(),
            cipher_suite: CipherSuite::RsaSha384PssRfc9474,
            log: Some(Cosigners::default()),
            config: config.clone(),
        };
        let seed = AtomicU64::new(SEED + 1);
        let store_rng =
            || Box::new(StdRng::seed_from_u64(seed.fetch_add(1, Ordering::Relaxed))) as Box<dyn Randomness>;
        let mut rng = StdRng::seed_from_u64(SEED);
        let made = create_with_key_files(
            &new,
            &directory,
            &passphrase,
            clock.as_ref(),
            &mut rng,
            store_rng,
            &mut |_, _| {},
        );
        let (currency, files) = made.unwrap();
        let ledger = Arc::new(MemoryLedger::new());
        register_mint_keys(&currency, ledger.as_ref(), clock.as_ref())
            .await
            .unwrap();
        let away = folder.path().join("vault");
        fs::rename(directory.master_folder(), &away).unwrap();
        Self {
            clock,
            config,
            directory,
            files,
            ledger,
            passphrase,
            vault: Vault::new(away),
            said: Cell::new(None),
            _folder: folder,
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    fn set(&self, moment: DateTime<Utc>) {
        self.clock.0.store(moment.timestamp_micros(), Ordering::Relaxed);
    }

    fn manager(&self) -> KeyManager {
        let (ledger, clock) = (
            Arc::clone(&self.ledger) as Arc<dyn Ledger>,
            Arc::clone(&self.clock) as Arc<dyn Clock>,
        );
        let store = Box::new(self.files.clone());
        KeyManager::new(self.directory.clone(), self.config.clone(), store, ledger, clock)
    }

    /// Requests keys, at once or as they are due.
    async fn rotate(&self, at_once: bool) -> Result<Change, KeyManagerError> {
        let mut rng = StdRng::seed_from_u64(SEED - 1);
        self.manager()
            .rotate(None, at_once, &mut rng, &mut |_, _| {})
            .await
    }

    /// Revokes the first mint key.
    async fn revoke_first(&self) {
        let operator = Operator::new(
            Arc::clone(&self.ledger),
            Arc::clone(&self.clock) as Arc<dyn Clock>,
            OperatorName::command_line(),
        );
        let first = self.ledger.mint_keys().await.unwrap().remove(0);
        let reason = StopReason::new("stolen").unwrap();
        operator.revoke(first.id, reason).await.unwrap();
    }

    /// Requests keys and signs the request on the other machine.
    async fn certificates(&self, at_once: bool) -> SignedCertificates {
        let Change::Waits(request) = self.rotate(at_once).await.unwrap() else {
            panic!("the master key is away");
        };
        self.said.set(self.directory.import_deadline(&request).unwrap());
        let mut rng = StdRng::seed_from_u64(SEED - 2);
        self.vault.sign(&request, &self.passphrase, &mut rng).unwrap()
    }

    fn import(&self, certificates: &SignedCertificates) -> Result<bool, String> {
        let lock = self.directory.lock().unwrap();
        let imported = self.directory.import(certificates, self.now(), &lock);
        imported.map_err(|error| error.to_string())
    }

    async fn register(&self) {
        let currency = self.directory.currency().unwrap();
        register_mint_keys(&currency, self.ledger.as_ref(), self.clock.as_ref())
            .await
            .unwrap();
    }

    async fn registered(&self) -> usize {
        self.ledger.mint_keys().await.unwrap().len()
    }
}

/// The last moment at which the keys can come.
fn deadline(world: &World, certificates: &SignedCertificates) -> DateTime<Utc> {
    let currency = world.directory.currency().unwrap();
    let half = TimeDelta::seconds(currency.log().unwrap().within_s().into()) / 2;
    certificates.mkcs[0].mint_key.sign_coins_not_before.to_utc() + half
}

#[tokio::test]
async fn certificates_that_come_too_late_for_the_log_are_refused() {
    let world = World::new().await;
    let late = world.certificates(true).await;
    let begins = late.mkcs[0].mint_key.sign_coins_not_before.to_utc();
    assert!(
        begins >= world.now() + world.config.rotation.offline_time.get() - TimeDelta::minutes(5),
        "there is time to visit the master key: {begins}"
    );
    assert_eq!(world.said.get(), Some(deadline(&world, &late)));
    world.set(deadline(&world, &late) + TICK);
    let refused = world.import(&late).unwrap_err();
    assert!(
        refused.contains("to be in the public log when they sign"),
        "{refused}"
    );
    assert_eq!(world.directory.currency().unwrap().mint_keys().count(), 1);

    fs::remove_file(world.directory.pending_file()).unwrap();
    let timely = world.certificates(true).await;
    world.set(deadline(&world, &timely));
    assert_eq!(world.import(&timely), Ok(true));
    world.register().await;
    assert_eq!(world.registered().await, 2);
}

#[tokio::test]
async fn a_key_whose_registration_is_too_late_is_never_registered() {
    let world = World::new().await;
    let certificates = world.certificates(true).await;
    assert_eq!(world.import(&certificates), Ok(true));
    world.set(deadline(&world, &certificates) + TICK);
    world.register().await;
    assert_eq!(world.registered().await, 1);
    // It does not keep another key from being made, and its private half goes.
    let late = &certificates.mkcs[0].mint_key.id;
    let listed = world.manager().list().await.unwrap();
    let state = |id: &BigInt| listed.iter().find(|key| key.id == *id).unwrap().state;
    assert_eq!(state(late), KeyState::Late);
    world.revoke_first().await;
    let other = world.certificates(false).await;
    assert_eq!(world.import(&other), Ok(true));
    world.register().await;
    assert_eq!(world.registered().await, 2);
    let mut destroyed = Vec::new();
    world
        .manager()
        .destroy(&mut |key| destroyed.push(key.id))
        .await
        .unwrap();
    assert!(destroyed.contains(late) && destroyed.len() == 2, "{destroyed:?}");
}

#[tokio::test]
async fn a_request_that_waited_too_long_is_not_signed() {
    let world = World::new().await;
    let request = world.certificates(true).await;
    world.set(deadline(&world, &request) + TICK);
    let vault = OpenVault {
        vault: &world.vault,
        passphrase: &world.passphrase,
    };
    let mut rng = StdRng::seed_from_u64(SEED - 3);
    let rotated = world
        .manager()
        .rotate(Some(vault), false, &mut rng, &mut |_, _| {})
        .await;
    let refused = rotated.unwrap_err().to_string();
    assert!(
        refused.contains("to be in the public log when they sign"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_revoked_key_is_replaced_once_although_its_successor_waits_for_its_time() {
    let world = World::new().await;
    world.revoke_first().await;
    let successor = world.certificates(false).await;
    assert_eq!(world.import(&successor), Ok(true));
    world.register().await;
    assert_eq!(world.rotate(false).await.unwrap(), Change::Nothing);
}
