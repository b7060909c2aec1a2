//! Metrics for an operator's monitoring: requests and their durations, the queue to the ledger, signing, keys, coins.
//!
//! Counters are updated once a request or a batch, not once a coin, in tens of nanoseconds. Figures from the books
//! and documents are read at each scrape ([`scrape`]). Labels are fixed words, path templates, denominations and ids
//! of mint keys, which are public and few. No label contains data of a client.

mod gauge;
mod process;
mod public_log;
pub(crate) mod scrape;
mod signer;

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, Utc};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub(crate) use signer::MeteredSigner;

use crate::samples::{Sums, SumsRead};

/// The media type of the metrics: OpenMetrics 1.0.
pub const METRICS_CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the durations of requests, in seconds: from a document over one coin and a thousand coins up to a
/// client's timeout.
const REQUEST_BUCKETS_S: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Upper bounds of the durations of a database transaction, in seconds.
const BATCH_BUCKETS_S: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];
/// Upper bounds of the number of commands in a transaction, up to [`opencoin_ledger::BATCH_COMMANDS_MAX`].
const BATCH_BUCKETS_COMMANDS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];
/// Upper bounds of the durations of signing the blinds of a request, in seconds.
const SIGN_BUCKETS_S: [f64; 13] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// The counters of an issuer.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_durations: Family<KindLabel, Histogram, fn() -> Histogram>,
    queue: Gauge,
    batch_commands: Histogram,
    batch_durations: Histogram,
    ledger_failures: Counter,
    sign_durations: Histogram,
    signer_failures: Counter,
    connections: Gauge,
    rate_limited: Counter,
    logins: Family<OutcomeLabel, Counter>,
    sums: Sums,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    request: Cow<'static, str>,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    request: Cow<'static, str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VersionLabel {
    version: &'static str,
}

/// Counts in a gauge until it is dropped.
pub struct Present(Gauge);

impl Drop for Present {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// Counters at zero, of a process that has started at this time.
    #[must_use]
    pub fn new(started: DateTime<Utc>) -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            request_durations: Family::new_with_constructor(|| Histogram::new(REQUEST_BUCKETS_S)),
            queue: Gauge::default(),
            batch_commands: Histogram::new(BATCH_BUCKETS_COMMANDS),
            batch_durations: Histogram::new(BATCH_BUCKETS_S),
            ledger_failures: Counter::default(),
            sign_durations: Histogram::new(SIGN_BUCKETS_S),
            signer_failures: Counter::default(),
            connections: Gauge::default(),
            rate_limited: Counter::default(),
            logins: Family::default(),
            sums: Sums::default(),
        };
        metrics.register(started);
        metrics
    }

    /// Registers all metrics. The encoder appends `_total` to the names of counters.
    fn register(&mut self, started: DateTime<Utc>) {
        let registry = &mut self.registry;
        registry.register(
            "opencoin_requests",
            "Requests that were answered, by kind and outcome",
            self.requests.clone(),
        );
        registry.register(
            "opencoin_request_duration_seconds",
            "From a request's head to its answer",
            self.request_durations.clone(),
        );
        registry.register(
            "opencoin_ledger_queue_commands",
            "Commands that wait for the ledger's answer",
            self.queue.clone(),
        );
        registry.register(
            "opencoin_ledger_batch_commands",
            "Commands of one ledger transaction",
            self.batch_commands.clone(),
        );
        registry.register(
            "opencoin_ledger_batch_duration_seconds",
            "How long the ledger took for one transaction",
            self.batch_durations.clone(),
        );
        registry.register(
            "opencoin_ledger_failures",
            "Transactions that the ledger did not confirm",
            self.ledger_failures.clone(),
        );
        registry.register(
            "opencoin_sign_duration_seconds",
            "Signing the blinds of one request",
            self.sign_durations.clone(),
        );
        registry.register(
            "opencoin_signer_failures",
            "Requests whose accepted blinds could not be signed for another reason than too many others",
            self.signer_failures.clone(),
        );
        registry.register(
            "opencoin_connections",
            "Connections of clients that are open",
            self.connections.clone(),
        );
        registry.register(
            "opencoin_rate_limited",
            "Requests refused because one address sent too many",
            self.rate_limited.clone(),
        );
        registry.register("opencoin_logins", "Logins, by outcome", self.logins.clone());
        registry.register(
            "opencoin_build",
            "The running program",
            Info::new(VersionLabel {
                version: env!("CARGO_PKG_VERSION"),
            }),
        );
        let start: Gauge = Gauge::default();
        start.set(started.timestamp());
        registry.register("process_start_time_seconds", "When the server began", start);
    }

    /// Counts a request that was refused because of the rate limit of its address.
    pub fn rate_limited(&self) {
        self.rate_limited.inc();
    }

    /// Counts a login. `outcome` is `ok` or the fixed word of the refusal.
    pub fn login(&self, outcome: &'static str) {
        self.logins.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts an answered request. `request` is its type or the template of its path; `outcome` is `ok`, `delay` or
    /// the fixed word of a refusal.
    pub fn answered(&self, request: Cow<'static, str>, outcome: &'static str, duration: Duration) {
        self.request_durations
            .get_or_create(&KindLabel {
                request: request.clone(),
            })
            .observe(duration.as_secs_f64());
        self.requests
            .get_or_create(&RequestLabels { request, outcome })
            .inc();
    }

    /// Counts an answered request of a wallet, program or visitor for the samples.
    pub fn answered_visitor(&self, is_refused: bool) {
        self.sums.answered(is_refused);
    }

    /// The sums for a sample.
    pub(crate) fn sums(&self) -> SumsRead {
        self.sums.read()
    }

    /// Counts an open connection until the result is dropped.
    pub fn connected(&self) -> Present {
        present(&self.connections)
    }

    /// Counts a waiting command until the result is dropped.
    pub(crate) fn queued(&self) -> Present {
        present(&self.queue)
    }

    /// Counts a batch that the ledger has confirmed or not.
    pub(crate) fn batch(&self, commands: usize, duration: Duration, is_confirmed: bool) {
        self.batch_commands.observe(commands as f64);
        self.batch_durations.observe(duration.as_secs_f64());
        if !is_confirmed {
            self.ledger_failures.inc();
        }
    }

    /// Counts a request whose blinds were signed.
    pub(crate) fn signed(&self, duration: Duration) {
        self.sign_durations.observe(duration.as_secs_f64());
        self.sums.signed(duration);
    }

    /// Counts a failure of the signer.
    pub(crate) fn signer_failed(&self) {
        self.signer_failures.inc();
    }

    /// All metrics and those of `scraped`, in the text format of OpenMetrics.
    pub(crate) fn text(&self, scraped: &Registry) -> String {
        let mut text = String::new();
        [&self.registry, scraped]
            .into_iter()
            .try_for_each(|registry| text::encode_registry(&mut text, registry))
            .and_then(|()| text::encode_eof(&mut text))
            .expect("writing to a string does not fail");
        text
    }
}

fn present(gauge: &Gauge) -> Present {
    gauge.inc();
    Present(gauge.clone())
}
