//! What becomes of a file: the bank has paid all of it, or it was never sent.

use opencoin_keys::ledger_time;
use opencoin_ledger::bank::{ExportEnd, ExportNo, ExportState, PayoutExport};
use opencoin_ledger::{
    Action, ActionDetail, ActionKind, ActionSubject, Command, Consent, OperatorCommand, OperatorName, Payout,
    PayoutNo, Reference, Refusal, Settlement,
};

use super::{ActingPayoutDesk, PayoutDesk, PayoutDeskError};

/// How many payouts one transaction settles. A larger one would keep other payments waiting.
const SETTLED_AT_A_TIME_MAX: usize = 500;

/// A file that the bank has paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaidExport {
    /// What is known of it.
    pub export: PayoutExport,
    /// Whether it was recorded as paid before.
    pub repeated: bool,
    /// How many of its payouts are paid.
    pub paid: usize,
    /// Its payouts that are recorded as failed. They stay so: if the bank has paid them, a person must look at them.
    pub failed: Vec<PayoutNo>,
}

impl PayoutDesk {
    /// The first payout of a file that is above the limit, if this operator has made the file: then another one must record
    /// it as paid.
    #[must_use]
    pub fn needs_another(
        &self,
        export: &PayoutExport,
        payouts: &[Payout],
        operator: &OperatorName,
    ) -> Option<PayoutNo> {
        let mut amounts = payouts.iter();
        let above = amounts.find(|payout| self.second_person.consent(payout.amount) == Consent::Needed)?;
        (export.operator == *operator).then_some(above.no)
    }
}

impl ActingPayoutDesk<'_> {
    /// Withdraws a file that was never sent: it is not given out again, and its payouts can be in another one. Idempotent.
    /// Returns the file, and whether this was repeated.
    ///
    /// # Errors
    /// When there is no such file, the bank has paid it or one of its payouts, or the ledger fails.
    pub async fn withdraw(&self, no: ExportNo) -> Result<(PayoutExport, bool), PayoutDeskError> {
        let action = self.action(ActionKind::WithdrawExport, &no.get().to_string());
        let end = self.desk.books.bank.withdraw_export(no, action).await?;
        ended(no, end)
    }

    /// Records that the bank has paid a file: each of its payouts that waits is paid, with the id of the message as the
    /// reference of the bank. One that has failed stays so. Idempotent: what an interrupted call has left is settled by the next one.
    ///
    /// The file is marked first, in a transaction that a withdrawal excludes, and again when its payouts are settled. In
    /// between it is [`ExportState::Settling`].
    ///
    /// # Errors
    /// When there is no such file, it was withdrawn, or the ledger fails.
    pub async fn pay(&self, no: ExportNo) -> Result<PaidExport, PayoutDeskError> {
        self.check_second_person(no).await?;
        let action = self.action(ActionKind::PayExport, &no.get().to_string());
        let end = self.desk.books.bank.pay_export(no, action).await?;
        let (export, repeated) = ended(no, end)?;
        if export.state == ExportState::Settling {
            self.settle(&export).await?;
        }
        let end = self.desk.books.bank.finish_export(no).await?;
        let (export, _) = ended(no, end)?;
        let (_, payouts) = self.desk.export(no).await?;
        let has_failed = |payout: &&Payout| matches!(payout.settled, Some((Settlement::Failed(_), _)));
        let failed: Vec<_> = payouts
            .iter()
            .filter(has_failed)
            .map(|payout| payout.no)
            .collect();
        Ok(PaidExport {
            export,
            repeated,
            paid: payouts.len() - failed.len(),
            failed,
        })
    }

    /// Settles what waits of a file as paid.
    async fn settle(&self, export: &PayoutExport) -> Result<(), PayoutDeskError> {
        let (_, payouts) = self.desk.export(export.no).await?;
        let reference =
            Reference::new(export.message_id.as_str()).expect("the id of a message is a reference");
        let open: Vec<_> = payouts.iter().filter(|payout| payout.settled.is_none()).collect();
        for piece in open.chunks(SETTLED_AT_A_TIME_MAX) {
            let commands: Vec<_> = piece.iter().map(|payout| self.paid(payout, &reference)).collect();
            let outcomes = self.desk.books.ledger.apply_for_operator(&commands).await?;
            for (payout, outcome) in piece.iter().zip(outcomes) {
                match outcome {
                    Ok(_) => {}
                    // Somebody has settled it meanwhile.
                    Err(Refusal::ReferenceConflict) => {}
                    Err(refusal) => return Err(PayoutDeskError::Unsettled(payout.no, refusal)),
                }
            }
        }
        Ok(())
    }

    /// Refuses whoever has made a file with a payout above the limit. What is in a file and who made it do not change.
    async fn check_second_person(&self, no: ExportNo) -> Result<(), PayoutDeskError> {
        let (export, payouts) = self.desk.export(no).await?;
        match self.desk.needs_another(&export, &payouts, self.operator) {
            Some(payout) => Err(PayoutDeskError::NeedsAnother(payout, no)),
            None => Ok(()),
        }
    }

    fn paid(&self, payout: &Payout, reference: &Reference) -> OperatorCommand {
        let action = Action {
            detail: Some(ActionDetail::new(reference.as_str())),
            amount: Some(payout.amount),
            ..self.action(ActionKind::PayPayout, &payout.no.get().to_string())
        };
        let command = Command::SettlePayout {
            payout: payout.no,
            settlement: Settlement::Paid(reference.clone()),
            at: action.at,
        };
        OperatorCommand {
            command,
            action,
            // The operator who has made the file was the first person.
            consent: Consent::NotNeeded,
        }
    }

    fn action(&self, kind: ActionKind, subject: &str) -> Action {
        Action {
            operator: self.operator.clone(),
            kind,
            subject: ActionSubject::new(subject),
            amount: None,
            detail: None,
            at: ledger_time(self.desk.clock.now()),
        }
    }
}

fn ended(no: ExportNo, end: ExportEnd) -> Result<(PayoutExport, bool), PayoutDeskError> {
    match end {
        ExportEnd::Ended(export) => Ok((export, false)),
        ExportEnd::Repeated(export) => Ok((export, true)),
        ExportEnd::Other(ExportState::Made) => Err(PayoutDeskError::Unfinished(no)),
        ExportEnd::Other(ExportState::Paid | ExportState::Settling) => Err(PayoutDeskError::PaidExport(no)),
        ExportEnd::Other(ExportState::Withdrawn) => Err(PayoutDeskError::Withdrawn(no)),
        ExportEnd::PayoutOpen(_) => Err(PayoutDeskError::Unfinished(no)),
        ExportEnd::PayoutPaid(payout) => Err(PayoutDeskError::Paid(payout, no)),
        ExportEnd::Unknown => Err(PayoutDeskError::UnknownExport(no)),
    }
}
