//! What operators do, in the in-memory ledger.

use std::sync::Arc;

use async_trait::async_trait;

use super::{MemoryLedger, number};
use crate::bank::BankStore;
use crate::{Action, ActionFilter, ActionNo, HasOperators, LedgerError, Operators, RecordedAction};

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
