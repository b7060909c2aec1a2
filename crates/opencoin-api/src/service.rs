//! Services: programs that act for an account, each with a key and scopes of its own.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::Secret;

/// What a service may do for its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Make coins of the account's money.
    Mint,
    /// Make coins the account's money.
    Redeem,
    /// Read balance, entries and payouts.
    Read,
}

/// `POST /v1/services`: a holder declares a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DeclareService {
    /// Unique within the account; the characters of an account name.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Name))]
    pub name: String,
    /// At least one.
    #[cfg_attr(feature = "openapi", schema(min_items = 1, max_items = 3))]
    pub scopes: Vec<Scope>,
}

/// The answer to [`DeclareService`]: the key is shown this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeclaredService {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// With which it logs in.
    pub key: Secret,
}

/// `POST /v1/services/{id}/rotate`: the old key and its sessions end at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RotatedService {
    /// Its id.
    pub id: String,
    /// The new key, shown this once.
    pub key: Secret,
}

/// `POST /v1/services/session`: a key becomes a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ServiceLogin {
    /// The id of the service.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::ServiceId))]
    pub id: String,
    /// Its key.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::ServiceKey))]
    pub key: Secret,
}

/// The answer to [`ServiceLogin`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServiceSession {
    /// To be sent as `Authorization: Bearer TOKEN`.
    pub token: Secret,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

/// `GET /v1/services`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Services {
    /// In the order of their names.
    pub services: Vec<ServiceStatus>,
}

/// One service of the account; no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServiceStatus {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Whether it was heard of lately.
    pub state: ServiceState,
    /// When its key was made.
    pub key_created_at: DateTime<Utc>,
    /// When it was last heard of, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<DateTime<Utc>>,
}

/// Whether a service was heard of lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ServiceState {
    /// It never logged in.
    New,
    /// It was heard of within the last five minutes.
    Live,
    /// It was not.
    Silent,
}
