//! A signer and its clients, over real sockets and with real keys.

#![expect(clippy::unwrap_used, reason = "tests")]

mod counts;
mod garbage;
mod killed;
mod log;
mod outage;
mod overload;
mod signing;
mod support;
mod tls;
