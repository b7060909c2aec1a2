//! Gossip between nodes.
