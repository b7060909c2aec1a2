//! Services: programs that act for an account, each with a key and scopes of its own.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::Secret;

/// What a service may do for its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Mint coins from the account.
    Mint,
    /// Redeem coins to the account.
    Redeem,
    /// Read balance, entries and payouts.
    Read,
}

/// `POST /v1/services`: a holder declares a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DeclareService {
    /// Unique within the account. The same characters as in an account name are allowed.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Name))]
    pub name: String,
    /// At least one.
    #[cfg_attr(feature = "openapi", schema(min_items = 1, max_items = 3))]
    pub scopes: Vec<Scope>,
}

/// The answer to [`DeclareService`]: the only one that shows the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeclaredService {
    /// The id of the service.
    pub id: String,
    /// The name of the service.
    pub name: String,
    /// The scopes of the service.
    pub scopes: Vec<Scope>,
    /// The key to log in with.
    pub key: Secret,
}

/// `POST /v1/services/{id}/rotate`: the old key and its sessions end at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RotatedService {
    /// The id of the service.
    pub id: String,
    /// The new key. Only this answer shows it.
    pub key: Secret,
}

/// `POST /v1/services/session`: logs in with a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ServiceLogin {
    /// The id of the service.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::ServiceId))]
    pub id: String,
    /// The key of the service.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::ServiceKey))]
    pub key: Secret,
}

/// `POST /v1/services/key`: a service replaces its key by one that it has made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ReplaceServiceKey {
    /// The id of the service.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::ServiceId))]
    pub id: String,
    /// The key until now.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::ServiceKey))]
    pub key: Secret,
    /// The new key: `ock_` and 32 random bytes as hex digits.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::NewServiceKey))]
    pub new_key: Secret,
}

/// The answer to [`ServiceLogin`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServiceSession {
    /// The token for the header `Authorization: Bearer TOKEN`.
    pub token: Secret,
    /// When the session expires.
    pub expires_at: DateTime<Utc>,
    /// The scopes of the service.
    pub scopes: Vec<Scope>,
}

/// `GET /v1/services`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Services {
    /// Ordered by name.
    pub services: Vec<ServiceStatus>,
}

/// One service of the account, without its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServiceStatus {
    /// The id of the service.
    pub id: String,
    /// The name of the service.
    pub name: String,
    /// The scopes of the service.
    pub scopes: Vec<Scope>,
    /// How recently the service was used.
    pub state: ServiceState,
    /// The time at which the key was made.
    pub key_created_at: DateTime<Utc>,
    /// The last use, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<DateTime<Utc>>,
}

/// How recently a service was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ServiceState {
    /// It never logged in.
    New,
    /// It was used within the last five minutes.
    Live,
    /// It was not used within the last five minutes.
    Silent,
}
