//! Spans for a tracing backend: a request, and in it the books and the signing. They stand apart from the
//! log, under a target of their own, so that what leaves the machine is what is written here and nothing
//! else: kinds, outcomes and times.
//!
//! Where nobody takes them they cost one look at a flag.

use tracing::Span;
use tracing::field::Empty;

/// The target of these spans. Whoever writes the log leaves it out; whoever exports spans takes nothing else.
pub const TRACE_TARGET: &str = "opencoin_trace";

/// One request. Its kind and outcome are known when it is answered; see [`answered`].
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

/// Completes the span of a request.
pub fn answered(span: &Span, kind: &str, outcome: &str, status: u16) {
    span.record("otel.name", kind);
    span.record("opencoin.outcome", outcome);
    span.record("http.response.status_code", status);
}

/// Waiting for the ledger: in the queue and in the transaction.
pub fn ledger() -> Span {
    tracing::info_span!(target: TRACE_TARGET, "ledger")
}

/// Waiting for signatures.
pub fn sign() -> Span {
    tracing::info_span!(target: TRACE_TARGET, "sign")
}
