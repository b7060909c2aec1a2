//! Payouts: money that leaves the issuer.

use chrono::{DateTime, NaiveDate, Utc};
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
    /// For operators, in their list: `true` if the account is frozen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub account_frozen: bool,
    /// For operators: the export that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<u64>,
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

/// `POST /v1/admin/payouts/exports`, with an `Idempotency-Key`. The answer is the file: 201, or 200 if it was made before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ExportPayouts {
    /// The ids of the payouts: at least 1, at most 1000.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<crate::shapes::PayoutId>, min_items = 1, max_items = 1000))]
    pub payouts: Vec<u64>,
    /// The form of the file.
    pub format: ExportForm,
    /// The day on which the bank shall pay; by default the day of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::shapes::Day>))]
    pub execution: Option<NaiveDate>,
}

/// The form of a file of payouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ExportForm {
    /// ISO 20022, pain.001.001.09.
    Pain001,
    /// A table.
    Csv,
}

/// What became of a file of payouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ExportState {
    /// It was made.
    Made,
    /// The bank has paid all of it, and its payouts are being settled. If this stays, whoever has said so was interrupted:
    /// say it again.
    Settling,
    /// The bank has paid all of it, and its payouts are settled.
    Paid,
    /// It was never sent, and its payouts can be in another file.
    Withdrawn,
}

/// `GET /v1/admin/payouts/exports/{id}/payouts`: what a file has in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExportedPayouts {
    /// The file.
    pub export: PayoutExport,
    /// Its payouts, ascending, also if it was withdrawn.
    pub payouts: Vec<Payout>,
}

/// The answer to `POST /v1/admin/payouts/exports/{id}/paid`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PaidExport {
    /// The file.
    pub export: PayoutExport,
    /// How many of its payouts are paid.
    pub paid: u32,
    /// The ids of payouts that were recorded as failed while this was going on.
    pub failed: Vec<u64>,
}

/// `GET /v1/admin/payouts/exports?before=&limit=`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PayoutExports {
    /// The newest first.
    pub exports: Vec<PayoutExport>,
    /// The cursor for `?before=`; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
}

/// A file of payouts. `GET /v1/admin/payouts/exports/{id}` is the file itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PayoutExport {
    /// Ascending from 1, without a gap.
    pub id: u64,
    /// The form of the file.
    pub format: ExportForm,
    /// The id of the message, by which the bank recognises a file that it gets twice.
    pub message_id: String,
    /// The number of payouts in it.
    pub payouts: u32,
    /// Their sum in the smallest unit.
    pub amount: u64,
    /// Who made it.
    pub operator: String,
    /// When.
    pub at: DateTime<Utc>,
    /// What became of it.
    pub state: ExportState,
    /// When it was withdrawn or somebody said that it is paid; absent while it is `made`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
}
