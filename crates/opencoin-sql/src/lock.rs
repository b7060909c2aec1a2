//! The lock that makes concurrent changes of one holder's account wait for each other.

use opencoin_ledger::{AccountId, stored};

use crate::{Executor, SqlError};

/// Locks the row of a holder's account until the transaction ends, so that changes of this account run one at a time.
pub(crate) async fn lock(sql: &mut dyn Executor, account: AccountId) -> Result<(), SqlError> {
    stored::require_holder(account)?;
    let for_update = sql.dialect().for_update;
    let query = format!("SELECT id FROM accounts WHERE id = $1 {for_update}");
    let found = sql.all(&query, &[account.get().into()], |_| Ok(())).await?;
    if found.is_empty() {
        return Err(stored::missing_account(account).into());
    }
    Ok(())
}
