//! Statements about key accounts.

use opencoin_log::key::{KeyType, SigningKey};
use opencoin_log::key_account::{
    AccountKey, Challenge, Credit, CreditSource, Introduction, Payee, Payment, PaymentOrder,
};
use opencoin_log::key_ledger::KeyAccount;
use opencoin_log::leaf::Leaf;
use opencoin_testkit::log_builder::{LogBuilder, WITHIN_S};

use crate::support::{Case, ONE, every_byte_matters, index_of, indices_of, proven, refused};

const KIND: &str = "bad payment";
/// More than one in a million keys needs more.
const ATTEMPTS: u64 = 1 << 25;

fn key(seed: u8) -> SigningKey {
    let name = "account".parse().unwrap();
    SigningKey::from_seed(name, KeyType::Ed25519Note, &[seed; 32].into()).unwrap()
}

fn account(key: &SigningKey) -> AccountKey {
    AccountKey::new(key.verifier().public_key().try_into().unwrap()).unwrap()
}

fn introduce(log: &mut LogBuilder, key: &SigningKey) {
    let challenge = Challenge {
        expiry_s: log.now_s + 600,
        code: [1; 16],
    };
    let found = challenge.work(log.currency().origin(), account(key), 0, ATTEMPTS);
    log.add(&Leaf::KeyIntroduced(Box::new(found.unwrap())));
}

fn credit(log: &mut LogBuilder, key: &SigningKey, number: u64, amount: u64) {
    log.add(&Leaf::KeyCredited(Box::new(Credit {
        amount,
        from: CreditSource::Deposit,
        key: account(key),
        number,
    })));
}

fn order(log: &LogBuilder, from: &SigningKey, to: &SigningKey, seq: u64, amount: u64) -> PaymentOrder {
    PaymentOrder {
        amount,
        domain: log.currency().origin().to_owned(),
        expires: log.now_s + 60,
        from: account(from),
        memo: "thanks".to_owned(),
        seq,
        to: Payee::Key(account(to)),
    }
}

fn pay(log: &mut LogBuilder, from: &SigningKey, order: PaymentOrder) {
    let sig = from.sign(&order.message()).unwrap().try_into().unwrap();
    log.add(&Leaf::KeyPaid(Box::new(Payment { order, sig })));
}

fn accounts(log: &LogBuilder) -> Vec<(AccountKey, KeyAccount)> {
    let accounts = log.key_ledger().accounts();
    accounts.map(|(key, account)| (*key, *account)).collect()
}

/// A log with two accounts, of which the first has 100.
fn with_accounts() -> (LogBuilder, SigningKey, SigningKey) {
    let (alice, bob) = (key(11), key(12));
    let mut log = LogBuilder::begun();
    introduce(&mut log, &alice);
    introduce(&mut log, &bob);
    credit(&mut log, &alice, 1, 100);
    log.seal();
    (log, alice, bob)
}

fn paid(log: &LogBuilder) -> Vec<u64> {
    indices_of(log, |leaf| matches!(leaf, Leaf::KeyPaid(_)))
}

#[tokio::test]
async fn payments_that_nobody_could_order() {
    let (log, alice, bob) = with_accounts();
    let within = u64::from(WITHIN_S);
    type Change = fn(&mut PaymentOrder);
    let changes: [(Change, &str); 5] = [
        (
            |order| order.domain = "other.test/log".to_owned(),
            "is for another log",
        ),
        (|order| order.amount = 0, "an amount is 1 to"),
        (
            |order| order.to = Payee::Key(order.from),
            "payer and payee are the same account",
        ),
        (|order| order.memo = "\u{7}".to_owned(), "no control characters"),
        (|order| order.expires -= 3661, "had expired on"),
    ];
    for (change, words) in changes {
        let mut log = log.fork();
        let mut order = order(&log, &alice, &bob, 1, 7);
        change(&mut order);
        pay(&mut log, &alice, order);
        log.seal();
        let at = paid(&log)[0];
        let built = Case::new(&log).builder().bad_statement(at, log.size() - 1).await;
        proven(built, KIND, words);
    }
    // What was accepted in time may be sealed later.
    let mut late = log.fork();
    let order = order(&late, &alice, &bob, 1, 7);
    late.now_s = order.expires + within;
    pay(&mut late, &alice, order);
    late.seal();
    let at = paid(&late)[0];
    refused(
        Case::new(&late)
            .builder()
            .bad_statement(at, late.size() - 1)
            .await,
    );
}

#[tokio::test]
async fn statements_that_are_forged() {
    let (mut log, alice, bob) = with_accounts();
    let order = order(&log, &alice, &bob, 1, 7);
    let sig = bob.sign(&order.message()).unwrap().try_into().unwrap();
    log.add(&Leaf::KeyPaid(Box::new(Payment { order, sig })));
    let challenge = Challenge {
        expiry_s: log.now_s + 600,
        code: [1; 16],
    };
    let lazy = account(&key(13));
    log.add(&Leaf::KeyIntroduced(Box::new(Introduction {
        challenge,
        key: lazy,
        nonce: 0,
    })));
    log.seal();
    let end = log.size() - 1;
    let introductions = indices_of(&log, |leaf| matches!(leaf, Leaf::KeyIntroduced(_)));
    let mut case = Case::new(&log);
    let built = case.builder().bad_statement(paid(&log)[0], end).await;
    every_byte_matters(&proven(built, KIND, "does not have its signature"));
    let built = case.builder().bad_statement(introductions[2], end).await;
    proven(built, KIND, "without proof of work");
    let before = introductions[0];
    let batch = index_of(
        &log,
        |leaf| matches!(leaf, Leaf::Batch(batch) if batch.batch == 2),
    );
    refused(case.builder().bad_statement(before, batch).await);
    refused(case.builder().bad_statement(before, end).await);
    refused(case.builder().bad_statement(0, 3).await);
}

#[tokio::test]
async fn statements_that_stand_twice() {
    let (mut log, alice, bob) = with_accounts();
    let once = order(&log, &alice, &bob, 1, 7);
    pay(&mut log, &alice, once.clone());
    log.seal();
    pay(&mut log, &alice, once);
    let other = order(&log, &alice, &bob, 2, 8);
    pay(&mut log, &alice, other);
    credit(&mut log, &alice, 1, 5);
    introduce(&mut log, &bob);
    log.seal();
    let mut case = Case::new(&log);
    let payments = paid(&log);
    let built = case.builder().statement_twice(payments[1], payments[0]).await;
    proven(built, KIND, "both are payment 1 of key");
    refused(case.builder().statement_twice(payments[0], payments[2]).await);
    let credits = indices_of(&log, |leaf| matches!(leaf, Leaf::KeyCredited(_)));
    let built = case.builder().statement_twice(credits[0], credits[1]).await;
    proven(built, KIND, "both are credit 1 of key");
    refused(case.builder().statement_twice(credits[0], payments[0]).await);
    let is_bob = |leaf: &Leaf| matches!(leaf, Leaf::KeyIntroduced(found) if found.key == account(&bob));
    let introductions = indices_of(&log, is_bob);
    let built = case
        .builder()
        .statement_twice(introductions[0], introductions[1])
        .await;
    proven(built, KIND, "both introduce key");
}

#[tokio::test]
async fn statements_that_do_not_follow_from_the_accounts() {
    let (log, alice, bob) = with_accounts();
    type Order = fn(&mut LogBuilder, &SigningKey, &SigningKey);
    let orders: [(Order, &str); 5] = [
        (
            |log, alice, bob| {
                let order = order(log, alice, bob, 1, 101);
                pay(log, alice, order);
            },
            "pays more than it has",
        ),
        (
            |log, alice, bob| {
                let order = order(log, alice, bob, 2, 1);
                pay(log, alice, order);
            },
            "has the number 2 instead of 1",
        ),
        (
            |log, alice, _| {
                let order = order(log, alice, &key(19), 1, 1);
                pay(log, alice, order);
            },
            "has no account",
        ),
        (
            |log, alice, _| {
                credit(log, alice, 2, 1);
                credit(log, alice, 4, 1);
            },
            "has the number 4 instead of 3",
        ),
        (|log, alice, _| introduce(log, alice), "is introduced twice"),
    ];
    for (give, words) in orders {
        let mut log = log.fork();
        let before = accounts(&log);
        give(&mut log, &alice, &bob);
        log.issue(ONE, 2);
        log.seal();
        let mut case = Case::new(&log);
        let built = case.builder().bad_ledger(log.size() - 1, before.clone()).await;
        proven(built, KIND, words);
        // Accounts that are not those of the batch leaf before.
        let less = before[..1].to_vec();
        refused(case.builder().bad_ledger(log.size() - 1, less).await);
    }
}

#[tokio::test]
async fn totals_that_do_not_follow_from_the_statements() {
    let (log, alice, bob) = with_accounts();
    let before = accounts(&log);
    let mut first = None;
    // With statements and without, with coins and without.
    for (pays, coins) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut log = log.fork();
        if pays {
            let order = order(&log, &alice, &bob, 1, 40);
            pay(&mut log, &alice, order);
        }
        if coins {
            log.issue(ONE, 2);
        }
        let (mut total, mut root, mut honest) = (log.fork(), log.fork(), log);
        total.seal_changed(|_, batch| {
            batch.key_accounts += 1;
            batch.paid_in += 1;
        });
        root.seal_changed(|_, batch| batch.ledger_root = batch.keys_root);
        honest.seal();
        for dishonest in [total, root] {
            let mut case = Case::new(&dishonest);
            let built = case
                .builder()
                .bad_ledger(dishonest.size() - 1, before.clone())
                .await;
            let file = proven(built, KIND, "do not follow from the accounts before");
            first.get_or_insert(file);
        }
        let mut case = Case::new(&honest);
        refused(case.builder().bad_ledger(honest.size() - 1, before.clone()).await);
        refused(case.builder().bad_ledger(3, Vec::new()).await);
    }
    every_byte_matters(&first.unwrap());
}
