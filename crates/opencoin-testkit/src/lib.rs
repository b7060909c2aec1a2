//! What the tests of several crates share: keys that are the same in every run, a whole run of the protocol
//! with files of its own, throw-away PostgreSQL and hardware tokens. Nothing of it belongs into the product:
//! its keys and its random numbers are known to everybody.
//!
//! A helper that fails panics with the reason, because a test is its only caller.

pub mod keys;
pub mod postgres;
pub mod postgres_pair;
pub mod postgres_proxy;
mod rng;
pub mod run;
pub mod softhsm;
