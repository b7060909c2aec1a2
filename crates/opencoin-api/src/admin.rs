//! What the operator does, on a listener of its own. An account's id in these paths is its name.

use serde::{Deserialize, Serialize};

use crate::Secret;

/// `POST /v1/admin/accounts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateAccount {
    /// 1 to 64 characters of a-z, 0-9, '.', '_' and '-', the first of them neither '.' nor '-'.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Name))]
    pub name: String,
    /// Without one the holder uses the token, and may set a password with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::shapes::NewPassword>))]
    pub password: Option<Secret>,
}

/// The answer to [`CreateAccount`] and to `POST /v1/admin/accounts/{name}/token`: 201.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedAccount {
    /// Its name.
    pub name: String,
    /// The account's own token, shown this once: it does not expire until it is replaced.
    pub token: Secret,
}

/// `GET /v1/admin/accounts/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdminAccount {
    /// Its name.
    pub name: String,
    /// In the smallest unit.
    pub balance: u64,
    /// Whether it stands in the directory.
    pub listed: bool,
}

/// `GET /v1/admin/accounts?after=&limit=`: all accounts, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdminAccounts {
    /// In the order of their names.
    pub accounts: Vec<AdminAccount>,
    /// For `?after=`; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// `PUT /v1/admin/accounts/{id}/password`: ends all sessions of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SetPassword {
    /// The password from now on.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::NewPassword))]
    pub new: Secret,
}

/// `POST /v1/admin/accounts/{id}/credits` or `/debits`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Payment {
    /// In the smallest unit; not zero.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Amount))]
    pub amount: u64,
    /// What the payment is known by, in a bank statement, say: one reference counts once.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Text))]
    pub reference: String,
}

/// The answer to [`Payment`]: 201, or 200 where it was counted before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PaymentReceipt {
    /// The account.
    pub account: String,
    /// In the smallest unit.
    pub amount: u64,
    /// As it was given.
    pub reference: String,
    /// What the account holds now.
    pub balance: u64,
}
