//! The lock that makes concurrent changes of one holder's account wait for each other.

use opencoin_ledger::{AccountId, AccountStatus, LedgerError, stored};

use crate::{Executor, Row, SqlError};

/// Locks the row of a holder's account until the transaction ends, so that changes of this account run one at a time.
/// Returns whether the account is closed, so that it may get no way in.
pub(crate) async fn lock(sql: &mut dyn Executor, account: AccountId) -> Result<Locked, SqlError> {
    stored::require_holder(account)?;
    let for_update = sql.dialect().for_update;
    let query = format!("SELECT status FROM accounts WHERE id = $1 {for_update}");
    let found: Option<i16> = sql.optional(&query, &[account.get().into()], Row::take).await?;
    let status = found.ok_or_else(|| stored::missing_account(account))?;
    match AccountStatus::from_code(status) {
        Some(AccountStatus::Open | AccountStatus::Frozen) => Ok(Locked::Usable),
        Some(AccountStatus::Closed) => Ok(Locked::Closed),
        None => Err(LedgerError::corrupt(format!("{account:?}"), "the status is unknown").into()),
    }
}

/// A locked account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Locked {
    /// Its holder can be let in.
    Usable,
    /// Nobody is let in any more.
    Closed,
}
