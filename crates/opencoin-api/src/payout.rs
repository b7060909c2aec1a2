//! Payouts: money that leaves the issuer.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// `POST /v1/payouts`, with an `Idempotency-Key`: the account is debited at once. The answer is the [`Payout`]: 201, or
/// 200 if it was requested before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RequestPayout {
    /// In the smallest unit; not zero.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Amount))]
    pub amount: u64,
    /// The destination, in the format of the operator's bank system (for example an IBAN): 1 to 200 characters, without
    /// control characters.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Text))]
    pub destination: String,
}

/// `GET /v1/payouts/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Payout {
    /// The number of the payout. Numbers ascend without gaps.
    pub id: u64,
    /// The name of the account.
    pub account: String,
    /// In the smallest unit.
    pub amount: u64,
    /// The destination of the request.
    pub destination: String,
    /// Whether it was paid.
    pub state: PayoutState,
    /// The time of the request.
    pub requested_at: DateTime<Utc>,
    /// The time of the settlement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<DateTime<Utc>>,
    /// The bank's reference of a payment, or the reason of a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The state of a payout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum PayoutState {
    /// The account is debited; the operator has not paid yet.
    Requested,
    /// The bank has paid.
    Paid,
    /// The bank could not pay; the amount was returned to the account.
    Failed,
}

/// `GET /v1/payouts?after=&limit=` of a holder, or `GET /v1/admin/payouts?after=&limit=&state=` of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Payouts {
    /// Ordered by number, ascending.
    pub payouts: Vec<Payout>,
    /// The cursor for `?after=`. Present on the last page too: later payouts come after it.
    pub after: u64,
}

/// `POST /v1/admin/payouts/{id}/paid`: the bank has paid. A repetition with the same reference gets
/// the same answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PayPayout {
    /// The bank's reference of the payment.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Text))]
    pub reference: String,
}

/// `POST /v1/admin/payouts/{id}/failed`: returns the amount to the account. A repetition with the same
/// reason gets the same answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct FailPayout {
    /// The reason, for the holder to read.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Text))]
    pub reason: String,
}
