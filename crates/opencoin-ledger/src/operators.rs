//! The store of what operators do.

use std::sync::Arc;

use async_trait::async_trait;

use crate::bank::BankStore;
use crate::{Action, ActionNo, ActionSubject, LedgerError, RecordedAction};

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
