//! Rules for key accounts, which `opencoin_log::key_ledger` has in detail.

use opencoin_log::key::SigningKey;
use opencoin_log::key_account::{Payment, PaymentOrder};
use opencoin_replay::{BrokenRule, MemorySpentIndex, Replay};
use opencoin_testkit::log_builder::{LogBuilder, account_key, key_of_account};

use crate::support::{findings, only, replayed, rules};

fn paid(log: &LogBuilder, from: &SigningKey, to: &SigningKey, seq: u64, amount: u64) -> Payment {
    log.payment(from, to, seq, |order| order.amount = amount)
}

/// A log with two accounts, of which the first has 100.
fn with_accounts() -> (LogBuilder, SigningKey, SigningKey) {
    let (alice, bob) = (account_key(11), account_key(12));
    let mut log = LogBuilder::begun();
    for key in [&alice, &bob] {
        log.introduce(key);
    }
    log.credit(&alice, 1, 100);
    log.seal();
    (log, alice, bob)
}

#[test]
fn honest_statements_break_no_rule_and_dishonest_ones_do() {
    let (mut log, alice, bob) = with_accounts();
    let payment = paid(&log, &alice, &bob, 1, 70);
    log.pay(payment.clone());
    log.seal();
    assert_eq!(findings(&log), []);
    let balance = |key| {
        replayed(&log)
            .key_ledger()
            .account(&key_of_account(key))
            .unwrap()
            .balance
    };
    assert_eq!((balance(&alice), balance(&bob)), (30, 70));

    // The same payment again.
    let mut other = log.fork();
    other.pay(payment);
    let index = other.size();
    other.seal();
    let (found, rule) = only(&other);
    assert!(
        matches!(rule, BrokenRule::KeyAccounts { statement: Some(at), .. } if at == index && found == at)
    );
    // Balances are unknown from then on, so nothing follows from it.
    let payment = paid(&other, &alice, &bob, 2, 1);
    other.pay(payment);
    other.seal();
    only(&other);

    // More than there is: no leaf alone shows it.
    let mut other = log.fork();
    let payment = paid(&other, &alice, &bob, 2, 31);
    other.pay(payment);
    other.seal();
    assert!(matches!(
        only(&other).1,
        BrokenRule::KeyAccounts { statement: None, .. }
    ));

    // A forged signature.
    let mut other = log.fork();
    let mut payment = paid(&other, &bob, &alice, 1, 5);
    payment.sig[0] ^= 1;
    other.pay(payment);
    other.seal();
    assert!(matches!(rules(&other)[0], BrokenRule::KeyAccounts { .. }));
}

#[test]
fn totals_of_key_accounts_follow_from_the_statements() {
    let (log, ..) = with_accounts();
    let mut other = log.fork();
    other.seal_changed(|_, batch| {
        batch.key_accounts += 1;
        batch.paid_in += 1;
    });
    assert!(matches!(
        only(&other).1,
        BrokenRule::KeyAccountTotals { total: 100, .. }
    ));
    let mut other = log.fork();
    let root = other.next_digest();
    other.seal_changed(|_, batch| batch.ledger_root = root);
    assert!(matches!(only(&other).1, BrokenRule::KeyAccountTotals { .. }));
}

/// A leaf may have 64 KiB, and a batch any number of leaves, so what nobody can order is not kept until its end.
#[test]
fn a_payment_that_cannot_be_is_found_where_it_is_read() {
    type Change = fn(&mut PaymentOrder);
    let changes: [Change; 2] = [
        |order| order.memo = "x".repeat(60_000),
        |order| order.domain = "x".repeat(60_000),
    ];
    for change in changes {
        let (mut log, alice, bob) = with_accounts();
        let at = log.size();
        log.pay(log.payment(&alice, &bob, 1, |order| {
            order.amount = 70;
            change(order);
        }));
        log.seal();
        let mut replay = Replay::new(log.cddc().cddc()).unwrap();
        // Without the batch leaf.
        let mut leaves = log.leaves()[..=at as usize].iter().map(Vec::as_slice);
        let mut index = MemorySpentIndex::default();
        while replay.read(&mut leaves, &mut index).unwrap().is_some() {}
        let found = replay.take_findings();
        let [finding] = &found[..] else {
            panic!("{found:?}")
        };
        assert_eq!((finding.index, replay.first_broken()), (at, Some(at)));
        assert!(matches!(finding.rule, BrokenRule::KeyAccounts { statement: Some(leaf), .. } if leaf == at));
        // Once, with the batch leaf too.
        only(&log);
    }
}
