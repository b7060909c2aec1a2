//! Rules of accounts and payments.

use super::world::*;
use super::{Pair, World};
use crate::{AccountId, Amount, Effect, Refusal, TokenHash};

/// The same name and token: repeated. A name or a token belongs to one account.
pub async fn an_account_is_opened_once(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 0).await;
    assert_eq!(world.one(open("alice", 1)).await, again(Effect::AccountOpened(alice())));
    assert_eq!(world.one(open("alice", 9)).await, Err(Refusal::AccountExists));
    assert_eq!(world.one(open("carol", 1)).await, Err(Refusal::TokenExists));
    let carol = AccountId::new(bob().get() + 1);
    let both = world.apply(&[open("carol", 3), open("carol", 3)]).await;
    assert_eq!(both, [new(Effect::AccountOpened(carol)), again(Effect::AccountOpened(carol))]);
}

/// An account is found by what identifies it, and by nothing else.
pub async fn accounts_are_found_by_name_and_token(ledgers: &Pair) {
    let _world = World::with_paid_in(ledgers, 7).await;
    let account = ledgers[1].account_by_token(&TokenHash::new([1; 32])).await.unwrap().unwrap();
    assert_eq!((account.id, account.name.as_str(), account.balance), (alice(), "alice", amount(7)));
    assert_eq!(ledgers[1].account_by_name(&"alice".parse().unwrap()).await.unwrap(), Some(account));
    assert_eq!(ledgers[1].account_by_token(&TokenHash::new([9; 32])).await.unwrap(), None);
    assert_eq!(ledgers[1].account_by_name(&"carol".parse().unwrap()).await.unwrap(), None);
    ledgers[1].ready().await.unwrap();
}

/// The same payment again, later: repeated. The reference with other content: conflict.
pub async fn a_payment_counts_once(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 0).await;
    assert_eq!(world.one(credit(alice(), 50, "a")).await, new(moved(50)));
    assert_eq!(world.one(at(9, credit(alice(), 50, "a"))).await, again(moved(50)));
    assert_eq!(world.one(credit(alice(), 51, "a")).await, Err(Refusal::ReferenceConflict));
    assert_eq!(world.one(credit(bob(), 50, "a")).await, Err(Refusal::ReferenceConflict));
    assert_eq!(world.one(debit(alice(), 20, "b")).await, new(moved(20)));
    assert_eq!(world.one(debit(alice(), 20, "b")).await, again(moved(20)));
    assert_eq!(world.balances().await, [30, 0]);
    let facts = world.facts().await;
    assert_eq!((facts.paid_in, facts.paid_out), (50, 20));
}

/// A reference of a credit cannot be used for a debit or a transfer.
pub async fn payment_references_are_shared_by_all_payments(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 50).await;
    let reference = "opening balance";
    assert_eq!(world.one(debit(alice(), 50, reference)).await, Err(Refusal::ReferenceConflict));
    assert_eq!(world.one(transfer(alice(), bob(), 50, reference)).await, Err(Refusal::ReferenceConflict));
    assert_eq!(world.balances().await, [50, 0]);
}

/// No money for nobody, no payment of nothing, no payment of more than there is.
pub async fn money_is_not_made_from_nothing(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    let nobody = AccountId::new(99);
    for account in [nobody, AccountId::OUTSIDE, AccountId::COINS, AccountId::new(-1)] {
        assert_eq!(world.one(credit(account, 1, "x")).await, Err(Refusal::UnknownAccount));
        assert_eq!(world.one(debit(account, 1, "x")).await, Err(Refusal::UnknownAccount));
        assert_eq!(world.one(transfer(account, alice(), 1, "x")).await, Err(Refusal::UnknownAccount));
        assert_eq!(world.one(transfer(alice(), account, 1, "x")).await, Err(Refusal::UnknownAccount));
    }
    assert_eq!(world.one(credit(alice(), 0, "x")).await, Err(Refusal::ZeroAmount));
    assert_eq!(world.one(debit(alice(), 0, "x")).await, Err(Refusal::ZeroAmount));
    assert_eq!(world.one(transfer(alice(), bob(), 0, "x")).await, Err(Refusal::ZeroAmount));
    let refusal = Refusal::InsufficientFunds { balance: amount(10), needed: amount(11) };
    assert_eq!(world.one(debit(alice(), 11, "x")).await, Err(refusal.clone()));
    assert_eq!(world.one(transfer(alice(), bob(), 11, "x")).await, Err(refusal));
    // A refused command does not use up its reference.
    assert_eq!(world.one(debit(alice(), 10, "x")).await, new(moved(10)));
    assert_eq!(world.balances().await, [0, 0]);
}

/// Money moves between two accounts, once, and not from an account to itself.
pub async fn a_transfer_moves_money_once(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    assert_eq!(world.one(transfer(alice(), bob(), 4, "t")).await, new(moved(4)));
    assert_eq!(world.one(transfer(alice(), bob(), 4, "t")).await, again(moved(4)));
    assert_eq!(world.one(transfer(bob(), alice(), 4, "t")).await, Err(Refusal::ReferenceConflict));
    assert_eq!(world.one(transfer(alice(), alice(), 1, "u")).await, Err(Refusal::SameAccount));
    assert_eq!(world.balances().await, [6, 4]);
}

/// A balance that would not fit is refused; sums over accounts may be larger.
pub async fn balances_do_not_overflow(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, Amount::MAX.units()).await;
    assert_eq!(world.one(credit(alice(), 1, "more")).await, Err(Refusal::Overflow));
    assert_eq!(world.one(credit(bob(), Amount::MAX.units(), "more")).await, new(moved(Amount::MAX.units())));
    assert_eq!(world.one(transfer(alice(), bob(), 1, "t")).await, Err(Refusal::Overflow));
    assert_eq!(world.balances().await, [Amount::MAX.units(); 2]);
    assert_eq!(world.facts().await.paid_in, 2 * i128::from(i64::MAX));
}
