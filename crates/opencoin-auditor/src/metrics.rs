//! Metrics of an auditor, in the text format of OpenMetrics.
//!
//! What is known of each currency is read at each scrape. Origins are labels only of currencies that the operator has
//! added, so nobody else can make new ones.

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::report::Report;

/// The media type of the metrics: OpenMetrics 1.0.
pub(crate) const METRICS_CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The counters of an auditor.
pub(crate) struct AuditorMetrics {
    registry: Registry,
    connections: Gauge,
    rate_limited: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OriginLabel {
    origin: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VersionLabel {
    version: &'static str,
}

/// Counts a connection until it is dropped.
pub(crate) struct Connected(Gauge);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl AuditorMetrics {
    /// Counters at zero, of a process that has started at this time in seconds since 1970.
    pub(crate) fn new(started: u64) -> Self {
        let mut registry = Registry::default();
        let (connections, rate_limited) = (Gauge::default(), Counter::default());
        registry.register(
            "opencoin_auditor_connections",
            "Connections of clients that are open",
            connections.clone(),
        );
        // The encoder appends `_total` to the names of counters.
        registry.register(
            "opencoin_auditor_rate_limited",
            "Requests refused because one address sent too many",
            rate_limited.clone(),
        );
        let version = env!("CARGO_PKG_VERSION");
        registry.register(
            "opencoin_build",
            "The running program",
            Info::new(VersionLabel { version }),
        );
        let start: Gauge = Gauge::default();
        start.set(gauge(started));
        registry.register("process_start_time_seconds", "When the server began", start);
        Self {
            registry,
            connections,
            rate_limited,
        }
    }

    /// Counts a request that was refused because of the rate of its address.
    pub(crate) fn rate_limited(&self) {
        self.rate_limited.inc();
    }

    /// Counts an open connection until the result is dropped.
    pub(crate) fn connected(&self) -> Connected {
        self.connections.inc();
        Connected(self.connections.clone())
    }

    /// All metrics as text. `None` for the currencies means that the database cannot be read.
    pub(crate) fn text(&self, reports: Option<&[Report]>) -> String {
        let mut text = String::new();
        [&self.registry, &of_currencies(reports)]
            .into_iter()
            .try_for_each(|registry| text::encode_registry(&mut text, registry))
            .and_then(|()| text::encode_eof(&mut text))
            .expect("writing to a string does not fail");
        text
    }
}

/// What is known of the currencies.
fn of_currencies(reports: Option<&[Report]>) -> Registry {
    let mut registry = Registry::default();
    let up: Gauge = Gauge::default();
    up.set(i64::from(reports.is_some()));
    registry.register("opencoin_auditor_database_up", "1: the database can be read", up);
    let families = [(); 9].map(|()| Family::<OriginLabel, Gauge>::default());
    let [
        sizes,
        replayed,
        cosigned,
        cosigned_at,
        read_at,
        broken,
        evidence,
        trouble,
        unresolved,
    ] = &families;
    for report in reports.unwrap_or_default() {
        let label = OriginLabel {
            origin: report.currency.origin.clone(),
        };
        let set = |family: &Family<OriginLabel, Gauge>, value: u64| {
            family.get_or_create(&label).set(gauge(value));
        };
        set(sizes, report.live.checkpoint_size);
        set(replayed, report.live.replayed);
        set(read_at, report.live.read_at.unwrap_or(0));
        set(broken, report.broken_rules() as u64);
        set(evidence, report.evidence.len() as u64);
        set(unresolved, report.unresolved.len() as u64);
        set(trouble, u64::from(report.live.trouble.is_some()));
        if let Some(last) = &report.cosigned {
            set(cosigned, last.size);
            set(cosigned_at, last.time);
        }
    }
    let described = [
        ("size", "The size of the newest verified checkpoint"),
        ("replayed", "The entries that were replayed"),
        ("cosigned_size", "The size of the last cosigned checkpoint"),
        ("cosigned_timestamp_seconds", "The time of the last cosignature"),
        ("read_timestamp_seconds", "When the log was read last"),
        ("broken_rules", "Broken rules that were found"),
        ("evidence", "Files of evidence that are kept"),
        ("trouble", "1: the log cannot be read or is not believed"),
        (
            "unresolved_checkpoints",
            "Signed checkpoints whose entries nobody shows",
        ),
    ];
    for ((name, help), family) in described.into_iter().zip(families) {
        registry.register(format!("opencoin_auditor_{name}"), help, family);
    }
    registry
}

fn gauge(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
