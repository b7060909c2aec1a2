//! A relay for live transfers: rooms for two participants, who send each other frames that the relay cannot read.
//!
//! The relay stores nothing. A room exists while a participant is connected to it. The relay knows the number of the room,
//! who made the invitation and who opened it, the lengths of frames (of which there are two) and the addresses, which it
//! uses for limits only. It runs within an issuer's server ([`Relay::router`]) or by itself ([`serve`]).
//!
//! What fills memory is bounded: a connection has a queue of [`QUEUE_FRAMES`] frames, and whoever sends faster than the
//! other participant reads has to wait.

mod connection;
mod limits;
mod metrics;
mod presence;
mod relay;
mod rooms;
mod router;
mod serve;

pub use limits::RelayLimits;
pub use relay::{Relay, RelayOptions};
pub use rooms::QUEUE_FRAMES;
pub use serve::serve;
