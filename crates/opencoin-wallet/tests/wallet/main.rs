//! The wallet against an issuer in memory, with faults at every step.
//!
//! Coins have real keys and signatures. The tests redeem the wallet's balance at the end and check that the
//! account has all money again.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod backup;
mod behaviour;
mod code;
mod crash;
mod decoys;
mod documents;
mod fake_issuer;
mod fake_keys;
mod fake_log;
mod faults;
mod key_accounts;
mod maintain;
mod older_journal;
mod public_log;
mod recorder;
mod recoup;
mod sessions;
mod store;
mod stuck;
mod transfer;
mod world;
