//! Faults of key accounts.

use opencoin_log::key_account::AccountKey;
use opencoin_log::key_ledger::KeyAccount;

use super::{BuildError, EvidenceBuilder};
use crate::claim::Claim;
use crate::evidence::Evidence;
use crate::kinds::{BadPayment, BatchOfPayments, OneStatement, PaymentRule, TwoStatements};

/// The first bytes of the first kind of statements. No other leaves but the batch leaf sort after statements.
const STATEMENTS: [u8; 2] = [0x01, 0x20];

impl EvidenceBuilder<'_> {
    /// A payment or introduction is wrong by itself. `batch` is the batch leaf of its batch.
    ///
    /// # Errors
    /// As [`BuildError`] says; so for all functions of the builder.
    pub async fn bad_statement(&mut self, leaf: u64, batch: u64) -> Result<Evidence, BuildError> {
        let (leaf, batch) = (self.included(leaf).await?, self.included(batch).await?);
        self.bad_payment(PaymentRule::Statement(OneStatement { leaf, batch }))
    }

    /// Two statements have the same number, or introduce the same key.
    ///
    /// # Errors
    /// As above.
    pub async fn statement_twice(&mut self, one: u64, other: u64) -> Result<Evidence, BuildError> {
        let first = self.included(one.min(other)).await?;
        let second = self.included(one.max(other)).await?;
        self.bad_payment(PaymentRule::Twice(TwoStatements { first, second }))
    }

    /// The statements of a batch do not follow from the accounts before, or the batch leaf does not follow from both.
    /// `accounts` are all accounts at the end of the batch before.
    ///
    /// # Errors
    /// As above.
    pub async fn bad_ledger(
        &mut self,
        batch: u64,
        accounts: impl IntoIterator<Item = (AccountKey, KeyAccount)>,
    ) -> Result<Evidence, BuildError> {
        let leaf = self.batch_leaf(batch).await?;
        let begin = self.first_from(leaf.first, batch, &STATEMENTS).await?;
        let run = self.run(begin.saturating_sub(1).max(leaf.first), batch).await?;
        let before = match leaf.previous {
            Some(previous) => Some(self.included(previous).await?),
            None => None,
        };
        let batch = self.included(batch).await?;
        let ledger = BatchOfPayments::new(batch, before, accounts, run);
        self.bad_payment(PaymentRule::Ledger(Box::new(ledger)))
    }

    fn bad_payment(&self, rule: PaymentRule) -> Result<Evidence, BuildError> {
        let claim = BadPayment::new(&self.checkpoint, rule);
        self.evidence(Claim::BadPayment(Box::new(claim)))
    }
}
