//! Limits guesses of the passphrase of the master key, which the console and the API take.
//!
//! The count is one for the server, whoever guesses, and is lost when it ends: a restart needs more than a guess. Each wrong
//! one is logged and recorded with the operator's name.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use opencoin_keys::ledger_time;
use opencoin_ledger::{ActionKind, FailedLogins};

use crate::accounts::throttle::left_s;
use crate::operator::{Operator, OperatorError};
use crate::refusal::Refusal;

/// Wrong passphrases since the last right one. After five, each needs a wait that doubles, as with passwords of accounts.
#[derive(Debug, Default)]
pub(super) struct PassphraseGuesses(Mutex<FailedLogins>);

impl PassphraseGuesses {
    /// Whether a passphrase may be tried now.
    ///
    /// # Errors
    /// When it must wait.
    pub(super) fn check(&self, now: DateTime<Utc>) -> Result<(), Refusal> {
        let failed = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match left_s(failed, ledger_time(now)) {
            0 => Ok(()),
            left_s => Err(Refusal::too_many_requests(
                left_s,
                "too many wrong passphrases of the master key; wait before the next one",
            )),
        }
    }

    pub(super) fn count_wrong(&self, now: DateTime<Utc>) {
        let mut failed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failed.count = failed.count.saturating_add(1);
        failed.last = Some(ledger_time(now));
    }

    /// A passphrase was right.
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = FailedLogins::default();
    }
}

impl Operator {
    /// Logs and records that the operator has sent a wrong passphrase of the master key.
    ///
    /// # Errors
    /// When the ledger fails.
    pub(super) async fn record_wrong_passphrase(&self) -> Result<(), OperatorError> {
        tracing::warn!(operator = %self.name, "wrong passphrase of the master key");
        self.record(ActionKind::WrongPassphrase, "master key", None).await
    }
}
