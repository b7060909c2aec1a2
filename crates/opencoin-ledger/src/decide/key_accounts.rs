//! Decisions on the accounts of keys.
//!
//! Whatever changes such an account is a leaf of the log: its introduction, each credit and each payment. Each is numbered
//! under the lock of the account's row, so that the statements of an account follow each other in the log too.

use opencoin_log::key_account::{
    ACCOUNT_NONCE_BYTES, AccountKey, Credit, Introduction, Payee, Payment, account_details, mint_details,
};
use opencoin_log::leaf::Leaf;

use super::coins::{check_blinds, check_signing, count, issue, logged, record, value};
use super::leaves::{add_credit, issued_leaves, log_request, log_statement};
use super::money::{balance_after_payment, balance_after_receipt, payment as moved_between, require_nonzero};
use super::{applied, moved, note, repeated};
use crate::identity::payment_content;
use crate::journal::{Kind, Record, ReferenceKey};
use crate::log::{Logged, root_of};
use crate::recovered::RecoveredPart;
use crate::{
    AccountId, AccountName, Amount, Blind, Command, Effect, KeyPayment, LedgerTime, Outcome, Prepared,
    Refusal, TransactionReference, View,
};

pub(super) fn introduce(
    view: &mut View,
    prepared: &Prepared<'_>,
    introduction: &Introduction,
    at: LedgerTime,
) -> Outcome {
    if view.open_log().is_none() {
        return Err(Refusal::NoLog);
    }
    // The log could not be read with such a key.
    if AccountKey::new(*introduction.key.as_bytes()).is_err() {
        return Err(Refusal::WeakKey);
    }
    if introduction.challenge.expiry_s <= at.unix_seconds() {
        return Err(Refusal::ChallengeExpired);
    }
    open(view, prepared, introduction, at)
}

/// Books an introduction that the log has.
pub(super) fn recover_introduction(
    view: &mut View,
    prepared: &Prepared<'_>,
    introduction: &Introduction,
    at: LedgerTime,
) -> Outcome {
    open(view, prepared, introduction, at)
}

fn open(view: &mut View, prepared: &Prepared<'_>, introduction: &Introduction, at: LedgerTime) -> Outcome {
    // A holder may have taken the name before keys had accounts.
    if view
        .account_by_name(&AccountName::of_key(introduction.key))
        .is_some()
    {
        return Err(Refusal::AccountExists);
    }
    let id = view.open_key_account(introduction.key);
    let in_log = log_statement(view, &Leaf::KeyIntroduced(Box::new(introduction.clone())));
    let reference = ReferenceKey::of_introduction(&introduction.key);
    view.write(note(Kind::IntroduceKey, reference, prepared.content, at));
    logged(applied(Effect::KeyIntroduced(id)), Some(in_log))
}

/// The effect of an introduction that was applied before.
pub(super) fn introduced(view: &View, command: &Command) -> Effect {
    let Command::IntroduceKey { introduction, .. } = command else {
        return Effect::Moved(Amount::ZERO); // a recovery
    };
    let account = view.account_by_name(&AccountName::of_key(introduction.key));
    Effect::KeyIntroduced(account.expect("the key was introduced").id)
}

/// The effect of a payment for a mint that was applied before.
pub(super) fn paid(command: &Command) -> Effect {
    let order = match command {
        Command::PayByKey { payment, .. } => &payment.payment.order,
        Command::Recover { recovered, .. } => match &recovered.part {
            RecoveredPart::PaidByKey(payment) => &payment.order,
            _ => unreachable!("no other part has the reference of a payment"),
        },
        _ => unreachable!("no other command has the reference of a payment"),
    };
    Effect::Moved(Amount::new(order.amount).expect("the order was checked"))
}

/// The outcome of a command whose reference was used with other content.
pub(super) fn other_content(view: &View, command: &Command) -> Outcome {
    match command {
        // The account is there. What the log has is another introduction, so nothing is promised for this one.
        Command::IntroduceKey { .. } => repeated(introduced(view, command)),
        Command::PayByKey { payer, .. } => match owner(view, *payer) {
            Ok((_, seq)) => Err(Refusal::WrongSeq { expected: seq + 1 }),
            Err(refusal) => Err(refusal),
        },
        _ => Err(Refusal::ReferenceConflict),
    }
}

pub(super) fn pay(
    view: &mut View,
    prepared: &Prepared<'_>,
    [payer, payee]: [AccountId; 2],
    payment: &KeyPayment,
    nonce: Option<&[u8; ACCOUNT_NONCE_BYTES]>,
    at: LedgerTime,
) -> Outcome {
    let amount = check_order(view, payer, payment, at)?;
    check_payee(view, payee, &payment.payment.order.to, nonce)?;
    let balance = after_payment(view, payer, payment, amount)?;
    let payee_balance = balance_after_receipt(view, payee, amount)?;
    view.set_balance(payer, balance);
    view.set_balance(payee, payee_balance);
    let in_log = log_payment(view, payer, &payment.payment);
    view.write(moved_between(
        Kind::Transfer,
        prepared,
        [payer, payee],
        amount,
        at,
    ));
    logged(applied(Effect::Moved(amount)), Some(in_log))
}

/// The payment and the mint are two records, since each has a reference of its own.
pub(super) fn mint(
    view: &mut View,
    prepared: &Prepared<'_>,
    payer: AccountId,
    (reference, blinds): (&TransactionReference, &[Blind]),
    payment: &KeyPayment,
    at: LedgerTime,
) -> Outcome {
    if view.waiting(&super::money_key(prepared)).is_some() {
        return Err(Refusal::ReferenceConflict);
    }
    check_blinds(blinds)?;
    let amount = check_order(view, payer, payment, at)?;
    let asked = count(blinds, |blind| blind.mint_key);
    check_signing(view, &asked, blinds, at)?;
    let worth = value(view, &asked)?;
    if amount != worth {
        return Err(Refusal::PaymentMismatch {
            payment: amount,
            blinds: worth,
        });
    }
    match payment.payment.order.to {
        Payee::Mint(details) => {
            let root = root_of(&issued_leaves(view, blinds));
            if mint_details(reference.as_bytes(), &root) != details {
                return Err(Refusal::WrongDetails);
            }
        }
        Payee::Key(_) | Payee::Account(_) => return Err(Refusal::WrongPayee),
    }
    let balance = after_payment(view, payer, payment, amount)?;
    view.set_balance(payer, balance);
    issue(view, &asked);
    log_payment(view, payer, &payment.payment);
    let content = payment_content(&payment.payment);
    view.write(note(Kind::PayForMint, payment.reference(), content, at));
    let accounts = [payer, AccountId::COINS];
    let recorded = record(
        view,
        Kind::Mint,
        prepared,
        accounts,
        amount,
        at,
        Some((blinds, &asked)),
    );
    logged(recorded, log_request(view, blinds, &[]))
}

/// Checks the order by itself and against the account that pays. Returns the amount.
fn check_order(
    view: &View,
    payer: AccountId,
    payment: &KeyPayment,
    at: LedgerTime,
) -> Result<Amount, Refusal> {
    let order = &payment.payment.order;
    order.check().map_err(Refusal::Payment)?;
    if order.domain != payment.origin {
        return Err(Refusal::WrongDomain);
    }
    if order.expires <= at.unix_seconds() {
        return Err(Refusal::PaymentExpired);
    }
    let (key, _) = owner(view, payer)?;
    if key != order.from {
        return Err(Refusal::UnknownKey);
    }
    Ok(Amount::new(order.amount).expect("the order was checked"))
}

/// Checks that the account is that of the payee.
fn check_payee(
    view: &View,
    account: AccountId,
    payee: &Payee,
    nonce: Option<&[u8; ACCOUNT_NONCE_BYTES]>,
) -> Result<(), Refusal> {
    match (payee, nonce) {
        (Payee::Key(key), None) => {
            let (found, _) = owner(view, account)?;
            if found == *key {
                Ok(())
            } else {
                Err(Refusal::WrongPayee)
            }
        }
        (Payee::Account(details), Some(nonce)) if !account.is_key_account() => {
            let account = view.account(account).ok_or(Refusal::UnknownAccount)?;
            if account_details(nonce, account.name.as_str()) != *details {
                Err(Refusal::WrongDetails)
            } else if account.status == crate::AccountStatus::Closed {
                Err(Refusal::PayeeClosed)
            } else {
                Ok(())
            }
        }
        (Payee::Key(_) | Payee::Account(_) | Payee::Mint(_), _) => Err(Refusal::WrongPayee),
    }
}

/// The balance of the payer after its next payment.
fn after_payment(
    view: &View,
    payer: AccountId,
    payment: &KeyPayment,
    amount: Amount,
) -> Result<Amount, Refusal> {
    let (_, seq) = owner(view, payer)?;
    let expected = seq + 1;
    if payment.payment.order.seq != expected {
        return Err(Refusal::WrongSeq { expected });
    }
    balance_after_payment(view, payer, amount)
}

/// The key of an account, and the number of its payments.
fn owner(view: &View, account: AccountId) -> Result<(AccountKey, u64), Refusal> {
    let owner = view.account(account).and_then(|account| account.key());
    let owner = owner.ok_or(Refusal::UnknownKey)?;
    Ok((owner.key, owner.seq))
}

/// Adds the leaf of a payment whose number was checked.
fn log_payment(view: &mut View, payer: AccountId, payment: &Payment) -> Logged {
    let seq = view.count_payment(payer);
    assert_eq!(seq, payment.order.seq, "the payments of a key have no gap");
    log_statement(view, &Leaf::KeyPaid(Box::new(payment.clone())))
}

/// Books a credit that the log has. Its money is among what was recovered.
pub(super) fn recover_credit(
    view: &mut View,
    prepared: &Prepared<'_>,
    credit: &Credit,
    at: LedgerTime,
) -> Outcome {
    let account = account_of(view, credit.key)?;
    let amount = Amount::new(credit.amount).map_err(|_| Refusal::Overflow)?;
    require_nonzero(amount)?;
    let balance = balance_after_receipt(view, account, amount)?;
    let owner = view.account(account).and_then(|account| account.key());
    if owner.is_none_or(|owner| owner.credits + 1 != credit.number) {
        return Err(Refusal::NotRecovered);
    }
    view.set_balance(account, balance);
    view.count_credit(account);
    add_credit(view, credit);
    let accounts = [AccountId::RECOVERED, account];
    view.write(moved_between(
        Kind::AssignRecovered,
        prepared,
        accounts,
        amount,
        at,
    ));
    applied(moved(view, prepared.command, amount))
}

/// Books a payment that the log has.
pub(super) fn recover_payment(
    view: &mut View,
    prepared: &Prepared<'_>,
    payment: &Payment,
    at: LedgerTime,
) -> Outcome {
    let payer = account_of(view, payment.order.from)?;
    let (_, seq) = owner(view, payer)?;
    let expected = seq + 1;
    if payment.order.seq != expected {
        return Err(Refusal::WrongSeq { expected });
    }
    payment.order.check().map_err(Refusal::Payment)?;
    let amount = Amount::new(payment.order.amount).expect("the order was checked");
    let balance = balance_after_payment(view, payer, amount)?;
    let (kind, payee) = match payment.order.to {
        Payee::Key(key) => {
            let payee = account_of(view, key)?;
            let balance = balance_after_receipt(view, payee, amount)?;
            view.set_balance(payee, balance);
            (Kind::Transfer, payee)
        }
        Payee::Mint(_) | Payee::Account(_) => (Kind::AssignRecovered, AccountId::RECOVERED),
    };
    view.set_balance(payer, balance);
    let in_log = log_payment(view, payer, payment);
    view.write(Record {
        recovered_batch: Some(in_log.batch),
        ..moved_between(kind, prepared, [payer, payee], amount, at)
    });
    applied(moved(view, prepared.command, amount))
}

/// Checks, before a mint of a lost time is signed again, that the log has the payment of its key.
pub(super) fn check_paid_before(view: &View, request: &Command) -> Result<(), Refusal> {
    let Command::Mint {
        account,
        transaction_reference,
        blinds,
        payment,
        ..
    } = request
    else {
        return Ok(());
    };
    let Some(payment) = payment else {
        return super::money::require_holder(*account);
    };
    let paid = view.record(&payment.reference());
    let is_paid = paid.is_some_and(|record| record.content == payment_content(&payment.payment));
    let (key, _) = owner(view, *account)?;
    if !is_paid || key != payment.payment.order.from {
        return Err(Refusal::NotRecovered);
    }
    match payment.payment.order.to {
        Payee::Mint(details) => {
            let root = root_of(&issued_leaves(view, blinds));
            if mint_details(transaction_reference.as_bytes(), &root) == details {
                Ok(())
            } else {
                Err(Refusal::WrongDetails)
            }
        }
        Payee::Key(_) | Payee::Account(_) => Err(Refusal::WrongPayee),
    }
}

fn account_of(view: &View, key: AccountKey) -> Result<AccountId, Refusal> {
    let account = view.account_by_name(&AccountName::of_key(key));
    let account = account.filter(|account| account.id.is_key_account());
    account.map(|account| account.id).ok_or(Refusal::UnknownKey)
}
