//! Checkpoints: whose they are, where they stand, and which are remembered.

use std::convert::Infallible;

use opencoin_gossip::{
    BODY_BYTES_MAX, CheckpointRefused, GossipKind, GossipMessage, LogPlace, Remembered,
    UNRESOLVED_PER_LOG_MAX, UnresolvedCheckpoints, UnresolvedError, place, subject_of, tidy_checkpoint,
    without_cosignatures,
};
use opencoin_log::checkpoint::Checkpoint;
use opencoin_log::hash::Hash;
use opencoin_log::key::{KeyType, SigningKey};
use opencoin_log::signed_checkpoint::SignedCheckpoint;

use crate::two_histories::History;

fn history(batches: u64) -> History {
    let mut history = History::begun();
    for coins in 1..=batches {
        history.seal(coins);
    }
    history
}

fn stranger() -> SigningKey {
    let name = "stranger.test".parse().unwrap();
    SigningKey::from_seed(name, KeyType::Ed25519Cosignature, &[9; 32].into()).unwrap()
}

#[test]
fn a_tidy_checkpoint_has_the_good_signatures_of_known_keys() {
    let history = history(1);
    let good = history.newest();
    assert_eq!(history.tidy(good), *good);

    let mut with_others = good.clone();
    with_others.sign(&stranger(), 1_800_000_000).unwrap();
    with_others
        .sign(&history.log().currency().witnesses()[0], 1_900_000_000)
        .unwrap();
    assert_ne!(with_others.to_string(), good.to_string());
    assert_eq!(
        history.tidy(&with_others),
        *good,
        "one of each witness, none of strangers"
    );
    assert_eq!(
        subject_of(&with_others),
        subject_of(good),
        "whatever its signatures, it says the same"
    );

    let bare = without_cosignatures(&with_others, &history.block()).unwrap();
    assert_eq!(bare.note().signatures().len(), 1);
    assert_eq!(history.tidy(&bare), bare);

    // A wrong cosignature is left out.
    let older = history.checkpoints[0].note().signatures();
    let mut wrong = bare.clone();
    wrong.add(older[1].clone()).unwrap();
    assert_eq!(history.tidy(&wrong), bare);
}

#[test]
fn a_tidy_checkpoint_fits_into_a_message() {
    let history = history(1);
    let witnesses = &history.log().currency().witnesses()[..1];
    let checkpoint = history.newest().checkpoint();
    // Lines after the root may be long. The last cosignature does not fit.
    for length in (BODY_BYTES_MAX - 1500..BODY_BYTES_MAX - 300).step_by(50) {
        let text = format!("{checkpoint}{}\n", "x".repeat(length));
        let mut signed = SignedCheckpoint::new(text.parse().unwrap()).unwrap();
        signed.sign(history.log().currency().log_key(), 1).unwrap();
        signed.sign(&witnesses[0], 1_800_000_000).unwrap();
        let tidy = history.tidy(&signed);
        let fits = |signed: &SignedCheckpoint| {
            GossipMessage::new(GossipKind::Checkpoint, signed.to_string()).is_ok()
        };
        let kept = tidy.note().signatures().len();
        assert_eq!(kept, if fits(&signed) { 2 } else { 1 });
    }
}

#[test]
fn a_checkpoint_that_the_log_has_not_signed_is_refused() {
    let history = history(2);
    let (block, good) = (history.block(), history.newest());
    let refused = |signed: &SignedCheckpoint| tidy_checkpoint(signed, &block).unwrap_err();

    let foreign = History::foreign();
    assert_eq!(refused(foreign.newest()), CheckpointRefused::Origin);

    let unsigned = SignedCheckpoint::new(good.checkpoint().clone()).unwrap();
    assert_eq!(refused(&unsigned), CheckpointRefused::UnknownKey);
    let mut cosigned_alone = unsigned.clone();
    for line in &good.note().signatures()[1..] {
        cosigned_alone.add(line.clone()).unwrap();
    }
    assert_eq!(refused(&cosigned_alone), CheckpointRefused::UnknownKey);

    let mut other_key = unsigned.clone();
    let name = history.log().currency().origin().parse().unwrap();
    let key = SigningKey::from_seed(name, KeyType::Ed25519Note, &[9; 32].into()).unwrap();
    other_key.sign(&key, 0).unwrap();
    assert_eq!(refused(&other_key), CheckpointRefused::UnknownKey);

    let mut forged = unsigned;
    forged
        .add(history.checkpoints[0].note().signatures()[0].clone())
        .unwrap();
    assert_eq!(refused(&forged), CheckpointRefused::Signature);
}

#[test]
fn a_checkpoint_is_placed_beside_the_newest_one() {
    let first = history(3);
    let mut second = history(1).fork();
    for coins in [2, 3] {
        second.seal(coins);
    }
    second.seal(1);
    let newest = first.newest().checkpoint();
    let place = |checkpoint: &Checkpoint, newest| {
        let root_at = |size| Ok::<_, Infallible>(Some(first.root_at(size)));
        let Ok(place) = place(checkpoint, newest, root_at);
        place
    };
    let at = |history: &History, batch: usize| history.checkpoints[batch].checkpoint().clone();
    assert_eq!(place(newest, Some(newest)), LogPlace::Same);
    for batch in 0..3 {
        assert_eq!(place(&at(&first, batch), Some(newest)), LogPlace::Older);
    }
    // The same sizes, and other coins.
    assert_eq!(at(&second, 2).size(), at(&first, 2).size());
    assert_eq!(place(&at(&second, 1), Some(newest)), LogPlace::Older);
    assert_eq!(place(&at(&second, 2), Some(newest)), LogPlace::Contradiction);
    assert_eq!(place(&at(&second, 3), Some(newest)), LogPlace::Contradiction);
    assert_eq!(place(&at(&second, 4), Some(newest)), LogPlace::Newer);
    let earlier = at(&first, 2);
    assert_eq!(place(&at(&first, 3), Some(&earlier)), LogPlace::Newer);
    assert_eq!(place(newest, None), LogPlace::Newer);

    let empty = |root| Checkpoint::new("issuer.test/log", 0, root).unwrap();
    let (of_nothing, of_something) = (empty(Hash::EMPTY_TREE), empty(Hash::new([1; 32])));
    assert_eq!(place(&of_nothing, None), LogPlace::Same);
    assert_eq!(place(&of_nothing, Some(newest)), LogPlace::Older);
    assert_eq!(place(&of_something, Some(newest)), LogPlace::Contradiction);
    assert_eq!(place(&of_something, None), LogPlace::Newer);
}

#[test]
fn a_node_that_does_not_know_a_root_says_so() {
    let history = history(2);
    let (newest, older) = (history.newest().checkpoint(), history.checkpoints[0].checkpoint());
    let unknown = place(older, Some(newest), |_| Ok::<_, Infallible>(None));
    assert_eq!(unknown, Ok(LogPlace::Unknown));
    let failed = place(older, Some(newest), |_| Err("the disk"));
    assert_eq!(failed, Err("the disk"));
}

/// A checkpoint of some size with some root, signed by the log.
fn claim(history: &History, size: u64, root: u8) -> SignedCheckpoint {
    history
        .log()
        .signed_checkpoint(size, Hash::new([root; 32]), &[], 0)
}

fn sizes(unresolved: &UnresolvedCheckpoints) -> Vec<u64> {
    unresolved
        .iter()
        .map(|one| one.signed.checkpoint().size())
        .collect()
}

#[test]
fn unresolved_checkpoints_are_settled_when_the_tree_has_their_size() {
    let first = history(4);
    let mut second = history(1).fork();
    second.seal(2);
    let mut unresolved = UnresolvedCheckpoints::default();
    let honest = first.checkpoints[3].clone();
    let fraud = second.checkpoints[2].clone();
    let far = claim(&first, 1_000_000, 7);
    for (signed, since) in [(&honest, 5), (&fraud, 6), (&far, 7)] {
        assert_eq!(unresolved.remember(signed.clone(), since), Remembered::Added);
        assert_eq!(unresolved.remember(signed.clone(), since + 10), Remembered::Known);
    }
    assert_eq!(
        UnresolvedCheckpoints::parse(&unresolved.to_json()),
        Ok(unresolved.clone())
    );

    let mut settle = |batch: usize| {
        let root_at = |size| Ok::<_, Infallible>(Some(first.root_at(size)));
        let Ok(contradictions) = unresolved.settle(first.checkpoints[batch].checkpoint(), root_at);
        (contradictions, sizes(&unresolved))
    };
    let size = |signed: &SignedCheckpoint| signed.checkpoint().size();
    assert_eq!(settle(0), (vec![], vec![size(&fraud), size(&honest), size(&far)]));
    let found = (vec![fraud.clone()], vec![size(&fraud), size(&far)]);
    assert_eq!(settle(4), found);
    // Until it is forgotten, it is found again.
    assert_eq!(settle(4), found);
    unresolved.forget(size(&fraud));
    assert_eq!(sizes(&unresolved), [size(&far)]);
    assert!(!unresolved.is_empty());
    assert_eq!(unresolved.iter().next().unwrap().since_s, 7);
}

#[test]
fn two_unresolved_checkpoints_of_one_size_contradict_each_other() {
    let history = history(1);
    let mut unresolved = UnresolvedCheckpoints::default();
    let (first, second) = (claim(&history, 500, 1), claim(&history, 500, 2));
    assert_eq!(unresolved.remember(first.clone(), 1), Remembered::Added);
    let expected = Remembered::Contradiction(Box::new(first.clone()));
    assert_eq!(unresolved.remember(second, 2), expected);
    assert_eq!(unresolved.iter().next().unwrap().signed, first);
}

#[test]
fn of_many_unresolved_checkpoints_the_smallest_are_kept() {
    let history = history(1);
    let mut unresolved = UnresolvedCheckpoints::default();
    let max = UNRESOLVED_PER_LOG_MAX as u64;
    // A log that signs huge sizes keeps no other one out.
    for number in 0..max {
        let signed = claim(&history, u64::MAX - number, 1);
        assert_eq!(unresolved.remember(signed, 1), Remembered::Added);
    }
    assert_eq!(
        unresolved.remember(claim(&history, 1000, 1), 1),
        Remembered::Added
    );
    assert_eq!(unresolved.iter().count(), UNRESOLVED_PER_LOG_MAX);
    assert_eq!(
        unresolved.remember(claim(&history, u64::MAX, 1), 1),
        Remembered::Full
    );
    assert_eq!(sizes(&unresolved)[0], 1000);
}

#[test]
fn a_failing_disk_settles_nothing() {
    let history = history(3);
    let mut unresolved = UnresolvedCheckpoints::default();
    unresolved.remember(history.checkpoints[1].clone(), 1);
    let before = unresolved.clone();
    assert_eq!(
        unresolved.settle(history.newest().checkpoint(), |_| Err("the disk")),
        Err("the disk")
    );
    let unknown = unresolved.settle(history.newest().checkpoint(), |_| Ok::<_, Infallible>(None));
    assert_eq!(unknown, Ok(vec![]));
    assert_eq!(unresolved, before);
}

#[test]
fn what_was_stored_must_make_sense() {
    let history = history(1);
    let one = |size: u64, root: u8| {
        let text = claim(&history, size, root).to_string();
        serde_json::json!({"checkpoint": text, "since": 1})
    };
    let parse = |stored: &serde_json::Value| UnresolvedCheckpoints::parse(&stored.to_string());
    let many: Vec<_> = (1..=UNRESOLVED_PER_LOG_MAX as u64 + 1)
        .map(|size| one(size, 1))
        .collect();
    assert!(parse(&many[1..].into()).is_ok());
    assert_eq!(parse(&many.into()), Err(UnresolvedError::TooMany));
    assert_eq!(
        parse(&vec![one(1, 1), one(1, 2)].into()),
        Err(UnresolvedError::TooMany)
    );
    let mut more = one(1, 1);
    more["more"] = 1.into();
    assert_eq!(parse(&vec![more].into()), Err(UnresolvedError::Form));
    assert_eq!(UnresolvedCheckpoints::parse(""), Err(UnresolvedError::Form));
    assert_eq!(
        UnresolvedCheckpoints::parse("[]"),
        Ok(UnresolvedCheckpoints::default())
    );
}
