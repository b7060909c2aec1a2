//! Two processes on the same books, and witnesses that come and go.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use futures_util::FutureExt;
use opencoin_ledger::log::{CopiedBatch, WaitingRow};
use opencoin_ledger::{
    IssuedDigest, LedgerTime, LoggedCounts, LoggedKeyAccounts, PendingSummary, RecoveredEntry, SealOutcome,
    TileOfLog,
};
use opencoin_log::checkpoint::Checkpoint;
use opencoin_log::key_account::AccountKey;
use opencoin_log::signed_checkpoint::SignedCheckpoint;

use super::fake_witness::{Asked, FakeWitness};
use super::*;

/// Books whose log has one witness.
pub(super) async fn witnessed() -> (World, Arc<FakeWitness>) {
    let witness = Arc::new(FakeWitness::start());
    let mut world = World::new().await;
    let keys = LogKeys::open(
        &world.folder.path().join("log"),
        world.block.origin(),
        &world.passphrase,
    );
    world.block = describe_log(&keys.unwrap(), URL, &one(&witness)).unwrap();
    (world, witness)
}

fn one(witness: &FakeWitness) -> Cosigners {
    Cosigners {
        witnesses: vec![witness.named()],
        quorum: 1,
        ..Cosigners::default()
    }
}

fn terms() -> LogTerms {
    LogTerms {
        origin: "issuer.example/log".to_owned(),
        within_s: 60,
    }
}

/// Seals what waits, as another process does. Books in memory are never pending.
pub(super) fn seal_elsewhere(ledger: &MemoryLedger) {
    let log = ledger.log();
    let head = log.head().now_or_never().unwrap().unwrap().unwrap();
    let sealed = log
        .seal(head.batch, LedgerTime::from_unix_micros(0), &terms())
        .now_or_never();
    let sealed = sealed.unwrap().unwrap();
    assert!(matches!(sealed, SealOutcome::Sealed(_)), "{sealed:?}");
}

/// A checkpoint of this tree that the key of the log has signed.
pub(super) fn signed_by_the_log(keys: &LogKeys, head: &LogHead) -> String {
    let origin = keys.log.verifier().name().as_str();
    let checkpoint = Checkpoint::new(origin, head.size, head.root).unwrap();
    let mut signed = SignedCheckpoint::new(checkpoint).unwrap();
    signed.sign(&keys.log, 0).unwrap();
    signed.to_string()
}

impl World {
    /// A process on another machine, which remembers for itself what it has signed.
    pub(super) async fn other_machine(&self) -> (TempDir, IssuerLog) {
        let only_owner = std::fs::Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new()
            .permissions(only_owner)
            .tempdir()
            .unwrap();
        for entry in std::fs::read_dir(self.folder.path().join("log")).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name() != "signed" {
                std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
            }
        }
        let log = self.process_in(folder.path(), self.ledger.log()).await;
        (folder, log)
    }

    pub(super) fn log_keys(&self) -> LogKeys {
        let folder = self.folder.path().join("log");
        LogKeys::open(&folder, self.block.origin(), &self.passphrase).unwrap()
    }
}

#[tokio::test]
async fn a_batch_of_another_process_that_the_witness_knows_already_closes_nobody() {
    let (world, witness) = witnessed().await;
    world.credit("a").await;
    let _one = world.process().await;
    let (_folder, other) = world.other_machine().await;
    for does_fork in [false, true] {
        // While the other process asks about one batch, this one has the next one cosigned.
        world.credit(&format!("first {does_fork}")).await;
        seal_elsewhere(&world.ledger);
        world.credit(&format!("second {does_fork}")).await;
        let (ledger, keys) = (world.ledger.clone(), world.log_keys());
        let asked_about = other.head().await.unwrap().unwrap().size;
        witness.answers(move |asked| {
            let newest = || ledger.log().head().now_or_never().unwrap().unwrap().unwrap();
            match asked {
                Asked::Add(request) => {
                    assert_eq!(request.checkpoint.checkpoint().size(), asked_about);
                    seal_elsewhere(&ledger);
                    let size = newest().size;
                    Some(if does_fork {
                        (422, String::new())
                    } else {
                        (409, format!("{size}\n"))
                    })
                }
                Asked::Last => Some((200, signed_by_the_log(&keys, &newest()))),
            }
        });
        assert!(!other.publish(&world.block).await.unwrap());
        assert_eq!(other.closed(), None);
        assert_eq!(other.head().await.unwrap().unwrap().size, asked_about + 1);
        witness.is_honest();
        assert!(other.publish(&world.block).await.unwrap());
        let published = other.store.published().await.unwrap().unwrap();
        assert_eq!(published.size, asked_about + 1);
    }

    // The same answer about the end of the log closes it, because then the books are older than what the witness has seen.
    let (keys, mut head) = (world.log_keys(), other.head().await.unwrap().unwrap());
    head.size += 1;
    witness.answers(move |asked| match asked {
        Asked::Add(_) => Some((409, format!("{}\n", head.size))),
        Asked::Last => Some((200, signed_by_the_log(&keys, &head))),
    });
    assert!(!other.publish(&world.block).await.unwrap());
    assert!(other.closed().is_some());
}

/// Books of which one reader sees the end of the log as it was before.
struct LateHead {
    store: Arc<dyn LogStore>,
    late: Mutex<Option<LogHead>>,
}

#[async_trait::async_trait]
impl LogStore for LateHead {
    async fn head(&self) -> Result<Option<LogHead>, LedgerError> {
        let late = self.late.lock().unwrap().take();
        match late {
            Some(late) => Ok(Some(late)),
            None => self.store.head().await,
        }
    }

    async fn pending(&self) -> Result<PendingSummary, LedgerError> {
        self.store.pending().await
    }

    async fn seal(
        &self,
        open: LogBatchNo,
        at: LedgerTime,
        terms: &LogTerms,
    ) -> Result<SealOutcome, LedgerError> {
        self.store.seal(open, at, terms).await
    }

    async fn waiting(&self) -> Result<Vec<WaitingRow>, LedgerError> {
        self.store.waiting().await
    }

    async fn seal_copied(
        &self,
        batch: Arc<CopiedBatch>,
        terms: &LogTerms,
    ) -> Result<SealOutcome, LedgerError> {
        self.store.seal_copied(batch, terms).await
    }

    async fn key_accounts(&self) -> Result<Option<LoggedKeyAccounts>, LedgerError> {
        self.store.key_accounts().await
    }

    async fn key_payment(&self, key: &AccountKey, seq: u64) -> Result<Option<LogBatchNo>, LedgerError> {
        self.store.key_payment(key, seq).await
    }

    async fn recovered_in(
        &self,
        mint_key: MintKeyNo,
        blind: IssuedDigest,
    ) -> Result<Vec<LogBatchNo>, LedgerError> {
        self.store.recovered_in(mint_key, blind).await
    }

    async fn recovered_entries(&self) -> Result<Vec<RecoveredEntry>, LedgerError> {
        self.store.recovered_entries().await
    }

    async fn batch(&self, no: LogBatchNo) -> Result<Option<LogBatch>, LedgerError> {
        self.store.batch(no).await
    }

    async fn bundle(&self, index: u64) -> Result<Option<TileOfLog>, LedgerError> {
        self.store.bundle(index).await
    }

    async fn tile(&self, level: u8, index: u64) -> Result<Option<TileOfLog>, LedgerError> {
        self.store.tile(level, index).await
    }

    async fn published(&self) -> Result<Option<PublishedCheckpoint>, LedgerError> {
        self.store.published().await
    }

    async fn publish(&self, checkpoint: &PublishedCheckpoint) -> Result<bool, LedgerError> {
        self.store.publish(checkpoint).await
    }

    async fn take_lease(
        &self,
        holder: [u8; opencoin_ledger::LEASE_HOLDER_BYTES],
        now: LedgerTime,
        until: LedgerTime,
    ) -> Result<bool, LedgerError> {
        self.store.take_lease(holder, now, until).await
    }

    async fn published_of_size(&self, size: u64) -> Result<Option<PublishedCheckpoint>, LedgerError> {
        self.store.published_of_size(size).await
    }

    async fn joint(&self) -> Result<Option<PublishedCheckpoint>, LedgerError> {
        self.store.joint().await
    }

    async fn publish_joint(&self, checkpoint: &PublishedCheckpoint) -> Result<bool, LedgerError> {
        self.store.publish_joint(checkpoint).await
    }

    async fn keys_to_release(&self, size: u64) -> Result<Vec<MintKeyId>, LedgerError> {
        self.store.keys_to_release(size).await
    }

    async fn key_batches(&self) -> Result<Vec<(KeyNo, LogBatchNo)>, LedgerError> {
        self.store.key_batches().await
    }

    async fn key_counts(&self) -> Result<Option<LoggedCounts>, LedgerError> {
        self.store.key_counts().await
    }

    async fn batch_of_spent(
        &self,
        mint_key: MintKeyNo,
        coin: SpentDigest,
    ) -> Result<Option<LogBatchNo>, LedgerError> {
        self.store.batch_of_spent(mint_key, coin).await
    }
}

#[tokio::test]
async fn a_batch_that_another_process_here_has_signed_already_closes_nobody() {
    let (world, _witness) = witnessed().await;
    world.credit("a").await;
    let one = world.process().await;
    let late = Arc::new(LateHead {
        store: world.ledger.log(),
        late: Mutex::default(),
    });
    let folder = world.folder.path().join("log");
    let other = world.process_in(&folder, late.clone()).await;
    let before = one.head().await.unwrap().unwrap();
    world.credit("b").await;
    seal_elsewhere(&world.ledger);
    assert!(one.publish(&world.block).await.unwrap());

    *late.late.lock().unwrap() = Some(before.clone());
    assert!(!other.publish(&world.block).await.unwrap());
    assert_eq!(
        other.closed(),
        None,
        "the file beside the keys knows a larger tree, and so do the books"
    );
    assert!(other.publish(&world.block).await.unwrap());
}

#[tokio::test]
async fn a_witness_that_goes_away_and_comes_back_delays_only_what_is_published() {
    let (world, witness) = witnessed().await;
    world.credit("a").await;
    let log = world.process().await;
    let first = log.store.published().await.unwrap().unwrap();
    witness.is_unreachable();
    for reference in ["b", "c"] {
        world.credit(reference).await;
        seal_elsewhere(&world.ledger);
        assert!(!log.publish(&world.block).await.unwrap());
    }
    assert_eq!(log.closed(), None);
    assert_eq!(log.status().has_quorum, Some(false));
    assert_eq!(log.store.published().await.unwrap().unwrap(), first);
    witness.is_honest();
    assert!(log.publish(&world.block).await.unwrap());
    assert_eq!(log.store.published().await.unwrap().unwrap().size, first.size + 2);
}

#[tokio::test]
async fn a_process_that_starts_while_its_witness_is_away_seals_when_it_comes_back() {
    let (world, witness) = witnessed().await;
    world.credit("a").await;
    let first = world.process().await.head().await.unwrap().unwrap();
    // The lease of the first process.
    world.pass(TimeDelta::hours(2));
    witness.is_unreachable();
    let log = world.process().await;
    world.credit("b").await;
    // The clock of the tests stands still, so what waits is late at once and seals as soon as it may.
    world.pass(TimeDelta::hours(2));
    let mut sealer = Sealer::default();
    for _ in 0..3 {
        log.turn(&mut sealer, &world.ledger, &world.block).await;
        // Longer than a batch must be open.
        tokio::time::sleep(SEAL_PAUSE_MIN / 2).await;
    }
    assert_eq!(
        log.head().await.unwrap().unwrap(),
        first,
        "the books may be a restored backup"
    );
    witness.is_honest();
    let mut turns = 0;
    while log.store.published().await.unwrap().unwrap().size == first.size {
        log.turn(&mut sealer, &world.ledger, &world.block).await;
        turns += 1;
        assert!(turns < TURNS_MAX, "the witness is back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(log.closed(), None);
}

/// A process that cannot ask the witnesses leaves the work to others, and promises nothing that it cannot keep.
#[tokio::test]
async fn without_witnesses_nobody_seals_and_after_the_time_of_promises_nothing_is_promised() {
    let (world, witness) = witnessed().await;
    world.credit("a").await;
    drop(world.process().await);
    world.credit("b").await;
    witness.is_unreachable();
    let log = world.process().await;
    let mut sealer = Sealer::default();
    log.turn(&mut sealer, &world.ledger, &world.block).await;
    assert!(
        !log.seals.load(Ordering::Relaxed),
        "another process may take the lease"
    );
    assert!(!log.is_stuck());

    world.pass(TimeDelta::hours(2));
    let log = world.process().await;
    assert!(log.is_stuck());
    witness.is_honest();
    let mut sealer = Sealer::default();
    let mut turns = 0;
    while log.is_stuck() {
        log.turn(&mut sealer, &world.ledger, &world.block).await;
        turns += 1;
        assert!(turns < TURNS_MAX, "what waits is sealed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(log.seals.load(Ordering::Relaxed));
    assert_eq!(log.store.pending().await.unwrap(), PendingSummary::default());
}
