//! An auditor over HTTP: a page, its status, copies of logs, what it has cosigned, and evidence.
//!
//! Nothing that a client sends is repeated in an answer. What comes from logs and descriptions is escaped.

mod address_limit;
mod evidence;
mod found;
mod gossip;
mod health;
mod html;
mod mirror;
mod page;
mod plot;
mod router;
mod server;
mod status;
mod style;

pub(crate) use router::{operator_router, router};
pub use server::{AuditorServer, AuditorServerOptions};
