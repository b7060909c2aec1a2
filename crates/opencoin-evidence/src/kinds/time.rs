//! Times of certificates.

use opencoin_schema::Timestamp;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// The whole second, since 1970, as the issuer counts them.
pub(super) fn unix_s(time: Timestamp) -> u64 {
    u64::try_from(time.unix_us() / MICROS_PER_SECOND).unwrap_or_default()
}
