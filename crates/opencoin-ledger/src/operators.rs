//! The store of what operators do.

use std::sync::Arc;

use async_trait::async_trait;

use crate::bank::BankStore;
use crate::{
    Action, ActionNo, ActionSubject, DeclineOutcome, LedgerError, OperatorName, Proposal, ProposalFilter,
    ProposalNo, RecordedAction, WaitingProposals,
};

/// The store of what operators do. Any number of processes may use one store.
///
/// Every method fails with a [`LedgerError`] if the store cannot be read or written.
#[async_trait]
pub trait Operators: Send + Sync {
    /// Records an action that changes nothing in the books. Sent again, it is recorded again.
    async fn record(&self, action: &Action) -> Result<(), LedgerError>;

    /// Up to `limit` actions with numbers below `before`, or all, the newest first.
    async fn actions(
        &self,
        filter: ActionFilter,
        before: Option<ActionNo>,
        limit: u32,
    ) -> Result<Vec<RecordedAction>, LedgerError>;

    /// Up to `limit` proposals with numbers above `after`, ascending.
    async fn proposals(
        &self,
        filter: ProposalFilter,
        after: ProposalNo,
        limit: u32,
    ) -> Result<Vec<Proposal>, LedgerError>;

    /// The proposal with this number.
    async fn proposal(&self, no: ProposalNo) -> Result<Option<Proposal>, LedgerError>;

    /// The proposals that wait and that this operator has not made.
    async fn proposals_for(&self, operator: &OperatorName) -> Result<WaitingProposals, LedgerError>;

    /// Declines a proposal that waits, for the operator of the action, or withdraws it if it is their own.
    async fn decline(&self, no: ProposalNo, action: &Action) -> Result<DeclineOutcome, LedgerError>;
}

/// A store of books that also has what operators do: the record of it, and their bank's statements.
pub trait HasOperators {
    /// The store of what operators do.
    fn operators(&self) -> Arc<dyn Operators>;

    /// The store of the bank's statements.
    fn bank(&self) -> Arc<dyn BankStore>;
}

/// Which actions [`Operators::actions`] returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionFilter {
    /// All actions.
    All,
    /// Those that have changed this.
    Of(ActionSubject),
}
