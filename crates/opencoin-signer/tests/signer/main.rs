//! A signer and those who ask it: over real sockets, with real keys and books.

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
