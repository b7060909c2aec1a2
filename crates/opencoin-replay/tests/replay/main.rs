//! Replays honest logs, and logs that break a rule.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic when they fail")]

mod closings;
mod coins;
mod documents;
mod frauds;
mod key_accounts;
mod order;
mod random;
mod resumed;
mod support;
mod totals;
