//! Mint keys in SoftHSM 2. Every test runs in a process of its own; see `opencoin_testkit::softhsm`.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod keys;
mod options;
mod recovery;
mod signing;
mod support;
