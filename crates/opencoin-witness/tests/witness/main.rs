//! A witness as logs, monitors and operators meet it.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod bad_clients;
mod clock;
mod monitoring;
mod properties;
mod races;
mod statuses;
mod support;
mod vectors;
