//! The formats against vectors that other implementations accepted, and properties of each.
//!
//! The vectors lie outside the repository, in `shared/spec`; without them their tests are skipped.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod key_accounts;
mod leaves;
mod log_block;
mod notes;
mod promises;
mod tiles;
mod tree;
mod vectors;
mod witnesses;
