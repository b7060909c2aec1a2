//! How the servers log: lines that are throttled under load, and the spans of a trace.

pub mod spans;
mod throttle;

pub use spans::TRACE_TARGET;
pub use throttle::{FailureThrottle, LogThrottle};
