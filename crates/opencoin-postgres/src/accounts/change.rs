//! One transaction on the connection that changes what is known of accounts.

use opencoin_ledger::{AccountId, stored};
use sqlx::postgres::PgRow;
use sqlx::{Executor, PgConnection};

use crate::fault::Fault;
use crate::writer::{Writer, Writing};

/// A transaction that is open. Dropped without [`Change::commit`], it takes its connection with it and leaves
/// nothing.
pub(super) struct Change {
    writing: Writing,
}

impl Change {
    pub(super) async fn begin(writer: &Writer) -> Result<Self, Fault> {
        let mut writing = writer.begin().await?;
        writing.execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
        Ok(Self { writing })
    }

    /// The same for changes that depend on others of their account: they take their turns.
    pub(super) async fn of_account(writer: &Writer, account: AccountId) -> Result<Self, Fault> {
        let mut change = Self::begin(writer).await?;
        let query = sqlx::query("SELECT id FROM accounts WHERE id = $1 FOR UPDATE").bind(account.get());
        let row: Option<PgRow> = query.fetch_optional(change.connection()).await?;
        if row.is_none() {
            return Err(stored::missing_account(account).into());
        }
        Ok(change)
    }

    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.writing
    }

    pub(super) async fn commit(mut self) -> Result<(), Fault> {
        self.writing.execute("COMMIT").await?;
        self.writing.done();
        Ok(())
    }
}
