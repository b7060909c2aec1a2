//! The API for accounts, with the in-memory ledger.

mod admin;
mod audits;
mod described;
mod edges;
mod entries;
mod keys;
mod money;
mod operators;
mod payout_files;
mod proposals;
mod services;
mod sessions;
mod set_back;
mod status;
mod streams;
mod waiting;
