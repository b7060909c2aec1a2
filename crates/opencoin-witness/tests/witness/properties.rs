//! Whatever is submitted in whatever order: all cosigned trees of a log are prefixes of the last one.

use std::sync::atomic::{AtomicU32, Ordering};

use opencoin_log::hash::Hash;
use opencoin_log::key::KeyType;
use opencoin_log::witness::AddCheckpoint;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::{START, TestLog, World, root};

const CASES: u32 = 48;
const STEPS: usize = 40;
const LEAVES: usize = 24;
const FORK: usize = 6;

/// One submission.
#[derive(Debug, Clone)]
struct Step {
    /// Which of the histories.
    is_fork: bool,
    /// What the request calls the old size: what the witness knows, or any number.
    old: Option<usize>,
    new: usize,
    fault: Fault,
    /// The clock before it, in seconds after the start of the test.
    clock: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    NoProof,
    WrongProof,
    LongProof,
    Stranger,
    Cut,
}

fn step() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![
        8 => Just(Fault::None),
        1 => Just(Fault::NoProof),
        1 => Just(Fault::WrongProof),
        1 => Just(Fault::LongProof),
        1 => Just(Fault::Stranger),
        1 => Just(Fault::Cut),
    ];
    let old = prop_oneof![4 => Just(None), 1 => (0..=LEAVES).prop_map(Some)];
    (prop::bool::weighted(0.3), old, 0..=LEAVES, fault, 0_u64..200).prop_map(
        |(is_fork, old, new, fault, clock)| Step {
            is_fork,
            old,
            new,
            fault,
            clock,
        },
    )
}

fn body(step: &Step, known: usize, history: &TestLog, stranger: &TestLog) -> String {
    let log = if step.fault == Fault::Stranger {
        stranger
    } else {
        history
    };
    let old = step.old.unwrap_or(known);
    let mut request: AddCheckpoint = log.request(old, step.new);
    match step.fault {
        Fault::None | Fault::Stranger | Fault::Cut => {}
        Fault::NoProof => request.proof.clear(),
        Fault::WrongProof => request.proof.iter_mut().for_each(|hash| *hash = Hash::EMPTY_TREE),
        Fault::LongProof => request.proof.push(Hash::EMPTY_TREE),
    }
    let mut body = request.to_string();
    if step.fault == Fault::Cut {
        body.truncate(body.len() / 2);
    }
    body
}

async fn check(world: &World, origin: &str, steps: &[Step]) {
    let log = TestLog::new(origin, LEAVES);
    let fork = log.forked_at(FORK, 1);
    let stranger = TestLog::with_key(origin, KeyType::Ed25519Note, 8, LEAVES);
    let store = world.witness().store();
    store
        .add_log(origin, &log.vkey().parse().unwrap(), None)
        .await
        .unwrap();
    let (mut cosigned, mut time): (Vec<(usize, Hash)>, u64) = (Vec::new(), 0);
    for step in steps {
        world.set_clock(START + step.clock);
        let history = if step.is_fork { &fork } else { &log };
        let known = cosigned.last().map_or(0, |(size, _)| *size);
        let body = body(step, known, history, &stranger);
        let Ok(lines) = world.witness().add_checkpoint(body.as_bytes()).await.result else {
            continue;
        };
        assert!(!matches!(step.fault, Fault::Stranger | Fault::Cut), "{step:?}");
        let signed_at = u64::from_be_bytes(lines[0].signature[..8].try_into().unwrap());
        assert!(signed_at >= time, "{step:?}: the time went back");
        time = signed_at;
        for (size, earlier) in &cosigned {
            assert!(*size <= step.new, "{step:?}: went back from {size}");
            assert_eq!(
                root(&history.leaves[..*size]),
                *earlier,
                "{step:?}: not the tree of {size}"
            );
        }
        cosigned.push((step.new, history.root(step.new)));
    }
    let logs = store.logs().await.unwrap();
    let last = logs.into_iter().find(|log| log.origin == origin).unwrap().last;
    let last = last.map(|last| (usize::try_from(last.size).unwrap(), last.root));
    assert_eq!(last, cosigned.last().copied());
}

#[test]
fn every_cosigned_tree_is_consistent_with_all_earlier_ones() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::start(&[]));
    let count = AtomicU32::new(0);
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&vec(step(), 1..STEPS), |steps| {
            // A log of its own for each case, because a witness forgets nothing.
            let origin = format!("log.example/{}", count.fetch_add(1, Ordering::Relaxed));
            runtime.block_on(check(&world, &origin, &steps));
            Ok(())
        })
        .unwrap();
}
