//! The public log: what commands add to it, and sealing.

use std::collections::BTreeMap;
use std::sync::Arc;

use opencoin_ledger::log::DeclaredBooks;
use opencoin_ledger::view::MintKeyNo;
use opencoin_ledger::{
    Command, LedgerTime, LogBatch, LogBatchNo, LogHead, LogStore, LogTerms, LogTotals, LoggedCounts,
    MintKeyTerms, Outcome, PUBLISHED_KEPT_MAX, PublishedCheckpoint, Refusal, SealOutcome,
    register_uncertified_mint_key,
};
use opencoin_log::batch::BatchLeaf;
use opencoin_log::bundle;
use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::key_ledger::{BatchOfStatements, KeyLedger, Signatures};
use opencoin_log::leaf::Leaf;
use opencoin_log::tile::{TILE_HASHES, TileWidth, levels_of_size};
use opencoin_log::tree;
use opencoin_schema::BigInt;

use crate::world::*;
use crate::{Pair, Store};

/// Seals what waits and returns the batch.
pub(crate) async fn seal(store: &dyn Store) -> LogBatch {
    let log = store.log();
    let open = log.head().await.unwrap().unwrap().batch;
    match log.seal(open, NOW, &log_terms()).await.unwrap() {
        SealOutcome::Sealed(batch) => batch,
        other => panic!("nothing was sealed: {other:?}"),
    }
}

/// All leaves of a log.
pub(crate) async fn leaves(log: &dyn LogStore, size: u64) -> Vec<Vec<u8>> {
    let mut leaves = Vec::new();
    for index in 0..size.div_ceil(TILE_HASHES.into()) {
        let width = (size - index * u64::from(TILE_HASHES)).min(TILE_HASHES.into());
        let width = TileWidth::new(u16::try_from(width).unwrap()).unwrap();
        let bytes = log.bundle(index).await.unwrap().unwrap();
        leaves.extend(bundle::decode(&bytes, width).unwrap().map(<[u8]>::to_vec));
    }
    leaves
}

async fn last_batch_leaf(log: &dyn LogStore, head: &LogHead) -> BatchLeaf {
    batch_leaf(&leaves(log, head.size).await)
}

/// The batch leaf of a batch.
pub(crate) async fn batch_leaf_of(log: &dyn LogStore, batch: &LogBatch) -> BatchLeaf {
    batch_leaf(&leaves(log, batch.end()).await)
}

fn batch_leaf(leaves: &[Vec<u8>]) -> BatchLeaf {
    match Leaf::decode(leaves.last().unwrap()).unwrap() {
        Leaf::Batch(leaf) => *leaf,
        other => panic!("the last leaf is no batch leaf: {other:?}"),
    }
}

/// Seals what waits, and asserts that the log is a tree over its leaves that agrees with the books.
///
/// # Panics
/// It is not.
pub(crate) async fn assert_log_holds(store: &dyn Store) {
    let log = store.log();
    let Some(head) = log.head().await.unwrap().filter(|head| head.halted.is_none()) else {
        return;
    };
    let sealed = log.seal(head.batch, NOW, &log_terms()).await.unwrap();
    let facts = store.audit_facts().await.unwrap();
    if facts.paid_in > i64::MAX.into() {
        assert!(matches!(sealed, SealOutcome::Broken(_)), "{sealed:?}");
        return;
    }
    assert!(
        matches!(sealed, SealOutcome::Sealed(_) | SealOutcome::Nothing),
        "{sealed:?}"
    );
    let head = log.head().await.unwrap().unwrap();
    let leaves = leaves(log.as_ref(), head.size).await;
    let hashes: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
    assert_eq!(tree::root(&hashes), head.root);
    for level in levels_of_size(head.size).filter(|level| level.level > 0) {
        if let Some(width) = level.partial {
            let tile = log.tile(level.level, level.full).await.unwrap().unwrap();
            assert_eq!(tile.len(), usize::from(width.get()) * 32);
        }
    }
    let mut counts = BTreeMap::<u32, (u64, u64)>::new();
    for leaf in &leaves {
        match Leaf::decode(leaf).unwrap() {
            Leaf::Issued { key_no, .. } => counts.entry(key_no.get()).or_default().0 += 1,
            Leaf::Spent { key_no, .. } => counts.entry(key_no.get()).or_default().1 += 1,
            _ => {}
        }
    }
    assert_key_accounts_follow(&*log, &leaves).await;
    if !head.began_late {
        for key in store.mint_keys().await.unwrap() {
            let counted = counts.get(&key.no.key_no().get()).copied().unwrap_or_default();
            assert_eq!((key.issued, key.returned), counted, "{:?}", key.id);
        }
    }
    let mut balances = [0; 2];
    for account in &facts.accounts {
        balances[usize::from(account.id.is_key_account())] += account.balance;
    }
    let [balances, key_accounts] = balances;
    assert_eq!(head.totals.key_accounts, key_accounts);
    assert_eq!(head.totals.paid_in, facts.paid_in);
    assert_eq!(head.totals.paid_out, facts.paid_out);
    assert_eq!(head.totals.recouped, facts.recouped);
    let in_accounts = balances + facts.unsettled_payouts + facts.recovered_unassigned;
    assert_eq!(head.totals.accounts, in_accounts);
}

/// Asserts that the accounts of keys follow from their statements.
async fn assert_key_accounts_follow(log: &dyn LogStore, leaves: &[Vec<u8>]) {
    let LogTerms { origin, within_s } = log_terms();
    let mut ledger = KeyLedger::default();
    let mut batch = Vec::new();
    for leaf in leaves {
        let leaf = Leaf::decode(leaf).unwrap();
        let Leaf::Batch(end) = leaf else {
            batch.push(leaf);
            continue;
        };
        let of_batch = BatchOfStatements {
            origin: &origin,
            time_s: end.time,
            within_s,
        };
        ledger
            .apply(&batch, of_batch, Signatures::AreVerified)
            .expect("the statements obey the rules");
        batch.clear();
        assert_eq!(
            (end.key_accounts, end.ledger_root),
            (ledger.total(), ledger.root())
        );
    }
    let stored = log.key_accounts().await.unwrap().unwrap();
    assert_eq!(stored.ledger, ledger);
}

fn batch_of(outcome: &Outcome) -> Option<u64> {
    outcome.as_ref().unwrap().logged.map(|logged| logged.batch.get())
}

/// The master key may have signed a description twice, and its signatures are random. The log has it once.
pub async fn a_description_is_logged_once_whatever_its_signature(ledgers: &Pair) {
    World::with_paid_in(ledgers, 100).await;
    let [one, other] = ledgers;
    let first = log_currency(2);
    assert!(
        !one.apply(std::slice::from_ref(&first)).await.unwrap()[0]
            .as_ref()
            .unwrap()
            .repeated
    );
    let Command::LogCurrency { mut cddc, at } = first else {
        panic!("the command adds a description");
    };
    cddc.signature = BigInt::from_be_bytes(&[7; 256]);
    let again = other.apply(&[Command::LogCurrency { cddc, at }]).await.unwrap();
    assert!(again[0].as_ref().unwrap().repeated);
    let batch = seal(&**one).await;
    let leaves = leaves(&*one.log(), batch.end()).await;
    let described =
        |leaf: &&Vec<u8>| matches!(Leaf::decode(leaf), Ok(Leaf::Currency(cddc)) if cddc.cdd.cdd_serial == 2);
    assert_eq!(leaves.iter().filter(described).count(), 1);
}

/// An accepted command says in which batch its leaves are, and a repeated one says the same. The leaves of a batch are in
/// the order of their bytes, and their totals are those of the books.
pub async fn accepted_commands_are_in_the_log(ledgers: &Pair) {
    World::with_paid_in(ledgers, 100).await;
    let [one, other] = ledgers;
    let commands = [
        mint(alice(), "m", &[1, 2, 1]),
        renew("n", &[(1, 1)], &[1]),
        redeem(bob(), &[(2, 1)]),
    ];
    let outcomes = one.apply(&commands).await.unwrap();
    let roots: Vec<_> = outcomes
        .iter()
        .map(|outcome| outcome.as_ref().unwrap().logged.unwrap().root)
        .collect();
    assert_eq!(outcomes.iter().map(batch_of).collect::<Vec<_>>(), [Some(1); 3]);
    let first = seal(&**one).await;
    assert_eq!((first.no.get(), first.first), (1, 0));
    let again = other.apply(&commands).await.unwrap();
    for (outcome, root) in again.iter().zip(&roots) {
        let applied = outcome.as_ref().unwrap();
        assert!(applied.repeated);
        assert_eq!(
            applied.logged.map(|logged| (logged.batch.get(), logged.root)),
            Some((1, *root))
        );
    }
    assert_eq!(
        batch_of(&other.apply(&[redeem(bob(), &[(1, 2)])]).await.unwrap()[0]),
        Some(2)
    );
    assert_eq!(
        batch_of(&other.apply(&[credit(bob(), 5, "more")]).await.unwrap()[0]),
        None
    );
    let second = seal(&**other).await;
    assert_eq!((second.no.get(), second.first, second.count), (2, first.end(), 2));

    let log = one.log();
    let head = log.head().await.unwrap().unwrap();
    let leaves = leaves(log.as_ref(), head.size).await;
    for batch in [first, second] {
        let (from, to) = (batch.first as usize, batch.end() as usize);
        assert!(leaves[from..to].is_sorted(), "a batch is sorted");
    }
    let leaf = last_batch_leaf(log.as_ref(), &head).await;
    assert_eq!(
        (leaf.batch, leaf.previous, leaf.opening),
        (2, Some(first.end() - 1), false)
    );
    assert_eq!(
        (leaf.paid_in, leaf.paid_out, leaf.accounts),
        (105, 0, 96 + 2 + 1 + 5)
    );
    assert_eq!((leaf.coins, leaf.expired), (1, 0));
}

/// Nothing in a batch depends on the order in which requests came, on their accounts or on how they were divided into
/// commits.
pub async fn a_batch_does_not_depend_on_the_order_of_requests(ledgers: &Pair) {
    // The same leaves twice in one store: the second half mirrors the first under other references and accounts.
    let world = World::with_paid_in(ledgers, 100).await;
    seal(&*ledgers[0]).await;
    let start = ledgers[0].log().head().await.unwrap().unwrap();
    world.one(mint(alice(), "a", &[1, 1])).await.unwrap();
    world.one(mint(alice(), "b", &[2])).await.unwrap();
    let first = seal(&*ledgers[0]).await;
    world.one(transfer(alice(), bob(), 50, "t")).await.unwrap();
    ledgers[1]
        .apply(&[mint(bob(), "c", &[2]), mint(alice(), "d", &[1, 1])])
        .await
        .unwrap();
    let second = seal(&*ledgers[1]).await;
    assert_eq!(first.count, second.count);
    let log = ledgers[0].log();
    let all = leaves(log.as_ref(), second.end()).await;
    let coins = |batch: &LogBatch| all[batch.first as usize..batch.end() as usize - 1].to_vec();
    assert_eq!(coins(&first), coins(&second));
    assert_eq!(start.size, first.first);
}

/// Two processes that both seal make different batches, of which each has every leaf once.
pub async fn two_sealers_do_no_harm(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 100).await;
    let logs = [ledgers[0].log(), ledgers[1].log()];
    let mut sealed = 0;
    for round in 0..10 {
        world
            .one(mint(alice(), &format!("m{round}"), &[1, 2]))
            .await
            .unwrap();
        let open = logs[0].head().await.unwrap().unwrap().batch;
        let tasks: Vec<_> = (0..4)
            .map(|task| {
                let log = Arc::clone(&logs[task % 2]);
                tokio::spawn(async move { log.seal(open, NOW, &log_terms()).await.unwrap() })
            })
            .collect();
        let mut successes = 0;
        for task in tasks {
            match task.await.unwrap() {
                SealOutcome::Sealed(batch) => {
                    assert_eq!(batch.no, open);
                    successes += 1;
                }
                SealOutcome::Moved => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(successes, 1, "a batch is sealed once");
        sealed += 1;
    }
    let head = logs[1].head().await.unwrap().unwrap();
    assert_eq!(head.batch.get(), sealed + 1);
    assert_eq!(
        logs[1].seal(head.batch, NOW, &log_terms()).await.unwrap(),
        SealOutcome::Nothing
    );
}

/// Commands that are accepted while batches are sealed are all in the log, once.
pub async fn sealing_loses_nothing_that_is_accepted_meanwhile(ledgers: &Pair) {
    const MINTS: usize = 40;
    World::with_paid_in(ledgers, 1000).await;
    let sealing = {
        let log = ledgers[1].log();
        tokio::spawn(async move {
            for _ in 0..20 {
                let open = log.head().await.unwrap().unwrap().batch;
                log.seal(open, NOW, &log_terms()).await.unwrap();
                tokio::task::yield_now().await;
            }
        })
    };
    let minting: Vec<_> = (0..MINTS)
        .map(|number| {
            let ledger = Arc::clone(&ledgers[number % 2]);
            tokio::spawn(async move {
                ledger
                    .apply(&[mint(alice(), &format!("m{number}"), &[1, 2])])
                    .await
            })
        })
        .collect();
    for task in minting {
        assert!(task.await.unwrap().unwrap()[0].is_ok());
    }
    sealing.await.unwrap();
}

/// A mint key signs only when it is released, which the issuer does when its leaf is published.
pub async fn a_key_signs_when_the_log_has_it(ledgers: &Pair) {
    World::with_paid_in(ledgers, 100).await;
    let [one, other] = ledgers;
    seal(&**one).await;
    one.apply(&[register(7, 7)]).await.unwrap();
    let minted = mint(alice(), "m", &[7]);
    let early = other.apply(std::slice::from_ref(&minted)).await.unwrap();
    assert_eq!(early[0], Err(Refusal::MintKeyNotLogged { mint_key: key_id(7) }));
    let log = one.log();
    let before = log.head().await.unwrap().unwrap();
    assert_eq!(log.keys_to_release(u64::MAX >> 1).await.unwrap(), []);
    let batch = seal(&**other).await;
    assert_eq!(log.keys_to_release(before.size).await.unwrap(), []);
    assert_eq!(log.keys_to_release(batch.end()).await.unwrap(), [key_id(7)]);
    assert!(
        one.mint_keys()
            .await
            .unwrap()
            .iter()
            .any(|key| key.id == key_id(7) && key.awaits_log)
    );
    // A key that was stopped before anybody was shown its certificate is never shown.
    one.apply(&[register(8, 8), stop(8)]).await.unwrap();
    let newest = seal(&**one).await;
    assert_eq!(log.keys_to_release(newest.end()).await.unwrap(), [key_id(7)]);
    assert!(
        one.apply(&[release(7), release(7)])
            .await
            .unwrap()
            .iter()
            .all(Result::is_ok)
    );
    assert_eq!(log.keys_to_release(newest.end()).await.unwrap(), []);
    assert!(other.apply(&[minted]).await.unwrap()[0].is_ok());
    let batches: Vec<_> = log.key_batches().await.unwrap();
    assert!(
        batches.contains(&(MintKeyNo::new(4).key_no(), batch.no)),
        "{batches:?}"
    );
}

/// The counts of the keys are those of the last batch, not what was accepted since.
pub async fn counts_are_those_of_the_last_batch(ledgers: &Pair) {
    World::with_paid_in(ledgers, 100).await;
    let [one, other] = ledgers;
    let log = other.log();
    let before = log.key_counts().await.unwrap().unwrap();
    assert_eq!(before.size, log.head().await.unwrap().unwrap().size);
    one.apply(&[mint(alice(), "counted", &[1, 1, 2])]).await.unwrap()[0]
        .as_ref()
        .unwrap();
    assert_eq!(log.key_counts().await.unwrap(), Some(before.clone()));
    let batch = seal(&**one).await;
    let after = log.key_counts().await.unwrap().unwrap();
    assert_eq!(after.size, batch.end());
    let issued = |counts: &LoggedCounts| counts.keys.iter().map(|key| key.issued).sum::<u64>();
    assert_eq!(issued(&after), issued(&before) + 3);
    let head = log.head().await.unwrap().unwrap();
    let leaf = last_batch_leaf(log.as_ref(), &head).await;
    assert!(
        leaf.keys.iter().all(|counts| after.keys.contains(counts)),
        "{leaf:?} {after:?}"
    );
}

/// A log of books that had money before begins with the totals and counts that are declared.
pub async fn a_log_can_begin_late(ledgers: &Pair) {
    let [one, other] = ledgers;
    let keys = [register(1, 1), register(2, 2)];
    let mut batch = vec![open("alice", 1), open("bob", 2), credit(alice(), 20, "c")];
    batch.extend(keys.clone());
    batch.extend([mint(alice(), "m", &[1, 1, 2]), redeem(bob(), &[(1, 1)])]);
    for outcome in one.apply(&batch).await.unwrap() {
        assert_eq!(outcome.unwrap().logged, None, "there is no log yet");
    }
    assert_eq!(one.log().head().await.unwrap(), None);
    let refused = other.apply(&[open_log(&keys, None)]).await.unwrap();
    assert_eq!(refused[0], Err(Refusal::LogAfterMoney));
    let refused = other.apply(&[open_log(&keys[..1], None)]).await.unwrap();
    assert_eq!(refused[0], Err(Refusal::CertificateMissing));
    let declared = DeclaredBooks {
        totals: LogTotals {
            key_accounts: 0,
            accounts: 20 - 4 + 1,
            paid_in: 20,
            paid_out: 0,
            recouped: 0,
        },
        entries: 3,
    };
    let moved = DeclaredBooks {
        entries: 4,
        ..declared
    };
    let mut unbalanced = declared;
    unbalanced.totals.paid_in = 21;
    for wrong in [moved, unbalanced] {
        let refused = other.apply(&[open_log(&keys, Some(wrong))]).await.unwrap();
        assert_eq!(refused[0], Err(Refusal::BooksChanged));
    }
    assert!(other.apply(&[open_log(&keys, Some(declared))]).await.unwrap()[0].is_ok());
    let stopped = one.apply(&[mint(alice(), "n", &[1])]).await.unwrap();
    assert_eq!(stopped[0], Err(Refusal::MintKeyNotLogged { mint_key: key_id(1) }));
    seal(&**one).await;
    let log = one.log();
    let head = log.head().await.unwrap().unwrap();
    let leaf = last_batch_leaf(log.as_ref(), &head).await;
    assert!(leaf.opening && leaf.is_balanced());
    assert_eq!((leaf.coins, leaf.accounts, leaf.paid_in), (3, 17, 20));
    let counts: Vec<_> = leaf.keys.iter().map(|key| (key.issued, key.spent)).collect();
    assert_eq!(counts, [(2, 1), (1, 0)]);
    one.apply(&[release(1), release(2)]).await.unwrap();
    assert!(other.apply(&[mint(alice(), "n", &[1])]).await.unwrap()[0].is_ok());
    seal(&**other).await;
    let head = log.head().await.unwrap().unwrap();
    let leaf = last_batch_leaf(log.as_ref(), &head).await;
    assert_eq!((leaf.opening, leaf.coins, leaf.accounts), (false, 4, 16));
}

/// A key that is stopped has its final counts in the log, and a recoup leaves two leaves that nothing connects.
pub async fn stopped_keys_and_recoups_are_in_the_log(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 100).await;
    world.one(mint(alice(), "m", &[1, 1, 1, 2])).await.unwrap();
    world.one(redeem(bob(), &[(1, 1)])).await.unwrap();
    seal(&*ledgers[0]).await;
    world.one(stop(1)).await.unwrap();
    world
        .one(recoup("r", &[(1, 2, 2), (1, 3, 3)], &[2]))
        .await
        .unwrap();
    let batch = seal(&*ledgers[0]).await;
    let log = ledgers[0].log();
    let all = leaves(log.as_ref(), batch.end()).await;
    let new: Vec<Leaf> = all[batch.first as usize..]
        .iter()
        .map(|leaf| Leaf::decode(leaf).unwrap())
        .collect();
    assert!(
        matches!(
            new[0],
            Leaf::KeyClosed {
                issued: 3,
                spent: 1,
                ..
            }
        ),
        "{new:?}"
    );
    let count = |is: fn(&Leaf) -> bool| new.iter().filter(|leaf| is(leaf)).count();
    assert_eq!(count(|leaf| matches!(leaf, Leaf::CoinRecouped { .. })), 2);
    assert_eq!(count(|leaf| matches!(leaf, Leaf::BlindRecouped { .. })), 2);
    assert_eq!(count(|leaf| matches!(leaf, Leaf::Issued { .. })), 1);
    let head = log.head().await.unwrap().unwrap();
    let leaf = last_batch_leaf(log.as_ref(), &head).await;
    assert_eq!((leaf.recouped, leaf.coins), (2, 2 + 2 + 2));
}

/// Keys whose window or whose coins are over get their final counts after a delay, without a command.
pub async fn ended_keys_are_closed_in_the_log(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 100).await;
    world.one(mint(alice(), "m", &[1, 1])).await.unwrap();
    seal(&*ledgers[0]).await;
    let log = ledgers[0].log();
    let open = log.head().await.unwrap().unwrap().batch;
    // The clock of the sealer closes no key, because another process may still accept its coins.
    let after = LedgerTime::from_unix_micros(10_000_000_000);
    assert_eq!(
        log.seal(open, after, &log_terms()).await.unwrap(),
        SealOutcome::Nothing
    );
    world.one(retire(1)).await.unwrap();
    let SealOutcome::Sealed(batch) = log.seal(open, after, &log_terms()).await.unwrap() else {
        panic!("a key was retired");
    };
    assert_eq!(batch.count, 2, "the key, and the batch leaf");
    world.one(prune(1)).await.unwrap();
    let SealOutcome::Sealed(batch) = log.seal(open.next(), after, &log_terms()).await.unwrap() else {
        panic!("a key was pruned");
    };
    assert_eq!(batch.count, 2, "the key, and the batch leaf");
    let head = log.head().await.unwrap().unwrap();
    assert_eq!(
        log.seal(head.batch, after, &log_terms()).await.unwrap(),
        SealOutcome::Nothing
    );
    let leaf = last_batch_leaf(log.as_ref(), &head).await;
    assert_eq!((leaf.coins, leaf.expired), (0, 2));
}

/// If nothing was sealed for a long time, what mint keys signed is sealed with the last time that it can have. What was
/// accepted later follows in the next batch.
pub async fn what_waited_for_long_is_sealed_in_the_time_of_its_keys(ledgers: &Pair) {
    const LATER: i64 = 1_500_000_000;
    let world = World::with_paid_in(ledgers, 100).await;
    let from_to_expiry = [time(1_000_000_000), time(2_000_000_000), time(3_000_000_000)];
    let [from, to, expiry] = from_to_expiry;
    let later_terms = MintKeyTerms::new(amount(1), from, to, expiry).unwrap();
    world
        .one(register_uncertified_mint_key(key_id(7), later_terms, NOW))
        .await
        .unwrap();
    seal(&*ledgers[0]).await;
    // Of a key that signs until second 0.
    world.one(mint(alice(), "in time", &[1])).await.unwrap();
    world.one(at(LATER, mint(alice(), "later", &[7]))).await.unwrap();
    world.one(at(LATER, retire(1))).await.unwrap();

    let log = ledgers[0].log();
    let open = log.head().await.unwrap().unwrap().batch;
    let SealOutcome::Sealed(batch) = log.seal(open, time(LATER), &log_terms()).await.unwrap() else {
        panic!("a mint waits");
    };
    assert_eq!((batch.time_s, batch.count), (log_terms().within_s.into(), 2));
    let pending = log.pending().await.unwrap();
    assert_eq!((pending.coins, pending.oldest), (1, Some(time(LATER))));
    let SealOutcome::Sealed(batch) = log.seal(open.next(), time(LATER), &log_terms()).await.unwrap() else {
        panic!("the later mint waits");
    };
    assert_eq!(
        (batch.time_s, batch.count),
        (1500, 3),
        "the blind, the end of the retired key, and the batch leaf"
    );
    assert_eq!(log.pending().await.unwrap(), Default::default());
}

/// Totals that the log cannot state are not sealed, and nothing more is accepted.
pub async fn a_broken_rule_halts_the_log(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, i64::MAX as u64).await;
    seal(&*ledgers[0]).await;
    let log = ledgers[0].log();
    let head = log.head().await.unwrap().unwrap();
    world.one(mint(alice(), "m", &[1])).await.unwrap();
    world.one(credit(bob(), 2, "absurd")).await.unwrap();
    let broken = log.seal(head.batch, NOW, &log_terms()).await.unwrap();
    assert!(matches!(broken, SealOutcome::Broken(_)), "{broken:?}");
    let halted = log.head().await.unwrap().unwrap();
    assert!(halted.halted.is_some() && halted.size == head.size);
    for command in [
        redeem(bob(), &[(1, 2)]),
        mint(alice(), "n", &[2]),
        credit(bob(), 1, "x"),
    ] {
        assert_eq!(
            ledgers[1].apply(&[command]).await.unwrap()[0],
            Err(Refusal::LogHalted)
        );
    }
    assert_eq!(log.pending().await.unwrap().coins, 1, "what waits is still there");
}

/// A published checkpoint is replaced only by one of a tree that is not smaller, and the lease goes to one holder.
pub async fn checkpoints_and_the_lease_are_shared(ledgers: &Pair) {
    World::with_paid_in(ledgers, 1).await;
    let [one, other] = [ledgers[0].log(), ledgers[1].log()];
    assert_eq!(one.published().await.unwrap(), None);
    let checkpoint = |size: u64, note: &str| PublishedCheckpoint {
        size,
        note: note.to_owned(),
        at: NOW,
    };
    assert!(one.publish(&checkpoint(5, "a")).await.unwrap());
    assert!(!other.publish(&checkpoint(4, "b")).await.unwrap());
    assert!(other.publish(&checkpoint(5, "c")).await.unwrap());
    assert_eq!(one.published().await.unwrap(), Some(checkpoint(5, "c")));
    assert!(one.publish_joint(&checkpoint(5, "a")).await.unwrap());
    assert!(!other.publish_joint(&checkpoint(4, "b")).await.unwrap());
    assert!(other.publish_joint(&checkpoint(5, "d")).await.unwrap());
    assert_eq!(one.joint().await.unwrap(), Some(checkpoint(5, "d")));
    assert_eq!(
        other.published().await.unwrap(),
        Some(checkpoint(5, "c")),
        "the joint one is kept apart"
    );
    let [a, b] = [[1; 16], [2; 16]];
    assert!(one.take_lease(a, time(10), time(20)).await.unwrap());
    assert!(!other.take_lease(b, time(15), time(25)).await.unwrap());
    assert!(one.take_lease(a, time(15), time(30)).await.unwrap());
    assert!(!other.take_lease(b, time(29), time(40)).await.unwrap());
    assert!(other.take_lease(b, time(31), time(40)).await.unwrap());
    assert!(!one.take_lease(a, time(32), time(50)).await.unwrap());
}

/// Published checkpoints are kept for the auditors, as many as may be.
pub async fn the_newest_published_checkpoints_are_kept(ledgers: &Pair) {
    World::with_paid_in(ledgers, 1).await;
    let [one, other] = [ledgers[0].log(), ledgers[1].log()];
    assert_eq!(one.published_of_size(2).await.unwrap(), None);
    let checkpoint = |size: u64, note: &str| PublishedCheckpoint {
        size,
        note: note.to_owned(),
        at: NOW,
    };
    let last = 2 * PUBLISHED_KEPT_MAX as u64;
    for size in (2..=last).step_by(2) {
        assert!(one.publish(&checkpoint(size, "first")).await.unwrap());
    }
    for size in [2, last] {
        let found = other.published_of_size(size).await.unwrap();
        assert_eq!(found, Some(checkpoint(size, "first")));
    }
    assert_eq!(other.published_of_size(3).await.unwrap(), None);
    assert!(other.publish(&checkpoint(last, "dated anew")).await.unwrap());
    assert!(!other.publish(&checkpoint(4, "too late")).await.unwrap());
    let found = one.published_of_size(last).await.unwrap();
    assert_eq!(found, Some(checkpoint(last, "dated anew")));
    assert!(one.publish(&checkpoint(last + 2, "first")).await.unwrap());
    assert_eq!(one.published_of_size(2).await.unwrap(), None);
    let found = one.published_of_size(4).await.unwrap();
    assert_eq!(found, Some(checkpoint(4, "first")));
}

/// The batch of a spent coin is found, so that its holder can be shown the leaf.
pub async fn the_batch_of_a_spent_coin_is_known(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    world.one(mint(alice(), "m", &[1, 1])).await.unwrap();
    seal(&*ledgers[0]).await;
    world.one(redeem(bob(), &[(1, 1)])).await.unwrap();
    let log = ledgers[1].log();
    let [spent, unspent] = [coins(&[(1, 1)])[0], coins(&[(1, 2)])[0]];
    let no = MintKeyNo::new(1);
    let found = log.batch_of_spent(no, spent.spent_digest).await.unwrap();
    assert_eq!(found, Some(LogBatchNo::new(2)));
    assert_eq!(log.batch_of_spent(no, unspent.spent_digest).await.unwrap(), None);
}
