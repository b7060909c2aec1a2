//! Replays the log of a builder.

use opencoin_log::key_no::KeyNo;
use opencoin_replay::{BrokenRule, Finding, MemorySpentIndex, Replay};
use opencoin_testkit::log_builder::LogBuilder;

pub(crate) const ONE: KeyNo = KeyNo::FIRST;

/// Replays all leaves, and checks the state at the end against the builder.
pub(crate) fn replayed(log: &LogBuilder) -> Replay {
    let mut replay = Replay::new(log.cddc().cddc()).unwrap();
    read(&mut replay, log.leaves(), &mut MemorySpentIndex::default());
    assert_eq!(replay.size(), log.size());
    replay
}

pub(crate) fn read(replay: &mut Replay, leaves: &[Vec<u8>], index: &mut MemorySpentIndex) {
    let mut leaves = leaves.iter().map(Vec::as_slice);
    while replay.read(&mut leaves, index).unwrap().is_some() {}
}

pub(crate) fn findings(log: &LogBuilder) -> Vec<Finding> {
    let mut replay = replayed(log);
    let mut findings = replay.take_findings();
    findings.extend(replay.end_of_tree());
    for finding in &findings {
        let json = serde_json::to_string(finding).unwrap();
        assert_eq!(&serde_json::from_str::<Finding>(&json).unwrap(), finding);
    }
    assert_eq!(
        replay.first_broken().is_some(),
        findings
            .iter()
            .any(|finding| finding.is_broken() && finding.rule != BrokenRule::Unfinished)
    );
    findings
}

/// The only broken rule, and the leaf that shows it.
pub(crate) fn only(log: &LogBuilder) -> (u64, BrokenRule) {
    let mut findings = findings(log);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    let finding = findings.remove(0);
    assert!(!finding.to_string().is_empty());
    (finding.index, finding.rule)
}

pub(crate) fn rules(log: &LogBuilder) -> Vec<BrokenRule> {
    findings(log).into_iter().map(|finding| finding.rule).collect()
}
