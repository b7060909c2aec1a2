//! Statements about key accounts that should not have been accepted, and balances that do not follow from them.

use opencoin_log::key_account::{Payee, PaymentOrder};
use opencoin_log::key_ledger::KeyLedger;
use opencoin_log::leaf::Leaf;

use super::{Fraud, alice, bob};
use crate::log_builder::{LogBuilder, account_key, key_of_account};

pub(super) const FRAUDS: &[Fraud] = &[
    Fraud::new(
        "a payment that the payer did not sign",
        "bad payment",
        "key_accounts",
        |log| {
            let mut payment = log.payment(&bob(), &alice(), 1, |_| {});
            payment.sig[7] ^= 1;
            log.pay(payment);
            log.seal();
        },
    ),
    Fraud::new("a payment of nothing", "bad payment", "key_accounts", |log| {
        pay(log, |order| order.amount = 0)
    }),
    Fraud::new(
        "a payment of more money than there can be",
        "bad payment",
        "key_accounts",
        |log| {
            pay(log, |order| order.amount = 1 << 63);
        },
    ),
    Fraud::new("a payment to oneself", "bad payment", "key_accounts", |log| {
        pay(log, |order| order.to = Payee::Key(order.from));
    }),
    Fraud::new(
        "a payment that was made for another log",
        "bad payment",
        "key_accounts",
        |log| {
            pay(log, |order| order.domain = "other.test/log".to_owned());
        },
    ),
    Fraud::new(
        "a payment that had expired",
        "bad payment",
        "key_accounts",
        |log| {
            let within_s = u64::from(log.currency().terms().within_s);
            pay(log, |order| order.expires -= within_s + 61);
        },
    ),
    Fraud::new(
        "a payment with a number that is not the next one",
        "bad payment",
        "key_accounts",
        |log| {
            pay(log, |order| order.seq += 1);
        },
    ),
    Fraud::new(
        "a payment is carried out again",
        "bad payment",
        "key_accounts",
        |log| {
            let payment = log.payment(&alice(), &bob(), 2, |order| order.amount = 30);
            log.pay(payment.clone());
            log.seal();
            log.pay(payment);
            log.seal();
        },
    ),
    Fraud::new(
        "two payments have one number",
        "bad payment",
        "key_accounts",
        |log| {
            log.pay(log.payment(&alice(), &bob(), 2, |order| order.amount = 30));
            log.pay(log.payment(&alice(), &bob(), 2, |order| order.amount = 40));
            log.seal();
        },
    ),
    Fraud::new(
        "a payment of more than the account has",
        "bad payment",
        "key_accounts",
        |log| {
            pay(log, |order| order.amount = 91);
        },
    ),
    Fraud::new(
        "a payment by a key without an account",
        "bad payment",
        "key_accounts",
        |log| {
            log.pay(log.payment(&account_key(13), &bob(), 1, |_| {}));
            log.seal();
        },
    ),
    Fraud::new(
        "a payment to a key without an account",
        "bad payment",
        "key_accounts",
        |log| {
            log.pay(log.payment(&alice(), &account_key(13), 2, |_| {}));
            log.seal();
        },
    ),
    Fraud::new(
        "an account is introduced without work",
        "bad payment",
        "key_accounts",
        |log| {
            let mut introduction = log.introduction(&account_key(13));
            introduction.nonce = introduction.nonce.wrapping_sub(1);
            log.add(&Leaf::KeyIntroduced(Box::new(introduction)));
            log.seal();
        },
    ),
    Fraud::new(
        "an account is introduced twice",
        "bad payment",
        "key_accounts",
        |log| {
            log.introduce(&bob());
            log.seal();
        },
    ),
    Fraud::unproven(
        "a credit with a number that is not the next one",
        "key_accounts",
        |log| credit(log, 3, 5),
    ),
    Fraud::new(
        "a credit is carried out again",
        "bad payment",
        "key_accounts",
        |log| credit(log, 1, 100),
    ),
    Fraud::new(
        "balances are said to be larger",
        "bad payment",
        "key_account_totals",
        |log| {
            log.credit(&bob(), 1, 5);
            log.seal_changed(|_, batch| {
                batch.key_accounts += 1;
                batch.accounts -= 1;
            });
        },
    ),
    Fraud::new(
        "balances of accounts are exchanged",
        "bad payment",
        "key_account_totals",
        |log| {
            log.credit(&bob(), 1, 5);
            let root = log.next_digest();
            log.seal_changed(|_, batch| batch.ledger_root = root);
        },
    ),
    Fraud::new(
        "balances change without a statement",
        "bad payment",
        "key_account_totals",
        |log| {
            log.issue(super::ONE, 1);
            log.seal_changed(|_, batch| {
                batch.key_accounts -= 10;
                batch.accounts += 10;
            });
        },
    ),
];

/// Seals a batch with a payment by Alice, after a change that she signs.
fn pay(log: &mut LogBuilder, change: impl FnOnce(&mut PaymentOrder)) {
    log.pay(log.payment(&alice(), &bob(), 2, change));
    log.seal();
}

/// Seals a batch with a credit to Alice, whose totals are as if it were in order.
fn credit(log: &mut LogBuilder, number: u64, amount: u64) {
    log.credit(&alice(), number, amount);
    let after = log.key_ledger().accounts().map(|(key, account)| {
        let mut account = *account;
        if *key == key_of_account(&alice()) {
            account.balance += amount;
        }
        (*key, account)
    });
    let after = KeyLedger::new(after);
    log.seal_changed(|_, batch| {
        batch.key_accounts = after.total();
        batch.ledger_root = after.root();
        batch.paid_in += amount;
    });
}
