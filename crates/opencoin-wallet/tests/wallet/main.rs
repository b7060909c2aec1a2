//! The wallet against an issuer in memory that can be made to fail at every step.
//!
//! Coins have real keys and real signatures, so that what a wallet calls its balance can be redeemed in the
//! end, to the last unit. That is the test of everything here: the money adds up, and the coins are good.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod behaviour;
mod crash;
mod documents;
mod fake_issuer;
mod faults;
mod recoup;
mod sessions;
mod stuck;
mod world;
