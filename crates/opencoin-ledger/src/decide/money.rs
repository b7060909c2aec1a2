//! What all decisions share that move money between two accounts.

use super::money_key;
use crate::journal::{Kind, Record};
use crate::view::AccountState;
use crate::{AccountId, AccountStatus, Amount, LedgerTime, Prepared, Refusal, View};

/// The balance of the account after it pays this amount.
pub(super) fn balance_after_payment(
    view: &View,
    account: AccountId,
    needed: Amount,
) -> Result<Amount, Refusal> {
    let balance = not_closed(view, account)?.balance;
    balance
        .checked_sub(needed)
        .ok_or(Refusal::InsufficientFunds { balance, needed })
}

/// The balance of the account after it receives this amount.
pub(super) fn balance_after_receipt(
    view: &View,
    account: AccountId,
    amount: Amount,
) -> Result<Amount, Refusal> {
    let balance = not_closed(view, account)?.balance;
    balance.checked_add(amount).ok_or(Refusal::Overflow)
}

fn not_closed(view: &View, account: AccountId) -> Result<&AccountState, Refusal> {
    let account = view.account(account).ok_or(Refusal::UnknownAccount)?;
    match account.status {
        AccountStatus::Open | AccountStatus::Frozen => Ok(account),
        AccountStatus::Closed => Err(Refusal::AccountClosed),
    }
}

/// Refuses what the holder of a frozen or closed account cannot do.
pub(super) fn require_thawed(view: &View, account: AccountId) -> Result<(), Refusal> {
    match not_closed(view, account)?.status {
        AccountStatus::Frozen => Err(Refusal::AccountFrozen),
        AccountStatus::Open | AccountStatus::Closed => Ok(()),
    }
}

/// Refuses what only the account of a holder can do.
pub(super) fn require_holder(account: AccountId) -> Result<(), Refusal> {
    if account.is_key_account() {
        Err(Refusal::KeyAccount)
    } else {
        Ok(())
    }
}

pub(super) fn require_nonzero(amount: Amount) -> Result<(), Refusal> {
    if amount.is_zero() {
        Err(Refusal::ZeroAmount)
    } else {
        Ok(())
    }
}

/// The record of money that moves between two accounts, without coins.
pub(super) fn payment(
    kind: Kind,
    prepared: &Prepared<'_>,
    [from, to]: [AccountId; 2],
    amount: Amount,
    at: LedgerTime,
) -> Record {
    Record {
        kind,
        reference: money_key(prepared),
        content: prepared.content,
        debit: Some(from),
        credit: Some(to),
        debit_entry: None,
        credit_entry: None,
        amount,
        at,
        issued: None,
        blinds: None,
        label: None,
        recovered_batch: None,
    }
}
