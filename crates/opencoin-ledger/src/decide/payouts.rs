//! Payouts: money that a holder wants outside, and what came of it.
//!
//! It leaves the holder when it is asked for, so that it is not spent twice, and waits in
//! [`AccountId::PAYOUTS`].

use super::accounts::{balance_after_payment, balance_after_receipt, payment, require_nonzero};
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

/// That it was settled before is found by its record: the same settlement is a repetition, another one a
/// conflict.
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
