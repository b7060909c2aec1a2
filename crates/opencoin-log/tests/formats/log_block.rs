//! The block in a currency's description.

use std::collections::BTreeSet;

use opencoin_log::checkpoint::Checkpoint;
use opencoin_log::hash::Hash;
use opencoin_log::key::KeyType;
use opencoin_log::log_block::{JointError, LogBlock, LogBlockError};
use opencoin_log::policy::PolicyError;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use proptest::prelude::*;

use crate::notes::key;

const ORIGIN: &str = "issuer.example/log";

/// Lines of a block, with a policy of two groups.
fn lines() -> Vec<String> {
    let vkey = |name: &str, key_type, seed| key(name, key_type, seed).verifier().to_string();
    let log = vkey(ORIGIN, KeyType::Ed25519Note, 1);
    let promise = vkey("issuer.example/log/promise", KeyType::Ed25519Promise, 2);
    let [w1, w2] = [3, 4].map(|seed| vkey("witness.example", KeyType::Ed25519Cosignature, seed));
    vec![
        "opencoin log v1".to_owned(),
        format!("promise {promise} within 3600 batches 2"),
        "joint auditors".to_owned(),
        format!("log {log} https://issuer.example/log"),
        format!("witness w1 {w1} https://w1.example"),
        format!("witness w2 {w2}"),
        "group auditors any w2".to_owned(),
        "group both all w1 auditors".to_owned(),
        "quorum both".to_owned(),
    ]
}

fn with(line: usize, text: &str) -> Result<LogBlock, LogBlockError> {
    let mut lines = lines();
    lines[line] = text.to_owned();
    lines.retain(|line| !line.is_empty());
    lines.join("\n").parse()
}

#[test]
fn a_block_is_found_after_other_text() {
    let text = lines().join("\n");
    let block: LogBlock = text.parse().unwrap();
    assert_eq!(block.to_string(), format!("{text}\n"));
    assert_eq!(block.to_string().parse(), Ok(block.clone()));
    assert_eq!(block.origin().as_str(), ORIGIN);
    assert_eq!((block.within_s(), block.batches()), (3600, 2));
    assert_eq!(block.joint(), Some("auditors"));
    assert_eq!(block.policy().witnesses().len(), 2);
    for before in [
        "",
        "Free text [1].\n\n",
        "opencoin log v1.\n",
        " opencoin log v1\n",
    ] {
        assert_eq!(
            LogBlock::find(&format!("{before}{text}")),
            Ok(Some(block.clone()))
        );
    }
    for none in ["", "Free text.", "opencoin log v2\n", "see opencoin log v1"] {
        assert_eq!(LogBlock::find(none), Ok(None), "{none}");
    }
    for broken in ["opencoin log v1", "text\nopencoin log v1\n"] {
        assert_eq!(LogBlock::find(broken), Err(LogBlockError::Promise));
    }
    assert_eq!(with(2, "").unwrap().joint(), None);
}

#[test]
fn parts_that_do_not_agree_are_refused() {
    let lines = lines();
    let promise = &lines[1];
    for wrong in [
        promise.replace("3600", "0"),
        promise.replace("3600", "03600"),
        promise.replace("3600", "4294967296"),
        promise.replace("batches 2", "batches 0"),
        promise.replace("batches 2", "batches 2 "),
        promise.replace(" within", "  within"),
        lines[3]
            .replace("log ", "promise ")
            .replace(" https://issuer.example/log", " within 1 batches 1"),
    ] {
        assert_eq!(with(1, &wrong), Err(LogBlockError::Promise), "{wrong}");
    }
    let other = key("other.example/log/promise", KeyType::Ed25519Promise, 2);
    let other = format!("promise {} within 1 batches 1", other.verifier());
    assert_eq!(with(1, &other), Err(LogBlockError::PromiseName));
    for wrong in ["joint nobody", "joint none", "joint auditors ", "joint "] {
        assert_eq!(with(2, wrong), Err(LogBlockError::Joint), "{wrong}");
    }
    assert_eq!(with(3, ""), Err(LogBlockError::Log));
    let pq = key(ORIGIN, KeyType::MlDsa44Cosignature, 9).verifier().to_string();
    assert_eq!(with(3, &format!("log {pq}")), Err(LogBlockError::Log));
    assert!(with(3, &format!("{}\nlog {pq}", lines[3])).is_ok());
    let second = key("other.example/log", KeyType::Ed25519Note, 9)
        .verifier()
        .to_string();
    assert_eq!(
        with(3, &format!("{}\nlog {second}", lines[3])),
        Err(LogBlockError::Log)
    );
    for bracket in ["# [", "# ]"] {
        assert_eq!(
            with(6, &format!("{}\n{bracket}", lines[6])),
            Err(LogBlockError::Bracket)
        );
    }
    let policy = format!("log {}\nquorum none", lines[3].split(' ').nth(1).unwrap());
    let bracket = policy.replace(
        "quorum",
        &format!("witness [w] {}\nquorum", lines[4].split(' ').nth(2).unwrap()),
    );
    let block: LogBlock = lines.join("\n").parse().unwrap();
    let new = |policy: &str| LogBlock::new(block.promise_key().clone(), 1, 1, None, policy.parse().unwrap());
    assert!(new(&policy).is_ok());
    assert_eq!(new(&bracket), Err(LogBlockError::Bracket));
    assert!(matches!(with(8, "quorum nobody"), Err(LogBlockError::Policy(_))));
}

#[test]
fn final_is_what_the_quorum_and_the_auditors_have_signed() {
    let lines = lines();
    let groups = ["group auditors 1 w2", "quorum w1"];
    let text = [&lines[..6].join("\n"), groups[0], groups[1]].join("\n");
    let block: LogBlock = text.parse().unwrap();
    assert_eq!(block.auditors(), BTreeSet::from(["w2"]));
    let log = key(ORIGIN, KeyType::Ed25519Note, 1);
    let [w1, w2] = [3, 4].map(|seed| key("witness.example", KeyType::Ed25519Cosignature, seed));
    let signed = |by: &[(&_, u64)]| {
        let checkpoint = Checkpoint::new(ORIGIN, 0, Hash::EMPTY_TREE).unwrap();
        let mut signed = SignedCheckpoint::new(checkpoint).unwrap();
        for (key, time) in by {
            signed.sign(key, *time).unwrap();
        }
        signed
    };
    let (witnessed, audited) = (signed(&[(&log, 0), (&w1, 5)]), signed(&[(&log, 0), (&w2, 5)]));
    let both = signed(&[(&log, 0), (&w1, 5), (&w2, 9)]);
    assert_eq!(block.verify_joint(&witnessed, None), Err(JointError::Joint));
    assert_eq!(
        block.verify_joint(&audited, None),
        Err(JointError::Policy(PolicyError::Quorum))
    );
    assert_eq!(block.verify_joint(&both, Some(8)), Err(JointError::Joint));
    assert_eq!(block.verify_joint(&both, Some(9)).unwrap().cosigned_by.len(), 2);
    let alone: LogBlock = text.replace("joint auditors\n", "").parse().unwrap();
    assert!(alone.verify_joint(&witnessed, None).is_ok());
    assert_eq!(alone.auditors(), BTreeSet::new());
}

proptest! {
    #[test]
    fn finding_never_panics(text in "(opencoin log v1\n?|promise |joint a\n|[a\n ]){0,9}") {
        prop_assert!(!matches!(LogBlock::find(&text), Ok(Some(_))));
    }
}
