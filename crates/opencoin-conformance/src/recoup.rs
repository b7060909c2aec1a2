//! Rules of recouping coins of stopped mint keys.

use crate::world::*;
use crate::{Pair, World};
use opencoin_ledger::{AcceptedKind, LedgerTime, Refusal, StopReason, register_uncertified_mint_key};

/// A coin is exchanged for other coins once. The key's counter of returned coins does not change, and the
/// issuer bears the loss.
pub async fn honest_coins_of_a_stopped_key_are_recouped_once(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 20).await;
    world
        .apply(&[
            mint(alice(), "m", &[1, 1, 1, 5]),
            redeem(bob(), &[(1, 9)]),
            stop(1),
            stop(5),
        ])
        .await;
    let before = world.facts().await;
    let command = recoup("c", &[(1, 1, 1), (5, 1, 1)], &[2, 2, 2]);
    assert_eq!(world.one(command.clone()).await, new(accepted(6)));
    assert_eq!(world.one(command.clone()).await, again(accepted(6)));
    assert_eq!(world.one(at(EXPIRY + 1, command)).await, again(accepted(6)));
    let accepted_as = ledgers[1].accepted(&reference("c")).await.unwrap().unwrap();
    assert_eq!(
        (accepted_as.kind, accepted_as.blinds),
        (AcceptedKind::Recoup, stored(&[2, 2, 2]))
    );
    let keys = ledgers[1].mint_keys().await.unwrap();
    assert_eq!(
        keys.iter()
            .map(|key| (key.issued, key.returned, key.recouped))
            .collect::<Vec<_>>(),
        [(3, 1, 1), (3, 0, 0), (1, 0, 1)]
    );
    let after = world.facts().await;
    assert_eq!(
        (after.recouped, after.coins_outstanding),
        (6, before.coins_outstanding + 6)
    );
    assert_eq!(
        (after.mint_keys[0].spent, after.mint_keys[0].recouped_rows),
        (1, 1)
    );
    // The new coins can be redeemed like any other coins.
    assert_eq!(
        world.one(redeem(bob(), &[(2, 1), (2, 2), (2, 3)])).await,
        new(moved(6))
    );
    let second = [(1, 2, 2), (1, 1, 3), (1, 3, 1)];
    assert_eq!(
        world.one(recoup("d", &second, &[1])).await,
        Err(Refusal::MintKeyStopped { mint_key: key_id(1) })
    );
    // Recouping a blind again with another coin is refused, and so is recouping a coin again with another
    // blind.
    assert_eq!(
        world.one(recoup("d", &second, &[2])).await,
        Err(Refusal::RecoupedBefore { indices: vec![1, 2] })
    );
    assert_eq!(
        world.one(recoup("d", &second[..1], &[2])).await,
        Err(mismatch(1, 2))
    );
}

fn mismatch(coins: u64, blinds: u64) -> Refusal {
    Refusal::ValueMismatch {
        coins: amount(coins),
        blinds: amount(blinds),
    }
}

/// A recoup is refused if it is malformed, if a key is unknown, not stopped or past its time, or if the
/// values differ.
pub async fn an_invalid_recoup_changes_nothing(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 20).await;
    world.apply(&[mint(alice(), "m", &[1, 1, 2, 2]), stop(1)]).await;
    let facts = world.facts().await;
    let mint_key = key_id;
    let repeated = |index| Refusal::RepeatedRevokedBlind { index };
    let cases = [
        (recoup("c", &[], &[2]), Refusal::Empty),
        (recoup("c", &[(1, 1, 1)], &[]), Refusal::Empty),
        (recoup("c", &[(1, 1, 1), (1, 2, 2), (1, 1, 3)], &[2]), repeated(2)),
        (recoup("c", &[(1, 1, 1), (1, 2, 1)], &[2]), repeated(1)),
        (
            recoup("c", &[(1, 1, 1), (7, 2, 2)], &[2]),
            Refusal::UnknownMintKey {
                mint_key: mint_key(7),
            },
        ),
        (
            recoup("c", &[(1, 1, 1), (2, 1, 1)], &[2]),
            Refusal::MintKeyNotStopped {
                mint_key: mint_key(2),
            },
        ),
        (
            at(EXPIRY + 1, recoup("c", &[(1, 1, 1)], &[2])),
            Refusal::CoinsExpired {
                mint_key: mint_key(1),
            },
        ),
        (
            recoup("c", &[(1, 1, 1)], &[1]),
            Refusal::MintKeyStopped {
                mint_key: mint_key(1),
            },
        ),
        (
            recoup("c", &[(1, 1, 1)], &[7]),
            Refusal::UnknownMintKey {
                mint_key: mint_key(7),
            },
        ),
        (
            at(SIGN_TO + 1, recoup("c", &[(1, 1, 1)], &[2])),
            Refusal::SigningWindowClosed {
                mint_key: mint_key(2),
            },
        ),
        (recoup("c", &[(1, 1, 1)], &[2]), mismatch(1, 2)),
        (recoup("c", &[(1, 1, 1), (1, 2, 2)], &[5]), mismatch(2, 5)),
    ];
    for (command, refusal) in cases {
        assert_eq!(world.one(command).await, Err(refusal));
    }
    assert_eq!(world.facts().await, facts);
    assert_eq!(ledgers[1].accepted(&reference("c")).await.unwrap(), None);
    // The same numbers of blinds and coins under another key are other blinds and coins.
    world.one(stop(2)).await.unwrap();
    assert_eq!(
        world
            .one(recoup("c", &[(1, 1, 1), (2, 1, 1), (2, 2, 2)], &[5]))
            .await,
        new(accepted(5))
    );
}

/// A coin that was redeemed or renewed cannot be recouped, because its value was already paid back.
pub async fn a_coin_that_came_back_is_not_recouped(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 20).await;
    world
        .apply(&[
            mint(alice(), "m", &[1, 1, 1]),
            redeem(bob(), &[(1, 1)]),
            renew("r", &[(1, 2)], &[1]),
            stop(1),
        ])
        .await;
    let facts = world.facts().await;
    let all = [(1, 3, 3), (1, 1, 1), (1, 2, 2), (1, 4, 4)];
    assert_eq!(
        world.one(recoup("c", &all, &[2, 2])).await,
        Err(Refusal::DoubleSpend { indices: vec![1, 2] })
    );
    assert_eq!(world.facts().await, facts);
    assert_eq!(
        world.one(recoup("c", &[(1, 3, 3), (1, 4, 4)], &[2])).await,
        new(accepted(2))
    );
}

/// Even if false proofs pass the verification, no more coins of a key are recouped than it signed.
pub async fn no_more_is_recouped_than_was_signed(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 20).await;
    world
        .apply(&[mint(alice(), "m", &[1, 1, 1, 2]), stop(1), stop(2)])
        .await;
    world
        .one(recoup("c", &[(1, 1, 1), (1, 2, 2), (2, 1, 1)], &[]))
        .await
        .unwrap_err();
    world.one(register(4, 4)).await.unwrap();
    assert_eq!(
        world
            .one(recoup("c", &[(1, 1, 1), (1, 2, 2), (2, 1, 1)], &[4]))
            .await,
        new(accepted(4))
    );
    let facts = world.facts().await;
    let too_many = Err(Refusal::OverRecoup { mint_key: key_id(1) });
    assert_eq!(
        world
            .one(recoup("d", &[(1, 3, 3), (1, 4, 4), (2, 2, 2)], &[4]))
            .await,
        too_many
    );
    assert_eq!(world.facts().await, facts);
}

/// A transaction reference of a mint, renew or recoup cannot be used for another of them.
pub async fn recoups_share_references_with_mints_and_renews(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 20).await;
    world
        .apply(&[
            mint(alice(), "m", &[1, 1, 2]),
            stop(1),
            recoup("c", &[(1, 1, 1), (1, 2, 2)], &[2]),
        ])
        .await;
    let facts = world.facts().await;
    let others = [
        recoup("m", &[(1, 1, 1), (1, 2, 2)], &[2]),
        recoup("c", &[(1, 2, 2), (1, 1, 1)], &[2]),
        recoup("c", &[(1, 1, 1), (1, 2, 2)], &[1, 1]),
        recoup("c", &[], &[]),
        mint(alice(), "c", &[2]),
        renew("c", &[(2, 1)], &[2]),
    ];
    for other in others {
        assert_eq!(world.one(other).await, Err(Refusal::ReferenceConflict));
    }
    assert_eq!(world.facts().await, facts);
}

/// Pruning a key deletes its rows of recouped coins but keeps its counters. After that, no coin of the key is
/// recouped.
pub async fn recouped_coins_are_forgotten_with_their_key(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 30).await;
    world
        .apply(&[
            mint(alice(), "m", &[1, 1, 1, 1, 2, 2]),
            redeem(bob(), &[(1, 1)]),
            stop(1),
            stop(2),
        ])
        .await;
    world.one(register(4, 4)).await.unwrap();
    world
        .one(recoup("c", &[(1, 2, 2), (1, 3, 3), (2, 1, 1)], &[4]))
        .await
        .unwrap();
    let late = register_uncertified_mint_key(key_id(6), terms_until(2, EXPIRY + 50), NOW);
    world.one(late).await.unwrap();
    // A store saves a batch at its end. Rows of a key that is pruned in the batch must be deleted too.
    let batch = [
        recoup("d", &[(1, 4, 4), (1, 5, 5)], &[6]),
        prune(2),
        recoup("e", &[(1, 6, 6), (2, 2, 2)], &[6]),
    ];
    let expired = Err(Refusal::CoinsExpired { mint_key: key_id(2) });
    assert_eq!(
        world.apply(&batch).await,
        [new(accepted(2)), new(pruned(0, 2)), expired]
    );
    let recouped_rows = async || {
        forget_rows(&[&*ledgers[0], &*ledgers[1]]).await;
        world
            .facts()
            .await
            .mint_keys
            .iter()
            .map(|key| key.recouped_rows)
            .collect::<Vec<_>>()
    };
    assert_eq!(recouped_rows().await, [4, 0, 0, 0, 0]);
    assert_eq!(world.one(prune(1)).await, new(pruned(1, 3)));
    assert_eq!(recouped_rows().await, [0, 0, 0, 0, 0]);
    let expired = Err(Refusal::CoinsExpired { mint_key: key_id(1) });
    assert_eq!(world.one(recoup("f", &[(1, 2, 2)], &[6])).await, expired);
    assert_eq!(
        (world.status(1).await.recouped, world.facts().await.recouped),
        (4, 6)
    );
    let done = recoup("c", &[(1, 2, 2), (1, 3, 3), (2, 1, 1)], &[4]);
    assert_eq!(world.one(done).await, again(accepted(4)));
}

fn terms_until(denomination: u64, expiry: i64) -> opencoin_ledger::MintKeyTerms {
    let [from, to, expiry] = [SIGN_FROM, expiry, expiry].map(LedgerTime::from_unix_micros);
    opencoin_ledger::MintKeyTerms::new(amount(denomination), from, to, expiry).unwrap()
}

/// A key was stolen. Two forged coins are redeemed before the honest ones. The second honest coin shows the
/// theft and stops the key. Each honest blind whose coin was not redeemed is recouped once, and nothing else
/// is. The issuer bears the loss of the forged coins.
pub async fn a_thief_costs_the_issuer_and_not_the_holders(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    let (honest, forged) = ([1, 2, 3], [101, 102]);
    world.one(mint(alice(), "m", &[1, 1, 1])).await.unwrap();
    assert_eq!(
        world.one(redeem(bob(), &forged.map(|serial| (1, serial)))).await,
        new(moved(2))
    );
    assert_eq!(world.one(redeem(alice(), &[(1, honest[0])])).await, new(moved(1)));
    let stolen = Err(Refusal::OverRedemption { mint_key: key_id(1) });
    assert_eq!(world.one(redeem(alice(), &[(1, honest[1])])).await, stolen);
    assert_eq!(world.status(1).await.stopped, Some(StopReason::over_redemption()));

    // The blinds have the numbers of their coins. A recoup of all of them names the one that was redeemed.
    let all = honest.map(|serial| (1, serial, serial));
    assert_eq!(
        world.one(recoup("all", &all, &[2])).await,
        Err(Refusal::DoubleSpend { indices: vec![0] })
    );
    assert_eq!(world.one(recoup("rest", &all[1..], &[2])).await, new(accepted(2)));
    // The thief cannot recoup a forged coin with the blind of an honest one.
    assert_eq!(
        world.one(recoup("more", &[(1, 2, 103)], &[2])).await,
        Err(Refusal::RecoupedBefore { indices: vec![0] })
    );
    assert_eq!(
        world.one(recoup("more", &[(1, 1, 101)], &[2])).await,
        Err(Refusal::DoubleSpend { indices: vec![0] })
    );
    let stopped = Err(Refusal::MintKeyStopped { mint_key: key_id(1) });
    assert_eq!(world.one(redeem(bob(), &[(1, 103)])).await, stopped);

    // Three coins were minted and three redeemed, two of them forged. The other two honest coins were
    // recouped.
    let key = world.status(1).await;
    assert_eq!((key.issued, key.returned, key.recouped), (3, 3, 2));
    assert_eq!(world.one(redeem(alice(), &[(2, 1)])).await, new(moved(2)));
    assert_eq!(world.balances().await, [10, 2]);
    let facts = world.facts().await;
    assert_eq!(
        (
            facts.paid_in,
            facts.paid_out,
            facts.recouped,
            facts.coins_outstanding
        ),
        (10, 0, 2, 0)
    );
}
