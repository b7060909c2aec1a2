use opencoin_testkit::log_builder::LogBuilder;

use super::*;

fn remark(replay: &mut Replay, keys: u64) {
    let denomination = 1;
    replay.find(keys, BrokenRule::ManySigningKeys { denomination, keys });
}

#[test]
fn remarks_do_not_use_up_the_room_for_broken_rules() {
    let mut replay = Replay::new(LogBuilder::new().cddc().cddc()).unwrap();
    for keys in 0..2 * FINDINGS_MAX {
        remark(&mut replay, keys);
    }
    assert_eq!(replay.first_broken(), None);
    assert_eq!(replay.take_findings().len() as u64, REMARKS_MAX);
    for index in 1000..1000 + 2 * FINDINGS_MAX {
        replay.find(index, BrokenRule::KeysRoot);
    }
    let found = replay.take_findings();
    assert_eq!(found.len() as u64, FINDINGS_MAX);
    assert_eq!((found[0].index, &found[0].rule), (1000, &BrokenRule::KeysRoot));
    assert_eq!(replay.first_broken(), Some(1000));
    assert_eq!(replay.found(), 4 * FINDINGS_MAX);
}

#[test]
fn broken_rules_do_not_use_up_the_room_for_remarks() {
    let mut replay = Replay::new(LogBuilder::new().cddc().cddc()).unwrap();
    for index in 0..2 * FINDINGS_MAX {
        replay.find(index, BrokenRule::KeysRoot);
    }
    remark(&mut replay, 3);
    assert_eq!(replay.take_findings().len() as u64, FINDINGS_MAX + 1);
}

#[test]
fn the_first_broken_rule_is_reported_whatever_an_earlier_version_has_counted() {
    let replay = Replay::new(LogBuilder::new().cddc().cddc()).unwrap();
    let mut stored = serde_json::to_value(replay.stored().unwrap()).unwrap();
    stored["found"] = FINDINGS_MAX.into();
    stored.as_object_mut().unwrap().remove("remarks");
    let mut replay = Replay::resume(serde_json::from_value(stored).unwrap()).unwrap();
    replay.find(7, BrokenRule::KeysRoot);
    assert_eq!(replay.take_findings().len(), 1);
}
