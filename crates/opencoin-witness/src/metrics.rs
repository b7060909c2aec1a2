//! Metrics of a witness, in the text format of OpenMetrics.
//!
//! Requests are counted as they are answered. What is known of each log is read from the database at each scrape.
//! Origins are labels only if the witness accepts them, so clients cannot make new ones.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::store::WitnessedLog;

/// The media type of the metrics: OpenMetrics 1.0.
pub(crate) const METRICS_CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the durations of submissions, in seconds.
const SUBMISSION_BUCKETS_S: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// The counters of a witness.
pub(crate) struct WitnessMetrics {
    registry: Registry,
    submissions: Family<SubmissionLabels, Counter>,
    durations: Histogram,
    connections: Gauge,
    rate_limited: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SubmissionLabels {
    /// Empty if the witness does not accept the log.
    origin: String,
    status: u16,
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

impl WitnessMetrics {
    /// Counters at zero, of a process that has started at this time in seconds since 1970.
    pub(crate) fn new(started: u64) -> Self {
        let mut registry = Registry::default();
        let submissions = Family::default();
        let durations = Histogram::new(SUBMISSION_BUCKETS_S);
        let (connections, rate_limited) = (Gauge::default(), Counter::default());
        // The encoder appends `_total` to the names of counters.
        registry.register(
            "opencoin_witness_submissions",
            "Submitted checkpoints, by origin and HTTP status; the origin is empty for unknown ones",
            submissions.clone(),
        );
        registry.register(
            "opencoin_witness_submission_duration_seconds",
            "From a submission's head to its answer",
            durations.clone(),
        );
        registry.register(
            "opencoin_witness_connections",
            "Connections of clients that are open",
            connections.clone(),
        );
        registry.register(
            "opencoin_witness_rate_limited",
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
            submissions,
            durations,
            connections,
            rate_limited,
        }
    }

    /// Counts an answered submission.
    pub(crate) fn answered(&self, origin: Option<String>, status: u16, duration: Duration) {
        self.durations.observe(duration.as_secs_f64());
        let origin = origin.unwrap_or_default();
        self.submissions
            .get_or_create(&SubmissionLabels { origin, status })
            .inc();
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

    /// All metrics as text. `None` for the logs means that the database cannot be read.
    pub(crate) fn text(&self, logs: Option<&[WitnessedLog]>) -> String {
        let mut text = String::new();
        [&self.registry, &of_logs(logs)]
            .into_iter()
            .try_for_each(|registry| text::encode_registry(&mut text, registry))
            .and_then(|()| text::encode_eof(&mut text))
            .expect("writing to a string does not fail");
        text
    }
}

/// What the database knows of the accepted logs.
fn of_logs(logs: Option<&[WitnessedLog]>) -> Registry {
    let mut registry = Registry::default();
    let up: Gauge = Gauge::default();
    up.set(i64::from(logs.is_some()));
    registry.register("opencoin_witness_database_up", "1: the database can be read", up);
    let [sizes, times, contradictions] = [(); 3].map(|()| Family::<OriginLabel, Gauge>::default());
    for log in logs.unwrap_or_default().iter().filter(|log| log.is_accepted) {
        let label = OriginLabel {
            origin: log.origin.clone(),
        };
        contradictions
            .get_or_create(&label)
            .set(gauge(log.contradictions));
        if let Some(last) = &log.last {
            sizes.get_or_create(&label).set(gauge(last.size));
            times.get_or_create(&label).set(gauge(last.time));
        }
    }
    registry.register(
        "opencoin_witness_size",
        "The size of the last cosigned tree",
        sizes,
    );
    registry.register(
        "opencoin_witness_cosigned_timestamp_seconds",
        "The time of the last cosignature",
        times,
    );
    registry.register(
        "opencoin_witness_contradictions",
        "Pairs of checkpoints of one size with different roots, signed by the log",
        contradictions,
    );
    registry
}

fn gauge(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
