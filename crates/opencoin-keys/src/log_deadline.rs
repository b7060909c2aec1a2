//! Until when a mint key must have come, so that it is in the public log when it signs.
//!
//! A certified mint key that is missing in the log once it can sign proves a fraud (`docs/EVIDENCE.md`, "secret key"), and
//! a certificate does not say when it was made. So a certificate that comes too late must never be used, nor be shown to
//! anybody.

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_log::log_block::LogBlock;
use opencoin_schema::Timestamp;

use crate::currency::{CertifiedMintKey, Currency};
use crate::signing_request::{MintKeyDraft, SigningRequest};

/// The part of the merge delay that is left for writing and cosigning the leaf: one half.
const PARTS: i32 = 2;

/// The last moment at which a new mint key that signs from `sign_coins_not_before` on can still be entered in the log.
pub(crate) fn log_deadline(sign_coins_not_before: Timestamp, log: &LogBlock) -> DateTime<Utc> {
    sign_coins_not_before.to_utc() + TimeDelta::seconds(log.within_s().into()) / PARTS
}

/// Until when the certificates of a request must be imported; `None` if the currency has no public log.
pub(crate) fn import_deadline(request: &SigningRequest, log: Option<&LogBlock>) -> Option<DateTime<Utc>> {
    let deadline = |key: &MintKeyDraft| Some(log_deadline(key.sign_coins_not_before, log?));
    request.mint_keys.iter().filter_map(deadline).min()
}

impl Currency {
    /// Whether a key that is not in the books yet comes too late for the public log.
    #[must_use]
    pub fn is_late(&self, key: &CertifiedMintKey, now: DateTime<Utc>) -> bool {
        let begins = key.verified.mint_key().sign_coins_not_before;
        self.log().is_some_and(|log| log_deadline(begins, log) < now)
    }
}
