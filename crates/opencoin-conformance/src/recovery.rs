//! Recovering a lost time from a copy of the log.
//!
//! The original books are in memory, and the restored ones in the store under test: it gets the commands up to the
//! backup, and then what the log of the original says.

mod key_accounts;

pub use key_accounts::*;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use opencoin_audit::{AccountFacts, AuditFacts, MintKeyFacts, check};
use opencoin_ledger::log::CopiedBatch;
use opencoin_ledger::recovered::RecoveredPart;
use opencoin_ledger::recovery::{RecoveredBatch, RecoveryError, recover_batch, settle};
use opencoin_ledger::{
    Command, Effect, LedgerTime, LogBatchNo, LogStore, LogTotals, MemoryLedger, Outcome, Refusal, SealOutcome,
};
use opencoin_log::leaf::{COIN_LEAF_BYTES, Leaf};
use opencoin_schema::Mkc;

use crate::log::{assert_log_holds, leaves, seal};
use crate::random::Sequence;
use crate::world::*;
use crate::{Pair, Store};

/// After all windows and expiries.
const LATE: LedgerTime = LedgerTime::from_unix_micros(1_000_000);

/// The batches of a log from this one on.
async fn copies(log: &dyn LogStore, from: LogBatchNo) -> Vec<Arc<CopiedBatch>> {
    let head = log.head().await.unwrap().unwrap();
    let all = leaves(log, head.size).await;
    let mut copies = Vec::new();
    let mut no = from;
    while let Some(batch) = log.batch(no).await.unwrap() {
        let of_it = &all[batch.first as usize..batch.end() as usize];
        let (last, before) = of_it.split_last().unwrap();
        let Leaf::Batch(leaf) = Leaf::decode(last).unwrap() else {
            panic!("the last leaf of a batch is the batch leaf");
        };
        let is_coin = |leaf: &Vec<u8>| leaf.len() == COIN_LEAF_BYTES && (0x10..=0x13).contains(&leaf[1]);
        let (coins, others): (Vec<Vec<u8>>, Vec<Vec<u8>>) = before.iter().cloned().partition(is_coin);
        copies.push(Arc::new(CopiedBatch {
            no,
            coins: coins.into_iter().map(|leaf| leaf.try_into().unwrap()).collect(),
            others,
            totals: LogTotals::from(&*leaf),
            time_s: leaf.time,
            root: batch.root,
        }));
        no = no.next();
    }
    copies
}

fn original() -> Pair {
    let ledger: Arc<dyn Store> = Arc::new(MemoryLedger::new());
    [Arc::clone(&ledger), ledger]
}

/// Recovers one batch. `lost` are the commands of the lost time.
async fn recover_one(
    store: &dyn Store,
    batch: &Arc<CopiedBatch>,
    lost: &[Command],
) -> Result<RecoveredBatch, RecoveryError> {
    let register = |certificate: &Mkc| {
        let is_it = |command: &&Command| match command {
            Command::RegisterMintKey {
                certificate: of_it, ..
            } => **of_it == *certificate,
            _ => false,
        };
        lost.iter().find(is_it).cloned()
    };
    recover_batch(store, store.log().as_ref(), batch, &register, &log_terms(), LATE).await
}

async fn apply(store: &dyn Store, commands: &[Command]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for command in commands {
        outcomes.extend(store.apply(std::slice::from_ref(command)).await.unwrap());
    }
    outcomes
}

/// Asserts that both books agree on mint keys, coins and money, and that each holds.
async fn assert_same_coins(recovered: &dyn Store, original: &dyn Store) {
    let [recovered, original] = [facts(recovered).await, facts(original).await];
    assert_eq!(recovered.mint_keys.len(), original.mint_keys.len());
    for (recovered, original) in recovered.mint_keys.iter().zip(&original.mint_keys) {
        let counts = |key: &MintKeyFacts| (key.id, key.issued, key.returned, key.recouped, key.stopped);
        assert_eq!(counts(recovered), counts(original));
        // The log says nothing more of a key that was stopped.
        if !original.stopped {
            let ends = |key: &MintKeyFacts| (key.retired, key.pruned);
            assert_eq!(ends(recovered), ends(original));
        }
        if !original.pruned {
            let rows = |key: &MintKeyFacts| (key.spent, key.recouped_rows);
            assert_eq!(rows(recovered), rows(original));
        }
    }
    let money = |facts: &AuditFacts| {
        let accounts: i128 = facts.accounts.iter().map(|account| account.balance).sum();
        accounts + facts.unsettled_payouts + facts.recovered_unassigned
    };
    assert_eq!(money(&recovered), money(&original));
    assert_eq!(of_keys(&recovered), of_keys(&original));
    assert_eq!(recovered.coins_outstanding, original.coins_outstanding);
}

/// The accounts of keys: name, balance, number of payments and of credits.
fn of_keys(facts: &AuditFacts) -> BTreeMap<&str, (i128, i64, i64)> {
    let account = |account: &'_ AccountFacts| {
        let key = account.key.as_ref()?;
        Some((account.balance, key.seq, key.credits))
    };
    let accounts = facts.accounts.iter();
    accounts
        .filter_map(|found| Some((&found.name[..], account(found)?)))
        .collect()
}

async fn facts(store: &dyn Store) -> AuditFacts {
    forget_rows(&[store]).await;
    let facts = store.audit_facts().await.unwrap();
    let report = check(&facts);
    assert!(report.holds(), "{report:#?}");
    facts
}

/// The same request with blinds of its own.
fn with_own_blinds(salt: u8, mut command: Command) -> Command {
    if let Command::Mint { blinds, .. } | Command::Renew { blinds, .. } | Command::Recoup { blinds, .. } =
        &mut command
    {
        for (index, blind) in blinds.iter_mut().enumerate() {
            blind.blinded = vec![salt, u8::try_from(index).unwrap()];
        }
    }
    command
}

/// The commands before the backup, and those of the lost time.
fn history() -> [Vec<Command>; 3] {
    let sealed = vec![mint(alice(), "m", &[1, 2, 1, 2, 5])];
    let waiting = vec![
        with_own_blinds(1, mint(alice(), "p", &[1])),
        credit(bob(), 7, "backup"),
        redeem(bob(), &[(1, 1)]),
    ];
    let lost = vec![
        with_own_blinds(2, mint(alice(), "lost", &[1, 2])),
        with_own_blinds(3, renew("renewed", &[(1, 2)], &[1])),
        redeem(bob(), &[(2, 1)]),
        credit(alice(), 11, "lost in"),
        debit(bob(), 3, "lost out"),
        register(7, 7),
        log_currency(2),
        stop(5),
        with_own_blinds(4, recoup("recouped", &[(5, 1, 1)], &[1, 2, 2])),
        at(250, retire(1)),
    ];
    [sealed, waiting, lost]
}

/// The original books with their log, and the outcomes of the lost time; and `restored` as at the backup.
async fn lose(restored: &Pair) -> (Pair, Vec<Outcome>) {
    let original = original();
    let [sealed, waiting, lost] = history();
    for ledgers in [&original, restored] {
        World::with_paid_in(ledgers, 100).await;
        apply(&*ledgers[0], &sealed).await;
    }
    let (first, same) = (seal(&*original[0]).await, seal(&*restored[0]).await);
    assert_eq!(first, same, "the same commands give the same log");
    for ledgers in [&original, restored] {
        apply(&*ledgers[0], &waiting).await;
    }
    let mut outcomes = apply(&*original[0], &lost[..5]).await;
    seal(&*original[0]).await;
    outcomes.extend(apply(&*original[0], &lost[5..]).await);
    seal(&*original[0]).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    (original, outcomes)
}

/// Books that were restored get from a copy of the log what they lack: coins that were spent in the lost time stay spent,
/// and blinds that were accepted are signed again.
pub async fn a_lost_time_is_recovered(ledgers: &Pair) {
    let (original, outcomes) = lose(ledgers).await;
    let [_, _, lost] = history();
    let store = &*ledgers[0];
    let second = LogBatchNo::new(2);
    for batch in copies(original[0].log().as_ref(), second).await {
        recover_one(store, &batch, &lost).await.unwrap();
    }
    let heads = [original[0].log(), ledgers[1].log()];
    let [expected, found] = [heads[0].head().await, heads[1].head().await].map(Result::unwrap);
    let (expected, found) = (expected.unwrap(), found.unwrap());
    assert_eq!(
        (found.size, found.root, found.batch),
        (expected.size, expected.root, expected.batch)
    );
    assert_eq!(found.recovered_to, Some(LogBatchNo::new(3)));
    assert_same_coins(store, &*original[0]).await;

    // Alice has not paid for what she minted, and Bob has not got what he redeemed.
    let facts = store.audit_facts().await.unwrap();
    assert_eq!(facts.recovered_unassigned, 11 - 3 - (1 + 2) + 2);
    let other = &*ledgers[1];
    for again in [redeem(bob(), &[(2, 1)]), renew("thief", &[(1, 2)], &[2])] {
        let refused = other.apply(&[again]).await.unwrap().remove(0);
        assert!(
            matches!(
                refused,
                Err(Refusal::DoubleSpend { .. } | Refusal::SigningWindowClosed { .. })
            ),
            "{refused:?}"
        );
    }
    let log = other.log();
    let mut blinds = HashSet::new();
    for leaf in &copies(log.as_ref(), second).await[0].coins {
        if let Leaf::Issued { key_no, digest } = Leaf::decode(leaf).unwrap() {
            blinds.insert((key_no.get(), digest));
        }
    }
    let key = |no: u32| store_key(no);
    let mut batches = Vec::new();
    for (key_no, digest) in &blinds {
        batches.push(log.recovered_in(key(*key_no), *digest).await.unwrap());
    }
    // One blind waited when the backup was made, so the books have its transaction.
    assert_eq!(batches.iter().filter(|batches| **batches == [second]).count(), 3);
    assert_eq!(batches.iter().filter(|batches| batches.is_empty()).count(), 1);

    let keys = store.mint_keys().await.unwrap();
    let again = |request: &Command| sign_again(found_in(second, &keys, request), request.clone());
    let [mint_again, renew_again] = [again(&lost[0]), again(&lost[1])];
    let logged = |outcome: &Outcome| outcome.as_ref().unwrap().logged;
    for (again, before) in [(mint_again, &outcomes[0]), (renew_again, &outcomes[1])] {
        let outcome = apply(other, std::slice::from_ref(&again)).await.remove(0);
        assert_eq!(
            logged(&outcome),
            logged(before),
            "the same leaves of the same batch"
        );
        assert!(matches!(outcome.unwrap().effect, Effect::Accepted { .. }));
        assert!(apply(store, &[again]).await.remove(0).unwrap().repeated);
    }
    for (request, before) in lost[..2].iter().zip(&outcomes) {
        let repeated = apply(store, std::slice::from_ref(request)).await.remove(0);
        assert_eq!(logged(&repeated), logged(before));
        assert!(repeated.unwrap().repeated);
    }
    let accepted = store.accepted(&reference("lost")).await.unwrap().unwrap();
    assert_eq!(accepted.blinds.len(), 2);
    assert_eq!(accepted.log_batch, Some(second));

    // Nobody gets the signatures a second time, under another reference.
    let thief = Command::Mint {
        account: bob(),
        transaction_reference: reference("thief's mint"),
        blinds: blinds_of(&lost[0]),
        payment: None,
        wait_until: None,
        at: NOW,
    };
    let refused = apply(other, &[again(&thief)]).await.remove(0);
    assert_eq!(refused, Err(Refusal::NotRecovered));

    let balances =
        |facts: &AuditFacts| -> Vec<i128> { facts.accounts.iter().map(|account| account.balance).collect() };
    let facts = store.audit_facts().await.unwrap();
    assert_eq!(balances(&facts), [100 - 11 - 1 - 3, 7 + 1]);
    assert_eq!(facts.recovered_unassigned, 11 - 3 + 2);
    let refused = apply(other, &[assign(alice(), 11, "too much")]).await.remove(0);
    assert_eq!(refused, Err(Refusal::MoreThanRecovered));
    let assigned = apply(
        other,
        &[assign(alice(), 10, "lost in"), assign(alice(), 10, "lost in")],
    )
    .await;
    assert!(!assigned[0].as_ref().unwrap().repeated && assigned[1].as_ref().unwrap().repeated);
    let facts = store.audit_facts().await.unwrap();
    assert_eq!(balances(&facts), [100 - 11 - 1 - 3 + 10, 7 + 1]);
    assert_eq!(facts.recovered_unassigned, 0);
    let report = check(&facts);
    assert!(report.holds(), "{report:#?}");
    assert_log_holds(store).await;
}

fn store_key(no: u32) -> opencoin_ledger::view::MintKeyNo {
    opencoin_ledger::view::MintKeyNo::new(i32::try_from(no).unwrap())
}

fn blinds_of(mint: &Command) -> Vec<opencoin_ledger::Blind> {
    match mint {
        Command::Mint { blinds, .. } => blinds.clone(),
        other => panic!("no mint: {other:?}"),
    }
}

/// A recovery that was interrupted after any of its commands goes on, and gives the same books.
pub async fn an_interrupted_recovery_goes_on(ledgers: &Pair) {
    let (original, _) = lose(ledgers).await;
    let [_, _, lost] = history();
    let copies = copies(original[0].log().as_ref(), LogBatchNo::new(2)).await;
    // What a recovery may have booked before it was interrupted.
    let coins = |part: fn(&Leaf) -> bool| -> Vec<Leaf> {
        let leaves = copies[0].coins.iter().map(|leaf| Leaf::decode(leaf).unwrap());
        leaves.filter(part).collect()
    };
    let early = coins(|leaf| matches!(leaf, Leaf::Spent { .. }));
    let Leaf::Spent { digest, .. } = early.last().unwrap() else {
        unreachable!("they were filtered");
    };
    let coin = opencoin_ledger::CoinIn {
        mint_key: key_id(2),
        spent_digest: *digest,
    };
    let parts = [
        RecoveredPart::PaidIn(amount(11)),
        RecoveredPart::Spent(vec![coin]),
    ];
    let commands = parts.map(|part| recover(LogBatchNo::new(2), part));
    assert!(apply(&*ledgers[0], &commands).await.iter().all(Result::is_ok));
    let done = recover_one(&*ledgers[1], &copies[0], &lost).await.unwrap();
    assert_eq!(
        (done.issued, done.spent, done.paid_in, done.paid_out),
        (3, 1, 0, 3)
    );
    let again = recover_one(&*ledgers[1], &copies[0], &lost).await;
    assert!(matches!(again, Err(RecoveryError::NotOpen(_))), "{again:?}");
    recover_one(&*ledgers[0], &copies[1], &lost).await.unwrap();
    assert_same_coins(&*ledgers[1], &*original[0]).await;
}

/// A copy of another log is refused, and what waits goes on waiting.
pub async fn a_copy_that_does_not_fit_changes_nothing(ledgers: &Pair) {
    let (original, _) = lose(ledgers).await;
    let [_, _, lost] = history();
    let copies = copies(original[0].log().as_ref(), LogBatchNo::new(2)).await;
    let log = ledgers[0].log();
    let before = log.head().await.unwrap();
    let later = recover_one(&*ledgers[0], &copies[1], &lost).await;
    assert!(matches!(later, Err(RecoveryError::NotOpen(_))), "{later:?}");
    let mut other = (*copies[0]).clone();
    other.coins.pop();
    let sealed = log.seal_copied(Arc::new(other), &log_terms()).await.unwrap();
    assert!(matches!(sealed, SealOutcome::Broken(_)), "{sealed:?}");
    assert_eq!(log.head().await.unwrap(), before);
    assert_eq!(log.pending().await.unwrap().coins, 2);
    assert!(check(&ledgers[0].audit_facts().await.unwrap()).holds());
}

/// Applies a sequence to `original`, and the first batches of it to `restored`, which then recovers the rest from the log
/// of the original. A batch of the log is sealed after each `sealed` batches of commands.
///
/// # Panics
/// The recovered books differ.
pub async fn assert_recovers(batches: &Sequence, backup: usize, sealed: usize, restored: &dyn Store) {
    let original = original();
    let original = &*original[0];
    let mut lost = Vec::new();
    for (index, batch) in batches.iter().enumerate() {
        original.apply(batch).await.unwrap();
        if index < backup {
            restored.apply(batch).await.unwrap();
        } else {
            lost.extend(batch.iter().cloned());
        }
        if (index + 1) % sealed == 0 {
            seal_if_open(original).await;
            if index + 1 < backup {
                seal_if_open(restored).await;
            }
        }
    }
    seal_if_open(original).await;
    let (log, copy) = (restored.log(), original.log());
    let [Some(head), Some(expected)] = [log.head().await, copy.head().await].map(Result::unwrap) else {
        return;
    };
    if expected.halted.is_some() {
        return; // absurd amounts, which a log does not state
    }
    for batch in copies(copy.as_ref(), head.batch).await {
        recover_one(restored, &batch, &lost).await.unwrap();
    }
    let found = log.head().await.unwrap().unwrap();
    assert_eq!((found.size, found.root), (expected.size, expected.root));
    assert_same_coins(restored, original).await;
    settle(restored, restored.accounts().as_ref(), log.as_ref(), LATE)
        .await
        .unwrap();
    let facts = facts(restored).await;
    assert!(
        facts.recovered_unassigned >= 0,
        "the issuer bears what is missing"
    );
    seal_if_open(restored).await;
    let head = log.head().await.unwrap().unwrap();
    assert_eq!(head.halted, None);
    let of_holders = facts.accounts.iter().filter(|account| account.key.is_none());
    assert!(head.totals.accounts >= of_holders.map(|account| account.balance).sum());
}

async fn seal_if_open(store: &dyn Store) {
    let log = store.log();
    if let Some(head) = log.head().await.unwrap() {
        log.seal(head.batch, NOW, &log_terms()).await.unwrap();
    }
}

/// A mint that waits for money under a reference that a renew has used since is never carried out, and hinders no recovery.
pub async fn a_waiting_mint_whose_reference_was_used_hinders_no_recovery(ledgers: &Pair) {
    let original = original();
    for books in [&original, ledgers] {
        let world = World::with_paid_in(books, 100).await;
        world.one(mint(alice(), "m", &[5])).await.unwrap();
        let waits = patient(1_000, mint(bob(), "waits", &[5]));
        assert_eq!(world.one(waits).await, new(Effect::Waiting));
        world.one(renew("waits", &[(5, 1)], &[2, 2, 1])).await.unwrap();
        seal(&*books[0]).await;
    }
    // The same blinds as those of the mint that waits.
    let lost = [mint(alice(), "lost", &[5])];
    assert!(apply(&*original[0], &lost).await.iter().all(Result::is_ok));
    seal(&*original[0]).await;
    let store = &*ledgers[0];
    for batch in copies(original[0].log().as_ref(), LogBatchNo::new(2)).await {
        recover_one(store, &batch, &lost).await.unwrap();
    }
    let settled = settle(store, store.accounts().as_ref(), store.log().as_ref(), NOW)
        .await
        .unwrap();
    assert_eq!((settled.waiting_mints, settled.shortfall), (0, 5));
}

/// What holders should no longer have is spent after a recovery: the issuer bears it, and the log goes on.
pub async fn the_issuer_bears_what_accounts_owe_after_a_recovery(ledgers: &Pair) {
    let original = original();
    for books in [&original, ledgers] {
        World::with_paid_in(books, 100).await;
        seal(&*books[0]).await;
    }
    // Bob waits for money, which comes in the lost time.
    let waiting = with_own_blinds(7, mint(bob(), "waits", &[5]));
    for books in [&original, ledgers] {
        let waits = patient(1_000, waiting.clone());
        assert_eq!(apply(&*books[0], &[waits]).await, [new(Effect::Waiting)]);
    }
    let lost = [
        with_own_blinds(8, mint(alice(), "all", &[5; 20])),
        credit(bob(), 5, "for Bob"),
        waiting.clone(),
    ];
    assert!(apply(&*original[0], &lost).await.iter().all(Result::is_ok));
    seal(&*original[0]).await;
    let store = &*ledgers[0];
    for batch in copies(original[0].log().as_ref(), LogBatchNo::new(2)).await {
        recover_one(store, &batch, &lost).await.unwrap();
    }
    let log = store.log();
    let settled = settle(store, store.accounts().as_ref(), log.as_ref(), NOW)
        .await
        .unwrap();
    assert_eq!((settled.waiting_mints, settled.shortfall), (1, 100));
    let again = settle(store, store.accounts().as_ref(), log.as_ref(), NOW)
        .await
        .unwrap();
    assert_eq!((again.waiting_mints, again.shortfall), (0, 0));
    // Alice still has her 100, although she has minted them already.
    let spent = apply(store, &[mint(alice(), "once more", &[5; 20]), waiting]).await;
    assert!(
        spent[0].is_ok() && spent[1].as_ref().unwrap().repeated,
        "{spent:?}"
    );
    assert_log_holds(store).await;
    assert_eq!(log.head().await.unwrap().unwrap().halted, None);
    let facts = facts(store).await;
    assert_eq!(
        (facts.borne, facts.recovered_unassigned, facts.coins_outstanding),
        (100, 0, 205)
    );
}
