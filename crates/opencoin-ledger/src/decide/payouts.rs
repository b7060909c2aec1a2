//! Decisions on payouts.
//!
//! The money leaves the account with the request, so that it cannot be spent twice. Until the payout is
//! settled it is in [`AccountId::PAYOUTS`].

use super::money::{
    balance_after_payment, balance_after_receipt, payment, require_holder, require_nonzero, require_thawed,
};
use super::{applied, money_key};
use crate::journal::Kind;
use crate::view::PayoutState;
use crate::{
    AccountId, Amount, Effect, LedgerTime, Outcome, PayoutNo, Prepared, Reference, Refusal, Settlement, View,
};

pub(super) fn request(
    view: &mut View,
    prepared: &Prepared<'_>,
    account: AccountId,
    amount: Amount,
    destination: Reference,
    at: LedgerTime,
) -> Outcome {
    require_nonzero(amount)?;
    require_holder(account)?;
    require_thawed(view, account)?;
    let balance = balance_after_payment(view, account, amount)?;
    view.set_balance(account, balance);
    let request = money_key(prepared);
    let no = view.next_payout();
    view.request_payout(PayoutState {
        no,
        account,
        amount,
        destination,
        request,
        requested: at,
        settled: None,
    });
    view.write(payment(
        Kind::RequestPayout,
        prepared,
        [account, AccountId::PAYOUTS],
        amount,
        at,
    ));
    applied(Effect::Moved(amount))
}

/// Settles a payout that is not settled. A second settlement does not get here: its record makes it a
/// repetition or a conflict.
pub(super) fn settle(
    view: &mut View,
    prepared: &Prepared<'_>,
    payout: PayoutNo,
    settlement: Settlement,
    at: LedgerTime,
) -> Outcome {
    let &PayoutState { account, amount, .. } = view.payout(payout).ok_or(Refusal::UnknownPayout)?;
    let (kind, to) = match settlement {
        Settlement::Paid(_) => (Kind::PayPayout, AccountId::OUTSIDE),
        Settlement::Failed(_) => {
            let balance = balance_after_receipt(view, account, amount)?;
            view.set_balance(account, balance);
            (Kind::ReturnPayout, account)
        }
    };
    view.settle_payout(payout, settlement, at);
    view.write(payment(kind, prepared, [AccountId::PAYOUTS, to], amount, at));
    applied(Effect::Moved(amount))
}
