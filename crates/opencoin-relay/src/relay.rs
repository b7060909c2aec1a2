//! A relay with what its connections share.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::limits::RelayLimits;
use crate::metrics::RelayMetrics;
use crate::presence::Presence;
use crate::rooms::Rooms;

/// The options of a relay.
#[derive(Debug, Clone, Default)]
pub struct RelayOptions {
    /// What clients may use.
    pub limits: RelayLimits,
    /// The proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<IpAddr>,
}

/// A relay.
pub struct Relay {
    pub(crate) options: RelayOptions,
    pub(crate) rooms: Arc<Rooms>,
    pub(crate) presence: Arc<Presence>,
    pub(crate) metrics: RelayMetrics,
    connections: AtomicU64,
    is_stopping: AtomicBool,
}

impl Relay {
    /// A relay without rooms.
    #[must_use]
    pub fn new(options: RelayOptions) -> Arc<Self> {
        Arc::new(Self {
            rooms: Rooms::new(options.limits.rooms_max.get()),
            presence: Presence::new(options.limits.connections_per_address),
            metrics: RelayMetrics::new(),
            options,
            connections: AtomicU64::new(0),
            is_stopping: AtomicBool::new(false),
        })
    }

    /// The metrics, without the line that ends a text of metrics.
    #[must_use]
    pub fn metrics_text(&self) -> String {
        self.metrics.text(self.rooms.count())
    }

    /// Takes no new connections and ends the others. Their participants continue when they reach a relay again.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        self.rooms.close();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::SeqCst)
    }

    /// A number for a new connection.
    pub(crate) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }
}
