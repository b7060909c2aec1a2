//! Recovering accounts of keys: the log has everything that happened to them.

use opencoin_ledger::log::LoggedKeyAccounts;
use opencoin_ledger::recovered::{AssignmentWay, RecoveredPart};
use opencoin_ledger::recovery::RecoveryError;
use opencoin_ledger::{Command, LogBatchNo, Outcome, Reference, Refusal};
use opencoin_log::hash::Hash;
use opencoin_log::leaf::Leaf;

use super::{apply, assert_same_coins, copies, original, recover_one};
use crate::key_world::*;
use crate::log::{assert_log_holds, seal};
use crate::world::*;
use crate::{Pair, Store, World};

/// What was done before the backup, in the log and not in it, and in the lost time.
fn history() -> [Vec<Command>; 3] {
    let sealed = vec![
        mint(alice(), "m", &[1, 1, 1, 5]),
        introduce(0),
        introduce(1),
        transfer(alice(), key_account(0), 50, "funding"),
        pay_key(0, 1, 1, 5),
    ];
    let waiting = vec![pay_key(0, 1, 2, 6), credit(key_account(1), 3, "statement 1")];
    let lost = vec![
        introduce(2),
        introduce(3),
        transfer(alice(), key_account(2), 20, "lost"),
        credit(key_account(0), 7, "statement 2"),
        redeem(key_account(1), &[(1, 1), (5, 1)]),
        // The key that pays last is the first one in the log.
        pay_key(2, 3, 1, 15),
        pay_key(3, 0, 1, 11),
        pay_key(2, 3, 2, 5),
        pay_key(3, 1, 2, 9),
        pay_holder(0, (bob(), "bob"), 3, 8),
        mint_by_key(0, 4, 7, "by key", &[5, 2], &WORLD_KEYS),
    ];
    [sealed, waiting, lost]
}

/// The original books with their log, the outcomes of the lost time, and `restored` as at the backup.
async fn lose(restored: &Pair) -> (Pair, Vec<Outcome>) {
    let original = original();
    let [sealed, waiting, lost] = history();
    for ledgers in [&original, restored] {
        World::with_paid_in(ledgers, 100).await;
        apply(&*ledgers[0], &sealed).await;
        seal(&*ledgers[0]).await;
        apply(&*ledgers[0], &waiting).await;
    }
    let mut outcomes = apply(&*original[0], &lost[..7]).await;
    seal(&*original[0]).await;
    outcomes.extend(apply(&*original[0], &lost[7..]).await);
    seal(&*original[0]).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    (original, outcomes)
}

async fn logged_accounts(store: &dyn Store) -> LoggedKeyAccounts {
    store.log().key_accounts().await.unwrap().unwrap()
}

fn promised(outcome: &Outcome) -> Option<(LogBatchNo, Hash)> {
    let logged = outcome.as_ref().unwrap().logged?;
    Some((logged.batch, logged.root))
}

/// Balances, payments and credits are exactly those of the log, and what was sent in the lost time is answered as before.
pub async fn key_accounts_of_a_lost_time_are_recovered(ledgers: &Pair) {
    let (original, outcomes) = lose(ledgers).await;
    let [.., lost] = history();
    let (store, other) = (&*ledgers[0], &*ledgers[1]);
    let mut introduced = 0;
    for batch in copies(original[0].log().as_ref(), LogBatchNo::new(2)).await {
        introduced += recover_one(store, &batch, &lost).await.unwrap().introduced;
    }
    assert_eq!(introduced, 2);
    assert_same_coins(other, &*original[0]).await;
    assert_eq!(logged_accounts(other).await, logged_accounts(&*original[0]).await);
    let heads = [original[0].log().head().await, other.log().head().await];
    let [expected, found] = heads.map(|head| head.unwrap().unwrap());
    assert_eq!(
        (
            found.size,
            found.root,
            found.totals.key_accounts,
            found.ledger_root
        ),
        (
            expected.size,
            expected.root,
            expected.totals.key_accounts,
            expected.ledger_root
        )
    );

    // Introductions and payments are repeated, with the same promise.
    for index in [0, 1, 5, 6, 7, 8, 9] {
        let command = match lost[index].clone() {
            // The numbers of accounts in the books are not in the log.
            Command::PayByKey {
                payment,
                payee,
                nonce,
                at,
                ..
            } => {
                let account = async |key| other.accounts().key_account(&key).await.unwrap().unwrap().id;
                let order = &payment.payment.order;
                let payee = match order.to {
                    opencoin_log::key_account::Payee::Key(key) => account(key).await,
                    _ => payee,
                };
                Command::PayByKey {
                    payer: account(order.from).await,
                    payee,
                    payment,
                    nonce,
                    at,
                }
            }
            other => other,
        };
        let again = apply(other, std::slice::from_ref(&command)).await.remove(0);
        assert!(again.as_ref().unwrap().repeated, "{command:?}");
        assert_eq!(promised(&again), promised(&outcomes[index]), "{command:?}");
    }

    // The mint was paid, so its blinds are signed again and nothing more is taken.
    let before = store.audit_facts().await.unwrap();
    let keys = store.mint_keys().await.unwrap();
    let mint = lost[10].clone();
    let found = found_in(LogBatchNo::new(3), &keys, &mint);
    let without_payment = match mint.clone() {
        Command::Mint {
            account,
            transaction_reference,
            blinds,
            wait_until,
            at,
            ..
        } => Command::Mint {
            account,
            transaction_reference,
            blinds,
            payment: None,
            wait_until,
            at,
        },
        other => panic!("no mint: {other:?}"),
    };
    let under = |text: &str| mint_by_key(0, 4, 7, text, &[5, 2], &WORLD_KEYS);
    let never_paid = mint_by_key(0, 5, 7, "by key", &[5, 2], &WORLD_KEYS);
    for (request, refusal) in [
        (without_payment, Refusal::KeyAccount),
        (under("thief"), Refusal::NotRecovered),
        (never_paid, Refusal::NotRecovered),
    ] {
        let again = apply(other, &[sign_again(found.clone(), request)])
            .await
            .remove(0);
        assert_eq!(again, Err(refusal));
    }
    let signed = apply(other, &[sign_again(found, mint.clone())]).await.remove(0);
    assert_eq!(promised(&signed), promised(&outcomes[10]));
    let repeated = apply(store, &[mint]).await.remove(0);
    assert!(repeated.as_ref().unwrap().repeated);
    assert_eq!(promised(&repeated), promised(&outcomes[10]));
    let after = store.audit_facts().await.unwrap();
    assert_eq!(after.recovered_unassigned, before.recovered_unassigned);

    // Alice gives what she had paid to a key, Bob gets what a key has paid to him, and keys go on.
    let from_alice = Command::AssignRecovered {
        account: alice(),
        amount: amount(20),
        way: AssignmentWay::FromAccount,
        reference: Reference::new("paid to a key").unwrap(),
        at: NOW,
    };
    let assigned = apply(other, &[from_alice, assign(bob(), 8, "paid by a key")]).await;
    assert!(assigned.iter().all(Result::is_ok), "{assigned:?}");
    assert_eq!(store.audit_facts().await.unwrap().recovered_unassigned, 0);
    let key = other
        .accounts()
        .key_account(&account_key(0))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(key.seq, 4);
    let next = apply(other, &[pay_key(0, 1, 5, 1)]).await.remove(0);
    assert!(next.is_ok(), "{next:?}");
    assert_log_holds(store).await;
}

/// A recovery that was interrupted after some statements goes on.
pub async fn an_interrupted_recovery_of_key_accounts_goes_on(ledgers: &Pair) {
    let (original, _) = lose(ledgers).await;
    let [.., lost] = history();
    let copies = copies(original[0].log().as_ref(), LogBatchNo::new(2)).await;
    let mut early = Vec::new();
    for leaf in &copies[0].others {
        match Leaf::decode(leaf).unwrap() {
            Leaf::KeyIntroduced(introduction) => early.push(RecoveredPart::Introduced(introduction)),
            Leaf::KeyCredited(credit) if credit.key == account_key(2) => {
                early.push(RecoveredPart::Credited(credit));
            }
            Leaf::KeyPaid(payment) if payment.order.from == account_key(2) => {
                early.push(RecoveredPart::PaidByKey(payment));
            }
            _ => {}
        }
    }
    assert_eq!(early.len(), 4);
    for part in early {
        let done = apply(&*ledgers[0], &[recover(LogBatchNo::new(2), part)])
            .await
            .remove(0);
        assert!(done.is_ok(), "{done:?}");
    }
    let done = recover_one(&*ledgers[1], &copies[0], &lost).await.unwrap();
    assert_eq!((done.introduced, done.key_payments), (0, 1));
    recover_one(&*ledgers[0], &copies[1], &lost).await.unwrap();
    assert_same_coins(&*ledgers[1], &*original[0]).await;
}

/// Statements that the rules of the log do not allow are refused, and nothing is sealed.
pub async fn statements_that_do_not_follow_are_not_recovered(ledgers: &Pair) {
    let (original, _) = lose(ledgers).await;
    let [.., lost] = history();
    let store = &*ledgers[0];
    let copies = copies(original[0].log().as_ref(), LogBatchNo::new(2)).await;
    let head = store.log().head().await.unwrap();
    let other_batch = copies[1].no;
    let Command::IntroduceKey { introduction, .. } = introduce(2) else {
        unreachable!("it introduces a key");
    };
    let early = recover(other_batch, RecoveredPart::Introduced(introduction));
    assert_eq!(apply(store, &[early]).await, [Err(Refusal::OtherLogBatch)]);
    let without = |is_left_out: fn(&Leaf) -> bool| {
        let mut batch = (*copies[0]).clone();
        batch
            .others
            .retain(|leaf| !is_left_out(&Leaf::decode(leaf).unwrap()));
        batch.into()
    };
    let no_introduction = without(|leaf| matches!(leaf, Leaf::KeyIntroduced(_)));
    let refused = recover_one(store, &no_introduction, &lost).await;
    assert!(
        matches!(
            refused,
            Err(RecoveryError::Refused {
                refusal: Refusal::UnknownKey,
                ..
            })
        ),
        "{refused:?}"
    );
    let no_credit = without(|leaf| matches!(leaf, Leaf::KeyCredited(credit) if credit.key == account_key(2)));
    let refused = recover_one(store, &no_credit, &lost).await;
    assert!(
        matches!(
            refused,
            Err(RecoveryError::Refused {
                refusal: Refusal::InsufficientFunds { .. },
                ..
            })
        ),
        "{refused:?}"
    );
    assert_eq!(store.log().head().await.unwrap(), head);
}
