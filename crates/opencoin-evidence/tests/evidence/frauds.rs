//! Every fraud of the dishonest issuer is proven by a file, and such a file does not hold with a changed byte, or with the
//! leaves of the honest log in it.

use std::sync::Arc;

use opencoin_evidence::{Evidence, Verdict, check_evidence};
use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::leaf::Leaf;
use opencoin_log::tree::Layers;
use opencoin_replay::{Finding, MemorySpentIndex, Replay};
use opencoin_testkit::frauds::{self, Fraud};
use opencoin_testkit::log_builder::{LogBuilder, LogCurrency};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use serde_json::{Value, json};

use crate::prove::{Surroundings, prove};
use crate::support::{Case, refused};

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

/// Commits the fraud after the honest log, and makes the file of the first thing that a replay finds.
async fn committed(honest: &LogBuilder, fraud: &Fraud) -> (LogBuilder, Option<Evidence>) {
    let mut log = honest.fork();
    (fraud.commit)(&mut log);
    let found = findings(&log);
    let first = found.iter().find(|finding| finding.is_broken()).unwrap();
    let mut case = Case::new(&log);
    let proven = prove(&mut case.builder(), &log, first).await;
    let evidence = proven.and_then(Result::ok);
    (log, evidence)
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
            let of_type = data_encoding::BASE64
                .decode(leaf.as_str().unwrap().as_bytes())
                .unwrap();
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
    let base64 = |bytes: &[u8]| data_encoding::BASE64.encode(bytes);
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
    let mut case = Case::new(&honest);
    for (batch, at) in honest.batches().iter().zip(1..) {
        let end = honest.batches().get(at).map_or(honest.size(), |next| next.first) - 1;
        let around = Surroundings::read(&honest, end);
        let accounts = around.accounts();
        refused(case.builder().bad_ledger(end, accounts).await);
        let keys = around.fingerprints_before(batch.first);
        refused(case.builder().wrong_keys_root(end, keys).await);
        for index in batch.first..end {
            refused(case.builder().bad_statement(index, end).await);
            refused(case.builder().wrong_description(index).await);
            refused(case.builder().description_twice(0, index).await);
            if matches!(
                Leaf::decode(&honest.leaves()[index as usize]),
                Ok(Leaf::KeyClosed { .. })
            ) {
                refused(case.builder().wrong_closing(index, end).await);
            }
        }
    }
}
