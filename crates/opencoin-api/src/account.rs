//! An account as its holder sees it.

use serde::{Deserialize, Serialize};

use crate::{Entry, Secret};

/// `GET /v1/account`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccountSummary {
    /// The name, under which others pay to it.
    pub name: String,
    /// In the smallest unit; always the sum of the entries.
    pub balance: u64,
    /// Whether it stands in the directory.
    pub listed: bool,
    /// The newest entries, newest first.
    pub entries: Vec<Entry>,
    /// For `GET /v1/account/entries?before=`; absent where these are all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
}

/// `GET /v1/account/balance`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Balance {
    /// In the smallest unit.
    pub balance: u64,
}

/// `PATCH /v1/account`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangeAccount {
    /// Whether it stands in the directory.
    pub listed: bool,
}

/// `PUT /v1/account/password`: ends all sessions of the account but the one that asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The password until now; absent where there was none and the account's own token asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::shapes::Password>))]
    pub current: Option<Secret>,
    /// The password from now on.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::NewPassword))]
    pub new: Secret,
}

/// `GET /v1/directory?after=&limit=`: the accounts that chose to be listed, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Directory {
    /// In the order of their names.
    pub accounts: Vec<DirectoryEntry>,
    /// For `?after=`; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A listed account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DirectoryEntry {
    /// Its name.
    pub name: String,
}
