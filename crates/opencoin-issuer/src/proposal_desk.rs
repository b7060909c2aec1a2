//! Operations that wait for a second operator: what waits, and who carries it out, declines it or withdraws it.
//!
//! Carrying a proposal out is one transaction, in which its row is locked, the money is moved and the verdict is stored.
//! Only a line of the bank is claimed in it and credited afterwards, like every line: see [`BankDesk`]. If the books refuse,
//! the proposal waits on.

mod error;
#[cfg(test)]
mod tests;

pub use error::ProposalError;

use std::sync::Arc;

use opencoin_keys::{Clock, ledger_time};
use opencoin_ledger::{
    Action, ActionDetail, ActionKind, ActionSubject, Consent, DeclineOutcome, OperatorCommand, OperatorName,
    Proposal, ProposalFilter, ProposalNo, Proposed, WaitingProposals,
};

use crate::bank_desk::BankDesk;
use crate::store::Books;

/// Reads proposals. [`ProposalDesk::acting`] decides them.
pub struct ProposalDesk {
    books: Books,
    clock: Arc<dyn Clock>,
    bank: BankDesk,
}

/// Decides proposals for an operator.
pub struct ActingProposalDesk<'a> {
    desk: &'a ProposalDesk,
    operator: &'a OperatorName,
}

/// A proposal after a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecidedProposal {
    /// The proposal.
    pub proposal: Proposal,
    /// Whether it was decided in this way before.
    pub repeated: bool,
}

impl ProposalDesk {
    /// The proposals of these books. Lines of the bank are assigned at this desk.
    pub fn new(books: impl Into<Books>, clock: Arc<dyn Clock>, bank: BankDesk) -> Self {
        Self {
            books: books.into(),
            clock,
            bank,
        }
    }

    /// The desk at which lines of the bank are assigned.
    #[must_use]
    pub fn bank(&self) -> &BankDesk {
        &self.bank
    }

    /// Decides proposals for the operator with this name.
    #[must_use]
    pub fn acting<'a>(&'a self, operator: &'a OperatorName) -> ActingProposalDesk<'a> {
        ActingProposalDesk { desk: self, operator }
    }

    /// Up to `limit` proposals with numbers above `after`, ascending.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn proposals(
        &self,
        filter: ProposalFilter,
        after: ProposalNo,
        limit: u32,
    ) -> Result<Vec<Proposal>, ProposalError> {
        Ok(self.books.operators.proposals(filter, after, limit).await?)
    }

    /// The proposal with this number.
    ///
    /// # Errors
    /// When there is none, or the ledger fails.
    pub async fn proposal(&self, no: ProposalNo) -> Result<Proposal, ProposalError> {
        let found = self.books.operators.proposal(no).await?;
        found.ok_or(ProposalError::Unknown(no))
    }

    /// The proposals that wait and that this operator has not made.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn waiting_for(&self, operator: &OperatorName) -> Result<WaitingProposals, ProposalError> {
        Ok(self.books.operators.proposals_for(operator).await?)
    }
}

impl ActingProposalDesk<'_> {
    /// Carries out a proposal of another operator. Idempotent.
    ///
    /// # Errors
    /// When there is no such proposal, the operator has made it, it was declined, the books refuse what it proposes, or the
    /// ledger fails. It waits on unless it was declined.
    pub async fn approve(&self, no: ProposalNo) -> Result<DecidedProposal, ProposalError> {
        // What is proposed never changes. The verdict is looked at under a lock.
        let proposal = self.desk.proposal(no).await?;
        let action = self.carrying_out(&proposal);
        let repeated = match proposal.command(action.at) {
            Some(command) => {
                let command = OperatorCommand {
                    command,
                    action,
                    consent: Consent::Given(no),
                };
                let outcomes = self.desk.books.ledger.apply_for_operator(&[command]).await?;
                let outcome = outcomes.into_iter().next();
                outcome.expect("the ledger answers every command")?.repeated
            }
            None => self.desk.bank.assign_proposed(&proposal, action).await?,
        };
        let proposal = self.desk.proposal(no).await?;
        Ok(DecidedProposal { proposal, repeated })
    }

    /// Declines a proposal, or withdraws it if it is the operator's own. Idempotent.
    ///
    /// # Errors
    /// When there is no such proposal, it was carried out, or the ledger fails.
    pub async fn decline(&self, no: ProposalNo) -> Result<DecidedProposal, ProposalError> {
        let proposal = self.desk.proposal(no).await?;
        let kind = if proposal.operator == *self.operator {
            ActionKind::WithdrawProposal
        } else {
            ActionKind::DeclineProposal
        };
        let action = self.about(&proposal, kind);
        let repeated = match self.desk.books.operators.decline(no, &action).await? {
            DeclineOutcome::Declined => false,
            DeclineOutcome::Repeated => true,
            DeclineOutcome::CarriedOut => return Err(ProposalError::CarriedOut(no)),
            DeclineOutcome::Unknown => return Err(ProposalError::Unknown(no)),
        };
        let proposal = self.desk.proposal(no).await?;
        Ok(DecidedProposal { proposal, repeated })
    }

    /// The action that carries a proposal out, with the names of both operators.
    fn carrying_out(&self, proposal: &Proposal) -> Action {
        let by = format!("proposed by {}", proposal.operator);
        let detail = match proposal.proposed.text() {
            Some(text) => format!("{text}; {by}"),
            None => format!("to {}; {by}", proposal.account.name),
        };
        Action {
            detail: Some(ActionDetail::new(&detail)),
            ..self.about(proposal, proposal.proposed.kind().action())
        }
    }

    fn about(&self, proposal: &Proposal, kind: ActionKind) -> Action {
        let action = proposal.proposed.kind().action().word();
        let detail = format!(
            "proposal {}: {action}, proposed by {}",
            proposal.no.get(),
            proposal.operator
        );
        Action {
            operator: self.operator.clone(),
            kind,
            subject: subject(proposal),
            amount: Some(proposal.amount),
            detail: Some(ActionDetail::new(&detail)),
            at: ledger_time(self.desk.clock.now()),
        }
    }
}

/// What a proposal changes, as the actions that carry it out name it.
fn subject(proposal: &Proposal) -> ActionSubject {
    match &proposal.proposed {
        Proposed::Credit(_)
        | Proposed::Debit(_)
        | Proposed::AssignRecovered(_)
        | Proposed::TakeRecovered(_) => ActionSubject::new(proposal.account.name.as_str()),
        Proposed::PayPayout(payout, _) | Proposed::FailPayout(payout, _) => {
            ActionSubject::new(&payout.get().to_string())
        }
        Proposed::AssignBankLine(line) => ActionSubject::new(&line.to_string()),
    }
}
