//! What must hold when the faults have ended.

use super::auditor::status;
use super::nemesis::{FOREIGN_CUT, LINKS_CUT, killed};
use super::network::Network;
use crate::replayed_log::ReplayedLog;
use crate::tally::Tally;
use crate::{get_text, wait_for};

/// Waits until every auditor has the whole log, and compares what they say with each other, with the books and with a replay
/// that shares no code with them.
pub(super) fn settle(network: &Network) {
    let currency = &network.currency;
    currency.wait_until_all_is_published();
    let size = size_of(&get_text(&currency.url("/log/checkpoint")));
    let auditors = || network.full.iter().chain(&network.light);
    for auditor in auditors() {
        wait_for("an auditor to catch up", || {
            let status = status(auditor);
            let seen = status["size"].as_u64() == Some(size);
            seen.then_some(()).ok_or(status)
        });
        let status = status(auditor);
        assert_eq!(status["findings"], serde_json::json!([]), "{status:#}");
    }
    let supplies: Vec<_> = network
        .full
        .iter()
        .map(|auditor| status(auditor)["supply"].clone())
        .collect();
    assert!(
        supplies.windows(2).all(|pair| pair[0] == pair[1]),
        "{supplies:#?}"
    );
    wait_for("the joint signature", || {
        let joint = size_of(&get_text(&currency.url("/log/checkpoint.joint")));
        (joint == size).then_some(()).ok_or(joint)
    });
    let rows = currency.rows();
    let faults = ReplayedLog::read(&rows).faults_against(&rows);
    assert_eq!(faults, [""; 0]);
    currency.audit();
}

/// The size in a checkpoint.
pub(super) fn size_of(note: &str) -> u64 {
    note.lines().nth(1).unwrap().parse().unwrap()
}

/// A long run has every kind of fault.
pub(super) fn all_faults_happened(network: &Network, tally: &Tally) {
    let nodes = network.nodes.iter().map(|node| killed(&node.name));
    let cut = network.foreign.iter().map(|_| FOREIGN_CUT.to_owned());
    for name in nodes.chain(cut).chain([LINKS_CUT.to_owned()]) {
        if tally.get(&name) == 0 {
            tally.violate(format!("no fault of the kind: {name}"));
        }
    }
}
