//! What the crate promises, tested through its public interface.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]
#![expect(clippy::print_stdout, reason = "a skipped test says so")]

mod refusals;
mod round_trip;
mod shared_vectors;
mod specification;
