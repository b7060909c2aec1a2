//! The issuer's HTTP API.
//!
//! A handler reads the request, makes one call of [`opencoin_issuer::Issuer`], and writes the answer. The path says
//! which request it is; on `/` the field `type` does.

mod accounts;
mod address_limits;
mod admin;
mod answer;
mod arrival;
mod bodies;
mod callers;
mod connections;
mod cors;
mod documents;
mod fallback;
mod headers;
mod health;
mod hosts;
mod json;
mod key_accounts;
mod limit_addresses;
mod listener;
mod log;
mod marks;
mod observe;
mod openapi;
mod operators;
mod options;
mod pages;
#[cfg(feature = "openapi")]
mod problems;
mod request_ids;
mod requests;
mod router;
mod serve;
mod server;
mod streams;
mod supply;
mod surface;
mod tls;

pub use accounts::stream::{EntryStream, KEEP_ALIVE_INTERVAL};
pub use admin::{admin_router, serve_admin};
pub use answer::{ERROR_HEADER, problem};
pub use arrival::BodyShare;
pub use listener::{ListenError, Listener};
#[cfg(feature = "openapi")]
pub use openapi::generate as generate_openapi;
pub use openapi::{Audience, document as openapi_document};
pub use operators::{authenticated_operator, operators};
pub use options::ServerOptions;
pub use router::router;
pub use serve::{TaskEnded, serve};
/// What holders and operators see, in the types of the API.
pub mod shown {
    pub use crate::accounts::convert::{entry, operators_payout, payout, service};
    pub use crate::operators::bank_convert::{
        bank_statement, kept_bank_line, statement_preview, table_columns,
    };
    pub use crate::operators::exports::{paid_export, payout_export};
    pub use crate::operators::overview::overview;
    pub use crate::operators::proposals::proposal;
}

pub use server::{Pages, RefusedVisit, Server};
pub use supply::ShownSupply;
