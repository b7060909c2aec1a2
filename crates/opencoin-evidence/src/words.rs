//! Times and numbers in statements.

/// Writes a time in seconds since 1970.
pub(crate) fn date(time_s: u64) -> String {
    let at = i64::try_from(time_s)
        .ok()
        .and_then(|time| chrono::DateTime::from_timestamp(time, 0));
    at.map_or_else(
        || format!("second {time_s}"),
        |at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}
