//! The account of a holder, and the directory of accounts.

use serde::{Deserialize, Serialize};

use crate::{Entry, Secret};

/// `GET /v1/account`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccountSummary {
    /// The name that others pay to.
    pub name: String,
    /// In the smallest unit. It is always the sum of all entries.
    pub balance: u64,
    /// Whether the account is in the directory.
    pub listed: bool,
    /// What the account can do.
    #[serde(default)]
    pub status: AccountStatus,
    /// The newest entries, newest first.
    pub entries: Vec<Entry>,
    /// The cursor for `GET /v1/account/entries?before=`; absent if there are no older entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
}

/// What the holder of an account can do with its money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum AccountStatus {
    /// Everything.
    #[default]
    Open,
    /// To log in and read, but to move no money and no coins. Transfers to the account arrive.
    Frozen,
    /// Nothing: the account is empty and closed for good.
    Closed,
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
    /// Whether the account is in the directory.
    pub listed: bool,
}

/// `PUT /v1/account/password`: ends all sessions of the account except the caller's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The current password. It is absent if the account has none; the request then needs the account's own token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::shapes::Password>))]
    pub current: Option<Secret>,
    /// The new password.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::NewPassword))]
    pub new: Secret,
}

/// `GET /v1/directory?after=&limit=`: the accounts that chose to be listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Directory {
    /// Ordered by name.
    pub accounts: Vec<DirectoryEntry>,
    /// The cursor for `?after=`; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A listed account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DirectoryEntry {
    /// The name of the account.
    pub name: String,
}
