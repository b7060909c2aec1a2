//! Extractors of what an address says. One that is not understood is answered with the page of a refusal.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use opencoin_issuer::{Reason, Refusal};
use serde::de::DeserializeOwned;

use crate::visit::Failure;

/// Extractor: the query of the address.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Failure> {
        let read = axum::extract::Query::try_from_uri(&parts.uri);
        let axum::extract::Query(query) = read.map_err(|error| not_understood(&error))?;
        Ok(Self(query))
    }
}

/// Extractor: the parts of the path that vary.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let read = axum::extract::Path::from_request_parts(parts, state).await;
        let axum::extract::Path(path) = read.map_err(|error| not_understood(&error))?;
        Ok(Self(path))
    }
}

fn not_understood(error: &impl ToString) -> Failure {
    Refusal::new(Reason::Malformed, error.to_string()).into()
}
