//! The sealer on books in memory, with a clock that the tests move. Pauses of the sealer itself are real.

mod fake_witness;
mod former;
mod joint;
mod key_accounts;
mod shown;
mod two_processes;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_keys::{Cosigners, Passphrase, describe_log, ledger_time, log_origin};
use opencoin_ledger::{
    AccountId, Amount, Command, HISTORY_ID_BYTES, HasLog, Ledger, MemoryLedger, SEAL_PAUSE_MIN, TokenHash,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::sealer::Sealer;
use super::*;

const URL: &str = "https://issuer.example";
/// So rarely that no batch of these tests is sealed because of it.
const EVERY: Duration = Duration::from_secs(3600);
const LATEST: Duration = Duration::from_secs(3700);
/// Turns of the sealer until a test fails.
const TURNS_MAX: usize = 600;

struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

/// The books of a currency, whose processes can be started again and again.
struct World {
    folder: TempDir,
    passphrase: Passphrase,
    ledger: MemoryLedger,
    clock: Arc<TestClock>,
    block: LogBlock,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let passphrase = Passphrase::new(Zeroizing::new("p".to_owned())).unwrap();
        let mut rng = StdRng::seed_from_u64(1);
        let path = folder.path().join("log");
        let keys = LogKeys::create(&path, &log_origin(URL).unwrap(), &passphrase, &mut rng).unwrap();
        let world = Self {
            block: describe_log(&keys, URL, &Cosigners::default()).unwrap(),
            folder,
            passphrase,
            ledger: MemoryLedger::new(),
            clock: Arc::new(TestClock(AtomicI64::new(1_800_000_000_000_000))),
        };
        let at = ledger_time(world.clock.now());
        let (name, token_hash) = ("alice".parse().unwrap(), Some(TokenHash::new([1; 32])));
        world
            .apply(Command::OpenLog {
                certificates: Vec::new(),
                declared: None,
                at,
            })
            .await;
        world
            .apply(Command::OpenAccount {
                name,
                token_hash,
                password: None,
                at,
            })
            .await;
        world
    }

    async fn apply(&self, command: Command) {
        let outcomes = self.ledger.apply(&[command]).await.unwrap();
        outcomes.into_iter().next().unwrap().unwrap();
    }

    async fn credit(&self, reference: &str) {
        self.apply(Command::Credit {
            account: AccountId::FIRST_HOLDER,
            amount: Amount::new(1).unwrap(),
            reference: reference.parse().unwrap(),
            at: ledger_time(self.clock.now()),
        })
        .await;
    }

    fn pass(&self, time: TimeDelta) {
        let micros = time.num_microseconds().unwrap();
        self.clock.0.fetch_add(micros, Ordering::Relaxed);
    }

    /// A new process, as its server begins.
    async fn process(&self) -> IssuerLog {
        let folder = self.folder.path().join("log");
        self.process_in(&folder, self.ledger.log()).await
    }

    /// As [`Self::process`], with the keys in this folder and the log in this store.
    async fn process_in(&self, folder: &Path, store: Arc<dyn LogStore>) -> IssuerLog {
        let options = LogOptions {
            keys: LogKeys::open(folder, self.block.origin(), &self.passphrase).unwrap(),
            block: self.block.clone(),
            rhythm: Rhythm {
                every: EVERY,
                leaves_min: 1000,
                latest: LATEST,
            },
            folder,
            history: HistoryId::new([1; HISTORY_ID_BYTES]),
        };
        let mut rng = StdRng::seed_from_u64(2);
        let log = IssuerLog::new(options, store, self.clock.clone(), &mut rng).unwrap();
        log.begin(&self.ledger, &self.block).await.unwrap();
        log
    }
}

#[tokio::test]
async fn after_an_outage_what_is_late_is_sealed_before_the_log_gets_a_new_date() {
    let world = World::new().await;
    world.credit("a").await;
    let log = world.process().await;
    let first = log.checkpoint().await.unwrap().unwrap();
    assert_eq!(first.size, 1, "the batch leaf");
    world.credit("b").await;
    drop(log);

    world.pass(TimeDelta::hours(2));
    let log = world.process().await;
    let shown = log.store.published().await.unwrap().unwrap();
    assert_eq!(
        shown, *first,
        "the old tree with a new date would look as if the credit had been left out"
    );
    let mut sealer = Sealer::default();
    let mut turns = 0;
    let newest = loop {
        log.turn(&mut sealer, &world.ledger, &world.block).await;
        let published = log.store.published().await.unwrap().unwrap();
        if published.size > first.size {
            break published;
        }
        assert_eq!(published, *first);
        turns += 1;
        assert!(turns < TURNS_MAX, "what waits for hours is sealed at once");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!((newest.size, newest.at), (2, ledger_time(world.clock.now())));
}

#[tokio::test]
async fn what_is_not_late_waits_for_the_rhythm() {
    let world = World::new().await;
    world.credit("0").await;
    let log = world.process().await;
    let mut sealer = Sealer::default();
    let first = log.store.head().await.unwrap().unwrap();
    world.credit("a").await;
    for _ in 0..3 {
        log.turn(&mut sealer, &world.ledger, &world.block).await;
        // Longer than a batch must be open.
        tokio::time::sleep(SEAL_PAUSE_MIN / 2 + Duration::from_millis(50)).await;
    }
    log.turn(&mut sealer, &world.ledger, &world.block).await;
    let head = log.store.head().await.unwrap().unwrap();
    assert_eq!(head.size, first.size);
}
