//! Mint keys from their request to the end of their coins, with a clock that the test sets.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod late_certificates;
mod support;
mod windows;
