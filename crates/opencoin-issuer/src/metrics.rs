//! What an operator's monitoring reads: counts and times of requests, the queue to the ledger, signing, keys,
//! coins.
//!
//! Counters are added to where things happen, once a request or a batch and never once a coin, and cost tens
//! of nanoseconds. What the books and the documents say is read when somebody asks ([`scrape`]). Labels are
//! words of this program, templates of paths, denominations and ids of mint keys, which are all public and
//! few; nothing of a client is ever one.

mod process;
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

/// The media type of what a scraper gets: OpenMetrics 1.0.
pub const METRICS_CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the buckets of requests, in seconds: what a document takes, a coin, a thousand coins, a
/// client's patience.
const REQUEST_BUCKETS_S: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Upper bounds for one transaction of the database, in seconds.
const BATCH_BUCKETS_S: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];
/// Upper bounds for the commands of one transaction; [`opencoin_ledger::BATCH_COMMANDS_MAX`] is the most
/// there can be.
const BATCH_BUCKETS_COMMANDS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];
/// Upper bounds for signing what one request has asked for, in seconds.
const SIGN_BUCKETS_S: [f64; 13] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// The counters of one issuer.
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

/// Something that is there until this is dropped.
pub struct Present(Gauge);

impl Drop for Present {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// Counters at zero, of a process that began at `started`.
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
        };
        metrics.register(started);
        metrics
    }

    /// Names and explains everything. The name of a counter gets its `_total` when it is written.
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

    /// One request was refused because of a limit on how many an address may send.
    pub fn rate_limited(&self) {
        self.rate_limited.inc();
    }

    /// One login. `outcome` is `ok` or the fixed word of its refusal.
    pub fn login(&self, outcome: &'static str) {
        self.logins.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// A request was answered. `request` is the kind of it or the template of its path, `outcome` is `ok`,
    /// `delay` or a fixed word.
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

    /// A client is connected, until what this gives is dropped.
    pub fn connected(&self) -> Present {
        present(&self.connections)
    }

    /// A command waits for the ledger, until what this gives is dropped.
    pub(crate) fn queued(&self) -> Present {
        present(&self.queue)
    }

    /// The ledger has answered a batch, or failed to.
    pub(crate) fn batch(&self, commands: usize, duration: Duration, is_confirmed: bool) {
        self.batch_commands.observe(commands as f64);
        self.batch_durations.observe(duration.as_secs_f64());
        if !is_confirmed {
            self.ledger_failures.inc();
        }
    }

    /// The blinds of a request were signed.
    pub(crate) fn signed(&self, duration: Duration) {
        self.sign_durations.observe(duration.as_secs_f64());
    }

    /// The signer is away, or cannot sign what it was asked to.
    pub(crate) fn signer_failed(&self) {
        self.signer_failures.inc();
    }

    /// All of it in the text format of OpenMetrics, with what was found out for this scrape.
    pub(crate) fn text(&self, scraped: &Registry) -> String {
        let mut text = String::new();
        [&self.registry, scraped]
            .into_iter()
            .try_for_each(|registry| text::encode_registry(&mut text, registry))
            .and_then(|()| text::encode_eof(&mut text))
            .expect("a string takes any text");
        text
    }
}

fn present(gauge: &Gauge) -> Present {
    gauge.inc();
    Present(gauge.clone())
}
