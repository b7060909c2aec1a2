//! The OpenAPI description of the whole API.
//!
//! The server serves files in `docs`. `cargo xtask openapi` generates them with the feature `openapi`, and a test compares
//! them with what the handlers and types say.

#[cfg(feature = "openapi")]
mod generate;
#[cfg(feature = "openapi")]
mod messages;

use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;

#[cfg(feature = "openapi")]
pub use self::generate::generate;

/// The readers of the description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Wallets, holders and services: the public listener only.
    Public,
    /// Operators: both listeners.
    Operator,
}

/// The description as indented JSON.
#[must_use]
pub fn document(audience: Audience) -> &'static str {
    match audience {
        Audience::Public => include_str!("../../../../docs/openapi-public.json"),
        Audience::Operator => include_str!("../../../../docs/openapi.json"),
    }
}

type Served = ([(HeaderName, &'static str); 1], &'static str);

/// `GET /v1/openapi.json` of the public listener.
pub(super) async fn public() -> Served {
    json(document(Audience::Public))
}

/// `GET /v1/openapi.json` of the operator's listener.
pub(super) async fn whole() -> Served {
    json(document(Audience::Operator))
}

fn json(document: &'static str) -> Served {
    ([(CONTENT_TYPE, "application/json")], document)
}
