//! How many coins there are.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// `GET /v1/supply`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Supply {
    /// When the coins were counted: at the end of a batch of the public log, or once a day.
    pub at: DateTime<Utc>,
    /// The batch of the public log whose last leaf has these counts; absent if the currency has no log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<u64>,
    /// The denominations of which there are coins, in ascending order.
    pub denominations: Vec<DenominationSupply>,
    /// The value of all outstanding coins, in the smallest unit.
    pub outstanding: u64,
}

/// The coins of one denomination, of all its mint keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DenominationSupply {
    /// The value of each coin, in the smallest unit.
    pub denomination: u64,
    /// The coins that did not come back before they expired.
    pub expired: u64,
    /// The coins that were signed, did not come back and have not expired.
    pub outstanding: u64,
    /// The coins that came back.
    pub returned: u64,
    /// The coins that were ever signed.
    pub signed: u64,
}
