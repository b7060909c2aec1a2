//! A short run of many nodes for every change. `cargo xtask nodes` runs as long as it is told.
//!
//! The seed is fixed, so that two runs differ only in scheduling. Set `OPENCOIN_NODES_SEED` to use another seed.

use std::env;
use std::time::Duration;

use opencoin_e2e::nodes::{Options, run};

const SEED_VARIABLE: &str = "OPENCOIN_NODES_SEED";
const SEED: u64 = 15;
/// Long enough for some faults. Settling and checking take as long again.
const TIME: Duration = Duration::from_secs(10);

#[test]
fn money_and_auditors_agree_after_all_faults_and_every_auditor_proves_a_second_history() {
    let seed = env::var(SEED_VARIABLE).map_or(SEED, |seed| seed.parse().expect("the seed is a number"));
    let outcome = run(&Options { time: TIME, seed });
    assert!(
        outcome.violations.is_empty(),
        "seed {seed}:\n{:#?}\n{}",
        outcome.violations,
        outcome.table
    );
}
