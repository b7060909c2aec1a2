//! Exports the spans of requests to an OpenTelemetry collector, over OTLP/HTTP.
//!
//! Sends nothing unless the environment names a collector (`OTEL_EXPORTER_OTLP_ENDPOINT` or
//! `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`). The other standard variables (`OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`,
//! `OTEL_BSP_SCHEDULE_DELAY`, ...) have an effect as well. If the collector is down, spans are lost and nothing else.

use std::env;

use anyhow::{Context, Result};
use opencoin_logging::TRACE_TARGET;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::{Metadata, Subscriber};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

const SERVICE_NAME_VARIABLE: &str = "OTEL_SERVICE_NAME";
const SERVICE_NAME_DEFAULT: &str = "opencoin-issuer";
/// Each of these turns the export on.
const ENDPOINT_VARIABLES: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
];

/// The running exporter. Dropping it sends the remaining spans.
pub(crate) struct Exporting(SdkTracerProvider);

impl Drop for Exporting {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown() {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

/// Starts an exporter and returns the layer that feeds it; `None` if the environment names no collector.
///
/// # Errors
/// The address of the collector is not valid.
pub(crate) fn layer<S>() -> Result<Option<(impl Layer<S>, Exporting)>>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    if ENDPOINT_VARIABLES
        .iter()
        .all(|variable| env::var_os(variable).is_none_or(|value| value.is_empty()))
    {
        return Ok(None);
    }
    let exporter = SpanExporter::builder()
        .with_http()
        .build()
        .context("spans cannot be exported to the collector that OTEL_* names")?;
    let mut resource = Resource::builder();
    if env::var_os(SERVICE_NAME_VARIABLE).is_none() {
        resource = resource.with_service_name(SERVICE_NAME_DEFAULT);
    }
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource.build())
        .build();
    let spans: OpenTelemetryLayer<S, SdkTracer> = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(SERVICE_NAME_DEFAULT))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false);
    let is_ours = |metadata: &Metadata<'_>| metadata.target() == TRACE_TARGET;
    Ok(Some((spans.with_filter(filter_fn(is_ours)), Exporting(provider))))
}
