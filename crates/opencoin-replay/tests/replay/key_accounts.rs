//! Rules for key accounts, which `opencoin_log::key_ledger` has in detail.

use opencoin_log::key::{KeyType, SigningKey};
use opencoin_log::key_account::{
    AccountKey, Challenge, Credit, CreditSource, Introduction, Payee, Payment, PaymentOrder,
};
use opencoin_log::leaf::Leaf;
use opencoin_replay::BrokenRule;
use opencoin_testkit::log_builder::LogBuilder;

use crate::support::{findings, only, replayed, rules};

/// More than one in a million keys needs more.
const ATTEMPTS: u64 = 1 << 25;

fn key(seed: u8) -> SigningKey {
    let name = "account".parse().unwrap();
    SigningKey::from_seed(name, KeyType::Ed25519Note, &[seed; 32].into()).unwrap()
}

fn account(key: &SigningKey) -> AccountKey {
    AccountKey::new(key.verifier().public_key().try_into().unwrap()).unwrap()
}

fn introduced(log: &LogBuilder, key: &SigningKey) -> Introduction {
    let challenge = Challenge {
        expiry_s: log.now_s + 600,
        code: [1; 16],
    };
    let found = challenge.work(log.currency().origin(), account(key), 0, ATTEMPTS);
    found.unwrap()
}

fn credit(log: &mut LogBuilder, key: &SigningKey, number: u64, amount: u64) {
    log.add(&Leaf::KeyCredited(Box::new(Credit {
        amount,
        from: CreditSource::Deposit,
        key: account(key),
        number,
    })));
}

fn paid(log: &LogBuilder, from: &SigningKey, to: &SigningKey, seq: u64, amount: u64) -> Payment {
    let order = PaymentOrder {
        amount,
        domain: log.currency().origin().to_owned(),
        expires: log.now_s + 60,
        from: account(from),
        memo: "thanks".to_owned(),
        seq,
        to: Payee::Key(account(to)),
    };
    let sig = from.sign(&order.message()).unwrap().try_into().unwrap();
    Payment { order, sig }
}

/// A log with two accounts, of which the first has 100.
fn with_accounts() -> (LogBuilder, SigningKey, SigningKey) {
    let (alice, bob) = (key(11), key(12));
    let mut log = LogBuilder::begun();
    for key in [&alice, &bob] {
        let introduction = introduced(&log, key);
        log.add(&Leaf::KeyIntroduced(Box::new(introduction)));
    }
    credit(&mut log, &alice, 1, 100);
    log.seal();
    (log, alice, bob)
}

#[test]
fn honest_statements_break_no_rule_and_dishonest_ones_do() {
    let (mut log, alice, bob) = with_accounts();
    let payment = paid(&log, &alice, &bob, 1, 70);
    log.add(&Leaf::KeyPaid(Box::new(payment.clone())));
    log.seal();
    assert_eq!(findings(&log), []);
    let balance = |key| {
        replayed(&log)
            .key_ledger()
            .account(&account(key))
            .unwrap()
            .balance
    };
    assert_eq!((balance(&alice), balance(&bob)), (30, 70));

    // The same payment again.
    let mut other = log.fork();
    other.add(&Leaf::KeyPaid(Box::new(payment)));
    let index = other.size();
    other.seal();
    let (found, rule) = only(&other);
    assert!(
        matches!(rule, BrokenRule::KeyAccounts { statement: Some(at), .. } if at == index && found == at)
    );
    // Balances are unknown from then on, so nothing follows from it.
    let payment = paid(&other, &alice, &bob, 2, 1);
    other.add(&Leaf::KeyPaid(Box::new(payment)));
    other.seal();
    only(&other);

    // More than there is: no leaf alone shows it.
    let mut other = log.fork();
    let payment = paid(&other, &alice, &bob, 2, 31);
    other.add(&Leaf::KeyPaid(Box::new(payment)));
    other.seal();
    assert!(matches!(
        only(&other).1,
        BrokenRule::KeyAccounts { statement: None, .. }
    ));

    // A forged signature.
    let mut other = log.fork();
    let mut payment = paid(&other, &bob, &alice, 1, 5);
    payment.sig[0] ^= 1;
    other.add(&Leaf::KeyPaid(Box::new(payment)));
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
