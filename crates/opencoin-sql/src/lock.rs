//! Turns among changes of one account.

use opencoin_ledger::{AccountId, stored};

use crate::{Executor, SqlError};

/// Locks the row of an account, for changes that depend on others of this account: they take their turns.
pub(crate) async fn lock(sql: &mut dyn Executor, account: AccountId) -> Result<(), SqlError> {
    let for_update = sql.dialect().for_update;
    let query = format!("SELECT id FROM accounts WHERE id = $1 {for_update}");
    let found = sql.all(&query, &[account.get().into()], |_| Ok(())).await?;
    if found.is_empty() {
        return Err(stored::missing_account(account).into());
    }
    Ok(())
}
