//! What the crate promises, tested through its public interface.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]
#![expect(clippy::print_stdout, reason = "a skipped test says so")]

mod certificates;
mod coins;
mod engine;
mod forgery;
mod interoperability;
mod keys;
mod lanes;
mod openings;
mod reference_run;
mod support;
mod three_primes;
