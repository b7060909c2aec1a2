//! The joint signature, with auditors whose answers a test decides.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use opencoin_log::checkpoint::Checkpoint;
use opencoin_log::cosignature::cosign;
use opencoin_log::hash::Hash;
use opencoin_log::key::{KeyType, SigningKey};
use opencoin_log::signed_checkpoint::SignedCheckpoint;

use super::fake_witness::{Asked, FakeWitness};
use super::two_processes::{seal_elsewhere, signed_by_the_log};
use super::*;
use crate::log::joint::Collected;

/// The time at which auditors sign, in seconds since 1970: that of the clock of the tests.
const NOW_S: u64 = 1_800_000_000;

/// Books whose log has one witness and three auditors, of which two sign jointly.
struct Audited {
    world: World,
    witness: FakeWitness,
    auditors: [FakeWitness; 3],
    /// How often an auditor was asked to cosign as a witness.
    submitted: Arc<AtomicUsize>,
}

impl Audited {
    async fn new() -> Self {
        let witness = FakeWitness::start();
        let auditor = |no: u8| FakeWitness::start_as(&format!("auditor.example/{no}"), no);
        let auditors = [1, 2, 3].map(auditor);
        let mut world = World::new().await;
        let cosigners = Cosigners {
            witnesses: vec![witness.named()],
            quorum: 1,
            auditors: auditors.iter().map(FakeWitness::named).collect(),
            joint_quorum: 2,
        };
        world.block = describe_log(&world.log_keys(), URL, &cosigners).unwrap();
        let audited = Self {
            world,
            witness,
            auditors,
            submitted: Arc::default(),
        };
        for no in 0..3 {
            audited.shows(no, 404, String::new());
        }
        audited
    }

    /// From now on this auditor answers so.
    fn shows(&self, no: usize, status: u16, body: String) {
        let submitted = Arc::clone(&self.submitted);
        self.auditors[no].answers(move |asked| match asked {
            Asked::Add(_) => {
                submitted.fetch_add(1, Ordering::Relaxed);
                None
            }
            Asked::Last => Some((status, body.clone())),
        });
    }

    /// From now on this auditor shows the checkpoint with its signature.
    fn signs(&self, no: usize, published: &PublishedCheckpoint, time: u64) {
        let body = self.signed(no, &published.note, time);
        self.shows(no, 200, body);
    }

    fn signed(&self, no: usize, note: &str, time: u64) -> String {
        let mut signed: SignedCheckpoint = note.parse().unwrap();
        let line = cosign(self.auditors[no].key(), time, signed.note().text()).unwrap();
        signed.add(line).unwrap();
        signed.to_string()
    }

    /// Seals and publishes another batch.
    async fn grow(&self, log: &IssuerLog, reference: &str) -> PublishedCheckpoint {
        self.world.credit(reference).await;
        seal_elsewhere(&self.world.ledger);
        assert!(log.publish(&self.world.block).await.unwrap());
        log.store.published().await.unwrap().unwrap()
    }

    /// Asks the auditors at once, and returns the size of the newest joint checkpoint.
    async fn collect(&self, log: &IssuerLog, collected: &mut Collected) -> Option<u64> {
        collected.is_due_at_once();
        log.collect_turn(collected, &self.world.block).await.unwrap();
        let joint = log.store.joint().await.unwrap()?;
        let signed: SignedCheckpoint = joint.note.parse().unwrap();
        self.world.block.verify_joint(&signed, Some(NOW_S + 300)).unwrap();
        assert_eq!(signed.checkpoint().size(), joint.size);
        Some(joint.size)
    }
}

#[tokio::test]
async fn auditors_sign_at_their_own_pace_and_the_newest_joint_checkpoint_is_shown() {
    let audited = Audited::new().await;
    audited.world.credit("first").await;
    let log = audited.world.process().await;
    let mut collected = Collected::default();
    let first = log.store.published().await.unwrap().unwrap();
    assert_eq!(audited.collect(&log, &mut collected).await, None);
    audited.signs(0, &first, NOW_S);
    assert_eq!(audited.collect(&log, &mut collected).await, None, "one of two");
    audited.signs(1, &first, NOW_S);
    assert_eq!(audited.collect(&log, &mut collected).await, Some(first.size));

    let second = audited.grow(&log, "second").await;
    let third = audited.grow(&log, "third").await;
    audited.signs(0, &third, NOW_S);
    audited.signs(1, &second, NOW_S);
    assert_eq!(
        audited.collect(&log, &mut collected).await,
        Some(first.size),
        "each of two checkpoints has one signature"
    );
    audited.signs(0, &first, NOW_S);
    audited.signs(2, &second, NOW_S);
    assert_eq!(audited.collect(&log, &mut collected).await, Some(second.size));
    // What one auditor has signed before counts with what another one signs later.
    audited.signs(2, &third, NOW_S);
    assert_eq!(audited.collect(&log, &mut collected).await, Some(third.size));

    let (_folder, other) = audited.world.other_machine().await;
    let shown = other.joint(&audited.world.block).await.unwrap().unwrap();
    assert_eq!(shown.size, third.size);
    assert_eq!(
        audited.submitted.load(Ordering::Relaxed),
        0,
        "auditors are no witnesses"
    );
    let status = log.status();
    assert_eq!(status.auditors.len(), 3);
    assert_eq!(status.auditors["a1"].size, first.size);
    assert_eq!(status.witnesses.keys().collect::<Vec<_>>(), ["w1"]);
}

#[tokio::test]
async fn a_checkpoint_that_is_dated_anew_is_signed_jointly_anew() {
    let audited = Audited::new().await;
    audited.world.credit("first").await;
    let log = audited.world.process().await;
    let mut collected = Collected::default();
    let published = log.store.published().await.unwrap().unwrap();
    for no in 0..2 {
        audited.signs(no, &published, NOW_S);
    }
    assert_eq!(audited.collect(&log, &mut collected).await, Some(published.size));
    let before = log.store.joint().await.unwrap().unwrap();
    assert_eq!(audited.collect(&log, &mut collected).await, Some(published.size));
    assert_eq!(log.store.joint().await.unwrap().unwrap(), before);
    for no in 0..2 {
        audited.signs(no, &published, NOW_S + 100);
    }
    audited.collect(&log, &mut collected).await;
    let after: SignedCheckpoint = log.store.joint().await.unwrap().unwrap().note.parse().unwrap();
    let verified = audited.world.block.verify_joint(&after, None).unwrap();
    assert_eq!(
        verified.witnesses_after(NOW_S + 99),
        ["a1", "a2"].into_iter().collect()
    );
}

#[tokio::test]
async fn what_a_hostile_auditor_shows_changes_nothing() {
    let audited = Audited::new().await;
    audited.world.credit("first").await;
    let log = audited.world.process().await;
    let mut collected = Collected::default();
    let published = log.store.published().await.unwrap().unwrap();
    let note = &published.note;
    audited.signs(0, &published, NOW_S);

    let other_log = {
        let name = "other.example/log".parse().unwrap();
        let seed = Zeroizing::new([77; 32]);
        let key = SigningKey::from_seed(name, KeyType::Ed25519Note, &seed).unwrap();
        let checkpoint = Checkpoint::new("other.example/log", published.size, Hash::EMPTY_TREE).unwrap();
        let mut signed = SignedCheckpoint::new(checkpoint).unwrap();
        signed.sign(&key, 0).unwrap();
        signed.to_string()
    };
    let unsigned_tree = |size: u64| {
        let origin = audited.world.block.origin().as_str();
        let checkpoint = Checkpoint::new(origin, size, Hash::new([7; 32])).unwrap();
        let mut signed = SignedCheckpoint::new(checkpoint).unwrap();
        signed.sign(audited.auditors[1].key(), NOW_S).unwrap();
        signed.to_string()
    };
    let forged = {
        let mut signed: SignedCheckpoint = note.parse().unwrap();
        let mut line = cosign(audited.auditors[1].key(), NOW_S, signed.note().text()).unwrap();
        *line.signature.last_mut().unwrap() ^= 1;
        signed.add(line).unwrap();
        signed.to_string()
    };
    for (what, status, body) in [
        ("500", 500, audited.signed(1, note, NOW_S)),
        ("a redirect", 302, audited.signed(1, note, NOW_S)),
        ("no text", 200, "\u{0}".to_owned()),
        ("an empty answer", 200, String::new()),
        ("a long answer", 200, "x".repeat(1024 * 1024)),
        ("another log", 200, audited.signed(1, &other_log, NOW_S)),
        (
            "a tree of the same size that the log has not signed",
            200,
            unsigned_tree(published.size),
        ),
        (
            "a larger tree that the log has not signed",
            200,
            unsigned_tree(1_000_000),
        ),
        ("no signature of its own", 200, note.clone()),
        (
            "the signature of another auditor",
            200,
            audited.signed(0, note, NOW_S),
        ),
        ("a forged signature", 200, forged),
        (
            "a signature of tomorrow",
            200,
            audited.signed(1, note, NOW_S + 86_400),
        ),
    ] {
        audited.shows(1, status, body);
        assert_eq!(audited.collect(&log, &mut collected).await, None, "{what}");
        assert_eq!(log.closed(), None, "{what}");
        let status = log.status().auditors["a2"].clone();
        assert!(status.last_error.is_some() && status.cosigned == 0, "{what}");
    }
    audited.auditors[1].is_unreachable();
    assert_eq!(audited.collect(&log, &mut collected).await, None);
    audited.signs(1, &published, NOW_S);
    assert_eq!(audited.collect(&log, &mut collected).await, Some(published.size));
}

#[tokio::test]
async fn without_the_quorum_of_witnesses_nothing_is_signed_jointly() {
    let audited = Audited::new().await;
    audited.world.credit("first").await;
    let log = audited.world.process().await;
    let mut collected = Collected::default();
    let first = log.store.published().await.unwrap().unwrap();
    audited.world.credit("second").await;
    audited.witness.is_unreachable();
    seal_elsewhere(&audited.world.ledger);
    assert!(!log.publish(&audited.world.block).await.unwrap());
    // Auditors that signed what no quorum has seen.
    let newest = signed_by_the_log(&audited.world.log_keys(), &log.head().await.unwrap().unwrap());
    for no in 0..3 {
        audited.shows(no, 200, audited.signed(no, &newest, NOW_S));
    }
    assert_eq!(audited.collect(&log, &mut collected).await, None);
    assert_eq!(log.closed(), None);
    assert_eq!(log.store.published().await.unwrap().unwrap(), first);
}

#[tokio::test]
async fn an_auditor_that_has_seen_more_than_the_books_closes_the_issuer() {
    let audited = Audited::new().await;
    audited.world.credit("first").await;
    let log = audited.world.process().await;
    let mut head = log.head().await.unwrap().unwrap();
    for (what, size) in [("larger", head.size + 1), ("another of the same size", head.size)] {
        let (_folder, log) = audited.world.other_machine().await;
        (head.size, head.root) = (size, Hash::new([5; 32]));
        let shown = signed_by_the_log(&audited.world.log_keys(), &head);
        audited.shows(2, 200, shown);
        audited.collect(&log, &mut Collected::default()).await;
        assert!(log.closed().is_some_and(|reason| reason.contains("a3")), "{what}");
        // A process that starts then is closed before it accepts anything.
        let (_folder, later) = audited.world.other_machine().await;
        assert!(later.closed().is_some(), "{what}");
        audited.shows(2, 404, String::new());
    }
}

#[tokio::test]
async fn auditors_of_a_new_description_have_to_sign_first() {
    let mut audited = Audited::new().await;
    audited.world.credit("first").await;
    let log = audited.world.process().await;
    let mut collected = Collected::default();
    let published = log.store.published().await.unwrap().unwrap();
    for no in 0..2 {
        audited.signs(no, &published, NOW_S);
    }
    assert_eq!(audited.collect(&log, &mut collected).await, Some(published.size));
    let mut cosigners = Cosigners::of(&audited.world.block).unwrap();
    cosigners.joint_quorum = 3;
    audited.world.block = opencoin_keys::change_cosigners(&audited.world.block, &cosigners).unwrap();
    assert_eq!(log.joint(&audited.world.block).await.unwrap(), None);
    audited.signs(2, &published, NOW_S);
    assert_eq!(audited.collect(&log, &mut collected).await, Some(published.size));
    let shown = log.joint(&audited.world.block).await.unwrap().unwrap();
    assert_eq!(shown.size, published.size);
}
