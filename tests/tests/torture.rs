//! A little torture, for every change; `cargo xtask torture` goes on for as long as it is told.
//!
//! The seed is fixed, so that two runs differ in what the operating system does and not in what we do; set
//! `OPENCOIN_TORTURE_SEED` to take another.

use std::env;
use std::time::Duration;

use opencoin_e2e::Database;
use opencoin_e2e::torture::{Options, run};

const SEED_VARIABLE: &str = "OPENCOIN_TORTURE_SEED";
const SEED: u64 = 20;
/// Long enough for most kinds of faults; finishing and checking take as long again.
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
        "seed {seed}, what is left is in {remains:?}:\n{:#?}\n{table}",
        outcome.violations
    );
}
