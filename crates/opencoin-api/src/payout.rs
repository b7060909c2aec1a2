//! Money on its way out.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// `POST /v1/payouts`, with an `Idempotency-Key`: the money leaves the account at once. The answer is the
/// [`Payout`]: 201, or 200 where it was asked for before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RequestPayout {
    /// In the smallest unit; not zero.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Amount))]
    pub amount: u64,
    /// Where to, in the words of the operator's bank system (an IBAN, say): 1 to 200 characters, none of them
    /// a control character.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Text))]
    pub destination: String,
}

/// `GET /v1/payouts/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Payout {
    /// Its number; ascending without a gap.
    pub id: u64,
    /// The account that pays.
    pub account: String,
    /// In the smallest unit.
    pub amount: u64,
    /// Where to.
    pub destination: String,
    /// What came of it.
    pub state: PayoutState,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// When it was settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<DateTime<Utc>>,
    /// The bank's reference of a payment, or the reason of a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What came of a payout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum PayoutState {
    /// The money has left the account and not the issuer.
    Requested,
    /// It was paid.
    Paid,
    /// It could not be paid; the money is back on the account.
    Failed,
}

/// `GET /v1/payouts?after=&limit=` of a holder, or `GET /v1/admin/payouts?after=&limit=&state=` of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Payouts {
    /// Ascending.
    pub payouts: Vec<Payout>,
    /// For `?after=`, also at the end: what is asked for later comes after it.
    pub after: u64,
}

/// `POST /v1/admin/payouts/{id}/paid`: the bank has paid. Again with the same reference: the same answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PayPayout {
    /// The bank's reference of the payment.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Text))]
    pub reference: String,
}

/// `POST /v1/admin/payouts/{id}/failed`: the money flows back. Again with the same reason: the same answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct FailPayout {
    /// Why, for the holder to read.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Text))]
    pub reason: String,
}
