//! `torture`: wallets work with issuers, with all kinds of faults; see `opencoin_e2e::torture`.
//!
//! `cargo xtask torture` builds it in the folder of the binary `opencoin` and runs it.

#![expect(clippy::print_stdout, reason = "a command line program")]

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use opencoin_e2e::torture::{Options, TortureDatabase, run};
use rand::RngCore;
use rand::rngs::OsRng;

/// Torture a currency with crashes and other faults, and count the money.
#[derive(Debug, Parser)]
#[command(name = "torture")]
struct Arguments {
    /// Duration in minutes, for each database.
    #[arg(long, default_value_t = 1, conflicts_with = "seconds")]
    minutes: u64,
    /// Duration in seconds. From 60 on every kind of fault must happen.
    #[arg(long)]
    seconds: Option<u64>,
    /// Determines the order of faults. Default: a random seed, which is printed.
    #[arg(long)]
    seed: Option<u64>,
    /// The issuer's database.
    #[arg(long, value_enum, default_value_t = Databases::Both)]
    database: Databases,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Databases {
    Sqlite,
    Postgres,
    /// PostgreSQL with Citus, whose programs are in the folder that OPENCOIN_TEST_CITUS names.
    Citus,
    /// SQLite, then PostgreSQL on one server.
    Both,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let seed = arguments.seed.unwrap_or_else(|| OsRng.next_u64());
    println!("seed {seed}");
    let time = Duration::from_secs(arguments.seconds.unwrap_or(arguments.minutes * 60));
    let databases = match arguments.database {
        Databases::Sqlite => vec![TortureDatabase::Sqlite],
        Databases::Postgres => vec![TortureDatabase::Postgres],
        Databases::Citus => vec![TortureDatabase::Citus],
        Databases::Both => vec![TortureDatabase::Sqlite, TortureDatabase::Postgres],
    };
    let outcomes: Vec<bool> = databases
        .into_iter()
        .map(|database| torture(&Options { database, time, seed }))
        .collect();
    if outcomes.contains(&false) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Runs the torture, prints its result, and returns whether it passed.
fn torture(options: &Options) -> bool {
    println!("\n{:?}, {} s", options.database, options.time.as_secs());
    let outcome = run(options);
    print!("{}", outcome.table);
    for violation in &outcome.violations {
        println!("VIOLATION: {violation}");
    }
    match &outcome.remains {
        Some(folder) => println!(
            "failed with --seed {}; the files are in {}",
            options.seed,
            folder.display()
        ),
        None => println!("no coin was lost, none was doubled"),
    }
    outcome.remains.is_none()
}
