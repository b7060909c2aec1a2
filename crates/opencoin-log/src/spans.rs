//! Spans for a tracing backend: one for each request, with child spans for the ledger and the signing.
//!
//! They have their own target, [`TRACE_TARGET`], apart from the log. Only these spans are exported from the
//! machine, and they hold nothing but request ids, kinds, outcomes and times. While no subscriber records them,
//! a span costs one check of a flag.

use tracing::Span;
use tracing::field::Empty;

/// The target of these spans. The log excludes it; the exporter of spans takes nothing else.
pub const TRACE_TARGET: &str = "opencoin_trace";

/// The span of one request. [`answered`] adds the kind and outcome later.
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

/// Records how a request was answered in its span.
pub fn answered(span: &Span, kind: &str, outcome: &str, status: u16) {
    span.record("otel.name", kind);
    span.record("opencoin.outcome", outcome);
    span.record("http.response.status_code", status);
}

/// The time that a request waits for the ledger: in the queue and in the transaction.
pub fn ledger() -> Span {
    tracing::info_span!(target: TRACE_TARGET, "ledger")
}

/// The time that a request waits for signatures.
pub fn sign() -> Span {
    tracing::info_span!(target: TRACE_TARGET, "sign")
}
