//! Files that holders make. They hold with no changed byte, but for the fields that nobody has signed: when somebody looked,
//! and which coin they say was refused.

use opencoin_evidence::{
    Absence, Claim, Evidence, FalseRefusal, OmittedLeaf, Rollback, ShownPromise, StalledLog,
    WithheldSignature, check_evidence,
};
use opencoin_log::digest::{IssuedDigest, KeyFingerprint};
use opencoin_log::hash::leaf_hash;
use opencoin_log::leaf::issued_leaf;
use opencoin_log::promise::{LeafPath, Promise};
use opencoin_schema::BigInt;
use opencoin_testkit::log_builder::{LOG_BEGIN_S, LogBuilder, WITHIN_S};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

use crate::support::{Case, ONE};

const SEED: u64 = 11;
/// How many bytes of a file are changed. Smaller files are changed everywhere.
const CHANGED_BYTES: usize = 2000;

/// Changes bytes of the file. It still holds only if the byte is in the value of one of these fields.
fn only_bytes_of(evidence: &Evidence, unsigned: &[&str]) {
    let file = evidence.to_json();
    let bytes = file.trim_end().as_bytes();
    let values: Vec<std::ops::Range<usize>> = unsigned
        .iter()
        .map(|field| {
            let name = format!("\"{field}\":");
            let begin = file.find(&name).unwrap() + name.len();
            let end = begin + file[begin..].find([',', '}']).unwrap();
            begin..end
        })
        .collect();
    let mut rng = ChaCha20Rng::seed_from_u64(SEED);
    let mut places: Vec<usize> = match bytes.len() {
        length @ ..=CHANGED_BYTES => (0..length).collect(),
        length => (0..CHANGED_BYTES).map(|_| rng.gen_range(0..length)).collect(),
    };
    places.extend(values.iter().flat_map(Clone::clone));
    let mut still_held = vec![0; values.len()];
    for at in places {
        let mut changed = bytes.to_vec();
        changed[at] ^= 1 << rng.gen_range(0..8);
        if check_evidence(&changed).is_ok() {
            let field = values.iter().position(|value| value.contains(&at));
            let near = String::from_utf8_lossy(&bytes[at.saturating_sub(60)..at]);
            still_held[field.unwrap_or_else(|| panic!("seed {SEED}, byte {at}, after {near:?}"))] += 1;
        }
    }
    assert!(
        still_held.iter().all(|times| *times > 0),
        "{unsigned:?}: {still_held:?}"
    );
}

fn evidence(log: &LogBuilder, claim: Claim) -> Evidence {
    Evidence::new(log.cddc().cddc().clone(), claim).unwrap()
}

/// A log, the promise of a leaf that it does not have, and that leaf. The log goes on for three batches.
fn broken_promise() -> (LogBuilder, ShownPromise, Vec<u8>) {
    let mut log = LogBuilder::begun();
    let leaf = issued_leaf(ONE, &IssuedDigest::new([0x70; 32])).to_vec();
    let promise: Promise = log
        .promise(std::slice::from_ref(&leaf), log.now_s)
        .parse()
        .unwrap();
    let path = LeafPath::of(&[leaf_hash(&leaf)], 0).unwrap();
    let shown = ShownPromise::new(&promise, leaf.clone(), &path, None);
    for _ in 0..3 {
        log.issue(ONE, 40);
        log.seal();
    }
    (log, shown, leaf)
}

#[tokio::test]
async fn an_omitted_leaf() {
    let (log, promised, leaf) = broken_promise();
    let late = log.checkpoint_at(log.size(), log.now_s + u64::from(WITHIN_S));
    let mut case = Case::under(&log, late);
    let mut absences = Vec::new();
    for (batch, place) in log.batches().iter().zip(1..).skip(1) {
        let end = log.batches().get(place).map_or(log.size(), |next| next.first) - 1;
        let right = (batch.first..=end)
            .find(|at| log.leaves()[*at as usize] > leaf)
            .unwrap();
        let left = (right > batch.first).then(|| right - 1);
        absences.push(Absence {
            batch: case.included(end).await,
            left: match left {
                Some(left) => Some(case.included(left).await),
                None => None,
            },
            right: case.included(right).await,
        });
    }
    let claim = OmittedLeaf::new(promised, &case.checkpoint, absences, None);
    only_bytes_of(&evidence(&log, Claim::OmittedLeaf(Box::new(claim))), &[]);
}

#[test]
fn a_log_that_stands_still() {
    let (log, promised, _) = broken_promise();
    let claim = StalledLog::new(promised, &log.checkpoint(), log.now_s + 2 * u64::from(WITHIN_S));
    only_bytes_of(
        &evidence(&log, Claim::StalledLog(Box::new(claim))),
        &["looked_at"],
    );
}

#[tokio::test]
async fn a_withheld_signature() {
    let mut log = LogBuilder::begun();
    let key = log.currency().mint_key(0, 1, LOG_BEGIN_S);
    let width = key.public_key().modulus_bytes();
    let blinded = BigInt::from_be_bytes(&vec![0x31; width]);
    let fingerprint = KeyFingerprint::of(&key.mint_key().public_mint_key);
    let digest = IssuedDigest::of(&fingerprint, width, &blinded).unwrap();
    log.issue_blind(ONE, opencoin_log::hash::Hash::new(*digest.as_bytes()));
    log.issue(ONE, 5);
    log.seal();
    let leaf = issued_leaf(ONE, &digest);
    let at = log.leaves().iter().position(|other| *other == leaf).unwrap();
    let mut case = Case::new(&log);
    let (leaf, key) = (case.included(at as u64).await, case.included(1).await);
    let claim = WithheldSignature::new(&case.checkpoint, leaf, key, &blinded, width);
    only_bytes_of(&evidence(&log, Claim::WithheldSignature(Box::new(claim))), &[]);
}

#[tokio::test]
async fn a_false_refusal() {
    let mut log = LogBuilder::begun();
    log.issue(ONE, 5);
    log.seal();
    let mut case = Case::new(&log);
    let key = case.included(1).await;
    let claim = FalseRefusal::new(&case.checkpoint, key, &[9; 48], log.now_s);
    let unsigned = ["payload_hash", "refused_at"];
    only_bytes_of(&evidence(&log, Claim::FalseRefusal(Box::new(claim))), &unsigned);
}

#[test]
fn a_log_that_was_larger() {
    let mut log = LogBuilder::begun();
    let smaller = log.checkpoint_at(log.size(), log.now_s + 7200);
    log.issue(ONE, 5);
    log.seal();
    let claim = Rollback::new(&log.checkpoint(), &smaller);
    only_bytes_of(&evidence(&log, Claim::Rollback(claim)), &[]);
}
