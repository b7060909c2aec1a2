//! The accounts' API over its real routers, with a clock that the tests set.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod admin;
mod described;
mod edges;
mod entries;
mod money;
mod services;
mod sessions;
mod set_back;
mod streams;
mod waiting;
mod world;
