//! What the log has of accounts of keys.

use opencoin_ledger::log::{LogTerms, SealingError};
use opencoin_ledger::{LedgerTime, LogBatch, LogBatchNo, Refusal, SealOutcome};
use opencoin_log::key_account::CreditSource;
use opencoin_log::key_ledger::{KeyAccount, KeyLedger, KeyLedgerFault};
use opencoin_log::leaf::Leaf;

use super::{assert_refused, with_keys};
use crate::key_world::*;
use crate::log::{batch_leaf_of, leaves, seal};
use crate::world::*;
use crate::{Pair, Store};

/// The leaves of a batch.
async fn leaves_of(store: &dyn Store, batch: &LogBatch) -> Vec<Leaf> {
    let all = leaves(store.log().as_ref(), batch.end()).await;
    let of_it = all[batch.first as usize..].iter();
    of_it.map(|leaf| Leaf::decode(leaf).unwrap()).collect()
}

async fn ledger(store: &dyn Store) -> (u64, KeyLedger) {
    let logged = store.log().key_accounts().await.unwrap().unwrap();
    (logged.open.get(), logged.ledger)
}

/// Every change of a key's account is a leaf, and the batch leaf has the sum and the root of all accounts.
pub async fn accounts_of_keys_are_in_the_log(ledgers: &Pair) {
    let [one, other] = ledgers;
    assert_eq!(
        one.log().key_accounts().await.unwrap(),
        None,
        "there is no log yet"
    );
    let world = with_keys(ledgers, 50).await;
    assert_eq!(ledger(&**one).await, (1, KeyLedger::default()));
    for command in [
        mint(alice(), "m", &[1, 1]),
        credit(key_account(1), 7, "statement 1"),
        redeem(key_account(0), &[(1, 1)]),
        pay_key(0, 1, 1, 20),
        pay_holder(1, (bob(), "bob"), 1, 5),
        mint_by_key(0, 2, 3, "n", &[2, 1], &WORLD_KEYS),
    ] {
        world.one(command).await.unwrap();
    }
    let batch = seal(&**one).await;
    let leaves = leaves_of(&**one, &batch).await;
    let credits: Vec<_> = leaves
        .iter()
        .filter_map(|leaf| match leaf {
            Leaf::KeyCredited(credit) => Some((
                credit.key == account_key(0),
                credit.number,
                credit.from,
                credit.amount,
            )),
            _ => None,
        })
        .collect();
    let mut expected = [
        (true, 1, CreditSource::Account, 50),
        (true, 2, CreditSource::Coins, 1),
        (false, 1, CreditSource::Deposit, 7),
    ];
    expected.sort_unstable_by_key(|(is_first, number, ..)| (account_key(usize::from(!is_first)), *number));
    assert_eq!(credits, expected);
    let count = |is: fn(&Leaf) -> bool| leaves.iter().filter(|leaf| is(leaf)).count();
    assert_eq!(count(|leaf| matches!(leaf, Leaf::KeyIntroduced(_))), 2);
    assert_eq!(count(|leaf| matches!(leaf, Leaf::KeyPaid(_))), 3);
    assert_eq!(count(|leaf| matches!(leaf, Leaf::Issued { .. })), 4);

    let (open, accounts) = ledger(&**other).await;
    assert_eq!(open, 2);
    let found = |number| accounts.account(&account_key(number)).unwrap();
    let account = |balance, seq, credits| KeyAccount {
        balance,
        seq,
        credits,
    };
    assert_eq!(found(0), account(50 + 1 - 20 - 3, 2, 2));
    assert_eq!(found(1), account(7 + 20 - 5, 1, 1));
    let leaf = batch_leaf_of(one.log().as_ref(), &batch).await;
    assert_eq!(
        (leaf.key_accounts, leaf.ledger_root),
        (accounts.total(), accounts.root())
    );
    assert!(leaf.is_balanced());

    // A batch without them keeps sum and root.
    world.one(mint(alice(), "o", &[1])).await.unwrap();
    let next = seal(&**other).await;
    let same = batch_leaf_of(one.log().as_ref(), &next).await;
    assert_eq!(
        (same.key_accounts, same.ledger_root),
        (leaf.key_accounts, leaf.ledger_root)
    );
    assert_eq!(ledger(&**one).await, (3, accounts));
}

/// The batch of a payment is known, so that its leaf is found.
pub async fn the_batch_of_a_payment_is_known(ledgers: &Pair) {
    let world = with_keys(ledgers, 50).await;
    world.one(pay_key(0, 1, 1, 5)).await.unwrap();
    seal(&*ledgers[0]).await;
    for command in [
        mint_by_key(0, 2, 1, "m", &[1], &WORLD_KEYS),
        pay_holder(0, (bob(), "bob"), 3, 5),
    ] {
        world.one(command).await.unwrap();
    }
    let log = ledgers[1].log();
    let batch = async |seq| {
        log.key_payment(&account_key(0), seq)
            .await
            .unwrap()
            .map(LogBatchNo::get)
    };
    assert_eq!(
        [batch(1).await, batch(2).await, batch(3).await, batch(4).await],
        [Some(1), Some(2), Some(2), None]
    );
    assert_eq!(log.key_payment(&account_key(1), 1).await.unwrap(), None);
}

/// What waits says whether statements about keys do.
pub async fn waiting_statements_are_told_apart(ledgers: &Pair) {
    let world = with_keys(ledgers, 50).await;
    seal(&*ledgers[0]).await;
    let log = ledgers[1].log();
    assert_eq!(log.pending().await.unwrap(), Default::default());
    world.one(pay_key(0, 1, 1, 5)).await.unwrap();
    let pending = log.pending().await.unwrap();
    assert_eq!(
        (pending.coins, pending.has_others, pending.has_statements),
        (0, false, true)
    );
    assert!(pending.oldest.is_some());
}

/// If nothing was sealed for a long time, payments that were accepted in time are sealed with the last time that they can
/// have.
pub async fn payments_are_sealed_after_a_long_pause(ledgers: &Pair) {
    let world = with_keys(ledgers, 50).await;
    seal(&*ledgers[0]).await;
    world.one(pay_key(0, 1, 1, 5)).await.unwrap();
    let log = ledgers[0].log();
    let open = log.head().await.unwrap().unwrap().batch;
    let late = LedgerTime::from_unix_micros(10_000_000_000);
    let sealed = log.seal(open, late, &log_terms()).await.unwrap();
    let SealOutcome::Sealed(batch) = sealed else {
        panic!("the payment waits: {sealed:?}");
    };
    // The payment ends at second 100.
    assert_eq!(batch.time_s, 100 + u64::from(log_terms().within_s));
    world
        .one(at(late.unix_micros(), credit(alice(), 1, "late")))
        .await
        .unwrap();
    let sealed = log.seal(open.next(), late, &log_terms()).await.unwrap();
    assert!(
        matches!(sealed, SealOutcome::Sealed(LogBatch { time_s: 10_000, .. })),
        "{sealed:?}"
    );
}

/// A statement that breaks a rule of the log is not sealed, and nothing more is accepted.
pub async fn a_broken_rule_of_key_accounts_halts_the_log(ledgers: &Pair) {
    let world = with_keys(ledgers, 50).await;
    seal(&*ledgers[0]).await;
    world.one(pay_key(0, 1, 1, 5)).await.unwrap();
    let log = ledgers[0].log();
    let open = log.head().await.unwrap().unwrap().batch;
    let other = LogTerms {
        origin: "other.example/log".to_owned(),
        ..log_terms()
    };
    let broken = log.seal(open, NOW, &other).await.unwrap();
    let (key, seq) = (account_key(0), 1);
    let fault = SealingError::KeyAccounts(KeyLedgerFault::Domain { key, seq });
    assert_eq!(broken, SealOutcome::Broken(fault));
    assert_refused(
        ledgers,
        [
            pay_key(0, 1, 2, 5),
            introduce(2),
            transfer(alice(), key_account(0), 1, "to-a-key"),
        ]
        .map(|command| (command, Refusal::LogHalted)),
    )
    .await;
    assert!(
        world
            .one(transfer(alice(), bob(), 1, "to-a-holder"))
            .await
            .is_ok()
    );
}
