//! The pages over the real routers, on an issuer with an in-memory ledger.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod account;
mod addresses;
mod audit;
mod bank;
mod common;
mod console;
mod figures;
mod form;
mod forms;
mod free_texts;
mod giving_up;
mod keys;
mod languages;
mod new_keys;
mod new_keys_safety;
mod payout_files;
mod proposals;
mod public;
mod setup;
mod world;
