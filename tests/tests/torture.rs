//! A short torture run for every change. `cargo xtask torture` runs as long as it is told.
//!
//! The seed is fixed, so that two runs differ only in scheduling. Set `OPENCOIN_TORTURE_SEED` to use another seed.

use std::env;
use std::time::Duration;

use opencoin_e2e::torture::{Options, TortureDatabase, run};
use opencoin_testkit::citus::PROGRAMS_VARIABLE;

const SEED_VARIABLE: &str = "OPENCOIN_TORTURE_SEED";
const SEED: u64 = 22;
/// Long enough for most kinds of faults. Finishing and checking take the same time again.
const TIME: Duration = Duration::from_secs(8);

#[test]
fn no_coin_is_lost_and_none_is_doubled_on_sqlite() {
    torture(TortureDatabase::Sqlite);
}

#[test]
fn no_coin_is_lost_and_none_is_doubled_on_postgres() {
    torture(TortureDatabase::Postgres);
}

#[test]
fn no_coin_is_lost_and_none_is_doubled_on_citus() {
    if env::var_os(PROGRAMS_VARIABLE).is_none() {
        println!("SKIPPED: {PROGRAMS_VARIABLE} does not name the programs of a PostgreSQL with Citus");
        return;
    }
    torture(TortureDatabase::Citus);
}

fn torture(database: TortureDatabase) {
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
