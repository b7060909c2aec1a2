//! Metrics of a relay, in the text format of OpenMetrics. No label comes from a client.

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use opencoin_transfer::relay::CloseCode;

/// The media type of the metrics: OpenMetrics 1.0.
pub(crate) const METRICS_CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The counters of a relay.
pub(crate) struct RelayMetrics {
    registry: Registry,
    connections: Gauge,
    rooms: Gauge,
    frames: Counter,
    bytes: Counter,
    closed: Family<ReasonLabel, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

/// Counts a connection until it is dropped.
pub(crate) struct Connected(Gauge);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl RelayMetrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::default();
        let (connections, rooms) = (Gauge::default(), Gauge::default());
        let (frames, bytes, closed) = (Counter::default(), Counter::default(), Family::default());
        // The encoder appends `_total` to the names of counters.
        registry.register(
            "opencoin_relay_connections",
            "Participants of live transfers that are connected",
            connections.clone(),
        );
        registry.register("opencoin_relay_rooms", "Rooms of live transfers", rooms.clone());
        registry.register(
            "opencoin_relay_frames",
            "Frames that were forwarded from one participant to the other",
            frames.clone(),
        );
        registry.register(
            "opencoin_relay_frame_bytes",
            "The bytes of these frames",
            bytes.clone(),
        );
        registry.register(
            "opencoin_relay_closed",
            "Connections that the relay has ended, by reason",
            closed.clone(),
        );
        Self {
            registry,
            connections,
            rooms,
            frames,
            bytes,
            closed,
        }
    }

    pub(crate) fn connected(&self) -> Connected {
        self.connections.inc();
        Connected(self.connections.clone())
    }

    pub(crate) fn forwarded(&self, bytes: usize) {
        self.frames.inc();
        self.bytes.inc_by(bytes as u64);
    }

    pub(crate) fn closed(&self, code: CloseCode) {
        let reason = code.word();
        self.closed.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// The metrics without the line that ends a text of metrics.
    pub(crate) fn text(&self, rooms: usize) -> String {
        self.rooms.set(i64::try_from(rooms).unwrap_or(i64::MAX));
        let mut metrics = String::new();
        text::encode_registry(&mut metrics, &self.registry).expect("writing to a string does not fail");
        metrics
    }
}
