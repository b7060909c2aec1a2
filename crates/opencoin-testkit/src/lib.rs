//! Helpers that the tests of several crates share: fixed keys, a complete protocol run with its files, temporary
//! PostgreSQL servers and hardware tokens, logs, other projects' programs for transparency logs, a browser. Production code must not use
//! this crate, because its keys and random numbers are public.
//!
//! A helper that fails panics with the reason, because only tests call it.

pub mod browser;
pub mod citus;
pub mod frauds;
pub mod keys;
pub mod log_builder;
pub mod log_peers;
pub mod ports;
pub mod postgres;
pub mod postgres_pair;
pub mod postgres_proxy;
mod rng;
pub mod run;
pub mod softhsm;
pub mod wait;
