//! Connections of clients to a server over HTTP: how many there are, how long they may take, from which address they come
//! and how often that address may ask.
//!
//! The crate knows nothing of what is served. Its user brings a router and the limits.

mod accept;
mod client_address;
mod client_stream;
mod plain;
mod rate;

pub use accept::{ConnectionLimits, OpenConnections, accept_until};
pub use client_address::{ClientAddress, PeerAddress, Route};
pub use plain::{PLAIN_TEXT, escape_html, plain_answer, plain_text, set_header};
pub use rate::{Rate, RateLimiter, network};
