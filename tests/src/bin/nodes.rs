//! `nodes`: a network of issuers, witnesses, auditors and wallets, with all kinds of faults; see `opencoin_e2e::nodes`.
//!
//! `cargo xtask nodes` builds it in the folder of the binary `opencoin` and runs it.

#![expect(clippy::print_stdout, reason = "a command line program")]

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use opencoin_e2e::nodes::{Options, run};
use rand::RngCore;
use rand::rngs::OsRng;

/// Run issuers, witnesses and auditors while wallets mint and pay by key, kill and restart each, and let the issuer present
/// two histories.
#[derive(Debug, Parser)]
#[command(name = "nodes")]
struct Arguments {
    /// Duration of the faults in minutes.
    #[arg(long, default_value_t = 1, conflicts_with = "seconds")]
    minutes: u64,
    /// Duration of the faults in seconds. From 60 on every kind of fault must happen.
    #[arg(long)]
    seconds: Option<u64>,
    /// Determines the order of faults. Default: a random seed, which is printed.
    #[arg(long)]
    seed: Option<u64>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let seed = arguments.seed.unwrap_or_else(|| OsRng.next_u64());
    println!("seed {seed}");
    let time = Duration::from_secs(arguments.seconds.unwrap_or(arguments.minutes * 60));
    let outcome = run(&Options { time, seed });
    print!("{}", outcome.table);
    for violation in &outcome.violations {
        println!("VIOLATION: {violation}");
    }
    if outcome.violations.is_empty() {
        println!(
            "one history, the same totals everywhere, every payment by key made once and proven; the second history was \
             proven by every full auditor"
        );
        ExitCode::SUCCESS
    } else {
        println!("failed with --seed {seed}");
        ExitCode::FAILURE
    }
}
