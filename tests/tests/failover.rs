//! PostgreSQL failovers under load, one of them while the standby is away: everything acknowledged survives.

use opencoin_e2e::failover::{Options, run};

#[test]
fn nothing_acknowledged_is_lost_when_the_primary_dies() {
    let outcome = run(&Options {
        rounds: 2,
        clients: 8,
        seed: 1,
    });
    print!("{outcome}");
    assert!(
        outcome.retried > 0,
        "no request was interrupted, so the test tested nothing"
    );
    assert_eq!(outcome.compared, outcome.acknowledged);
    assert!(outcome.carried_out > 0 && outcome.expired > 0, "{outcome}");
}
