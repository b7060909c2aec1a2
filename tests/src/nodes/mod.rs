//! Many nodes: two issuers, two witnesses of different makers, three full auditors and two light ones, in one network.
//!
//! Wallets and key accounts work while a nemesis kills and restarts each node and cuts the links over which auditors
//! gossip. Then the faults end. All auditors must have the same log and the same totals, and nothing to complain about.
//! At last the issuer signs a second history and shows it to one auditor, and every full auditor must prove that.
//!
//! A seed determines the order of faults, but not what they hit.

mod auditor;
mod checks;
mod fork;
mod holders;
mod nemesis;
mod network;
mod node;

use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

use self::network::Network;
use crate::tally::Tally;

/// In a run of at least this length every kind of fault must happen.
const COMPLETE_FROM: Duration = Duration::from_secs(60);

/// The options of a run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How long holders and nemesis work, without settling and checking.
    pub time: Duration,
    /// Determines the order of faults.
    pub seed: u64,
}

/// The result of a run.
#[derive(Debug)]
pub struct Outcome {
    /// All counters, as a table.
    pub table: String,
    /// The violations; empty if the run passed.
    pub violations: Vec<String>,
}

/// Brings up a network, lets it work under faults, and checks it.
#[must_use]
pub fn run(options: &Options) -> Outcome {
    let tally = Tally::new(options.time);
    tally.guard("the network", || run_network(options, &tally));
    Outcome {
        table: tally.table(),
        violations: tally.violations(),
    }
}

fn run_network(options: &Options, tally: &Tally) {
    let mut rng = StdRng::seed_from_u64(options.seed);
    let mut network = Network::start();
    let holders = holders::open(&network);
    tally.restart();
    thread::scope(|scope| {
        for holder in &holders {
            scope.spawn(|| tally.guard("a holder", || holder.work(tally)));
        }
        let faults = StdRng::seed_from_u64(rng.next_u64());
        tally.guard("the nemesis", || nemesis::strike(&mut network, tally, faults));
    });
    if tally.is_broken() {
        return;
    }
    tally.guard("the holders", || holders::check(&holders, &network));
    tally.guard("settling", || checks::settle(&network));
    if !tally.is_broken() {
        tally.guard("the second history", || fork::show_and_prove(&network, &mut rng));
    }
    if options.time >= COMPLETE_FROM && !tally.is_broken() {
        checks::all_faults_happened(&network, tally);
    }
    network.stop();
}
