//! Many nodes: two issuers with a PostgreSQL, two witnesses of different makers, three full auditors and two light ones,
//! in one network.
//!
//! Holders mint and redeem coins, and wallets pay each other by key, while a nemesis kills and restarts each node and the
//! database, cuts the links over which auditors gossip, and loses answers of the issuers. Wallets are killed too. They
//! repeat each command until its outcome is known.
//!
//! Then the faults end. All auditors must have the same log, the totals of the books, and nothing to complain about. Every
//! payment by key was made once and is final. The issuer signs a second history and shows it to one auditor, and every
//! full auditor must prove that. At last all nodes are stopped, and the proofs of all payments must still verify.
//!
//! A seed determines the order of faults, but not what they hit.

mod auditor;
mod checks;
mod fork;
mod holders;
mod key_books;
mod key_checks;
mod key_wallets;
mod nemesis;
mod network;
mod node;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

use self::key_books::KeyBooks;
use self::key_wallets::{KEY_WALLETS, KeyWallet, SHOP};
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
    let tally = Arc::new(Tally::new(options.time));
    tally.guard("the network", || run_network(options, &tally));
    Outcome {
        table: tally.table(),
        violations: tally.violations(),
    }
}

fn run_network(options: &Options, tally: &Arc<Tally>) {
    let mut rng = StdRng::seed_from_u64(options.seed);
    let mut network = Network::start();
    let holders = holders::open(&network);
    let _token = network.currency.account(SHOP, 0);
    let books = Arc::<KeyBooks>::default();
    let mut wallets: Vec<KeyWallet> = (0..KEY_WALLETS)
        .map(|number| KeyWallet::new(number, &network, &books, tally, derived(&mut rng)))
        .collect();
    tally.restart();
    thread::scope(|scope| {
        for holder in &holders {
            scope.spawn(|| tally.guard("a holder", || holder.work(tally)));
        }
        for wallet in &mut wallets {
            scope.spawn(|| tally.guard("a wallet", || wallet.work()));
        }
        let faults = derived(&mut rng);
        tally.guard("the nemesis", || nemesis::strike(&mut network, tally, faults));
    });
    if tally.is_broken() {
        return;
    }
    tally.guard("the holders", || holders::check(&holders, &network));
    tally.guard("settling", || checks::settle(&network));
    tally.guard("the key accounts", || key_checks::compare(&network, &books));
    tally.guard("the wallets", || {
        key_checks::ask_wallets(&network, &wallets, &books)
    });
    let proofs = tally.guard("the proofs", || key_checks::fetch_proofs(&network, &books));
    if !tally.is_broken() {
        tally.guard("the second history", || fork::show_and_prove(&network, &mut rng));
    }
    if options.time >= COMPLETE_FROM && !tally.is_broken() {
        checks::all_happened(&network, tally);
    }
    network.stop();
    tally.guard("the proofs", || {
        proofs.iter().for_each(|proofs| proofs.verify(tally))
    });
}

fn derived(rng: &mut StdRng) -> StdRng {
    StdRng::seed_from_u64(rng.next_u64())
}
