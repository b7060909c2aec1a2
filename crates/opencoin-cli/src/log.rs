//! The log on stderr.
//!
//! Libraries log the data that they read and write at TRACE, so their TRACE lines are left out whatever filter the
//! operator sets. Our own code logs no secrets at any level.

use std::env;
use std::io::{self, IsTerminal};

use anyhow::{Context, Result};
use opencoin_config::{LogConfig, LogFormat};
use opencoin_logging::TRACE_TARGET;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// Overrides the filter of the settings.
const FILTER_VARIABLE: &str = "OPENCOIN_LOG";
/// The prefix of the targets of our own crates.
const OWN_TARGETS: &str = "opencoin";

/// Keeps the exporter of spans running. Dropping it, at the end of the program, sends the remaining spans.
#[must_use = "dropping it ends the export of spans"]
pub(crate) struct Running {
    #[cfg(feature = "otel")]
    _spans: Option<crate::otel::Exporting>,
}

/// Starts the log with these settings. `OPENCOIN_LOG` overrides their filter.
///
/// # Errors
/// The filter is not valid; or, with the feature `otel`, the address of the collector is not.
pub(crate) fn start(config: &LogConfig) -> Result<Running> {
    let (filter, source) = match env::var(FILTER_VARIABLE) {
        Ok(filter) if !filter.is_empty() => (filter, FILTER_VARIABLE),
        Ok(_) | Err(_) => (config.filter.clone(), "log.filter"),
    };
    let filter: Targets = filter
        .parse()
        .with_context(|| format!("{source} is not a valid filter: {filter:?}"))?;
    let log = layer(config.format).with_filter(filter.and(filter_fn(is_below_ceiling)));
    let subscriber = tracing_subscriber::registry().with(log);
    #[cfg(feature = "otel")]
    let (subscriber, running) = {
        let (layer, exporting) = crate::otel::layer()?.unzip();
        (subscriber.with(layer), Running { _spans: exporting })
    };
    #[cfg(not(feature = "otel"))]
    let running = Running {};
    subscriber.init();
    Ok(running)
}

fn layer<S: Subscriber + for<'span> LookupSpan<'span>>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync> {
    let layer = fmt::layer().with_writer(io::stderr);
    match format {
        LogFormat::Text => layer.with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_span_list(false).boxed(),
    }
}

fn is_below_ceiling(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    target != TRACE_TARGET && (target.starts_with(OWN_TARGETS) || *metadata.level() <= Level::DEBUG)
}
