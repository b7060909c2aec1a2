//! Entries of an account, and the transfers that make some of them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// `POST /v1/transfers`, with an `Idempotency-Key`. The answer is the [`Entry`] of the one who pays: 201, or
/// 200 where it was made before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// The name of the account that gets it.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Name))]
    pub to: String,
    /// In the smallest unit; not zero.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Amount))]
    pub amount: u64,
    /// What it is for, for both to read: at most 200 characters, none of them a control character.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Label))]
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
}

/// `GET /v1/account/entries?before=&limit=` (newest first) or `?after=&limit=` (oldest first).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Entries {
    /// The entries.
    pub entries: Vec<Entry>,
    /// For `?before=`; present when older entries may follow a page that was read backwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// For `?after=`: on a page that was read forwards, also on an empty one, where to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

/// One entry of one account. As a server-sent event its `id` is the event's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Entry {
    /// Names the transaction. Ascending within an account, in the order in which its balance changed.
    pub id: u64,
    /// The issuer's time.
    pub at: DateTime<Utc>,
    /// What happened.
    pub kind: EntryKind,
    /// In the smallest unit: positive when the account got it, negative when it paid.
    pub amount: i64,
    /// The other account of a transfer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counterparty: Option<String>,
    /// The label of a transfer, or the operator's reference of a credit or debit.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum EntryKind {
    /// The operator paid in.
    Credit,
    /// The operator took out.
    Debit,
    /// Another account paid, or was paid.
    Transfer,
    /// Money became coins.
    Mint,
    /// Coins became money.
    Redeem,
    /// Money is on its way out.
    Payout,
    /// A payout failed and its money came back.
    PayoutFailed,
}
