//! What must hold when the faults have ended.

use super::auditor::status;
use super::key_wallets::{KEYS_INTRODUCED, MINTS, PAYMENTS, REDEEMS, REPEATED, WALLETS_KILLED};
use super::nemesis::fault_names;
use super::network::Network;
use crate::replayed_log::ReplayedLog;
use crate::tally::Tally;
use crate::{get_text, wait_for};

/// Waits until every auditor has the whole log, and compares what they say with each other, with the books and with a replay
/// that shares no code with them.
pub(super) fn settle(network: &Network) {
    let currency = &network.currency;
    currency.wait_until_all_is_published();
    let rows = currency.rows();
    // An issuer may still show the checkpoint before that one.
    let size = rows.number("SELECT size FROM log_head").try_into().unwrap();
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
    for port in network.issuer_ports {
        for path in ["/log/checkpoint", "/log/checkpoint.joint"] {
            wait_for("an issuer to show the newest checkpoint", || {
                let shown = size_of(&get_text(&format!("http://127.0.0.1:{port}{path}")));
                (shown == size).then_some(()).ok_or((path, shown))
            });
        }
    }
    let faults = ReplayedLog::read(&rows).faults_against(&rows);
    assert_eq!(faults, [""; 0]);
    currency.audit();
}

/// The size in a checkpoint.
pub(super) fn size_of(note: &str) -> u64 {
    note.lines().nth(1).unwrap().parse().unwrap()
}

/// A long run has every kind of fault, and of work.
pub(super) fn all_happened(network: &Network, tally: &Tally) {
    let work = [
        KEYS_INTRODUCED,
        PAYMENTS,
        MINTS,
        REDEEMS,
        REPEATED,
        WALLETS_KILLED,
    ];
    for name in fault_names(network).into_iter().chain(work.map(str::to_owned)) {
        if tally.get(&name) == 0 {
            tally.violate(format!("a long run without: {name}"));
        }
    }
}
