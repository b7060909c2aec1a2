//! Decisions on accounts, payments and transfers.

use opencoin_log::key_account::CreditSource;

use super::leaves::log_credit;
use super::money::{
    balance_after_payment, balance_after_receipt, payment, require_holder, require_nonzero, require_thawed,
};
use super::{applied, note, repeated};
use crate::journal::{Kind, Record, ReferenceKey, ReferenceScope};
use crate::{
    AccountId, AccountName, AccountStatus, Amount, Effect, LedgerTime, Outcome, PasswordHash, Prepared,
    Reference, Refusal, TokenHash, View,
};

pub(super) fn open(
    view: &mut View,
    prepared: &Prepared<'_>,
    name: &AccountName,
    token_hash: Option<TokenHash>,
    password: Option<PasswordHash>,
    at: LedgerTime,
) -> Outcome {
    if let Some(account) = view.account_by_name(name) {
        let same = token_hash.is_some() && account.token_hash() == token_hash;
        return if same {
            repeated(Effect::AccountOpened(account.id))
        } else {
            Err(Refusal::AccountExists)
        };
    }
    if name.key().is_some() {
        return Err(Refusal::ReservedAccountName);
    }
    if token_hash.is_some_and(|hash| view.account_by_token(&hash).is_some()) {
        return Err(Refusal::TokenExists);
    }
    let id = view.open_account(name.clone(), token_hash, password);
    let reference = ReferenceKey::new(ReferenceScope::Account, name.as_str().as_bytes());
    view.write(note(Kind::OpenAccount, reference, prepared.content, at));
    applied(Effect::AccountOpened(id))
}

pub(super) fn set_status(view: &mut View, account: AccountId, status: AccountStatus) -> Outcome {
    require_holder(account)?;
    let state = view.account(account).ok_or(Refusal::UnknownAccount)?;
    if state.status == status {
        return repeated(Effect::AccountStatusSet);
    }
    if state.status == AccountStatus::Closed {
        return Err(Refusal::AccountClosed);
    }
    if status == AccountStatus::Closed {
        if !state.balance.is_zero() {
            let balance = state.balance;
            return Err(Refusal::AccountNotEmpty { balance });
        }
        let mut payouts = view.payouts();
        if payouts.any(|payout| payout.account == account && payout.settled.is_none()) {
            return Err(Refusal::AccountHasPayouts);
        }
        if view.all_waiting().any(|waiting| waiting.account == account) {
            return Err(Refusal::AccountHasWaitingMints);
        }
    }
    view.set_account_status(account, status);
    applied(Effect::AccountStatusSet)
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
    require_thawed(view, from)?;
    let payee = view.account(to).ok_or(Refusal::UnknownAccount)?;
    if payee.status == AccountStatus::Closed {
        return Err(Refusal::PayeeClosed);
    }
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
