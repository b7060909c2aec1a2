//! Rules of minting, renewing and redeeming.

use crate::world::*;
use crate::{Pair, World};
use opencoin_ledger::{AcceptedKind, Amount, BATCH_COMMANDS_MAX, Command, LedgerError, Refusal, StopReason};

/// The account is debited once, and every process can read the accepted blinds, complete and in order.
pub async fn a_mint_is_accepted_once_and_can_be_resumed(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    assert_eq!(ledgers[1].accepted(&reference("m")).await.unwrap(), None);
    assert_eq!(world.one(mint(alice(), "m", &[5, 1, 1])).await, new(accepted(7)));
    assert_eq!(
        world.one(at(151, mint(alice(), "m", &[5, 1, 1]))).await,
        again(accepted(7))
    );
    let accepted = ledgers[1].accepted(&reference("m")).await.unwrap().unwrap();
    assert_eq!((accepted.kind, accepted.at), (AcceptedKind::Mint, NOW));
    assert_eq!((accepted.blinds, accepted.stopped.len()), (stored(&[5, 1, 1]), 0));
    assert_eq!(world.balances().await, [3, 0]);
    assert_eq!(
        (world.counters(1).await, world.counters(5).await),
        ((2, 0), (1, 0))
    );
    assert_eq!(world.facts().await.coins_outstanding, 7);
    let refusal = Refusal::InsufficientFunds {
        balance: amount(3),
        needed: amount(5),
    };
    assert_eq!(world.one(mint(alice(), "n", &[5])).await, Err(refusal));
    assert_eq!(ledgers[1].accepted(&reference("n")).await.unwrap(), None);
}

/// If an answer was lost, the wallet gets it again, even if meanwhile the keys were stopped, their windows
/// closed or the account was emptied.
pub async fn a_repetition_is_answered_whatever_happened_since(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 3).await;
    let [minted, renewed] = [mint(alice(), "m", &[1, 2]), renew("r", &[(1, 1)], &[1])];
    let redeemed = redeem(bob(), &[(2, 1)]);
    let all = [minted.clone(), renewed.clone(), redeemed.clone()];
    assert_eq!(
        world.apply(&all).await,
        [new(accepted(3)), new(accepted(1)), new(moved(2))]
    );
    world.one(stop(1)).await.unwrap();
    world.one(stop(2)).await.unwrap();
    let facts = world.facts().await;
    let late: Vec<_> = all.into_iter().map(|command| at(EXPIRY + 1, command)).collect();
    assert_eq!(
        world.apply(&late).await,
        [again(accepted(3)), again(accepted(1)), again(moved(2))]
    );
    assert_eq!(world.facts().await, facts);
}

/// A reference that was used with other content is a conflict. Mints and renews share references, and a mint
/// of another account is other content.
pub async fn a_reference_with_other_content_is_a_conflict(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    world
        .apply(&[credit(bob(), 10, "b"), mint(alice(), "m", &[1, 1])])
        .await;
    let facts = world.facts().await;
    let others = [
        mint(alice(), "m", &[1]),
        mint(alice(), "m", &[1, 2]),
        mint(bob(), "m", &[1, 1]),
        renew("m", &[(1, 1)], &[1]),
        // This would be refused for another reason too, but the reference is checked first.
        mint(alice(), "m", &[]),
    ];
    for other in others {
        assert_eq!(world.one(other).await, Err(Refusal::ReferenceConflict));
    }
    assert_eq!(world.facts().await, facts);
}

/// A mint is refused if it has no blinds, two blinds with one reference, an unknown key or account, or a sum
/// that overflows.
pub async fn a_malformed_mint_changes_nothing(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    world.one(register(99, Amount::MAX.units())).await.unwrap();
    let facts = world.facts().await;
    assert_eq!(world.one(mint(alice(), "m", &[])).await, Err(Refusal::Empty));
    let unknown = Refusal::UnknownMintKey { mint_key: key_id(3) };
    assert_eq!(world.one(mint(alice(), "m", &[1, 3])).await, Err(unknown));
    let nobody = opencoin_ledger::AccountId::new(44);
    assert_eq!(
        world.one(mint(nobody, "m", &[1])).await,
        Err(Refusal::UnknownAccount)
    );
    assert_eq!(
        world.one(mint(alice(), "m", &[99, 1])).await,
        Err(Refusal::Overflow)
    );
    let mut repeating = blinds(&[1, 1, 1]);
    repeating[2].reference = repeating[0].reference.clone();
    let repeating = Command::Mint {
        account: alice(),
        transaction_reference: reference("m"),
        blinds: repeating,
        payment: None,
        wait_until: None,
        at: NOW,
    };
    assert_eq!(
        world.one(repeating).await,
        Err(Refusal::RepeatedBlindReference { index: 2 })
    );
    assert_eq!(world.facts().await, facts);
}

/// A renew takes coins and accepts blinds of the same value, without an account.
pub async fn a_renew_keeps_the_value(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    world.one(mint(alice(), "m", &[5, 1])).await.unwrap();
    let renewal = renew("r", &[(5, 1), (1, 1)], &[2, 2, 2]);
    assert_eq!(world.one(renewal.clone()).await, new(accepted(6)));
    assert_eq!(world.one(renewal).await, again(accepted(6)));
    let accepted = ledgers[1].accepted(&reference("r")).await.unwrap().unwrap();
    assert_eq!(
        (accepted.kind, accepted.blinds),
        (AcceptedKind::Renew, stored(&[2, 2, 2]))
    );
    assert_eq!(
        (world.counters(5).await, world.counters(1).await),
        ((1, 1), (1, 1))
    );
    assert_eq!(world.counters(2).await, (3, 0));
    assert_eq!(world.balances().await, [4, 0]);
}

/// A renew is refused if the values of its coins and blinds differ, or if it has no coins or no blinds.
pub async fn a_renew_of_unequal_value_changes_nothing(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    world.one(mint(alice(), "m", &[5, 1])).await.unwrap();
    let facts = world.facts().await;
    for (keys, worth) in [(&[5][..], 5), (&[5, 2], 7)] {
        let refusal = Refusal::ValueMismatch {
            coins: amount(6),
            blinds: amount(worth),
        };
        assert_eq!(world.one(renew("r", &[(5, 1), (1, 1)], keys)).await, Err(refusal));
    }
    assert_eq!(world.one(renew("r", &[], &[1])).await, Err(Refusal::Empty));
    assert_eq!(world.one(renew("r", &[(1, 1)], &[])).await, Err(Refusal::Empty));
    assert_eq!(world.facts().await, facts);
}

/// A coin is spent once, by a renew or a redeem. The refusal lists all spent coins of the request.
pub async fn a_coin_is_spent_once(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    world.one(mint(alice(), "m", &[1; 6])).await.unwrap();
    world.one(renew("r", &[(1, 1)], &[1])).await.unwrap();
    world.one(redeem(bob(), &[(1, 2)])).await.unwrap();
    let facts = world.facts().await;
    let both = Err(Refusal::DoubleSpend { indices: vec![1, 2] });
    assert_eq!(
        world.one(renew("s", &[(1, 3), (1, 2), (1, 1)], &[1, 2])).await,
        both
    );
    assert_eq!(world.one(redeem(bob(), &[(1, 3), (1, 2), (1, 1)])).await, both);
    let first = Err(Refusal::DoubleSpend { indices: vec![0] });
    assert_eq!(world.one(redeem(alice(), &[(1, 2)])).await, first);
    assert_eq!(world.one(renew("s", &[(1, 1)], &[1])).await, first);
    assert_eq!(world.facts().await, facts);
}

/// A request that names a coin twice is refused.
pub async fn a_coin_named_twice_in_a_request_is_refused(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    world.one(mint(alice(), "m", &[1, 1])).await.unwrap();
    let refusal = Err(Refusal::RepeatedCoin { index: 1 });
    assert_eq!(world.one(redeem(bob(), &[(1, 1), (1, 1)])).await, refusal);
    assert_eq!(world.one(renew("r", &[(1, 1), (1, 1)], &[2])).await, refusal);
    assert_eq!(world.counters(1).await, (2, 0));
}

/// A redeem of the same coins in any order by the same account is a repetition. A redeem of only some of
/// these coins, or by another account, is a double spend.
pub async fn a_redeem_is_identified_by_its_coins(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    world.one(mint(alice(), "m", &[5, 1, 1])).await.unwrap();
    assert_eq!(world.one(redeem(bob(), &[(5, 1), (1, 1)])).await, new(moved(6)));
    assert_eq!(world.one(redeem(bob(), &[(1, 1), (5, 1)])).await, again(moved(6)));
    assert_eq!(world.balances().await, [3, 6]);
    let first = Err(Refusal::DoubleSpend { indices: vec![0] });
    assert_eq!(world.one(redeem(bob(), &[(1, 1)])).await, first);
    let both = Err(Refusal::DoubleSpend { indices: vec![0, 1] });
    assert_eq!(world.one(redeem(alice(), &[(5, 1), (1, 1)])).await, both);
    let nobody = opencoin_ledger::AccountId::new(44);
    assert_eq!(
        world.one(redeem(nobody, &[(1, 2)])).await,
        Err(Refusal::UnknownAccount)
    );
    assert_eq!(world.one(redeem(bob(), &[])).await, Err(Refusal::Empty));
}

/// A coin is identified by its payload hash and its mint key together.
pub async fn the_same_hash_under_another_key_is_another_coin(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    world.one(mint(alice(), "m", &[1, 2])).await.unwrap();
    assert_eq!(world.one(redeem(bob(), &[(1, 1), (2, 1)])).await, new(moved(3)));
}

/// If more coins of a key would come back than it signed, because coins were forged or the key was stolen,
/// the command is refused and the key is stopped durably. Nothing else changes.
pub async fn more_coins_than_signatures_stop_the_key(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    world.one(mint(alice(), "m", &[1, 1, 2])).await.unwrap();
    assert_eq!(world.one(redeem(bob(), &[(1, 1)])).await, new(moved(1)));
    let refusal = Err(Refusal::OverRedemption { mint_key: key_id(1) });
    let outcomes = world
        .apply(&[redeem(bob(), &[(1, 2), (1, 3), (2, 1)]), redeem(bob(), &[(2, 1)])])
        .await;
    assert_eq!(outcomes, [refusal, new(moved(2))]);
    let keys = ledgers[1].mint_keys().await.unwrap();
    assert_eq!(keys[0].stopped, Some(StopReason::over_redemption()));
    assert_eq!(keys[1].stopped, None);
    let stopped = Err(Refusal::MintKeyStopped { mint_key: key_id(1) });
    assert_eq!(world.one(redeem(bob(), &[(1, 2)])).await, stopped);
    assert_eq!(world.counters(1).await, (2, 1));
    // The signatures that a renew asks for do not count for its own coins.
    let refusal = Err(Refusal::OverRedemption { mint_key: key_id(5) });
    assert_eq!(world.one(renew("r", &[(5, 1)], &[5])).await, refusal);
    assert_eq!(world.balances().await, [6, 3]);
}

/// Later commands of a batch build on earlier ones.
pub async fn commands_of_a_batch_see_each_other(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 0).await;
    let carol = opencoin_ledger::AccountId::new(bob().get() + 1);
    let batch = [
        open("carol", 3),
        credit(carol, 3, "c"),
        register(3, 3),
        release(3),
        mint(carol, "m", &[3]),
        mint(carol, "m", &[3]),
        mint(carol, "n", &[3]),
        renew("r", &[(3, 1)], &[1, 2]),
        redeem(bob(), &[(3, 1)]),
        redeem(bob(), &[(1, 1), (2, 1)]),
        debit(bob(), 3, "d"),
    ];
    let outcomes = world.apply(&batch).await;
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok());
    assert_eq!(
        (&outcomes[4], &outcomes[5]),
        (&new(accepted(3)), &again(accepted(3)))
    );
    assert_eq!(
        outcomes[6],
        Err(Refusal::InsufficientFunds {
            balance: amount(0),
            needed: amount(3)
        })
    );
    assert_eq!(outcomes[7], new(accepted(3)));
    assert_eq!(outcomes[8], Err(Refusal::DoubleSpend { indices: vec![0] }));
    assert_eq!((&outcomes[9], &outcomes[10]), (&new(moved(3)), &new(moved(3))));
    assert_eq!(world.facts().await.coins_outstanding, 0);
}

/// A refused command leaves nothing behind, not even its reference. The other commands of the batch are
/// applied.
pub async fn a_refused_command_in_a_batch_changes_nothing(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 4).await;
    world.one(mint(alice(), "m", &[1, 1, 1])).await.unwrap();
    let batch = [
        renew("r1", &[(1, 1)], &[1]),
        renew("r2", &[(1, 2), (1, 1)], &[1, 1]),
        redeem(bob(), &[(1, 3), (1, 1)]),
        redeem(bob(), &[(1, 3)]),
    ];
    let outcomes = world.apply(&batch).await;
    let double = Err(Refusal::DoubleSpend { indices: vec![1] });
    assert_eq!(
        outcomes,
        [new(accepted(1)), double.clone(), double, new(moved(1))]
    );
    assert_eq!(ledgers[1].accepted(&reference("r2")).await.unwrap(), None);
    assert_eq!(world.counters(1).await, (4, 2));
    assert_eq!(world.one(renew("r2", &[(1, 2)], &[1])).await, new(accepted(1)));
}

/// A batch with too many commands is refused before anything is applied.
pub async fn a_batch_has_a_limit(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    assert_eq!(world.apply(&[]).await, []);
    let batch = vec![debit(alice(), 10, "d"); BATCH_COMMANDS_MAX + 1];
    let error = ledgers[0].apply(&batch).await.unwrap_err();
    assert_eq!(error, LedgerError::BatchTooLarge(BATCH_COMMANDS_MAX + 1));
    assert_eq!(world.balances().await, [10, 0]);
}

/// A batch of the maximum size works, although it needs more rows than one statement of any store can write.
pub async fn a_large_batch_is_carried_out(ledgers: &Pair) {
    let per_command = 3;
    let count = BATCH_COMMANDS_MAX as u64;
    let world = World::with_paid_in(ledgers, count * per_command).await;
    let keys = vec![1; per_command as usize];
    let mints: Vec<_> = (0..count)
        .map(|index| mint(alice(), &format!("m{index}"), &keys))
        .collect();
    assert!(
        world
            .apply(&mints)
            .await
            .iter()
            .all(|outcome| *outcome == new(accepted(per_command)))
    );
    let coin = |index: u64, part: u64| (1, u32::try_from(index * per_command + part).unwrap());
    let redeems: Vec<_> = (0..count)
        .map(|index| redeem(bob(), &[coin(index, 0), coin(index, 1), coin(index, 2)]))
        .collect();
    assert!(
        world
            .apply(&redeems)
            .await
            .iter()
            .all(|outcome| *outcome == new(moved(per_command)))
    );
    assert!(
        world
            .apply(&redeems)
            .await
            .iter()
            .all(|outcome| *outcome == again(moved(per_command)))
    );
    assert_eq!(world.balances().await, [0, count * per_command]);
}
