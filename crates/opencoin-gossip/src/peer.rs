//! The other nodes that a node is told to talk to.

use thiserror::Error;

/// The most peers of a node.
pub const PEERS_MAX: usize = 16;

/// The number of a peer, in the order in which they are configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerNo(u8);

/// A node has more than [`PEERS_MAX`] peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{0} peers; a node has at most {PEERS_MAX}")]
pub struct TooManyPeers(pub usize);

impl PeerNo {
    /// The index of the peer.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The first `count` peers.
    pub(crate) fn all(count: usize) -> impl Iterator<Item = Self> + use<> {
        assert!(count <= PEERS_MAX, "a node with too many peers is not made");
        (0..count as u8).map(Self)
    }
}
