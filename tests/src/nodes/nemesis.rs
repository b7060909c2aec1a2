//! The nemesis: it kills nodes and the database, cuts links and loses answers, from a shuffled deck, so that no fault is
//! left out.

use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::network::Network;
use crate::Answers;
use crate::tally::Tally;

/// The pause between two faults.
const PAUSE_MILLIS: (u64, u64) = (50, 800);
/// The duration of a fault.
const FAULT_MILLIS: (u64, u64) = (50, 2500);

/// The names of counters.
const LINKS_CUT: &str = "gossip links cut";
const FOREIGN_CUT: &str = "foreign witness cut off";
const FOREIGN_KILLED: &str = "foreign witness killed";
const DATABASE_CRASHED: &str = "PostgreSQL crashed";
const ANSWERS_LOST: &str = "answers of the issuers lost";

#[derive(Debug, Clone, Copy)]
enum Fault {
    Kill(usize),
    KillForeignWitness,
    CrashDatabase,
    CutLink(usize),
    CutForeignWitness,
    /// Requests reach an issuer, and nobody hears of the outcome.
    LoseAnswers,
}

/// The names of the counters of all faults that a long run must have.
pub(super) fn fault_names(network: &Network) -> Vec<String> {
    let mut names: Vec<String> = network.nodes.iter().map(|node| killed(&node.name)).collect();
    names.extend([LINKS_CUT, DATABASE_CRASHED, ANSWERS_LOST].map(str::to_owned));
    if network.foreign.is_some() {
        names.extend([FOREIGN_CUT, FOREIGN_KILLED].map(str::to_owned));
    }
    names
}

fn killed(node: &str) -> String {
    format!("{node} killed")
}

/// Strikes until the time is over. Afterwards all nodes run and all links are whole.
pub(super) fn strike(network: &mut Network, tally: &Tally, mut rng: StdRng) {
    while !tally.is_over() {
        for fault in deck(network, &mut rng) {
            pause(tally, &mut rng, PAUSE_MILLIS);
            if tally.is_over() {
                break;
            }
            apply(fault, network, tally, &mut rng);
        }
    }
    network.mend();
    network.nodes.iter_mut().for_each(|node| node.assert_runs());
    tally.add(ANSWERS_LOST, network.door.lost() as u64);
}

fn apply(fault: Fault, network: &mut Network, tally: &Tally, rng: &mut StdRng) {
    match fault {
        Fault::Kill(node) => {
            let node = &mut network.nodes[node];
            node.kill();
            tally.count(&killed(&node.name));
            pause(tally, rng, FAULT_MILLIS);
            node.revive();
        }
        Fault::KillForeignWitness => {
            if let Some(foreign) = &mut network.foreign {
                foreign.witness.kill();
                tally.count(FOREIGN_KILLED);
                pause(tally, rng, FAULT_MILLIS);
                foreign.witness.revive();
            }
        }
        Fault::CrashDatabase => {
            network.postgres.crash();
            tally.count(DATABASE_CRASHED);
            pause(tally, rng, FAULT_MILLIS);
            network.postgres.restart();
        }
        // A link stays cut while the next faults happen.
        Fault::CutLink(link) => {
            network.mend();
            network.links[link].set(Answers::Refuse);
            tally.count(LINKS_CUT);
        }
        Fault::CutForeignWitness => {
            if let Some(foreign) = &network.foreign {
                foreign.link.set(Answers::Refuse);
                tally.count(FOREIGN_CUT);
                pause(tally, rng, FAULT_MILLIS);
                foreign.link.set(Answers::Pass);
            }
        }
        Fault::LoseAnswers => {
            network.door.set(Answers::Cut);
            pause(tally, rng, FAULT_MILLIS);
            network.door.set(Answers::Pass);
        }
    }
}

fn deck(network: &Network, rng: &mut StdRng) -> Vec<Fault> {
    let kills = (0..network.nodes.len()).map(Fault::Kill);
    let cuts = (0..network.links.len()).map(Fault::CutLink);
    let mut deck: Vec<Fault> = kills.chain(cuts).collect();
    deck.extend([Fault::CrashDatabase, Fault::LoseAnswers]);
    if network.foreign.is_some() {
        deck.extend([Fault::KillForeignWitness, Fault::CutForeignWitness]);
    }
    deck.shuffle(rng);
    deck
}

fn pause(tally: &Tally, rng: &mut StdRng, (least, most): (u64, u64)) {
    tally.pause(Duration::from_millis(rng.gen_range(least..=most)));
}
