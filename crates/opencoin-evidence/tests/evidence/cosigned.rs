//! Nobody can accuse an auditor that has replayed a log: if a fault in it is proven, the replay has found one too.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::{Arc, LazyLock};

use opencoin_evidence::{Claim, Evidence, FalseJointSignature};
use opencoin_log::key::{KeyType, SigningKey};
use opencoin_log::leaf::CloseReason;
use opencoin_replay::{MemorySpentIndex, Replay};
use opencoin_testkit::frauds;
use opencoin_testkit::log_builder::{LogBuilder, LogCurrency, LogTerms};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use crate::hand::{CLOSINGS, Hand, RULE_OF_THE_END, RULES_OF_A_REPLAY, rules_of};
use crate::support::ONE;

/// Files about each tree in which the replay finds nothing, for the rules of the kind that is expected, together. There is
/// one for each other rule.
const FILES_OF_KIND: usize = 72;
/// The most files about a tree for one rule.
const FILES_OF_RULE_MAX: usize = 24;
const REASONS: [CloseReason; 4] = [
    CloseReason::WindowOver,
    CloseReason::CoinsExpired,
    CloseReason::Revoked,
    CloseReason::Stopped,
];

fn auditor() -> SigningKey {
    let name = "auditor.test".parse().unwrap();
    SigningKey::from_seed(name, KeyType::Ed25519Cosignature, &[77; 32].into()).unwrap()
}

/// The honest log of a currency that names the auditor. It has proofs of work, so it is made once.
static HONEST: LazyLock<LogBuilder> = LazyLock::new(|| {
    let terms = LogTerms {
        auditors: vec![format!("{} http://auditor.test", auditor().verifier())],
        ..LogTerms::default()
    };
    let currency = LogCurrency::on_terms("issuer.test", "http://issuer.test", terms);
    frauds::honest(Arc::new(currency))
});

/// Whether the replay of the first leaves finds that an auditor must not cosign their tree.
fn is_found(log: &LogBuilder, size: u64) -> bool {
    let mut replay = Replay::new(log.cddc().cddc()).unwrap();
    let leaves = log.leaves().iter().take(usize::try_from(size).unwrap());
    let mut leaves = leaves.map(Vec::as_slice);
    let mut index = MemorySpentIndex::default();
    while replay.read(&mut leaves, &mut index).unwrap().is_some() {}
    assert_eq!(replay.size(), size);
    let is_broken = replay.first_broken().is_some_and(|leaf| leaf < size);
    is_broken || replay.end_of_tree().is_some()
}

/// Writes files by hand, most of them for the rules of `kind`, about each tree of the log that ends after `from`, all of which
/// the auditor has cosigned. None may hold about a tree in which the replay finds nothing. About the others any may hold, so
/// for each rule of the kind they are written until the first one holds; `held` gets these rules.
fn accused(
    log: &LogBuilder,
    from: u64,
    rng: &mut ChaCha20Rng,
    kind: RangeInclusive<usize>,
    context: &str,
    held: &mut BTreeSet<usize>,
) {
    let files_of_kind = (FILES_OF_KIND / kind.clone().count()).min(FILES_OF_RULE_MAX);
    let ends = log.batches().iter().map(|batch| batch.first);
    let ends: BTreeSet<u64> = ends.filter(|end| *end > from).chain([log.size()]).collect();
    let is_cut = kind.contains(&RULE_OF_THE_END);
    let ends = ends.into_iter().chain(is_cut.then(|| log.size() - 1));
    for end in ends {
        let mut checkpoint = log.checkpoint_at(end, log.now_s);
        checkpoint.sign(&auditor(), log.now_s).unwrap();
        let (hand, is_found) = (Hand::new(log, checkpoint), is_found(log, end));
        for rule in RULES_OF_A_REPLAY {
            let files = match (is_found, kind.contains(&rule)) {
                (false, true) => files_of_kind,
                (false, false) => 1,
                (true, true) => FILES_OF_RULE_MAX,
                (true, false) => 0,
            };
            for _ in 0..files {
                if is_found && held.contains(&rule) {
                    break;
                }
                let fault = hand.claim(rng, rule);
                let claim = FalseJointSignature::new("a1".to_owned(), fault, Some(hand.included(0)));
                let claim = Claim::FalseJointSignature(Box::new(claim));
                if let Ok(evidence) = Evidence::new(log.cddc().cddc().clone(), claim) {
                    assert!(is_found, "{context}, {end} leaves: {}", evidence.to_json());
                    held.insert(rule);
                }
            }
        }
    }
}

#[test]
fn who_replays_a_fraud_is_not_accused() {
    let (honest, mut rng) = (&*HONEST, ChaCha20Rng::seed_from_u64(5));
    let mut held = BTreeSet::new();
    for fraud in frauds::all() {
        let mut log = honest.fork();
        (fraud.commit)(&mut log);
        let rules = fraud.kind.map_or(0..=0, rules_of);
        accused(&log, honest.size(), &mut rng, rules, fraud.name, &mut held);
    }
    let expected: BTreeSet<usize> = RULES_OF_A_REPLAY.into_iter().collect();
    let never: Vec<_> = expected.difference(&held).collect();
    assert!(never.is_empty(), "no file holds about rules {never:?}");
}

/// Whatever closes a key first and then, and whatever it is used for later.
#[test]
fn who_replays_a_closed_key_is_not_accused() {
    let mut rng = ChaCha20Rng::seed_from_u64(6);
    let mut held = 0;
    let seconds = REASONS.map(Some).into_iter().chain([None]);
    let closings = seconds.flat_map(|second| REASONS.map(|first| (first, second)));
    for (first, second) in closings {
        for used in 0..3 {
            let mut log = HONEST.fork();
            for reason in [Some(first), second].into_iter().flatten() {
                log.close(ONE, reason);
                log.seal();
            }
            match used {
                0 => log.issue(ONE, 1),
                1 => drop(log.spend(ONE, 1)),
                _ => {
                    let (coin, blind) = (log.next_digest(), log.next_digest());
                    log.recoup(ONE, coin, blind);
                }
            }
            log.seal();
            let context = format!("{first:?}, {second:?}, use {used}");
            let mut rules = BTreeSet::new();
            accused(&log, log.size() - 1, &mut rng, CLOSINGS, &context, &mut rules);
            held += rules.len();
        }
    }
    assert!(held > 30, "{held}");
}
