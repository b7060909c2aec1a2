//! The operator's API: figures of the last day.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// `GET /v1/admin/samples?minutes=&step_s=`: figures of the last while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdminSamples {
    /// The seconds of a step. All samples that end in a step are one.
    pub step_s: u32,
    /// The oldest first. There are none of the time before the server began.
    pub samples: Vec<AdminSample>,
}

/// What has happened since the sample before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdminSample {
    /// The end of the time that it covers.
    pub at: DateTime<Utc>,
    /// How long that time is, in milliseconds: a step, or less at its beginning and its end.
    pub covered_ms: u64,
    /// Requests of wallets, programs and visitors that were answered.
    pub requests: u64,
    /// Those that were refused, for whatever reason.
    pub refusals: u64,
    /// Requests whose blinds were signed.
    pub signings: u64,
    /// How long signing the blinds of one request took on average, in microseconds; absent if none was signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_us: Option<u64>,
    /// The value of the coins in circulation, in the smallest unit; absent if the books could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outstanding: Option<u64>,
}
