//! Decisions on accounts, payments and transfers.

use opencoin_log::key_account::CreditSource;

use super::key_accounts::log_credit;
use super::{applied, money_key, note, repeated};
use crate::journal::{Kind, Record, ReferenceKey, ReferenceScope};
use crate::{
    AccountId, AccountName, Amount, Effect, LedgerTime, Outcome, PasswordHash, Prepared, Reference, Refusal,
    TokenHash, View,
};

pub(super) fn open(
    view: &mut View,
    prepared: &Prepared<'_>,
    name: &AccountName,
    token_hash: TokenHash,
    password: Option<PasswordHash>,
    at: LedgerTime,
) -> Outcome {
    if let Some(account) = view.account_by_name(name) {
        let same = account.token_hash() == Some(token_hash);
        return if same {
            repeated(Effect::AccountOpened(account.id))
        } else {
            Err(Refusal::AccountExists)
        };
    }
    if name.key().is_some() {
        return Err(Refusal::ReservedAccountName);
    }
    if view.account_by_token(&token_hash).is_some() {
        return Err(Refusal::TokenExists);
    }
    let id = view.open_account(name.clone(), token_hash, password);
    let reference = ReferenceKey::new(ReferenceScope::Account, name.as_str().as_bytes());
    view.write(note(Kind::OpenAccount, reference, prepared.content, at));
    applied(Effect::AccountOpened(id))
}

pub(super) fn credit(
    view: &mut View,
    prepared: &Prepared<'_>,
    account: AccountId,
    amount: Amount,
    at: LedgerTime,
) -> Outcome {
    require_nonzero(amount)?;
    let balance = balance_after_receipt(view, account, amount)?;
    view.set_balance(account, balance);
    log_credit(view, account, amount, CreditSource::Deposit);
    view.write(payment(
        Kind::Credit,
        prepared,
        [AccountId::OUTSIDE, account],
        amount,
        at,
    ));
    applied(Effect::Moved(amount))
}

pub(super) fn debit(
    view: &mut View,
    prepared: &Prepared<'_>,
    account: AccountId,
    amount: Amount,
    at: LedgerTime,
) -> Outcome {
    require_nonzero(amount)?;
    require_holder(account)?;
    let balance = balance_after_payment(view, account, amount)?;
    view.set_balance(account, balance);
    view.write(payment(
        Kind::Debit,
        prepared,
        [account, AccountId::OUTSIDE],
        amount,
        at,
    ));
    applied(Effect::Moved(amount))
}

pub(super) fn transfer(
    view: &mut View,
    prepared: &Prepared<'_>,
    [from, to]: [AccountId; 2],
    amount: Amount,
    label: Option<Reference>,
    at: LedgerTime,
) -> Outcome {
    require_nonzero(amount)?;
    if from == to {
        return Err(Refusal::SameAccount);
    }
    require_holder(from)?;
    view.account(to).ok_or(Refusal::UnknownAccount)?;
    let payer_balance = balance_after_payment(view, from, amount)?;
    let payee_balance = balance_after_receipt(view, to, amount)?;
    view.set_balance(from, payer_balance);
    view.set_balance(to, payee_balance);
    log_credit(view, to, amount, CreditSource::Account);
    view.write(Record {
        label,
        ..payment(Kind::Transfer, prepared, [from, to], amount, at)
    });
    applied(Effect::Moved(amount))
}

/// The balance of the account after it pays this amount.
pub(super) fn balance_after_payment(
    view: &View,
    account: AccountId,
    needed: Amount,
) -> Result<Amount, Refusal> {
    let balance = view.account(account).ok_or(Refusal::UnknownAccount)?.balance;
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
    let balance = view.account(account).ok_or(Refusal::UnknownAccount)?.balance;
    balance.checked_add(amount).ok_or(Refusal::Overflow)
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
