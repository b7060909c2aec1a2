//! Proposals to assign lines of the bank, with the rules that every store applies to them.

use opencoin_bank::BankLineId;

use super::{Proposal, Proposed};
use crate::bank::{LineAccount, LineOutcome};
use crate::{AccountId, Action, Amount, ProposalNo, Refusal};

impl Proposal {
    /// The proposal of the operator of this action to assign a line.
    #[must_use]
    pub fn of_line(
        no: ProposalNo,
        (line, account, amount): (BankLineId, LineAccount, Amount),
        action: &Action,
    ) -> Self {
        Self {
            no,
            proposed: Proposed::AssignBankLine(line),
            account,
            amount,
            operator: action.operator.clone(),
            at: action.at,
            verdict: None,
        }
    }

    /// What becomes of this new proposal if that one waits for the same line.
    #[must_use]
    pub fn beside(&self, waiting: &Self) -> LineOutcome {
        if waiting.is_same(self) {
            LineOutcome::Proposed(waiting.no)
        } else {
            LineOutcome::Refused(Refusal::OtherProposal { no: waiting.no })
        }
    }
}

/// Whether this proposal to assign a line was carried out before, if the operator of the action may carry it out.
///
/// # Errors
/// There is no such proposal, it proposes something else, it is the operator's own, or it was declined.
pub fn line_consent(
    proposal: Option<&Proposal>,
    (line, account): (BankLineId, AccountId),
    action: &Action,
) -> Result<bool, Refusal> {
    let proposal = proposal.ok_or(Refusal::UnknownProposal)?;
    if proposal.proposed != Proposed::AssignBankLine(line) || proposal.account.id != account {
        return Err(Refusal::ReferenceConflict);
    }
    proposal.consent_of(&action.operator)
}
