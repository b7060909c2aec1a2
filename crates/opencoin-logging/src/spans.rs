//! Spans for a tracing backend: one for each request, with child spans for the ledger and for signing.
//!
//! Their target, [`TRACE_TARGET`], separates them from the log. Only these spans are exported from the
//! machine. They contain only request ids, kinds, outcomes, status codes and times. While no subscriber
//! records them, a span costs one check of a flag.

use tracing::Span;
use tracing::field::Empty;

/// The target of these spans. The log excludes it, and the exporter of spans accepts only this target.
pub const TRACE_TARGET: &str = "opencoin_trace";

/// Creates the span of a request. [`answered`] later adds its kind, outcome and status code.
pub fn request(id: &str) -> Span {
    tracing::info_span!(
        target: TRACE_TARGET,
        "request",
        otel.kind = "server",
        otel.name = Empty,
        opencoin.request_id = id,
        opencoin.outcome = Empty,
        http.response.status_code = Empty,
    )
}

/// Adds the kind of a request, its outcome and the HTTP status code of its answer to its span.
pub fn answered(span: &Span, kind: &str, outcome: &str, status: u16) {
    span.record("otel.name", kind);
    span.record("opencoin.outcome", outcome);
    span.record("http.response.status_code", status);
}

/// Creates the span in which a request waits for the ledger: in the queue and in the transaction.
pub fn ledger() -> Span {
    tracing::info_span!(target: TRACE_TARGET, "ledger")
}

/// Creates the span in which a request waits for signatures.
pub fn sign() -> Span {
    tracing::info_span!(target: TRACE_TARGET, "sign")
}
