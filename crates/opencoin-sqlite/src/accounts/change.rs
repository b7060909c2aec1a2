//! One transaction that changes what is known of accounts. The write lock is held from its beginning.

use opencoin_ledger::{AccountId, stored};
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};

use crate::fault::Fault;

/// A transaction that is open. Dropped without [`Change::commit`], it leaves nothing.
pub(super) struct Change {
    transaction: Transaction<'static, Sqlite>,
}

impl Change {
    pub(super) async fn begin(writer: &SqlitePool) -> Result<Self, Fault> {
        Ok(Self {
            transaction: writer.begin_with("BEGIN IMMEDIATE").await?,
        })
    }

    /// The same for changes that need their account to be there.
    pub(super) async fn of_account(writer: &SqlitePool, account: AccountId) -> Result<Self, Fault> {
        let mut change = Self::begin(writer).await?;
        let query = sqlx::query_scalar("SELECT count(*) FROM accounts WHERE id = ?").bind(account.get());
        let rows: i64 = query.fetch_one(change.connection()).await?;
        if rows == 0 {
            return Err(stored::missing_account(account).into());
        }
        Ok(change)
    }

    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }

    pub(super) async fn commit(self) -> Result<(), Fault> {
        Ok(self.transaction.commit().await?)
    }
}
