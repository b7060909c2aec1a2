//! Payments by key in words.

use opencoin_log::key_account::Payee;
use opencoin_log::key_account::PaymentOrder;
use opencoin_wallet::KeyPaymentState;

/// `key 0a1b...`, or what the log says instead of it.
pub(super) fn payee(to: &Payee, to_account: Option<&str>) -> String {
    match (to, to_account) {
        (Payee::Key(key), _) => format!("key {key}"),
        (Payee::Mint(_), _) => "the mint, for coins".to_owned(),
        (Payee::Account(_), Some(name)) => format!("account {name}"),
        (Payee::Account(_), None) => "an account at the issuer, which the log does not name".to_owned(),
    }
}

/// The payee for JSON: a key, `mint` or `account`.
pub(super) fn payee_json(order: &PaymentOrder) -> String {
    order.to.to_string()
}

/// What a state means.
pub(super) fn state(state: KeyPaymentState) -> &'static str {
    match state {
        KeyPaymentState::Signed => "signed; not known whether the issuer has it",
        KeyPaymentState::Accepted => "accepted; the issuer has promised that it will be in the public log",
        KeyPaymentState::Published => "in the public log; the joint signature of the auditors is missing",
        KeyPaymentState::Final => "final",
        KeyPaymentState::Refused => "refused",
    }
}
