//! Until when a mint key must have come, so that it is in the public log when it signs.
//!
//! A certified mint key that is missing in the log once it can sign proves a fraud (`docs/EVIDENCE.md`, "secret key"), and
//! a certificate does not say when it was made. So a certificate that comes too late must never be used, nor be shown to
//! anybody.

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_ledger::MintKeyStatus;
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
    /// Until when the certificates of a request must be imported; `None` without a public log.
    #[must_use]
    pub fn import_deadline(&self, request: &SigningRequest) -> Option<DateTime<Utc>> {
        import_deadline(request, self.log())
    }

    /// Whether it is too late for all certificates of a request. Those of a description never come too late.
    #[must_use]
    pub fn is_in_vain(&self, request: &SigningRequest, now: DateTime<Utc>) -> bool {
        let is_late = |key: &MintKeyDraft| {
            let deadline = self.log().map(|log| log_deadline(key.sign_coins_not_before, log));
            deadline.is_some_and(|deadline| deadline < now)
        };
        request.cdd.is_none() && request.mint_keys.iter().all(is_late)
    }

    /// Until when a server must have entered this mint key in the books; `None` without a public log.
    #[must_use]
    pub fn entry_deadline(&self, key: &CertifiedMintKey) -> Option<DateTime<Utc>> {
        let begins = key.verified.mint_key().sign_coins_not_before;
        self.log().map(|log| log_deadline(begins, log))
    }

    /// Whether a key that is not in the books yet comes too late for the public log.
    #[must_use]
    pub fn is_late(&self, key: &CertifiedMintKey, now: DateTime<Utc>) -> bool {
        self.entry_deadline(key).is_some_and(|deadline| deadline < now)
    }

    /// Whether the books, which have these keys, lack this one and never get it, because it came too late for the public
    /// log.
    #[must_use]
    pub fn is_left_out(
        &self,
        key: &CertifiedMintKey,
        statuses: &[MintKeyStatus],
        now: DateTime<Utc>,
    ) -> bool {
        // The log of new books begins with the keys that are there.
        let may_come = statuses.is_empty() || statuses.iter().any(|status| status.id == key.ledger_id);
        !may_come && self.is_late(key, now)
    }

    /// Until when a server must enter this key in the books, which have these keys; `None` if the key does not wait for a
    /// server.
    #[must_use]
    pub fn waits_until(
        &self,
        key: &CertifiedMintKey,
        statuses: &[MintKeyStatus],
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let waits = !statuses.is_empty() && statuses.iter().all(|status| status.id != key.ledger_id);
        self.entry_deadline(key)
            .filter(|deadline| waits && now <= *deadline)
    }

    /// From when on nobody needs the private half of a key that was left out. A server that is slow, or whose clock is
    /// behind, may still enter the key before.
    pub(crate) fn is_needless_from(&self, key: &CertifiedMintKey) -> Option<DateTime<Utc>> {
        let begins = key.verified.mint_key().sign_coins_not_before.to_utc();
        self.log()
            .map(|log| begins + TimeDelta::seconds(log.within_s().into()))
    }
}
