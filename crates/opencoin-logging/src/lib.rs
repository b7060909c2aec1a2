//! Logging helpers of the servers: throttled log lines and tracing spans.

pub mod spans;
mod throttle;

pub use spans::TRACE_TARGET;
pub use throttle::{FailureThrottle, LogThrottle};
