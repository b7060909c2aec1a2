//! A witness that serves on loopback, a log that signs what a test wants, and a small HTTP client.
//!
//! Proofs are made as RFC 6962 section 2.1.2 defines them, with none of the code that checks them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opencoin_log::checkpoint::Checkpoint;
use opencoin_log::hash::{Hash, leaf_hash, node_hash};
use opencoin_log::key::{KeyType, SEED_BYTES, SigningKey};
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log::witness::AddCheckpoint;
use opencoin_witness::{Now, Witness, WitnessFolder, WitnessServer, WitnessServerOptions, serve};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

pub(crate) const NAME: &str = "witness.example/w1";
pub(crate) const ORIGIN: &str = "log.example/one";
pub(crate) const START: u64 = 1_800_000_000;
const PASSPHRASE: &[u8] = b"of a test";
/// Long enough for a busy machine; a test waits this long only when it fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A witness with its folder, its clock and its server.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) server: Arc<WitnessServer>,
    pub(crate) address: String,
    pub(crate) operator_address: String,
    pub(crate) clock: Arc<AtomicU64>,
    stop: Option<oneshot::Sender<()>>,
    served: tokio::task::JoinHandle<()>,
}

/// An answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl World {
    /// A witness with an Ed25519 key that accepts the logs with these keys.
    pub(crate) async fn start(logs: &[&TestLog]) -> Self {
        Self::start_with(logs, false, WitnessServerOptions::default()).await
    }

    pub(crate) async fn start_with(logs: &[&TestLog], ml_dsa: bool, options: WitnessServerOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = WitnessFolder::new(&folder.path().join("witness"));
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        path.create(&NAME.parse().unwrap(), ml_dsa, PASSPHRASE, &mut rng)
            .await
            .unwrap();
        let clock = Arc::new(AtomicU64::new(START));
        let witness = open(&path, &clock).await;
        for log in logs {
            witness
                .store()
                .add_log(&log.origin, &log.vkey().parse().unwrap(), None)
                .await
                .unwrap();
        }
        let server = WitnessServer::new(witness, options);
        let [listener, operators] = [bind().await, bind().await];
        let [address, operator_address] =
            [&listener, &operators].map(|listener| listener.local_addr().unwrap().to_string());
        let (stop, stopped) = oneshot::channel::<()>();
        let running = Arc::clone(&server);
        let served = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            serve(listener, Some(operators), running, stopped).await;
        });
        Self {
            folder,
            server,
            address,
            operator_address,
            clock,
            stop: Some(stop),
            served,
        }
    }

    pub(crate) fn witness(&self) -> &Witness {
        self.server.witness()
    }

    pub(crate) fn witness_folder(&self) -> WitnessFolder {
        WitnessFolder::new(&self.folder.path().join("witness"))
    }

    /// A second witness on the same folder, as another process would be.
    pub(crate) async fn second(&self) -> Witness {
        open(&self.witness_folder(), &self.clock).await
    }

    pub(crate) fn set_clock(&self, now: u64) {
        self.clock.store(now, Ordering::SeqCst);
    }

    pub(crate) async fn post(&self, body: &str) -> Reply {
        exchange(&self.address, &post("/add-checkpoint", body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        get(&self.address, path).await
    }

    /// The size that was cosigned last for a log.
    pub(crate) async fn size(&self, log: &TestLog) -> Option<u64> {
        let logs = self.witness().store().logs().await.unwrap();
        let found = logs.into_iter().find(|known| known.origin == log.origin);
        found?.last.map(|last| last.size)
    }

    /// Stops the server and waits until it has finished.
    pub(crate) async fn stop(mut self) -> TempDir {
        self.stop.take().unwrap().send(()).unwrap();
        tokio::time::timeout(PATIENCE, self.served)
            .await
            .unwrap()
            .unwrap();
        self.folder
    }
}

async fn open(folder: &WitnessFolder, clock: &Arc<AtomicU64>) -> Witness {
    let clock = Arc::clone(clock);
    let now: Now = Arc::new(move || clock.load(Ordering::SeqCst));
    Witness::new(
        folder.keys(PASSPHRASE).unwrap(),
        folder.store().await.unwrap(),
        now,
    )
}

async fn bind() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// A log with all its leaves. It signs whatever it is asked to.
#[derive(Debug)]
pub(crate) struct TestLog {
    pub(crate) origin: String,
    pub(crate) key: SigningKey,
    pub(crate) leaves: Vec<Hash>,
}

impl TestLog {
    pub(crate) fn new(origin: &str, leaves: usize) -> Self {
        Self::with_key(origin, KeyType::Ed25519Note, 7, leaves)
    }

    pub(crate) fn with_key(origin: &str, key_type: KeyType, seed: u8, leaves: usize) -> Self {
        let seed = [seed; SEED_BYTES].into();
        Self {
            origin: origin.to_owned(),
            key: SigningKey::from_seed(origin.parse().unwrap(), key_type, &seed).unwrap(),
            leaves: (0..leaves).map(|leaf| leaf_hash(&leaf.to_be_bytes())).collect(),
        }
    }

    /// The same log with another history from this leaf on.
    pub(crate) fn forked_at(&self, fork: usize, variant: u8) -> Self {
        let mut other = Self::new(&self.origin, self.leaves.len());
        for leaf in fork..other.leaves.len() {
            other.leaves[leaf] = leaf_hash(&[variant, u8::try_from(leaf % 256).unwrap()]);
        }
        other
    }

    pub(crate) fn vkey(&self) -> String {
        self.key.verifier().to_string()
    }

    pub(crate) fn root(&self, size: usize) -> Hash {
        root(&self.leaves[..size])
    }

    /// The signed checkpoint of the first `size` leaves.
    pub(crate) fn checkpoint(&self, size: usize) -> SignedCheckpoint {
        self.sign(Checkpoint::new(&self.origin, size as u64, self.root(size)).unwrap())
    }

    pub(crate) fn sign(&self, checkpoint: Checkpoint) -> SignedCheckpoint {
        let mut signed = SignedCheckpoint::new(checkpoint).unwrap();
        signed.sign(&self.key, START).unwrap();
        signed
    }

    /// A submission with the proof that belongs to it.
    pub(crate) fn request(&self, old: usize, new: usize) -> AddCheckpoint {
        AddCheckpoint {
            old_size: old as u64,
            proof: self.proof(old, new),
            checkpoint: self.checkpoint(new),
        }
    }

    pub(crate) fn proof(&self, old: usize, new: usize) -> Vec<Hash> {
        if old == 0 || old >= new {
            return Vec::new();
        }
        subproof(old, &self.leaves[..new], true)
    }
}

/// The root of a tree: RFC 6962 section 2.1.
pub(crate) fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::EMPTY_TREE,
        [only] => *only,
        more => {
            let (left, right) = more.split_at(more.len().next_power_of_two() / 2);
            node_hash(&root(left), &root(right))
        }
    }
}

/// SUBPROOF of RFC 6962 section 2.1.2.
fn subproof(old: usize, leaves: &[Hash], is_known: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if is_known { Vec::new() } else { vec![root(leaves)] };
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut proof, sibling) = if old <= left.len() {
        (subproof(old, left, is_known), root(right))
    } else {
        (subproof(old - left.len(), right, false), root(left))
    };
    proof.push(sibling);
    proof
}

/// The bytes of a POST after whose answer the connection ends.
pub(crate) fn post(path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: w\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
        .into_bytes()
}

pub(crate) async fn get(address: &str, path: &str) -> Reply {
    let request = format!("GET {path} HTTP/1.1\r\nhost: w\r\nconnection: close\r\n\r\n");
    exchange(address, request.as_bytes()).await
}

/// Sends bytes and reads until the server ends the connection.
pub(crate) async fn exchange(address: &str, bytes: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may end the connection before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer));
    let _ = read.await.expect("the server ends the connection");
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Reply {
        status: status.unwrap_or(0),
        head: head.to_lowercase(),
        body: body.to_owned(),
    }
}

/// A file of the test vectors, which lie beside the checkout; `None`, with a line that says so, when it is missing.
pub(crate) fn vectors() -> Option<serde_json::Value> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/spec/log-vectors.json");
    let Ok(text) = std::fs::read(&file) else {
        println!("SKIPPED: there is no {}", file.display());
        return None;
    };
    Some(serde_json::from_slice(&text).unwrap())
}
