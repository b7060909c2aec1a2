//! Entries of an account, and the transfers that make some of them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// `POST /v1/transfers`, with an `Idempotency-Key`. The answer is the payer's [`Entry`]: 201, or 200 if the transfer was
/// made before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// The name of the payee's account.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Name))]
    pub to: String,
    /// In the smallest unit; not zero.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Amount))]
    pub amount: u64,
    /// A text for payer and payee: at most 200 characters, without control characters.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Label))]
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
}

/// `GET /v1/account/entries?before=&limit=` (newest first) or `?after=&limit=` (oldest first).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Entries {
    /// In the order of the page.
    pub entries: Vec<Entry>,
    /// The cursor for `?before=`. Present on a page with the newest first if older entries may follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// The cursor for `?after=`. Always present on a page with the oldest first, even on an empty one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

/// One entry of one account. As a server-sent event its `id` is the event's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Entry {
    /// The number of the entry in this account: 1, 2, 3, ... in the order in which its balance changed. Numbers are left
    /// out only where the operator has accepted an older state of the books.
    pub id: u64,
    /// The issuer's time.
    pub at: DateTime<Utc>,
    /// The kind of transaction.
    pub kind: EntryKind,
    /// In the smallest unit: positive if the account received it, negative if it paid.
    pub amount: i64,
    /// The other account of a transfer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counterparty: Option<String>,
    /// The label of a transfer, or the operator's reference of a credit or debit.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
}

/// The kind of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum EntryKind {
    /// The operator credited a payment.
    Credit,
    /// The operator debited a payment.
    Debit,
    /// A payment from or to another account.
    Transfer,
    /// Money of the account became coins.
    Mint,
    /// Coins became money of the account.
    Redeem,
    /// A payout was requested.
    Payout,
    /// A payout failed and its amount was returned.
    PayoutFailed,
    /// The operator gave back what a loss of data had taken from the account, or took what it had paid in that time.
    Recovered,
}
