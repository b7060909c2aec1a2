//! The nemesis: it kills nodes and cuts links, from a shuffled deck, so that no fault is left out.

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

/// The name of the counter of cut links.
pub(super) const LINKS_CUT: &str = "gossip links cut";
pub(super) const FOREIGN_CUT: &str = "foreign witness cut off";

#[derive(Debug, Clone, Copy)]
enum Fault {
    Kill(usize),
    CutLink(usize),
    CutForeignWitness,
}

/// The name of the counter of kills of a node.
pub(super) fn killed(node: &str) -> String {
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
            match fault {
                Fault::Kill(node) => {
                    network.nodes[node].kill();
                    tally.count(&killed(&network.nodes[node].name));
                    pause(tally, &mut rng, FAULT_MILLIS);
                    network.nodes[node].revive();
                }
                // A link stays cut while the next faults happen.
                Fault::CutLink(link) => {
                    network.mend();
                    network.links[link].set(Answers::Refuse);
                    tally.count(LINKS_CUT);
                }
                Fault::CutForeignWitness => {
                    if let Some(foreign) = &network.foreign {
                        foreign.set(Answers::Refuse);
                        tally.count(FOREIGN_CUT);
                        pause(tally, &mut rng, FAULT_MILLIS);
                        foreign.set(Answers::Pass);
                    }
                }
            }
        }
    }
    network.mend();
}

fn deck(network: &Network, rng: &mut StdRng) -> Vec<Fault> {
    let kills = (0..network.nodes.len()).map(Fault::Kill);
    let cuts = (0..network.links.len()).map(Fault::CutLink);
    let mut deck: Vec<Fault> = kills.chain(cuts).chain([Fault::CutForeignWitness]).collect();
    deck.shuffle(rng);
    deck
}

fn pause(tally: &Tally, rng: &mut StdRng, (least, most): (u64, u64)) {
    tally.pause(Duration::from_millis(rng.gen_range(least..=most)));
}
