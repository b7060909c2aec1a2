//! `failover`: wallets work with an issuer whose PostgreSQL primary is killed; see `opencoin_e2e::failover`.

#![expect(clippy::print_stdout, reason = "a command line program")]

use clap::Parser;
use opencoin_e2e::failover::{Options, run};
use rand::RngCore;
use rand::rngs::OsRng;

/// Kill the PostgreSQL primary, promote its standby, and count the money.
#[derive(Debug, Parser)]
#[command(name = "failover")]
struct Arguments {
    /// Number of failovers.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Number of wallets.
    #[arg(long, default_value_t = 16)]
    clients: u32,
    /// Determines when the primary is killed. Default: a random seed, which is printed.
    #[arg(long)]
    seed: Option<u64>,
}

fn main() {
    let Arguments {
        rounds,
        clients,
        seed,
    } = Arguments::parse();
    let seed = seed.unwrap_or_else(|| OsRng.next_u64());
    println!("seed {seed}");
    print!(
        "{}",
        run(&Options {
            rounds,
            clients,
            seed
        })
    );
    println!("nothing that was acknowledged is lost");
}
