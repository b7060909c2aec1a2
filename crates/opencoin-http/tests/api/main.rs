//! The HTTP API over its real routers, on an issuer whose clock, signer and ledger the tests control.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod accounts;
mod audited;
mod browsers;
mod fixture;
mod issuer;
mod mutations;
mod recoup;
mod world;
