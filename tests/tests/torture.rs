//! A short torture run for every change. `cargo xtask torture` runs as long as it is told.
//!
//! The seed is fixed, so that two runs differ only in scheduling. Set `OPENCOIN_TORTURE_SEED` to use another seed.

use std::env;
use std::time::Duration;

use opencoin_e2e::Database;
use opencoin_e2e::torture::{Options, run};

const SEED_VARIABLE: &str = "OPENCOIN_TORTURE_SEED";
const SEED: u64 = 20;
/// Long enough for most kinds of faults. Finishing and checking take the same time again.
const TIME: Duration = Duration::from_secs(8);

#[test]
fn no_coin_is_lost_and_none_is_doubled_on_sqlite() {
    torture(Database::Sqlite);
}

#[test]
fn no_coin_is_lost_and_none_is_doubled_on_postgres() {
    torture(Database::Postgres);
}

fn torture(database: Database) {
    let seed = env::var(SEED_VARIABLE).map_or(SEED, |seed| seed.parse().expect("the seed is a number"));
    let outcome = run(&Options {
        database,
        time: TIME,
        seed,
    });
    let (table, remains) = (outcome.table, outcome.remains);
    assert!(
        outcome.violations.is_empty(),
        "seed {seed}, files of the run in {remains:?}:\n{:#?}\n{table}",
        outcome.violations
    );
}
