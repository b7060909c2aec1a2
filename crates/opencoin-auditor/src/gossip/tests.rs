//! Auditors in one process, and a log that shows one of them another history.

use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use opencoin_gossip::{BODY_BYTES_MAX, GossipKind, GossipMessage, NodeSelf};
use opencoin_log::key_no::KeyNo;
use opencoin_log_reader::Download;
use opencoin_schema::text;
use opencoin_testkit::log_builder::{LOG_BEGIN_S, LogBuilder, LogCurrency};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::auditor::{Auditor, AuditorOptions};
use crate::folder::AuditorFolder;
use crate::http::{AuditorServer, AuditorServerOptions};
use crate::store::{AuditorStore, KeptEvidence};
use crate::{add_currency, serve};

/// How long an auditor may take for what it does within seconds.
const PATIENCE: Duration = Duration::from_secs(120);
const HOST: &str = "issuer.test";

/// An issuer, as far as an auditor sees it. Issuers with the same keys can show different histories.
struct Issuer {
    url: String,
    log: Arc<RwLock<LogBuilder>>,
}

impl Issuer {
    async fn begun() -> Self {
        let (listener, url) = listener().await;
        let log = LogBuilder::begun_of(Arc::new(LogCurrency::new(HOST, &url)));
        Self::showing(log, listener, url)
    }

    fn showing(log: LogBuilder, listener: TcpListener, url: String) -> Self {
        let log = Arc::new(RwLock::new(log));
        let router = Router::new()
            .route("/cddc", get(description))
            .route("/log/{*path}", get(file))
            .with_state(Arc::clone(&log));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, log }
    }

    fn seal(&self, coins: u64) {
        let mut log = self.log.write().unwrap();
        log.issue(KeyNo::new(1).unwrap(), coins);
        log.seal();
    }

    /// Makes the next coins differ from those of an issuer with the same keys.
    fn differ(&self) {
        self.log.write().unwrap().next_digest();
    }
}

async fn description(State(log): State<Arc<RwLock<LogBuilder>>>) -> String {
    text::compact(log.read().unwrap().cddc().cddc())
}

async fn file(
    State(log): State<Arc<RwLock<LogBuilder>>>,
    Path(path): Path<String>,
) -> Result<Vec<u8>, StatusCode> {
    log.read().unwrap().file(&path).ok_or(StatusCode::NOT_FOUND)
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// An auditor that runs.
struct Running {
    auditor: Arc<Auditor>,
    url: String,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(folder: &TempDir, issuer: &Issuer, peers: &[&str]) -> Self {
        let folder = AuditorFolder::new(folder.path());
        let keys = if folder.vkeys().unwrap().is_some() {
            folder.keys(b"").unwrap()
        } else {
            let name = "auditor.test/a1".parse().unwrap();
            folder
                .create(&name, b"", &mut ChaCha20Rng::seed_from_u64(1))
                .unwrap()
        };
        let options = AuditorOptions {
            look_every: Duration::from_millis(100),
            is_light: false,
            peers: peers.iter().map(|peer| (*peer).to_owned()).collect(),
        };
        let now = Arc::new(|| LOG_BEGIN_S + 86_400);
        let auditor = Arc::new(folder.auditor(keys, now, options).await.unwrap());
        add_currency(auditor.store(), &issuer.url, &[], LOG_BEGIN_S)
            .await
            .unwrap();
        let (listener, url) = listener().await;
        let (stop, mut stopped) = watch::channel(false);
        let server = AuditorServer::new(Arc::clone(&auditor), AuditorServerOptions::default());
        let make_rng = || Box::new(ChaCha20Rng::seed_from_u64(2)) as Box<_>;
        let task = tokio::spawn(async move {
            let stopping = async move {
                stopped.wait_for(|stop| *stop).await.unwrap();
            };
            serve(listener, None, server, Box::new(make_rng), stopping).await;
        });
        Self {
            auditor,
            url,
            stop,
            task,
        }
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap();
    }

    fn store(&self) -> &AuditorStore {
        self.auditor.store()
    }

    async fn evidence(&self) -> Vec<KeptEvidence> {
        let currencies = self.store().currencies().await.unwrap();
        self.store().evidence_of(currencies[0].no).await.unwrap()
    }

    async fn wait_for_size(&self, issuer: &Issuer) {
        let size = issuer.log.read().unwrap().size();
        self.wait_until("the log is followed", async || {
            let currencies = self.store().currencies().await.unwrap();
            self.store().copied_size(currencies[0].no).await.unwrap() == size
        })
        .await;
    }

    async fn has_broken_rule(&self) -> bool {
        let currencies = self.store().currencies().await.unwrap();
        let findings = self.store().findings(currencies[0].no).await.unwrap();
        findings
            .iter()
            .any(|finding| finding.is_broken && finding.evidence.is_some())
    }

    async fn unresolved(&self) -> usize {
        let currencies = self.store().currencies().await.unwrap();
        self.store()
            .unresolved(currencies[0].no)
            .await
            .unwrap()
            .iter()
            .count()
    }

    async fn wait_until(&self, what: &str, is_so: impl AsyncFn() -> bool) {
        let begin = Instant::now();
        while !is_so().await {
            assert!(begin.elapsed() < PATIENCE, "not in time: {what}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn post(&self, body: &str) -> u16 {
        let url = format!("{}/v1/gossip", self.url);
        self.auditor.files.post(&url, body.to_owned()).await.unwrap().0
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_history_is_found_and_passed_on() {
    let (honest, other) = (Issuer::begun().await, Issuer::begun().await);
    for coins in 1..3 {
        honest.seal(coins);
        other.seal(coins);
    }
    other.differ();
    for _ in 0..3 {
        other.seal(4);
    }
    let folders = [(); 3].map(|()| TempDir::new().unwrap());
    // The last one hears of the other history only through the middle one, which is told by the victim.
    let last = Running::start(&folders[0], &honest, &[]).await;
    let middle = Running::start(&folders[1], &honest, &[&last.url]).await;
    last.wait_for_size(&honest).await;
    middle.wait_for_size(&honest).await;
    let victim = Running::start(&folders[2], &other, &[&middle.url]).await;
    // What the victim has seen is larger than what the log shows to others, which remember it.
    middle
        .wait_until("it is remembered", async || middle.unresolved().await > 0)
        .await;
    last.wait_until("it is remembered", async || last.unresolved().await > 0)
        .await;
    let folders_of_middle = &folders[1];
    middle.stop().await;
    let middle = Running::start(folders_of_middle, &honest, &[&last.url]).await;
    assert!(middle.unresolved().await > 0, "it survives a restart");
    assert!(middle.evidence().await.is_empty() && last.evidence().await.is_empty());
    // Now the log grows, and the roots can be compared.
    for _ in 0..4 {
        honest.seal(5);
    }
    for auditor in [&middle, &last] {
        auditor
            .wait_until("it is found", async || !auditor.evidence().await.is_empty())
            .await;
        let evidence = auditor.evidence().await;
        assert_eq!(
            (evidence[0].kind.as_str(), evidence[0].verdict.as_str()),
            ("split view", "fault")
        );
        let text = auditor
            .store()
            .evidence_text(&evidence[0].id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            opencoin_evidence::check_evidence(text.as_bytes()).unwrap().kind,
            "split view"
        );
        auditor
            .wait_until("it is settled", async || auditor.unresolved().await == 0)
            .await;
    }
    for auditor in [victim, middle, last] {
        auditor.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_reaches_who_saw_one_history_only() {
    let (honest, other) = (Issuer::begun().await, Issuer::begun().await);
    other.differ();
    honest.seal(5);
    other.seal(5);
    let folders = [(); 2].map(|()| TempDir::new().unwrap());
    let last = Running::start(&folders[0], &honest, &[]).await;
    last.wait_for_size(&honest).await;
    // The same size and another root.
    let victim = Running::start(&folders[1], &other, &[&last.url]).await;
    last.wait_until("it is found", async || !last.evidence().await.is_empty())
        .await;
    // The victim looks for evidence of its peer.
    victim
        .wait_until("it is told", async || !victim.evidence().await.is_empty())
        .await;
    victim
        .wait_until("a rule is broken", async || victim.has_broken_rule().await)
        .await;
    victim.stop().await;
    last.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_is_refused_and_what_is_known_is_taken() {
    let issuer = Issuer::begun().await;
    let foreign = LogBuilder::begun_of(Arc::new(LogCurrency::new("foreign.test", "http://foreign.test")));
    let folder = TempDir::new().unwrap();
    let auditor = Running::start(&folder, &issuer, &[]).await;
    auditor.wait_for_size(&issuer).await;
    let known = issuer.log.read().unwrap().checkpoint();
    let message = |kind, text: String| GossipMessage::new(kind, text).unwrap().to_json();
    let forged = known
        .to_string()
        .replacen(&format!("\n{}\n", known.checkpoint().size()), "\n999\n", 1);
    for (body, status) in [
        (message(GossipKind::Checkpoint, known.to_string()), 204),
        (
            message(GossipKind::Checkpoint, foreign.checkpoint().to_string()),
            204,
        ),
        (message(GossipKind::Checkpoint, forged), 422),
        (message(GossipKind::Checkpoint, "nonsense".to_owned()), 400),
        (message(GossipKind::Evidence, "nonsense".to_owned()), 422),
        ("nonsense".to_owned(), 400),
        (" ".repeat(BODY_BYTES_MAX + 1), 413),
    ] {
        assert_eq!(auditor.post(&body).await, status, "{body}");
    }
    assert!(auditor.evidence().await.is_empty());
    assert_eq!(auditor.unresolved().await, 0);

    let url = format!("{}/v1/nodes/self", auditor.url);
    let answer = auditor.auditor.files.download(&url, 100_000).await.unwrap();
    let node = NodeSelf::parse(&answer.body).unwrap();
    assert_eq!((node.name(), node.role().word()), ("auditor.test/a1", "full"));
    assert_eq!(node.logs()["issuer.test/log"], known.checkpoint().size());
    auditor.stop().await;
}
