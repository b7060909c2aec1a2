//! A signer process that is killed: its counts survive.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use opencoin_crypto::{SignError, Signer};
use opencoin_ledger::{Ledger, MemoryLedger};
use opencoin_signer::{CountsMode, KeyCount, Listener, SOCKET_MODE, SignedCounts, SignerServerOptions};
use opencoin_sqlite::{Mode, SqliteLedger};

use crate::support::{
    KEYS, Place, Running, accept, blinds, disagrees, eventually, fill, local_signer, request, sign_each,
    within,
};

const FOLDER: &str = "OPENCOIN_SIGNER_TEST_FOLDER";
const READY: &str = "the signer serves";

async fn open_books(folder: &Path) -> Arc<dyn Ledger> {
    let path = folder.join("books.sqlite");
    Arc::new(
        SqliteLedger::open(path.to_str().unwrap(), Mode::Create)
            .await
            .unwrap(),
    )
}

/// Not a test, but the process that the test below starts and kills. It does nothing if run as a test.
#[tokio::test(flavor = "multi_thread")]
async fn signer_process() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let ledger = open_books(&folder).await;
    let counts = SignedCounts::open(
        &folder.join("counts.sqlite"),
        CountsMode::Create,
        Arc::clone(&ledger),
    )
    .await
    .unwrap();
    let listener = Listener::unix(&folder.join("signer.socket"), SOCKET_MODE).unwrap();
    let _running = Running::start(
        listener,
        &ledger,
        local_signer(),
        Arc::new(counts),
        SignerServerOptions::default(),
    );
    println!("\n{READY}");
    std::future::pending::<()>().await;
}

struct Process(Child);

impl Process {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "killed::signer_process", "--nocapture"])
            .env(FOLDER, folder);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(
            lines.any(|line| line.unwrap() == READY),
            "it ended before it served"
        );
        Self(child)
    }

    /// With SIGKILL.
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_survive_being_killed_between_requests() {
    let place = Place::new();
    let folder = place.folder.path().to_owned();
    let ledger = open_books(&folder).await;
    fill(ledger.as_ref()).await;
    let remote = Arc::new(place.remote());
    let mut signed = 0;
    for round in 0..3 {
        let mut process = Process::start(&folder);
        within("connecting", remote.connected()).await;
        // Many requests, during which the process is killed.
        let mut crowd = Vec::new();
        for caller in 0..20 {
            let reference = format!("{round}.{caller}");
            let accepted = accept(ledger.as_ref(), &reference, blinds(&KEYS[0], &reference, 10)).await;
            let remote = Arc::clone(&remote);
            crowd.push(tokio::spawn(async move {
                (remote.sign(accepted.clone()).await, accepted)
            }));
        }
        let first = request(&format!("{round}.0"), blinds(&KEYS[0], &format!("{round}.0"), 10));
        assert_eq!(
            within("signing", remote.sign(first.clone())).await,
            Ok(sign_each(&first))
        );
        process.kill();
        for caller in crowd {
            match within("being told", caller).await.unwrap() {
                (Ok(signatures), accepted) => {
                    assert_eq!(signatures, sign_each(&accepted));
                    signed += 10;
                }
                (Err(error), _) => assert_eq!(error, SignError::Unavailable),
            }
        }
        eventually("the outage is noticed", || !remote.is_connected()).await;
        assert_eq!(
            within("an outage", remote.sign(first)).await,
            Err(SignError::Unavailable)
        );
        let counted = count(&place).await.signed;
        assert!(
            (signed..=200 * (round + 1)).contains(&counted),
            "{signed} were signed and {counted} counted"
        );
    }

    // All requests again, to a new process: each is counted exactly once.
    let mut process = Process::start(&folder);
    within("connecting", remote.connected()).await;
    for reference in (0..3).flat_map(|round| (0..20).map(move |caller| format!("{round}.{caller}"))) {
        let accepted = request(&reference, blinds(&KEYS[0], &reference, 10));
        assert_eq!(
            within("signing", remote.sign(accepted.clone())).await,
            Ok(sign_each(&accepted))
        );
    }
    process.kill();
    assert_eq!(count(&place).await.signed, 600);

    // Restored books have counted fewer.
    drop(ledger);
    for name in ["books.sqlite", "books.sqlite-wal", "books.sqlite-shm"] {
        let _ = std::fs::remove_file(place.path(name));
    }
    let restored = open_books(&folder).await;
    fill(restored.as_ref()).await;
    let accepted = accept(restored.as_ref(), "after", blinds(&KEYS[0], "after", 1)).await;
    let _process = Process::start(&folder);
    within("connecting", remote.connected()).await;
    assert!(disagrees(
        within("a restored ledger", remote.sign(accepted)).await
    ));
    assert!(count(&place).await.is_alarmed, "read beside the running signer");
}

/// The count of the only key.
async fn count(place: &Place) -> KeyCount {
    let no_books: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
    let counts = SignedCounts::open(&place.path("counts.sqlite"), CountsMode::Existing, no_books)
        .await
        .unwrap();
    let count = counts.counts().await.unwrap().remove(0);
    counts.close().await;
    count
}
