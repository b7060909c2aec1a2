//! Eight auditors and one hostile node in a simulated network: random links, delays, lost messages, cut links, restarts.
//!
//! The log shows a second history to one of the auditors. Every auditor must end with evidence, whatever the hostile node
//! sends, and then there is silence. Each run has a seed, which a failure names.

mod hostile;
mod network;
mod node;
mod world;

use network::{Malice, Network, Settings};
use world::{Fraud, World};

/// The seeds of each test. A failure names its own.
const SEEDS: std::ops::Range<u64> = 0..4;

fn run(seed: u64, settings: Settings, fraud: Fraud) -> Network {
    println!("seed {seed}: {fraud:?}, {settings:?}");
    let mut network = Network::new(seed, settings, World::new(seed, fraud));
    network.run();
    network
}

#[test]
fn every_node_learns_of_a_second_history_that_goes_on() {
    for seed in SEEDS {
        run(seed, Settings::default(), Fraud::GoesOn).assert_all_convinced();
    }
}

#[test]
fn every_node_learns_of_a_second_history_that_was_shown_once() {
    for seed in SEEDS {
        run(seed, Settings::default(), Fraud::OnceThenSilence).assert_all_convinced();
        run(seed, Settings::default(), Fraud::OnceThenHonest).assert_all_convinced();
    }
}

#[test]
fn the_copy_of_a_peer_convicts_a_log_that_stops() {
    let settings = Settings {
        mirrors: true,
        ..Settings::default()
    };
    for seed in SEEDS {
        let network = run(seed, settings, Fraud::LongerThanTheOther);
        network.assert_all_convinced();
    }
    // Without copies the longer history cannot be compared, but it is remembered.
    let network = run(0, Settings::default(), Fraud::LongerThanTheOther);
    network.assert_victims_claim_is_remembered();
}

#[test]
fn a_hostile_node_cannot_keep_others_from_learning() {
    for (seed, malice) in SEEDS.zip([Malice::Blunt, Malice::Sly].into_iter().cycle()) {
        let settings = Settings {
            hostile: Some(malice),
            ..Settings::default()
        };
        let network = run(seed, settings, Fraud::GoesOn);
        network.assert_all_convinced();
        network.assert_flood_was_bounded();
    }
}

#[test]
fn nobody_accuses_an_honest_log() {
    for seed in SEEDS.take(2) {
        let settings = Settings {
            hostile: Some(Malice::Sly),
            ..Settings::default()
        };
        run(seed, settings, Fraud::None).assert_nobody_convinced();
    }
}
