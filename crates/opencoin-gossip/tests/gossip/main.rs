//! Gossip between nodes: each part alone, and nine nodes together in a simulated network.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test shows its seeds and may fail by panicking"
)]

mod checkpoints;
mod known_evidence;
mod messages;
mod node_self;
mod node_state;
mod senders;
mod simulation;
mod two_histories;
