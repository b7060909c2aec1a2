//! Mints that wait for money, where the operator lets them.
//!
//! What becomes of them is decided by the mint itself, sent again: by a resume, by its wallet, or by the
//! background work here. It is carried out or given up once for its reference, however many processes try.

use std::sync::{Mutex, PoisonError};

use opencoin_config::WhenShort;
use opencoin_keys::ledger_time;
use opencoin_ledger::{Command, DueMint, LedgerTime, Refusal as LedgerRefusal, TransactionReference};

use super::AccountService;
use crate::committer::Unconfirmed;
use crate::refusal::{Reason, Refusal, unavailable};

/// The most waiting mints that are decided in one turn.
const DECIDED_MAX: u32 = 100;
/// How many mints in a row may be left without an answer before a turn ends: the ledger is away.
const UNCONFIRMED_IN_A_ROW_MAX: usize = 3;

/// Where the next turn of the background work begins: so one that the ledger chokes on does not keep others
/// from their turn.
#[derive(Default)]
pub(super) struct NextTurn(Mutex<Option<DueMint>>);

impl AccountService {
    /// Until when a mint waits that its account cannot pay, if mints may wait here.
    pub(crate) fn wait_until(&self) -> Option<LedgerTime> {
        match self.config.when_short {
            WhenShort::Refuse => None,
            WhenShort::Delay => Some(ledger_time(self.clock.now() + self.config.wait.get())),
        }
    }

    /// The command that decides a mint that waits; `None` when none waits under this reference.
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
            wait_until: None,
            at: self.now(),
        }))
    }

    /// One turn of the background work: decides mints whose accounts can pay now or whose time is over.
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

    /// Deletes what is over: sessions, counts of wrong passwords.
    pub(crate) async fn tidy(&self) {
        // What cannot be done now is done next time; the log says why.
        let _ = self.accounts.tidy(self.now()).await.map_err(unavailable);
    }

    async fn decide(&self, reference: &TransactionReference) -> Result<Result<(), LedgerRefusal>, Refusal> {
        let Some(mint) = self.waiting_mint(reference).await? else {
            return Ok(Ok(())); // somebody else was faster
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

/// The answer for a mint that was given up.
pub(crate) fn waited_in_vain() -> Refusal {
    Refusal::new(
        Reason::InsufficientFunds,
        "the account did not hold enough in time; nothing was taken, and this mint will not be carried out",
    )
}
