//! Mints that wait for money, if the operator permits it.
//!
//! The mint command, applied again, decides a waiting mint: after a resume, a retry by the wallet, or in the
//! background task here. The mint is carried out or given up once for its reference, however many processes try.

use std::sync::{Mutex, PoisonError};

use opencoin_config::WhenShort;
use opencoin_keys::ledger_time;
use opencoin_ledger::{Command, DueMint, LedgerTime, Refusal as LedgerRefusal, TransactionReference};

use super::AccountService;
use crate::committer::Unconfirmed;
use crate::refusal::{Reason, Refusal, unavailable};

/// The most waiting mints that one turn of the background task decides.
const DECIDED_MAX: u32 = 100;
/// A turn ends after this number of mints in a row without an answer, because the ledger is unavailable.
const UNCONFIRMED_IN_A_ROW_MAX: usize = 3;

/// The mint after which the next turn starts, so that mints that make the ledger fail do not block the others.
#[derive(Default)]
pub(super) struct NextTurn(Mutex<Option<DueMint>>);

impl AccountService {
    /// Until when a mint waits if its account cannot pay now; `None` if it is refused at once.
    pub(crate) fn wait_until(&self) -> Option<LedgerTime> {
        match self.config.when_short {
            WhenShort::Refuse => None,
            WhenShort::Delay => Some(ledger_time(self.clock.now() + self.config.wait.get())),
        }
    }

    /// The command that decides a waiting mint; `None` when no mint waits under this reference.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(crate) async fn waiting_mint(
        &self,
        reference: &TransactionReference,
    ) -> Result<Option<Command>, Refusal> {
        let mint = self.accounts.waiting(reference).await.map_err(unavailable)?;
        Ok(mint.map(|mint| Command::Mint {
            account: mint.account,
            transaction_reference: mint.transaction_reference,
            blinds: mint.blinds,
            payment: None,
            wait_until: None,
            at: self.now(),
        }))
    }

    /// One turn of the background task: decides mints whose accounts can pay now or that have expired.
    pub(crate) async fn decide_due(&self) {
        let after = self.next_turn.take();
        let due = self.accounts.due(self.now(), after.as_ref(), DECIDED_MAX).await;
        let Ok(due) = due.map_err(unavailable) else {
            return;
        };
        let is_last_page = due.len() < DECIDED_MAX as usize;
        let mut in_a_row = 0;
        for mint in due {
            match self.decide(&mint.reference).await {
                Ok(decided) => {
                    in_a_row = 0;
                    if let Err(refusal) = decided {
                        tracing::warn!(%refusal, "a mint that waits for money cannot be decided");
                    }
                }
                Err(_unavailable) => in_a_row += 1,
            }
            self.next_turn.set(mint);
            if in_a_row == UNCONFIRMED_IN_A_ROW_MAX {
                return;
            }
        }
        if is_last_page {
            self.next_turn.take();
        }
    }

    /// Deletes expired sessions and counts of wrong passwords.
    pub(crate) async fn tidy(&self) {
        // After an error, which is in the log, the next turn tries again.
        let _ = self.accounts.tidy(self.now()).await.map_err(unavailable);
    }

    async fn decide(&self, reference: &TransactionReference) -> Result<Result<(), LedgerRefusal>, Refusal> {
        let Some(mint) = self.waiting_mint(reference).await? else {
            return Ok(Ok(())); // decided meanwhile
        };
        let outcome = self.committer.apply(mint).await;
        let outcome = outcome.map_err(|Unconfirmed| Refusal::unavailable())?;
        Ok(outcome.map(|_applied| ()))
    }
}

impl NextTurn {
    fn take(&self) -> Option<DueMint> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, mint: DueMint) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(mint);
    }
}

/// The answer to a mint that was given up.
pub(crate) fn given_up() -> Refusal {
    Refusal::new(
        Reason::InsufficientFunds,
        "the account did not have enough money in time; nothing was debited, and this mint will not be carried out",
    )
}
