//! Counts the connections of each address, so that one cannot use all rooms. An address is forgotten with its last
//! connection.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opencoin_connections::network;

/// The connections of each address.
pub(crate) struct Presence {
    counts: Mutex<HashMap<IpAddr, u32>>,
    /// 0 is no limit.
    max: u32,
}

/// One connection. It ends when this is dropped.
pub(crate) struct Present {
    presence: Arc<Presence>,
    network: IpAddr,
}

impl Presence {
    pub(crate) fn new(max: u32) -> Arc<Self> {
        Arc::new(Self {
            counts: Mutex::default(),
            max,
        })
    }

    /// Counts a connection. `None` if its address has too many.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Present> {
        let network = network(address);
        let mut counts = self.lock();
        let count = counts.entry(network).or_insert(0);
        if self.max > 0 && *count >= self.max {
            return None;
        }
        *count += 1;
        Some(Present {
            presence: Arc::clone(self),
            network,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        let mut counts = self.presence.lock();
        if let Some(count) = counts.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.network);
            }
        }
    }
}
