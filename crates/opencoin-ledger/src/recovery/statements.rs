//! Recovers the statements about key accounts in a batch.

use super::{Recovering, RecoveryError};
use crate::recovered::RecoveredPart;
use crate::{BATCH_COMMANDS_MAX, Command, Refusal};

/// The statements of a batch that the books lack, each kind in the order of the log.
#[derive(Default)]
pub(super) struct Statements {
    pub(super) introductions: Vec<RecoveredPart>,
    pub(super) credits: Vec<RecoveredPart>,
    pub(super) payments: Vec<RecoveredPart>,
}

impl Recovering<'_> {
    pub(super) async fn recover_statements(&self, statements: Statements) -> Result<(), RecoveryError> {
        let Statements {
            introductions,
            credits,
            payments,
        } = statements;
        let parts = introductions.into_iter().chain(credits);
        let commands: Vec<Command> = parts.map(|part| self.command(part)).collect();
        for commands in commands.chunks(BATCH_COMMANDS_MAX) {
            for outcome in self.ledger.apply(commands).await? {
                outcome.map_err(|refusal| self.refused(refusal))?;
            }
        }
        self.recover_payments(payments.into_iter().map(|part| self.command(part)).collect())
            .await
    }

    /// The log has payments in the order of their keys. A payment may have been made with money from a key that comes
    /// later, so those that cannot be made yet are tried again after the others.
    async fn recover_payments(&self, mut payments: Vec<Command>) -> Result<(), RecoveryError> {
        while !payments.is_empty() {
            let mut early = Vec::new();
            let mut first_refusal = None;
            for commands in payments.chunks(BATCH_COMMANDS_MAX) {
                let outcomes = self.ledger.apply(commands).await?;
                for (command, outcome) in commands.iter().zip(outcomes) {
                    match outcome {
                        Ok(_) => {}
                        Err(refusal @ (Refusal::InsufficientFunds { .. } | Refusal::WrongSeq { .. })) => {
                            early.push(command.clone());
                            first_refusal.get_or_insert(refusal);
                        }
                        Err(refusal) => return Err(self.refused(refusal)),
                    }
                }
            }
            match first_refusal {
                Some(refusal) if early.len() == payments.len() => return Err(self.refused(refusal)),
                _ => payments = early,
            }
        }
        Ok(())
    }
}
