use std::collections::BTreeSet;

use opencoin_log::hash::leaf_hash;
use opencoin_log::key_no::KeyNo;
use opencoin_replay::SeriesKind;
use proptest::prelude::*;

use super::*;

fn series(number: u32) -> Series {
    Series {
        key_no: KeyNo::new(number).unwrap(),
        kind: SeriesKind::Coins,
    }
}

fn digest(number: u64) -> Digest {
    *leaf_hash(&number.to_be_bytes()).as_bytes()
}

fn insert(index: &mut SpentFiles, number: u32, digests: &[Digest]) -> Vec<usize> {
    let mut known = Vec::new();
    index.insert(series(number), digests, &mut known).unwrap();
    known
}

/// Stores the index and opens it again.
fn reopened(index: &mut SpentFiles, recent_max: usize) -> SpentFiles {
    let runs = index.store().unwrap();
    index.stored(&runs).unwrap();
    SpentFiles::open_with(&index.folder, &runs, recent_max).unwrap()
}

#[derive(Debug, Clone)]
enum Step {
    Insert(u32, Vec<u64>),
    Store,
    Reopen,
    Forget(u32),
    /// What was not stored is lost.
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..3_u32, proptest::collection::vec(0..500_u64, 1..40)).prop_map(|(key, numbers)| Step::Insert(key, numbers)),
        1 => Just(Step::Store),
        1 => Just(Step::Reopen),
        1 => (1..3_u32).prop_map(Step::Forget),
        1 => Just(Step::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_index_is_a_set(steps in proptest::collection::vec(step(), 1..40), recent_max in 1..60_usize) {
        let folder = tempfile::tempdir().unwrap();
        let mut index = SpentFiles::open_with(folder.path(), &SpentRuns::default(), recent_max).unwrap();
        let mut runs = SpentRuns::default();
        let mut model: BTreeSet<(u32, u64)> = BTreeSet::new();
        let mut stored = model.clone();
        for step in steps {
            match step {
                Step::Insert(key, numbers) => {
                    let numbers: Vec<u64> = numbers.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
                    let digests: Vec<Digest> = numbers.iter().map(|number| digest(*number)).collect();
                    let expected: Vec<usize> = numbers
                        .iter()
                        .enumerate()
                        .filter(|(_, number)| !model.insert((key, **number)))
                        .map(|(place, _)| place)
                        .collect();
                    prop_assert_eq!(insert(&mut index, key, &digests), expected);
                }
                Step::Store => {
                    runs = index.store().unwrap();
                    index.stored(&runs).unwrap();
                    stored = model.clone();
                }
                Step::Reopen => {
                    index = reopened(&mut index, recent_max);
                    runs = index.store().unwrap();
                    stored = model.clone();
                }
                Step::Forget(key) => {
                    index.forget(series(key)).unwrap();
                    model.retain(|(of, _)| *of != key);
                }
                Step::Crash => {
                    index = SpentFiles::open_with(folder.path(), &runs, recent_max).unwrap();
                    model = stored.clone();
                }
            }
        }
    }
}

#[test]
fn a_series_has_few_runs_and_unneeded_files_are_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let mut index = SpentFiles::open_with(folder.path(), &SpentRuns::default(), 100).unwrap();
    for number in 0..20_000 {
        assert_eq!(insert(&mut index, 1, &[digest(number)]), [0_usize; 0]);
    }
    let index = reopened(&mut index, 100);
    let runs = index.series[&series(1)].runs.len();
    assert!(runs <= 5, "{runs} runs");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), runs);
}

#[test]
fn digests_that_an_issuer_has_chosen_are_found() {
    // All in a row, so that their values say nothing about their places.
    let chosen = |number: u32| {
        let mut digest = [0xab; DIGEST_BYTES];
        digest[28..].copy_from_slice(&number.to_be_bytes());
        digest
    };
    let folder = tempfile::tempdir().unwrap();
    let mut index = SpentFiles::open_with(folder.path(), &SpentRuns::default(), 1000).unwrap();
    let digests: Vec<Digest> = (0..10_000).map(|number| chosen(2 * number)).collect();
    assert!(insert(&mut index, 1, &digests).is_empty());
    let mut index = reopened(&mut index, 1000);
    let others: Vec<Digest> = (0..10_000).map(|number| chosen(2 * number + 1)).collect();
    assert!(insert(&mut index, 1, &others).is_empty());
    assert_eq!(insert(&mut index, 1, &digests).len(), digests.len());
}

#[test]
fn a_missing_or_short_file_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let mut index = SpentFiles::open(folder.path(), &SpentRuns::default()).unwrap();
    insert(&mut index, 1, &[digest(1), digest(2)]);
    let runs = index.store().unwrap();
    let path = fs::read_dir(folder.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    fs::write(&path, [0; 32]).unwrap();
    assert!(SpentFiles::open(folder.path(), &runs).unwrap_err().is_lost());
    fs::remove_file(&path).unwrap();
    assert!(SpentFiles::open(folder.path(), &runs).unwrap_err().is_lost());
}
