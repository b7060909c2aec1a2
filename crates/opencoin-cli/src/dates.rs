//! Times in the texts of commands.

use chrono::{DateTime, Utc};

/// `2026-01-31 23:59:00 UTC`.
pub(crate) fn utc(at: DateTime<Utc>) -> String {
    at.format("%F %T UTC").to_string()
}
