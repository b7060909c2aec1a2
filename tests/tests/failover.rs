//! Failovers of PostgreSQL under load, one of them after the standby was away: what was acknowledged is there.

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
        "the primary died and nobody noticed: nothing was tried"
    );
    assert_eq!(outcome.compared, outcome.acknowledged);
}
