//! What gossip needs to remember while the auditor runs: what was seen, what waits for which peer, and who the peers are.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use opencoin_connections::network;
use opencoin_gossip::{Gossip, GossipSender, KnownEvidence, PeerNo, SendTimes, TooManyPeers};
use opencoin_log::hash::Hash;
use tokio::sync::Notify;

/// The most checkpoints that are remembered as handed to the follower of their log.
const OFFERED_MAX: usize = 1024;

/// The state of gossip.
#[derive(Debug)]
pub(crate) struct GossipNode {
    gossip: Mutex<Gossip>,
    known: Mutex<KnownEvidence>,
    /// What was handed to followers, so that a repeated message causes no work.
    offered: Mutex<BTreeSet<Hash>>,
    /// The addresses of each peer.
    addresses: Mutex<Vec<Vec<IpAddr>>>,
    /// Something waits for a peer.
    changed: Notify,
    /// Held while unresolved checkpoints are read, changed and stored.
    pub(crate) unresolved: tokio::sync::Mutex<()>,
}

impl GossipNode {
    pub(crate) fn new(peers: usize) -> Result<Self, TooManyPeers> {
        Ok(Self {
            gossip: Mutex::new(Gossip::new(peers, SendTimes::default())?),
            known: Mutex::default(),
            offered: Mutex::default(),
            addresses: Mutex::new(vec![Vec::new(); peers]),
            changed: Notify::new(),
            unresolved: tokio::sync::Mutex::default(),
        })
    }

    /// Nothing that takes long happens while it is held.
    pub(crate) fn gossip(&self) -> MutexGuard<'_, Gossip> {
        lock(&self.gossip)
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, KnownEvidence> {
        lock(&self.known)
    }

    /// Offers this to a follower unless one took it before. What no follower takes, says `offer`, may be offered again.
    pub(crate) fn offer_once(&self, subject: Hash, offer: impl FnOnce() -> bool) {
        let mut offered = lock(&self.offered);
        if offered.contains(&subject) || !offer() {
            return;
        }
        if offered.len() >= OFFERED_MAX {
            offered.clear();
        }
        offered.insert(subject);
    }

    /// A new follower has seen nothing of what others took.
    pub(crate) fn forget_offers(&self) {
        lock(&self.offered).clear();
    }

    /// Who sends from this address. Peers that share one are not told apart.
    pub(crate) fn sender(&self, client: IpAddr) -> GossipSender {
        let client = network(client);
        let peers: Vec<PeerNo> = self.gossip().peers().collect();
        let addresses = lock(&self.addresses);
        let is_of = |peer: &PeerNo| {
            addresses[peer.index()]
                .iter()
                .any(|address| network(*address) == client)
        };
        match peers.into_iter().filter(is_of).collect::<Vec<_>>().as_slice() {
            [peer] => GossipSender::Peer(*peer),
            _ => GossipSender::Address(client),
        }
    }

    pub(crate) fn set_addresses(&self, peer: PeerNo, addresses: Vec<IpAddr>) {
        lock(&self.addresses)[peer.index()] = addresses;
    }

    /// Wakes those who send to peers.
    pub(crate) fn wake(&self) {
        self.changed.notify_waiters();
    }

    /// Waits until something may have to be sent.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_follower_has_taken_is_offered_again() {
        let node = GossipNode::new(0).unwrap();
        let mut offers = 0;
        let mut offer = |is_taken| {
            node.offer_once(Hash::new([1; 32]), || {
                offers += 1;
                is_taken
            });
            offers
        };
        assert_eq!([false, false, true, true, true].map(&mut offer), [1, 2, 3, 3, 3]);
        node.forget_offers();
        assert_eq!(offer(true), 4, "a new follower has seen nothing");
    }
}
