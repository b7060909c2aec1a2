//! What operators do, in the in-memory ledger.

use std::sync::Arc;

use async_trait::async_trait;

use super::{MemoryLedger, number};
use crate::bank::BankStore;
use crate::{
    Action, ActionFilter, ActionNo, DeclineOutcome, HasOperators, LedgerError, OperatorName, Operators,
    Proposal, ProposalFilter, ProposalNo, ProposalVerdict, RecordedAction, WaitingProposals,
};

impl HasOperators for MemoryLedger {
    fn operators(&self) -> Arc<dyn Operators> {
        Arc::new(self.clone())
    }

    fn bank(&self) -> Arc<dyn BankStore> {
        Arc::new(self.clone())
    }
}

#[async_trait]
impl Operators for MemoryLedger {
    async fn record(&self, action: &Action) -> Result<(), LedgerError> {
        self.state().actions.push(action.clone());
        Ok(())
    }

    async fn actions(
        &self,
        filter: ActionFilter,
        before: Option<ActionNo>,
        limit: u32,
    ) -> Result<Vec<RecordedAction>, LedgerError> {
        let is_wanted = |action: &RecordedAction| match &filter {
            ActionFilter::All => true,
            ActionFilter::Of(subject) => action.subject == *subject,
        };
        let state = self.state();
        let all = state.actions.iter().enumerate().rev();
        Ok(all
            .map(|(index, action)| recorded(ActionNo::new(number(index)), action.clone()))
            .filter(|action| before.is_none_or(|before| action.no < before) && is_wanted(action))
            .take(limit as usize)
            .collect())
    }

    async fn proposals(
        &self,
        filter: ProposalFilter,
        after: ProposalNo,
        limit: u32,
    ) -> Result<Vec<Proposal>, LedgerError> {
        let is_wanted = |proposal: &&Proposal| match filter {
            ProposalFilter::All => true,
            ProposalFilter::Waiting => proposal.verdict.is_none(),
        };
        let state = self.state();
        let above = state.view.proposals().filter(|proposal| proposal.no > after);
        Ok(above.filter(is_wanted).take(limit as usize).cloned().collect())
    }

    async fn proposal(&self, no: ProposalNo) -> Result<Option<Proposal>, LedgerError> {
        Ok(self.state().view.proposal(no).cloned())
    }

    async fn proposals_for(&self, operator: &OperatorName) -> Result<WaitingProposals, LedgerError> {
        let state = self.state();
        let of_others = |proposal: &&Proposal| proposal.verdict.is_none() && proposal.operator != *operator;
        let waiting = state.view.proposals().filter(of_others);
        Ok(waiting.fold(WaitingProposals::default(), |waiting, proposal| {
            WaitingProposals {
                count: waiting.count + 1,
                oldest: Some(
                    waiting
                        .oldest
                        .map_or(proposal.at, |oldest| oldest.min(proposal.at)),
                ),
            }
        }))
    }

    async fn decline(&self, no: ProposalNo, action: &Action) -> Result<DeclineOutcome, LedgerError> {
        let mut state = self.state();
        let Some(proposal) = state.view.proposal(no) else {
            return Ok(DeclineOutcome::Unknown);
        };
        match &proposal.verdict {
            Some(verdict) if verdict.carried_out => Ok(DeclineOutcome::CarriedOut),
            Some(_) => Ok(DeclineOutcome::Repeated),
            None => {
                state.view.decide_proposal(no, ProposalVerdict::declined(action));
                state.view.note_action(action.clone());
                state.append();
                Ok(DeclineOutcome::Declined)
            }
        }
    }
}

fn recorded(no: ActionNo, action: Action) -> RecordedAction {
    let Action {
        operator,
        kind,
        subject,
        amount,
        detail,
        at,
    } = action;
    RecordedAction {
        no,
        at,
        operator,
        kind: kind.word().to_owned(),
        subject,
        amount,
        detail,
    }
}
