//! Log-in with a password.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::Secret;

/// `POST /v1/sessions`: logs in with a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The name of the account.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Name))]
    pub name: String,
    /// The password of the account.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Password))]
    pub password: Secret,
}

/// `POST /v1/sessions/start`: uses up a start code, sets the password of the account and logs in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// The name of the account.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Name))]
    pub name: String,
    /// The start code, as the operator has given it. Case, hyphens and spaces do not matter.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::StartCode))]
    pub code: Secret,
    /// The password to set.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::NewPassword))]
    pub password: Secret,
}

/// The answer to [`Login`] and [`Start`]. `DELETE /v1/sessions` with the token ends the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Session {
    /// The token for the header `Authorization: Bearer TOKEN`.
    pub token: Secret,
    /// When the session expires.
    pub expires_at: DateTime<Utc>,
}
