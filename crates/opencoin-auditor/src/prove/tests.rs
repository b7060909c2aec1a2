//! Every fraud of the dishonest issuer is proven by a file, and such a file does not hold with a changed byte, or with the
//! leaves of the honest log in it.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opencoin_evidence::{EvidenceError, Verdict, check_evidence};
use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::leaf::Leaf;
use opencoin_log::tree::Layers;
use opencoin_log_reader::{Download, DownloadError, Downloaded, LogReader, LogTree};
use opencoin_replay::{MemorySpentIndex, Replay};
use opencoin_testkit::frauds::{self, Fraud};
use opencoin_testkit::log_builder::{LogBuilder, LogCurrency};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use serde_json::{Value, json};

use super::*;
use crate::log_files::{LogCopy, LogFiles};

/// How many bytes of each file are changed. Other tests change all bytes of one file of each kind.
const CHANGED_BYTES: usize = 60;
const SEED: u64 = 7;

fn honest() -> LogBuilder {
    let currency = LogCurrency::new("issuer.test", "http://issuer.test");
    frauds::honest(Arc::new(currency))
}

fn findings(log: &LogBuilder) -> Vec<Finding> {
    let mut replay = Replay::new(log.cddc().cddc()).unwrap();
    let mut leaves = log.leaves().iter().map(Vec::as_slice);
    let mut index = MemorySpentIndex::default();
    while replay.read(&mut leaves, &mut index).unwrap().is_some() {}
    replay.take_findings()
}

/// The files of a log in memory.
struct Files(LogBuilder);

#[async_trait]
impl Download for Files {
    async fn download(&self, url: &str, _: usize) -> Result<Downloaded, DownloadError> {
        let body = url.strip_prefix("log/").and_then(|path| self.0.file(path));
        Ok(Downloaded {
            status: 200,
            location: None,
            body: body.ok_or_else(|| DownloadError("no such file".to_owned()))?,
        })
    }
}

fn tree_of(log: &LogBuilder) -> LogTree {
    let reader = LogReader::new(Arc::new(Files(log.fork())), "log");
    LogTree::new(reader, log.size(), log.root_at(log.size()))
}

fn builder<'tree>(log: &LogBuilder, tree: &'tree mut LogTree) -> EvidenceBuilder<'tree> {
    EvidenceBuilder::new(tree, log.checkpoint(), log.cddc().cddc().clone())
}

/// What the log has around a leaf, from a copy in this folder.
fn around(log: &LogBuilder, folder: &Path, at: u64) -> Surroundings {
    let mut files = LogFiles::open(folder, 0, &Hash::EMPTY_TREE).unwrap();
    for leaf in log.leaves() {
        files.append(leaf, leaf_hash(leaf)).unwrap();
    }
    files.store().unwrap();
    let of = SurroundingsOf {
        copy: LogCopy::new(folder),
        size: log.size(),
        at,
        origin: log.currency().origin().to_owned(),
        within_s: log.currency().terms().within_s,
    };
    Surroundings::read(&of).unwrap()
}

/// Commits the fraud after the honest log, and makes the file of the first thing that a replay finds.
async fn committed(honest: &LogBuilder, fraud: &Fraud) -> (LogBuilder, Option<Evidence>) {
    let mut log = honest.fork();
    (fraud.commit)(&mut log);
    let found = findings(&log);
    let first = found.iter().find(|finding| finding.is_broken()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let around = around(&log, folder.path(), first.index);
    let mut tree = tree_of(&log);
    let proven = prove(&mut builder(&log, &mut tree), &around, first).await;
    (log, proven.and_then(Result::ok))
}

/// Nothing can be built, because it would not hold.
fn refused(built: Result<Evidence, BuildError>) {
    match built {
        Err(BuildError::Evidence(EvidenceError::DoesNotHold(_)) | BuildError::OtherLeaf(_)) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_fraud_is_proven() {
    let honest = honest();
    for fraud in frauds::all() {
        let (_, evidence) = committed(&honest, &fraud).await;
        let kind = evidence.as_ref().map(Evidence::kind);
        assert_eq!(kind, fraud.kind, "{}", fraud.name);
        let Some(evidence) = evidence else { continue };
        let checked = check_evidence(evidence.to_json().as_bytes()).unwrap();
        assert_eq!(checked.verdict, Verdict::Fault, "{}", fraud.name);
        assert_eq!(checked.log, "issuer.test/log");
        assert!(checked.statement.contains("of the log"), "{}", checked.statement);
    }
}

#[tokio::test]
async fn no_byte_of_a_file_can_be_changed() {
    let (honest, mut rng) = (honest(), ChaCha20Rng::seed_from_u64(SEED));
    for fraud in frauds::all() {
        let (_, Some(evidence)) = committed(&honest, &fraud).await else {
            continue;
        };
        let file = evidence.to_json();
        let bytes = file.trim_end().as_bytes();
        for _ in 0..CHANGED_BYTES {
            let at = rng.gen_range(0..bytes.len());
            let mut changed = bytes.to_vec();
            changed[at] ^= 1 << rng.gen_range(0..8);
            let near = String::from_utf8_lossy(&bytes[at.saturating_sub(60)..at]);
            let checked = check_evidence(&changed);
            assert!(
                checked.is_err(),
                "seed {SEED}, {}: byte {at}, after {near:?}",
                fraud.name
            );
        }
    }
}

/// Replaces each leaf in a file by the nearest one of its type among the first leaves of a tree. Returns how many there were.
fn replace_leaves(file: &mut Value, leaves: &[Vec<u8>], tree: &Layers) -> usize {
    match file {
        Value::Object(object) if object.contains_key("leaf") && object.contains_key("proof") => {
            let (index, leaf) = (object["index"].as_u64().unwrap(), &object["leaf"]);
            let of_type = STANDARD.decode(leaf.as_str().unwrap().as_bytes()).unwrap();
            let of_type = of_type.get(..2).unwrap_or(&[1, 0xff]);
            let has_type = |at: &usize| {
                leaves[*at].starts_with(of_type) || !leaves.iter().any(|leaf| leaf.starts_with(of_type))
            };
            let nearest = (0..leaves.len())
                .filter(has_type)
                .min_by_key(|at| (*at as u64).abs_diff(index));
            *file = included(leaves, tree, nearest.unwrap());
            1
        }
        Value::Object(object) => object
            .values_mut()
            .map(|value| replace_leaves(value, leaves, tree))
            .sum(),
        Value::Array(list) => list
            .iter_mut()
            .map(|value| replace_leaves(value, leaves, tree))
            .sum(),
        _ => 0,
    }
}

fn included(leaves: &[Vec<u8>], tree: &Layers, at: usize) -> Value {
    let base64 = |bytes: &[u8]| STANDARD.encode(bytes);
    let proof = tree.inclusion_proof(at).unwrap();
    let proof: Vec<String> = proof.iter().map(|hash| base64(hash.as_bytes())).collect();
    json!({ "index": at, "leaf": base64(&leaves[at]), "proof": proof })
}

fn tree(log: &LogBuilder) -> Layers {
    let hashes: Vec<Hash> = log.leaves().iter().map(|leaf| leaf_hash(leaf)).collect();
    Layers::new(hashes)
}

#[tokio::test]
async fn leaves_of_the_honest_log_prove_nothing() {
    let honest = honest();
    let honest_leaves = honest.leaves();
    for fraud in frauds::all() {
        let (log, Some(evidence)) = committed(&honest, &fraud).await else {
            continue;
        };
        let original: Value = serde_json::from_str(&evidence.to_json()).unwrap();
        assert!(check_evidence(original.to_string().as_bytes()).is_ok());
        // Leaves from before the fraud, in the tree that the issuer has signed then, and in the larger one.
        for (tree, checkpoint) in [
            (tree(&honest), honest.checkpoint().to_string()),
            (tree(&log), original["checkpoint"].as_str().unwrap().to_owned()),
        ] {
            let mut file = original.clone();
            file["checkpoint"] = checkpoint.into();
            let replaced = replace_leaves(&mut file, honest_leaves, &tree);
            assert!(replaced > 0, "{}", fraud.name);
            let error = check_evidence(file.to_string().as_bytes()).unwrap_err();
            // The leaves are in the tree; what they say is in order.
            assert!(!error.to_string().contains("proof"), "{}: {error}", fraud.name);
        }
        // The tree of the honest log with the leaves of the fraud.
        let mut file = original.clone();
        file["checkpoint"] = honest.checkpoint().to_string().into();
        assert!(
            check_evidence(file.to_string().as_bytes()).is_err(),
            "{}",
            fraud.name
        );
    }
}

#[tokio::test]
async fn batches_of_the_honest_log_prove_nothing() {
    let honest = honest();
    let mut tree = tree_of(&honest);
    for (batch, at) in honest.batches().iter().zip(1..) {
        let end = honest.batches().get(at).map_or(honest.size(), |next| next.first) - 1;
        let folder = tempfile::tempdir().unwrap();
        let around = around(&honest, folder.path(), end);
        let mut builder = builder(&honest, &mut tree);
        refused(builder.bad_ledger(end, around.accounts().unwrap()).await);
        let keys = around.fingerprints_before(batch.first);
        refused(builder.wrong_keys_root(end, keys).await);
        for index in batch.first..end {
            refused(builder.bad_statement(index, end).await);
            refused(builder.wrong_description(index).await);
            refused(builder.description_twice(0, index).await);
            if matches!(
                Leaf::decode(&honest.leaves()[index as usize]),
                Ok(Leaf::KeyClosed { .. })
            ) {
                refused(builder.wrong_closing(index, end).await);
            }
        }
    }
}
