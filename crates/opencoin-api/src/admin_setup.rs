//! The operator's API: who the operators are, and the settings of the server.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// `GET /v1/admin/operators`: who may work here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdminOperators {
    /// The operators, in the order of their tokens.
    pub operators: Vec<AdminOperator>,
}

/// An operator, or a program that works for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdminOperator {
    /// The name, under which actions are recorded.
    pub name: String,
    /// What the token permits: `read`, `cashier`, `keys`.
    pub scopes: Vec<String>,
    /// When the token was made.
    pub created_at: DateTime<Utc>,
}

/// `GET /v1/admin/settings`: the settings of the process that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdminSettings {
    /// Every setting, in the order of the documentation. None if the process has no file of settings.
    pub settings: Vec<AdminSetting>,
}

/// A setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdminSetting {
    /// Its name in `issuer.toml`: `limits.requests_per_second`.
    pub key: String,
    /// Its value, as `issuer.toml` writes it, with passwords hidden; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Where the value comes from.
    pub from: SettingSource,
    /// The line of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The name of the environment variable, or the flag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Where the value of a setting comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum SettingSource {
    /// The issuer's own default.
    Default,
    /// The file of settings.
    File,
    /// An environment variable.
    Environment,
    /// A flag of the command that has started the server.
    Flag,
}
