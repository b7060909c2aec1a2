//! The operator's API, on a listener of its own.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{AccountStatus, Secret};

/// `POST /v1/admin/accounts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateAccount {
    /// 1 to 64 characters of a-z, 0-9, '.', '_' and '-'. The first is neither '.' nor '-'.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Name))]
    pub name: String,
    /// Without a password the holder uses the token, and can set a password with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::shapes::NewPassword>))]
    pub password: Option<Secret>,
    /// Whether to issue a start code, with which the holder sets a password. The account has no token then.
    #[serde(default)]
    pub start_code: bool,
}

/// The answer to [`CreateAccount`] and to `POST /v1/admin/accounts/{name}/token`: 201.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedAccount {
    /// The name of the account.
    pub name: String,
    /// The account's own token. It is shown only here, and is good until the operator replaces it. Absent if the
    /// account was opened with a start code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// The start code. It is shown only here, and is used once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_code: Option<Secret>,
    /// When the start code ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_code_expires_at: Option<DateTime<Utc>>,
}

/// The answer to `POST /v1/admin/accounts/{name}/start-code`: 201.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IssuedStartCode {
    /// The name of the account.
    pub name: String,
    /// The start code. It is shown only here, and is used once.
    pub start_code: Secret,
    /// When the start code ends.
    pub start_code_expires_at: DateTime<Utc>,
}

/// `PATCH /v1/admin/accounts/{name}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangeStatus {
    /// The new status.
    pub status: AccountStatus,
    /// Why. The record of actions has it.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Text))]
    pub reason: String,
}

/// `GET /v1/admin/accounts/{name}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdminAccount {
    /// The name of the account.
    pub name: String,
    /// In the smallest unit.
    pub balance: u64,
    /// Whether the account is in the directory.
    pub listed: bool,
    /// What its holder can do.
    pub status: AccountStatus,
}

/// `GET /v1/admin/accounts?after=&limit=`: all accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdminAccounts {
    /// Ordered by name.
    pub accounts: Vec<AdminAccount>,
    /// The cursor for `?after=`; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// `GET /v1/admin/actions?subject=&before=&limit=`: what operators have done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdminActions {
    /// The newest first.
    pub actions: Vec<AdminAction>,
    /// The cursor for `?before=`; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
}

/// Something that an operator has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdminAction {
    /// Ascending from 1, without a gap.
    pub id: u64,
    /// When it was done.
    pub at: DateTime<Utc>,
    /// The name of the operator's token, or the one that a command was given.
    pub operator: String,
    /// A fixed word, for example `credit`. Later versions may have others.
    pub kind: String,
    /// What was changed, for example the name of an account, the number of a payout or the id of a mint key.
    pub subject: String,
    /// The amount of money that it is about, in the smallest unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<u64>,
    /// What people should know about it, for example a reference or a reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// `PUT /v1/admin/accounts/{name}/password`: ends all sessions of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SetPassword {
    /// The new password.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::NewPassword))]
    pub new: Secret,
}

/// `POST /v1/admin/accounts/{name}/credits` or `/debits`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Payment {
    /// In the smallest unit; not zero.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Amount))]
    pub amount: u64,
    /// Identifies the payment, for example in a bank statement. Each reference is booked once.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Text))]
    pub reference: String,
}

/// The answer to [`Payment`]: 201, or 200 if it was booked before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PaymentReceipt {
    /// The name of the account.
    pub account: String,
    /// In the smallest unit.
    pub amount: u64,
    /// The reference of the payment.
    pub reference: String,
    /// The balance after the payment, in the smallest unit.
    pub balance: u64,
}
