//! Payments that succeed, and those that the issuer refuses.

use opencoin_evidence::check_evidence;
use opencoin_log::key_account::PaymentFault;
use opencoin_wallet::{ExchangeError, KeyPayee, KeyPaymentOrder, KeyPaymentState, WalletError};

use super::{introduced, order, pay, seal, two_holders, wallet, world};
use crate::fake_keys::KeyMisdeed;
use crate::world::{Fault, TOKEN, states};

fn is_refused(error: &WalletError, word: &str) -> bool {
    matches!(error, WalletError::Exchange(ExchangeError::Refused { word: refused, .. }) if refused == word)
}

#[tokio::test]
async fn a_payment_is_accepted_then_published_then_final() {
    let world = world();
    let [(mut alice, from), (mut bob, to)] = two_holders(&world, 50).await;
    let paid = alice.pay_by_key(&from, &order(to, 12, "for tea")).await.unwrap();
    assert_eq!(paid.id, format!("{from}.1"));
    assert_eq!(
        (world.issuer.key_balance(&from), world.issuer.key_balance(&to)),
        (38, 12)
    );
    let state = alice.look_at_payment(paid.number).await.unwrap();
    assert_eq!(state, KeyPaymentState::Accepted);
    assert_eq!(alice.payment_proof(paid.number).unwrap(), None);

    world.issuer.log().is_auditor_away = true;
    seal(&world);
    let state = alice.look_at_payment(paid.number).await.unwrap();
    assert_eq!(state, KeyPaymentState::Published);
    let published = alice.payment_proof(paid.number).unwrap().unwrap();
    let checked = alice.payment_verifier().check(&published, world.network.now());
    assert!(!checked.unwrap().is_final());

    world.issuer.log().is_auditor_away = false;
    let now = world.network.now();
    world.issuer.log().publish(now);
    let state = alice.look_at_payment(paid.number).await.unwrap();
    assert_eq!(state, KeyPaymentState::Final);
    alice.payment_told(paid.number).unwrap();
    // It is put aside, and is still there after the wallet was opened again.
    drop(alice);
    let mut alice = world.open("alice");
    world.network.fail_all(Fault::NoConnection);
    let state = alice.look_at_payment(paid.number).await.unwrap();
    assert_eq!(state, KeyPaymentState::Final);
    let shown = alice.key_payments(&from).unwrap();
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].payment.order.memo, "for tea");
    let proof = alice.payment_proof(paid.number).unwrap().unwrap();
    // The payee checks it with nothing else than the description of the currency.
    world.network.heal();
    let checked = bob.payment_verifier().check(&proof, now).unwrap();
    assert!(checked.is_final());
    assert_eq!(checked.payment.order.amount, 12);
    assert_eq!(states(&alice, "pay-by-key"), ["done"]);
    assert_eq!(states(&alice, "introduce"), ["done"]);
    bob.check_log(None, None).await.unwrap();
}

#[tokio::test]
async fn the_promise_of_a_payment_is_kept_and_checked_like_those_of_coins() {
    let world = world();
    let [(mut alice, from), (_, to)] = two_holders(&world, 50).await;
    // The introduction is in the log already.
    let status = alice.check_log(None, None).await.unwrap();
    assert_eq!((status.open, status.kept), (0, 1), "{status:?}");
    pay(&mut alice, &from, to, 5).await.unwrap();
    let status = alice.check_log(None, None).await.unwrap();
    assert_eq!((status.open, status.kept), (1, 1));
    seal(&world);
    let status = alice.check_log(None, None).await.unwrap();
    assert_eq!((status.open, status.kept), (0, 2));
    assert!(status.faults.is_empty() && status.problem.is_none(), "{status:?}");
}

#[tokio::test]
async fn a_payment_that_the_issuer_omits_from_its_log_is_noticed() {
    let world = world();
    let [(mut alice, from), (_, to)] = two_holders(&world, 50).await;
    world.issuer.keys().misdeed = Some(KeyMisdeed::Omission);
    pay(&mut alice, &from, to, 5).await.unwrap();
    for _ in 0..3 {
        world.issuer.log().enter_others(1);
        world.network.wait(chrono::TimeDelta::hours(1));
        seal(&world);
    }
    let status = alice.check_log(None, None).await.unwrap();
    assert_eq!(status.faults.len(), 1, "{status:?}");
    assert_eq!(status.faults[0].evidence, Some("omitted leaf"));
    let file = alice.evidence(None).unwrap()[0].to_json();
    check_evidence(file.as_bytes()).unwrap();
}

#[tokio::test]
async fn an_introduction_that_the_issuer_omits_from_its_log_is_noticed() {
    let world = world();
    let mut alice = wallet(&world, "alice").await;
    world.issuer.keys().misdeed = Some(KeyMisdeed::Omission);
    let key = introduced(&mut alice).await;
    for _ in 0..3 {
        world.issuer.log().enter_others(1);
        world.network.wait(chrono::TimeDelta::hours(1));
        seal(&world);
    }
    let status = alice.check_log(None, None).await.unwrap();
    assert_eq!(status.faults.len(), 1, "{status:?}");
    assert_eq!(status.faults[0].evidence, Some("omitted leaf"));
    let file = alice.evidence(None).unwrap()[0].to_json();
    let checked = check_evidence(file.as_bytes()).unwrap();
    assert!(
        checked.statement.contains("introduction of a key account"),
        "{}",
        checked.statement
    );
    // The file shows the key, which the log would have shown too.
    assert!(alice.keys(None).unwrap().iter().any(|own| own.key == key));
}

#[tokio::test]
async fn a_custodial_account_is_paid_without_its_name_in_the_log() {
    let world = world();
    let [(mut alice, from), _] = two_holders(&world, 50).await;
    let order = KeyPaymentOrder {
        to: KeyPayee::Account(TOKEN.to_owned()),
        amount: 20,
        memo: String::new(),
    };
    let paid = alice.pay_by_key(&from, &order).await.unwrap();
    assert_eq!(world.issuer.account(TOKEN), 1020);
    seal(&world);
    alice.look_at_payment(paid.number).await.unwrap();
    let proof = alice.payment_proof(paid.number).unwrap().unwrap();
    assert!(!proof.contains(TOKEN));
    let shown = alice.key_payments(&from).unwrap();
    assert_eq!(shown[0].to_account.as_deref(), Some(TOKEN));
    let nobody = KeyPaymentOrder {
        to: KeyPayee::Account("nobody".to_owned()),
        ..order
    };
    let error = alice.pay_by_key(&from, &nobody).await.unwrap_err();
    assert!(is_refused(&error, "not-found"), "{error}");
}

#[tokio::test]
async fn a_refused_payment_frees_its_number() {
    let world = world();
    let [(mut alice, from), (mut bob, to)] = two_holders(&world, 50).await;
    let error = pay(&mut alice, &from, to, 51).await.unwrap_err();
    assert!(is_refused(&error, "insufficient-funds"), "{error}");
    let stranger = wallet(&world, "carol").await.new_key(None).unwrap().key;
    let error = pay(&mut alice, &from, stranger, 1).await.unwrap_err();
    assert!(is_refused(&error, "unknown-key"), "{error}");
    let paid = pay(&mut alice, &from, to, 50).await.unwrap();
    assert_eq!(paid.id, format!("{from}.1"));
    let shown = alice.key_payments(&from).unwrap();
    let shown: Vec<KeyPaymentState> = shown.iter().map(|payment| payment.state).collect();
    let refused = KeyPaymentState::Refused;
    assert_eq!(shown, [refused, refused, KeyPaymentState::Accepted]);
    // Of the three payments with this number, the accepted one is meant.
    assert_eq!(alice.payment_number(&paid.id).unwrap(), paid.number);
    let back = pay(&mut bob, &to, from, 7).await.unwrap();
    assert_eq!(back.id, format!("{to}.1"));
}

#[tokio::test]
async fn orders_that_nobody_can_give_are_not_signed() {
    let world = world();
    let [(mut alice, from), (_, to)] = two_holders(&world, 50).await;
    for (bad, fault) in [
        (order(to, 0, ""), PaymentFault::Amount),
        (order(to, 1 << 63, ""), PaymentFault::Amount),
        (order(to, 1, &"m".repeat(141)), PaymentFault::Memo),
        (order(to, 1, "two\nlines"), PaymentFault::Memo),
        (order(from, 1, ""), PaymentFault::ToItself),
    ] {
        let error = alice.pay_by_key(&from, &bad).await.unwrap_err();
        assert!(
            matches!(error, WalletError::PaymentOrder(found) if found == fault),
            "{error}"
        );
    }
    assert!(alice.key_payments(&from).unwrap().is_empty());
}

#[tokio::test]
async fn a_copy_of_the_wallet_does_not_pay_under_a_number_that_was_used() {
    let world = world();
    let [(alice, from), (_, to)] = two_holders(&world, 50).await;
    drop(alice);
    world.copy("alice", "copy");
    let (mut alice, mut copy) = (world.open("alice"), world.open("copy"));
    pay(&mut alice, &from, to, 5).await.unwrap();
    let error = pay(&mut copy, &from, to, 6).await.unwrap_err();
    assert!(is_refused(&error, "wrong-sequence"), "{error}");
    // It has asked for the number since.
    let paid = pay(&mut copy, &from, to, 6).await.unwrap();
    assert_eq!(paid.id, format!("{from}.2"));
    assert_eq!(world.issuer.key_balance(&to), 11);
}

#[tokio::test]
async fn a_key_is_introduced_once() {
    let world = world();
    let mut alice = wallet(&world, "alice").await;
    let key = introduced(&mut alice).await;
    let arrived = world.issuer.keys().arrived;
    alice.introduce_key(&key, &mut |_| {}).await.unwrap();
    assert_eq!(world.issuer.keys().arrived, arrived);
    // The first wallet of the currency, the second key.
    let second = introduced(&mut alice).await;
    assert_ne!(second, key);
    assert_eq!(alice.keys(None).unwrap().len(), 2);
    assert!(matches!(
        alice.choose_key(None, None),
        Err(WalletError::WhichKey(_))
    ));
    let prefix = &second.to_string()[..16];
    assert_eq!(alice.choose_key(None, Some(prefix)).unwrap().key, second);
}

#[tokio::test]
async fn a_currency_without_a_log_has_no_key_accounts() {
    let world = crate::world::World::new(opencoin_crypto::CipherSuite::default(), 10);
    let mut alice = wallet(&world, "alice").await;
    assert!(matches!(alice.new_key(None), Err(WalletError::NoLog(_))));
}

#[tokio::test]
async fn work_that_this_program_does_not_do_is_not_begun() {
    let world = world();
    let mut alice = wallet(&world, "alice").await;
    world.issuer.keys().misdeed = Some(KeyMisdeed::MoreWork);
    let key = alice.new_key(None).unwrap().key;
    let mut attempts = 0;
    let refused = alice.introduce_key(&key, &mut |done| attempts = done).await;
    assert!(matches!(
        refused,
        Err(WalletError::Exchange(ExchangeError::NotSent(_)))
    ));
    assert_eq!(attempts, 0);
}
