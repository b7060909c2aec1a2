//! Rules of mint keys and of signing.

use std::sync::Arc;

use crate::world::*;
use crate::{Pair, Store, World};
use opencoin_audit::{AuditFacts, check};
use opencoin_ledger::{
    Amount, Command, Effect, LedgerTime, MintKeyTerms, Refusal, Transaction, register_uncertified_mint_key,
};

/// Registering a key again with the same terms is a repetition, and with other terms a conflict. Keys are
/// listed in order of registration.
pub async fn a_mint_key_is_registered_once(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 0).await;
    assert_eq!(world.one(register(5, 5)).await, again(Effect::MintKeyRegistered));
    assert_eq!(world.one(register(5, 6)).await, Err(Refusal::ReferenceConflict));
    assert_eq!(world.one(register(4, 4)).await, new(Effect::MintKeyRegistered));
    let keys = ledgers[1].mint_keys().await.unwrap();
    let ids: Vec<_> = keys.iter().map(|key| key.id).collect();
    assert_eq!(ids, [1, 2, 5, 4].map(key_id));
    assert_eq!(keys[2].terms, terms(5));
    assert_eq!(
        (keys[2].issued, keys[2].returned, &keys[2].stopped),
        (0, 0, &None)
    );
}

/// A key is stopped for good. The first reason remains.
pub async fn a_stopped_key_neither_signs_nor_takes_coins(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    world.one(mint(alice(), "m", &[1, 1, 2])).await.unwrap();
    assert_eq!(world.one(stop(1)).await, new(Effect::MintKeyStopped));
    assert_eq!(world.one(stop(1)).await, again(Effect::MintKeyStopped));
    assert_eq!(
        world.one(stop(77)).await,
        Err(Refusal::UnknownMintKey { mint_key: key_id(77) })
    );
    let stopped = Err(Refusal::MintKeyStopped { mint_key: key_id(1) });
    assert_eq!(world.one(mint(alice(), "n", &[2, 1])).await, stopped);
    assert_eq!(world.one(renew("n", &[(1, 1)], &[1])).await, stopped);
    assert_eq!(world.one(renew("n", &[(2, 1)], &[1, 1])).await, stopped);
    assert_eq!(world.one(redeem(alice(), &[(1, 1)])).await, stopped);
    assert_eq!(world.one(redeem(alice(), &[(2, 1)])).await, new(moved(2)));
    let keys = ledgers[1].mint_keys().await.unwrap();
    assert_eq!(keys[0].stopped.as_ref().unwrap().as_str(), "stolen");
    assert_eq!(world.balances().await, [8, 0]);
}

/// An accepted transaction can still be read after its keys were stopped, and names those keys.
pub async fn a_resumed_transaction_names_its_stopped_keys(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 20).await;
    world.one(mint(alice(), "m", &[1, 2, 2, 5])).await.unwrap();
    world.one(mint(alice(), "n", &[5])).await.unwrap();
    world.apply(&[stop(2), register(9, 9), stop(9), stop(1)]).await;
    let stopped = async |text: &str| {
        ledgers[1]
            .accepted(&reference(text))
            .await
            .unwrap()
            .unwrap()
            .stopped
    };
    assert_eq!(
        stopped("m").await.into_iter().collect::<Vec<_>>(),
        [key_id(1), key_id(2)]
    );
    assert!(stopped("n").await.is_empty());
}

/// A key signs in its window, both ends included. Coins are taken until they expire, also after the window.
pub async fn keys_sign_in_their_window_and_coins_expire(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    let closed = Err(Refusal::SigningWindowClosed { mint_key: key_id(1) });
    assert_eq!(
        world.one(at(SIGN_FROM - 1, mint(alice(), "m", &[1]))).await,
        closed
    );
    assert_eq!(world.one(at(SIGN_TO + 1, mint(alice(), "m", &[1]))).await, closed);
    assert_eq!(
        world.one(at(SIGN_FROM, mint(alice(), "m", &[1]))).await,
        new(accepted(1))
    );
    assert_eq!(
        world.one(at(SIGN_TO, mint(alice(), "n", &[1, 1]))).await,
        new(accepted(2))
    );
    assert_eq!(
        world.one(at(SIGN_TO + 1, renew("r", &[(1, 1)], &[1]))).await,
        closed
    );
    let expired = Err(Refusal::CoinsExpired { mint_key: key_id(1) });
    assert_eq!(world.one(at(EXPIRY + 1, redeem(bob(), &[(1, 1)]))).await, expired);
    assert_eq!(
        world.one(at(EXPIRY + 1, renew("r", &[(1, 1)], &[1]))).await,
        expired
    );
    assert_eq!(
        world.one(at(EXPIRY, redeem(bob(), &[(1, 1)]))).await,
        new(moved(1))
    );
    assert_eq!(world.balances().await, [7, 1]);
}

/// A key cannot be retired before its window has ended, unless it is stopped. It is retired for good.
pub async fn a_key_is_retired_once_its_window_has_ended(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    let before = world.facts().await;
    for time in [SIGN_FROM - 1, NOW.unix_micros(), SIGN_TO] {
        assert_eq!(
            world.one(at(time, retire(1))).await,
            Err(Refusal::SigningWindowOpen { mint_key: key_id(1) })
        );
    }
    assert_eq!(
        world.one(retire(77)).await,
        Err(Refusal::UnknownMintKey { mint_key: key_id(77) })
    );
    assert_eq!(world.facts().await, before);
    assert_eq!(world.one(retire(1)).await, new(Effect::MintKeyRetired));
    assert_eq!(
        world.one(at(NOW.unix_micros(), retire(1))).await,
        again(Effect::MintKeyRetired)
    );
    world.one(stop(2)).await.unwrap();
    assert_eq!(
        world.one(at(NOW.unix_micros(), retire(2))).await,
        new(Effect::MintKeyRetired)
    );
    let keys = ledgers[1].mint_keys().await.unwrap();
    assert_eq!(
        keys.iter().map(|key| key.retired).collect::<Vec<_>>(),
        [true, true, false]
    );
    assert_eq!(world.facts().await.retirements, 2);
}

/// A retired key refuses to sign even if a clock is set back. Its coins are still taken by every process, and
/// repeated requests get the same answers.
pub async fn a_retired_key_signs_nothing_whatever_the_clock_says(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 20).await;
    let done = [
        mint(alice(), "m", &[1, 1, 1, 2]),
        renew("r", &[(1, 1)], &[1]),
        redeem(bob(), &[(1, 2)]),
    ];
    // Both processes have used the key, so they decide without looking it up.
    assert!(ledgers[1].apply(&done).await.unwrap().iter().all(Result::is_ok));
    assert!(world.apply(&done).await.iter().all(Result::is_ok));
    world.one(retire(1)).await.unwrap();
    let facts = world.facts().await;
    let closed = Err(Refusal::SigningWindowClosed { mint_key: key_id(1) });
    for ledger in ledgers {
        let refused = [
            mint(alice(), "n", &[1]),
            mint(alice(), "n", &[2, 1]),
            renew("n", &[(1, 3)], &[1]),
        ];
        for command in refused {
            assert_eq!(ledger.apply(&[command]).await.unwrap()[0], closed);
        }
    }
    assert_eq!(
        world.apply(&done).await,
        [again(accepted(5)), again(accepted(1)), again(moved(1))]
    );
    assert_eq!(world.facts().await, facts);
    let coin = redeem(bob(), &[(1, 3)]);
    let outcomes = ledgers[1].apply(&[coin]).await.unwrap();
    assert_eq!(without_log(outcomes), [new(moved(1))]);
    assert_eq!(world.one(renew("s", &[(2, 1)], &[2])).await, new(accepted(2)));
    assert_eq!(world.counters(1).await, (4, 3));
}

/// A key cannot be pruned before its coins have expired. It is pruned for good: its rows are deleted, its
/// counters and the rows of other keys stay.
pub async fn a_key_is_pruned_once_its_coins_have_expired(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 20).await;
    world.one(mint(alice(), "m", &[1, 1, 1, 2])).await.unwrap();
    world
        .apply(&[redeem(bob(), &[(1, 1), (1, 2)]), redeem(bob(), &[(2, 1)])])
        .await;
    let before = world.facts().await;
    assert_eq!(
        world.one(at(EXPIRY, prune(1))).await,
        Err(Refusal::CoinsNotExpired { mint_key: key_id(1) })
    );
    assert_eq!(
        world.one(prune(77)).await,
        Err(Refusal::UnknownMintKey { mint_key: key_id(77) })
    );
    for ledger in ledgers {
        assert_eq!(ledger.check_coins(key_id(1)).await, Ok(()));
        assert_eq!(ledger.forget_rows(key_id(1), 1).await, Ok(0), "it is not pruned");
    }
    assert_eq!(world.facts().await, before);
    assert_eq!(world.one(prune(1)).await, new(pruned(2, 1)));
    // Its rows may not be deleted yet, but no decision depends on them.
    let expired = Err(Refusal::CoinsExpired { mint_key: key_id(1) });
    for coin in [(1, 1), (1, 3)] {
        assert_eq!(world.one(redeem(bob(), &[coin])).await, expired);
    }
    forget_rows(&[&*ledgers[0], &*ledgers[1]]).await;
    let after = world.facts().await;
    assert_eq!(world.one(prune(1)).await, again(pruned(2, 1)));
    assert_eq!(
        world.one(at(NOW.unix_micros(), prune(1))).await,
        again(pruned(2, 1))
    );
    assert_eq!(world.facts().await, after);
    assert_eq!([after.mint_keys[0].spent, after.mint_keys[1].spent], [0, 1]);
    assert_eq!(
        (after.coins_outstanding, after.transactions),
        (before.coins_outstanding, before.transactions + 1)
    );
    let keys = ledgers[1].mint_keys().await.unwrap();
    assert_eq!(
        keys.iter().map(|key| key.pruned).collect::<Vec<_>>(),
        [true, false, false]
    );
    assert_eq!((keys[0].issued, keys[0].returned), (3, 2));
}

/// Coins of a pruned key are refused even if a clock is set back, and repeated requests get the same answers.
pub async fn a_pruned_key_stays_out_of_use_whatever_the_clock_says(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 20).await;
    let done = [
        mint(alice(), "m", &[1, 1, 1]),
        renew("r", &[(1, 1)], &[1]),
        redeem(bob(), &[(1, 2)]),
    ];
    assert!(world.apply(&done).await.iter().all(Result::is_ok));
    world.one(prune(1)).await.unwrap();
    let facts = world.facts().await;
    let expired = Err(Refusal::CoinsExpired { mint_key: key_id(1) });
    for coin in [(1, 1), (1, 2), (1, 3)] {
        assert_eq!(world.one(redeem(alice(), &[coin])).await, expired);
        assert_eq!(world.one(renew("s", &[coin], &[2])).await, expired);
    }
    let closed = Err(Refusal::SigningWindowClosed { mint_key: key_id(1) });
    assert_eq!(world.one(mint(alice(), "n", &[1])).await, closed);
    assert_eq!(
        world.apply(&done).await,
        [again(accepted(3)), again(accepted(1)), again(moved(1))]
    );
    assert_eq!(
        ledgers[1]
            .accepted(&reference("r"))
            .await
            .unwrap()
            .unwrap()
            .blinds,
        stored(&[1])
    );
    assert_eq!(world.facts().await, facts);
}

/// A store saves a batch at its end. Coins that are spent and pruned in the same batch must leave no rows.
pub async fn coins_spent_and_pruned_in_one_batch_leave_no_rows(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 20).await;
    world
        .apply(&[mint(alice(), "m", &[1, 1, 2]), redeem(bob(), &[(1, 1)])])
        .await;
    let batch = [
        redeem(bob(), &[(1, 2), (2, 1)]),
        register(9, 9),
        prune(1),
        redeem(bob(), &[(1, 2)]),
        prune(9),
    ];
    let expired = Err(Refusal::CoinsExpired { mint_key: key_id(1) });
    let outcomes = [
        new(moved(3)),
        new(Effect::MintKeyRegistered),
        new(pruned(2, 0)),
        expired,
        new(pruned(0, 0)),
    ];
    assert_eq!(world.apply(&batch).await, outcomes);
    forget_rows(&[&*ledgers[0], &*ledgers[1]]).await;
    let facts = world.facts().await;
    assert_eq!(
        facts.mint_keys.iter().map(|key| key.spent).collect::<Vec<_>>(),
        [0, 1, 0, 0]
    );
    assert!(facts.mint_keys[0].pruned && facts.mint_keys[3].pruned);
}

/// A pause of signing is stored and seen by every process. Each change is a record of its own. The ledger
/// still accepts requests during a pause.
pub async fn signing_pauses_and_resumes(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    let set = |paused| Command::SetSigningPaused { paused, at: NOW };
    assert!(!ledgers[1].signing_paused().await.unwrap());
    assert_eq!(world.one(set(false)).await, again(Effect::SigningSet));
    let before = world.facts().await.transactions;
    for paused in [true, false, true] {
        assert_eq!(
            world.apply(&[set(paused), set(paused)]).await,
            [new(Effect::SigningSet), again(Effect::SigningSet)]
        );
        assert_eq!(ledgers[1].signing_paused().await.unwrap(), paused);
    }
    assert_eq!(world.facts().await.transactions, before + 3);
    let minted = mint(alice(), "m", &[1]);
    let paused = Effect::Accepted {
        amount: amount(1),
        signing_paused: true,
    };
    assert_eq!(world.one(minted.clone()).await, new(paused));
    assert_eq!(world.one(minted.clone()).await, again(paused));
    assert!(
        ledgers[1]
            .accepted(&reference("m"))
            .await
            .unwrap()
            .unwrap()
            .signing_paused
    );
    let outcomes = world
        .apply(&[set(false), minted.clone(), set(true), minted.clone()])
        .await;
    assert_eq!(
        (&outcomes[1], &outcomes[3]),
        (&again(accepted(1)), &again(paused))
    );
    world.one(set(false)).await.unwrap();
    assert_eq!(world.one(minted).await, again(accepted(1)));
    assert!(
        !ledgers[1]
            .accepted(&reference("m"))
            .await
            .unwrap()
            .unwrap()
            .signing_paused
    );
}

/// The blinds of a transaction are deleted with the mint key whose coins expire last. Until then it can be resumed,
/// also for its other keys. Then a resume is told that the coins have expired, and the audit still balances.
pub async fn blinds_are_deleted_with_the_last_of_their_keys(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 100).await;
    let time = LedgerTime::from_unix_micros;
    let terms = MintKeyTerms::new(
        Amount::new(1).unwrap(),
        time(SIGN_FROM),
        time(SIGN_TO),
        time(EXPIRY + 10),
    );
    let later = register_uncertified_mint_key(key_id(9), terms.unwrap(), NOW);
    let (both, first) = (mint(alice(), "both", &[1, 9, 1]), mint(alice(), "first", &[1, 2]));
    for command in [later, both.clone(), first.clone(), redeem(bob(), &[(1, 1)])] {
        world.one(command).await.unwrap();
    }
    let before = world.facts().await;
    assert_eq!(before.blinds_rows, Some(2));
    let prune_at = |micros: i64, key: u8| at(micros, prune(key));
    world.one(prune_at(EXPIRY + 1, 2)).await.unwrap();
    world.one(prune_at(EXPIRY + 1, 1)).await.unwrap();
    forget_rows(&[&*ledgers[0], &*ledgers[1]]).await;
    let found = |text: &'static str| async move { ledgers[1].transaction(&reference(text)).await.unwrap() };
    assert_eq!(world.stored("both").await, stored(&[1, 9, 1]));
    assert_eq!(found("first").await, Some(Transaction::Expired));
    assert_eq!(ledgers[0].accepted(&reference("first")).await, Ok(None));
    assert_eq!(world.unsigned(2, 10).await, []);
    // A repetition is answered from the journal, which keeps the digest.
    assert_eq!(world.one(first).await, again(accepted(3)));
    assert_eq!(
        world.one(mint(alice(), "first", &[1, 1])).await,
        Err(Refusal::ReferenceConflict)
    );
    world.one(prune_at(EXPIRY + 11, 9)).await.unwrap();
    forget_rows(&[&*ledgers[1], &*ledgers[0]]).await;
    assert_eq!(found("both").await, Some(Transaction::Expired));
    assert_eq!(world.one(both).await, again(accepted(3)));
    let after = world.facts().await;
    assert_eq!((after.blinds_rows, after.records_with_blinds), (Some(0), 0));
    let blinds = |facts: &AuditFacts| facts.mint_keys.iter().map(|key| key.blinds).collect::<Vec<_>>();
    assert_eq!(blinds(&after), blinds(&before));
    let report = check(&after);
    assert!(report.holds(), "{report:#?}");
}

/// Coins that one process has issued come back through others, down to the last one, and not one more.
pub async fn coins_come_back_through_every_ledger(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 100).await;
    let [first, second] = [&ledgers[0], &ledgers[1]];
    let apply =
        async |ledger: &Arc<dyn Store>, command: Command| ledger.apply(&[command]).await.unwrap().remove(0);
    apply(first, mint(alice(), "a", &[1; 6])).await.unwrap();
    apply(second, mint(alice(), "b", &[1; 2])).await.unwrap();
    for (ledger, serial) in [
        (second, 1),
        (second, 2),
        (second, 3),
        (first, 4),
        (second, 5),
        (first, 6),
        (second, 7),
        (first, 8),
    ] {
        apply(ledger, redeem(bob(), &[(1, serial)])).await.unwrap();
        let facts = world.facts().await;
        assert_eq!(
            (facts.mint_keys[0].issued, facts.mint_keys[0].returned),
            (8, serial.into())
        );
    }
    let mint_key = key_id(1);
    assert_eq!(
        apply(first, redeem(bob(), &[(1, 9)])).await,
        Err(Refusal::OverRedemption { mint_key })
    );
    assert_eq!(
        apply(second, redeem(bob(), &[(1, 10)])).await,
        Err(Refusal::MintKeyStopped { mint_key })
    );
    assert_eq!(
        apply(second, mint(alice(), "c", &[1])).await,
        Err(Refusal::MintKeyStopped { mint_key })
    );
    assert!(check(&world.facts().await).holds());
}
