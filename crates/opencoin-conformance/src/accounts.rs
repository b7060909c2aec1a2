//! Rules of accounts and payments.

use crate::world::*;
use crate::{Pair, World};
use opencoin_ledger::{AccountId, Amount, Effect, Refusal, TokenHash};

/// Opening an account again with the same name and token is a repetition. A name or a token belongs to one
/// account.
pub async fn an_account_is_opened_once(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 0).await;
    assert_eq!(
        world.one(open("alice", 1)).await,
        again(Effect::AccountOpened(alice()))
    );
    assert_eq!(world.one(open("alice", 9)).await, Err(Refusal::AccountExists));
    assert_eq!(world.one(open("carol", 1)).await, Err(Refusal::TokenExists));
    let carol = AccountId::new(bob().get() + 1);
    let both = world.apply(&[open("carol", 3), open("carol", 3)]).await;
    assert_eq!(
        both,
        [
            new(Effect::AccountOpened(carol)),
            again(Effect::AccountOpened(carol))
        ]
    );
}

/// An account is found by its name and by its token. Unknown names and tokens find nothing.
pub async fn accounts_are_found_by_name_and_token(ledgers: &Pair) {
    let _world = World::with_paid_in(ledgers, 7).await;
    let found = account(&*ledgers[1], "alice").await.unwrap();
    assert_eq!(
        (found.id, found.name.as_str(), found.balance),
        (alice(), "alice", amount(7))
    );
    assert_eq!(account(&*ledgers[1], "carol").await, None);
    let accounts = ledgers[1].accounts();
    for (token, owner) in [([1; 32], Some(alice())), ([9; 32], None)] {
        let bearer = accounts.bearer(&TokenHash::new(token), time(0)).await.unwrap();
        assert_eq!(bearer.map(|bearer| bearer.account), owner);
    }
    ledgers[1].ready().await.unwrap();
}

/// The same payment at a later time is a repetition. The same reference with other content is a conflict.
pub async fn a_payment_counts_once(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 0).await;
    assert_eq!(world.one(credit(alice(), 50, "a")).await, new(moved(50)));
    assert_eq!(world.one(at(9, credit(alice(), 50, "a"))).await, again(moved(50)));
    assert_eq!(
        world.one(credit(alice(), 51, "a")).await,
        Err(Refusal::ReferenceConflict)
    );
    assert_eq!(
        world.one(credit(bob(), 50, "a")).await,
        Err(Refusal::ReferenceConflict)
    );
    assert_eq!(world.one(debit(alice(), 20, "b")).await, new(moved(20)));
    assert_eq!(world.one(debit(alice(), 20, "b")).await, again(moved(20)));
    assert_eq!(world.balances().await, [30, 0]);
    let facts = world.facts().await;
    assert_eq!((facts.paid_in, facts.paid_out), (50, 20));
}

/// The reference of a credit cannot be used for a debit. An idempotency key with the same text is independent
/// of it.
pub async fn payment_references_are_shared_by_credits_and_debits(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 50).await;
    assert_eq!(world.one(credit(alice(), 9, "statement-1")).await, new(moved(9)));
    assert_eq!(
        world.one(debit(alice(), 9, "statement-1")).await,
        Err(Refusal::ReferenceConflict)
    );
    assert_eq!(
        world.one(transfer(alice(), bob(), 9, "statement-1")).await,
        new(moved(9))
    );
    assert_eq!(world.balances().await, [50, 9]);
}

/// A payment is refused if an account is unknown, the amount is zero, or the balance is too low.
pub async fn invalid_payments_change_nothing(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    let nobody = AccountId::new(99);
    for account in [nobody, AccountId::OUTSIDE, AccountId::COINS, AccountId::new(-1)] {
        assert_eq!(
            world.one(credit(account, 1, "x")).await,
            Err(Refusal::UnknownAccount)
        );
        assert_eq!(
            world.one(debit(account, 1, "x")).await,
            Err(Refusal::UnknownAccount)
        );
        assert_eq!(
            world.one(transfer(account, alice(), 1, "x")).await,
            Err(Refusal::UnknownAccount)
        );
        assert_eq!(
            world.one(transfer(alice(), account, 1, "x")).await,
            Err(Refusal::UnknownAccount)
        );
    }
    assert_eq!(world.one(credit(alice(), 0, "x")).await, Err(Refusal::ZeroAmount));
    assert_eq!(world.one(debit(alice(), 0, "x")).await, Err(Refusal::ZeroAmount));
    assert_eq!(
        world.one(transfer(alice(), bob(), 0, "x")).await,
        Err(Refusal::ZeroAmount)
    );
    let refusal = Refusal::InsufficientFunds {
        balance: amount(10),
        needed: amount(11),
    };
    assert_eq!(world.one(debit(alice(), 11, "x")).await, Err(refusal.clone()));
    assert_eq!(world.one(transfer(alice(), bob(), 11, "x")).await, Err(refusal));
    // A refused command does not use up its reference.
    assert_eq!(world.one(debit(alice(), 10, "x")).await, new(moved(10)));
    assert_eq!(world.balances().await, [0, 0]);
}

/// A transfer moves money between two accounts, once for each idempotency key of the payer. An account cannot
/// pay itself.
pub async fn a_transfer_moves_money_once(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    let rent = || labelled("rent", transfer(alice(), bob(), 4, "k"));
    assert_eq!(world.one(rent()).await, new(moved(4)));
    assert_eq!(world.one(at(9, rent())).await, again(moved(4)));
    for other in [
        labelled("rent of July", transfer(alice(), bob(), 4, "k")),
        transfer(alice(), bob(), 4, "k"),
        labelled("rent", transfer(alice(), bob(), 3, "k")),
        payout(alice(), 4, "k"),
    ] {
        assert_eq!(world.one(other).await, Err(Refusal::ReferenceConflict));
    }
    // Keys of different accounts are independent.
    assert_eq!(world.one(transfer(bob(), alice(), 1, "k")).await, new(moved(1)));
    assert_eq!(
        world.one(transfer(alice(), alice(), 1, "u")).await,
        Err(Refusal::SameAccount)
    );
    assert_eq!(world.balances().await, [7, 3]);
}

/// A payment is refused if a balance would overflow. Sums over several accounts may be larger.
pub async fn balances_do_not_overflow(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, Amount::MAX.units()).await;
    assert_eq!(
        world.one(credit(alice(), 1, "more")).await,
        Err(Refusal::Overflow)
    );
    assert_eq!(
        world.one(credit(bob(), Amount::MAX.units(), "more")).await,
        new(moved(Amount::MAX.units()))
    );
    assert_eq!(
        world.one(transfer(alice(), bob(), 1, "t")).await,
        Err(Refusal::Overflow)
    );
    assert_eq!(world.balances().await, [Amount::MAX.units(); 2]);
    assert_eq!(world.facts().await.paid_in, 2 * i128::from(i64::MAX));
}
