//! What moves money: credits, debits and settlements. Above the limit they are proposed, and another operator carries them
//! out with [`ProposalDesk`](crate::ProposalDesk).

use opencoin_ledger::bank::line_with_credit_reference;
use opencoin_ledger::recovered::AssignmentWay;
use opencoin_ledger::{
    AccountName, Action, ActionDetail, ActionKind, Amount, Applied, Command, Consent, Effect, Payout,
    PayoutNo, Reference, Refusal, Settlement,
};

use super::{ActingCashier, CashierError};
use crate::second_person::{Asked, proposing};

impl ActingCashier<'_> {
    /// Credits a deposit, or proposes it. Idempotent by reference; the result says whether it was repeated.
    ///
    /// # Errors
    /// When there is no such account, the reference was used for another payment, or the ledger fails.
    pub async fn credit(
        &self,
        name: &AccountName,
        amount: Amount,
        reference: Reference,
    ) -> Result<Asked<Applied>, CashierError> {
        check_reference(&reference)?;
        let account = self.cashier.account(name).await?.account.id;
        let action = self.payment(ActionKind::Credit, name, amount, &reference);
        let credit = Command::Credit {
            account,
            amount,
            reference,
            at: action.at,
        };
        self.pay(credit, action, amount).await
    }

    /// Debits a withdrawal, or proposes it. Idempotent by reference; the result says whether it was repeated.
    ///
    /// # Errors
    /// When there is no such account, its balance is too low, the reference was used for another payment, or the
    /// ledger fails.
    pub async fn debit(
        &self,
        name: &AccountName,
        amount: Amount,
        reference: Reference,
    ) -> Result<Asked<Applied>, CashierError> {
        check_reference(&reference)?;
        let account = self.cashier.account(name).await?.account.id;
        let action = self.payment(ActionKind::Debit, name, amount, &reference);
        let debit = Command::Debit {
            account,
            amount,
            reference,
            at: action.at,
        };
        self.pay(debit, action, amount).await
    }

    /// Assigns recovered money to an account, or takes what the account had paid in the lost time, or proposes it. Idempotent by reference,
    /// which credits and debits share; the result says whether it was repeated.
    ///
    /// # Errors
    /// When nothing was recovered, there is no such account, its balance is too low, the reference was used for another
    /// payment, or the ledger fails.
    pub async fn assign_recovered(
        &self,
        name: &AccountName,
        amount: Amount,
        way: AssignmentWay,
        reference: Reference,
    ) -> Result<Asked<Applied>, CashierError> {
        // Money that comes to an account may be that of a line whose credit was lost. It is given once, so the line waits for
        // no other credit.
        if way == AssignmentWay::FromAccount {
            check_reference(&reference)?;
        }
        let head = self.cashier.books.log.head().await?;
        if head.is_none_or(|head| head.recovered_to.is_none()) {
            return Err(CashierError::NothingRecovered);
        }
        let account = self.cashier.account(name).await?.account.id;
        let kind = match way {
            AssignmentWay::ToAccount => ActionKind::AssignRecovered,
            AssignmentWay::FromAccount => ActionKind::TakeRecovered,
        };
        let action = self.payment(kind, name, amount, &reference);
        let assign = Command::AssignRecovered {
            account,
            amount,
            way,
            reference,
            at: action.at,
        };
        self.pay(assign, action, amount).await
    }

    /// Records whether a payout was paid or has failed, or proposes it. Idempotent.
    ///
    /// # Errors
    /// When there is no such payout, it was settled with another result, or the ledger fails.
    pub async fn settle(
        &self,
        payout: PayoutNo,
        settlement: Settlement,
    ) -> Result<Asked<Payout>, CashierError> {
        let unknown = CashierError::Refused(Refusal::UnknownPayout);
        let accounts = &self.cashier.books.accounts;
        let requested = accounts.payout(payout).await?.ok_or(unknown)?;
        let (kind, text) = match &settlement {
            Settlement::Paid(reference) => (ActionKind::PayPayout, reference),
            Settlement::Failed(reason) => (ActionKind::FailPayout, reason),
        };
        let action = Action {
            amount: Some(requested.amount),
            detail: Some(ActionDetail::new(text.as_str())),
            ..self.action(kind, &payout.get().to_string())
        };
        let settle = Command::SettlePayout {
            payout,
            settlement,
            at: action.at,
        };
        let asked = self.pay(settle, action, requested.amount).await;
        let asked = asked.map_err(|error| match error {
            CashierError::Refused(Refusal::ReferenceConflict) => CashierError::Settled(payout),
            other => other,
        })?;
        if let Asked::Waits(proposal) = asked {
            return Ok(Asked::Waits(proposal));
        }
        let settled = accounts.payout(payout).await?;
        settled
            .map(Asked::Done)
            .ok_or(CashierError::Refused(Refusal::UnknownPayout))
    }

    fn payment(&self, kind: ActionKind, name: &AccountName, amount: Amount, reference: &Reference) -> Action {
        Action {
            amount: Some(amount),
            detail: Some(ActionDetail::new(reference.as_str())),
            ..self.action(kind, name.as_str())
        }
    }

    async fn pay(
        &self,
        command: Command,
        action: Action,
        amount: Amount,
    ) -> Result<Asked<Applied>, CashierError> {
        let consent = self.cashier.second_person.consent(amount);
        let action = match consent {
            Consent::Needed => proposing(action),
            Consent::NotNeeded | Consent::Given(_) => action,
        };
        let applied = self.apply_with(command, action, consent).await?;
        let Effect::Proposed(no) = applied.effect else {
            return Ok(Asked::Done(applied));
        };
        let proposal = self.cashier.books.operators.proposal(no).await?;
        let proposal = proposal.ok_or(CashierError::Refused(Refusal::UnknownProposal))?;
        Ok(Asked::Waits(Box::new(proposal)))
    }
}

/// A payment of its own must not take the place of the credit of a line.
fn check_reference(reference: &Reference) -> Result<(), CashierError> {
    match line_with_credit_reference(reference) {
        Some(_) => Err(CashierError::ReferenceOfLine),
        None => Ok(()),
    }
}
