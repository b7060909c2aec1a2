//! The witness over HTTP: submissions, the last checkpoints, a page for people, health and metrics.
//!
//! Bodies of answers are short plain texts. Nothing that a client sends is repeated in them, except on the page, where
//! it is escaped and comes from the operator's list of logs.

mod address_limit;
mod body;
mod health;
mod monitoring;
mod page;
mod router;
mod server;
mod submission;

pub use body::BODY_DURATION_MAX;
pub(crate) use router::{operator_router, router};
pub use server::{WitnessServer, WitnessServerOptions};
