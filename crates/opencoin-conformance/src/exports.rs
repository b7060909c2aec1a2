//! Rules of files of payouts: a file ends once, and whoever ends it, a payout is never in two files at a time.

use opencoin_ledger::bank::{ExportEnd, ExportFormat, ExportNo, ExportOutcome, ExportState, NewExport};
use opencoin_ledger::{AccountStatus, ActionFilter, ActionKind, Amount, PayoutFilter, PayoutNo};

use crate::world::*;
use crate::{Pair, Store, World};

/// How often a payout is settled while its file ends.
const ROUNDS: i64 = 8;
/// More payouts than the stores read or write at a time.
const MANY: i64 = 300;

/// A file of these payouts, each worth 1.
fn export(key: &str, payouts: &[i64]) -> NewExport {
    export_worth(key, payouts, payouts.len() as u64)
}

/// A file of these payouts, which are worth this together.
pub(crate) fn export_worth(key: &str, payouts: &[i64], units: u64) -> NewExport {
    NewExport {
        key: idempotency_key(key),
        request: [7; 32],
        format: ExportFormat::Csv,
        message_id: format!("message {key}"),
        payouts: payouts.iter().map(|no| PayoutNo::new(*no)).collect(),
        amount: amount(units),
        file: key.as_bytes().to_vec(),
    }
}

async fn add(ledger: &dyn Store, new: NewExport) -> ExportOutcome {
    let exported = action(ActionKind::ExportPayouts, &new.message_id);
    ledger.bank().add_export(new, exported).await.unwrap()
}

pub(crate) async fn added(ledger: &dyn Store, new: NewExport) -> ExportNo {
    match add(ledger, new).await {
        ExportOutcome::Added(export) => export.no,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn withdraw(ledger: &dyn Store, no: ExportNo) -> ExportEnd {
    let withdrawn = action(ActionKind::WithdrawExport, &no.get().to_string());
    ledger.bank().withdraw_export(no, withdrawn).await.unwrap()
}

pub(crate) async fn pay(ledger: &dyn Store, no: ExportNo) -> ExportEnd {
    let paid = action(ActionKind::PayExport, &no.get().to_string());
    ledger.bank().pay_export(no, paid).await.unwrap()
}

pub(crate) async fn finish(ledger: &dyn Store, no: ExportNo) -> ExportEnd {
    ledger.bank().finish_export(no).await.unwrap()
}

async fn actions_of(ledger: &dyn Store, wanted: ActionKind) -> Vec<Option<Amount>> {
    let operators = ledger.operators();
    let actions = operators.actions(ActionFilter::All, None, 1000).await.unwrap();
    let actions = actions.into_iter().filter(|action| action.kind == wanted.word());
    actions.map(|action| action.amount).collect()
}

/// Six payouts that wait.
async fn six_payouts(ledgers: &Pair) -> World {
    let world = World::with_paid_in(ledgers, 100).await;
    let requests: Vec<_> = (1..=6).map(|no| payout(alice(), 1, &no.to_string())).collect();
    world.apply(&requests).await;
    world
}

/// The payouts of a file that was withdrawn can be in another one, and it stays withdrawn.
pub async fn a_file_is_withdrawn_once(ledgers: &Pair) {
    let world = six_payouts(ledgers).await;
    let bank = ledgers[1].bank();
    let first = added(&*ledgers[0], export("a", &[1, 2, 3])).await;
    let numbers: Vec<_> = (1..=3).map(PayoutNo::new).collect();
    assert_eq!(bank.payouts_of_export(first).await.unwrap(), numbers);
    world.apply(&[failed(2, "no such account")]).await;
    let ExportEnd::Ended(withdrawn) = withdraw(&*ledgers[0], first).await else {
        panic!("nothing hinders it");
    };
    assert_eq!(withdrawn.state, ExportState::Withdrawn);
    assert!(withdrawn.ended_at.is_some());
    assert_eq!(
        withdraw(&*ledgers[1], first).await,
        ExportEnd::Repeated(withdrawn.clone())
    );
    // What was in it is seen later, and is in no file any more.
    assert_eq!(bank.payouts_of_export(first).await.unwrap(), numbers);
    assert_eq!(bank.exported(numbers.clone()).await.unwrap(), []);
    assert_eq!(
        pay(&*ledgers[1], first).await,
        ExportEnd::Other(ExportState::Withdrawn)
    );
    let again = add(&*ledgers[0], export("a", &[1, 2, 3])).await;
    assert_eq!(again, ExportOutcome::Repeated(withdrawn.clone()));
    let second = added(&*ledgers[0], export("b", &[1, 3])).await;
    assert_eq!(bank.exports(Some(second), 1).await.unwrap(), [withdrawn]);
    world.apply(&[paid(3, "x")]).await;
    let hindered = withdraw(&*ledgers[1], second).await;
    assert_eq!(hindered, ExportEnd::PayoutPaid(PayoutNo::new(3)));
    assert_eq!(withdraw(&*ledgers[0], ExportNo::new(9)).await, ExportEnd::Unknown);
    let withdrawals = actions_of(&*ledgers[0], ActionKind::WithdrawExport).await;
    assert_eq!(withdrawals, [Some(amount(3))]);
    assert_eq!(bank.payouts_of_export(first).await.unwrap(), numbers);
    let in_second = [1, 3].map(|no| (PayoutNo::new(no), second));
    assert_eq!(bank.exported(numbers).await.unwrap(), in_second);
}

/// A file that the bank has paid is not withdrawn, and it is finished when its payouts are settled.
pub async fn a_file_is_paid_once(ledgers: &Pair) {
    let world = six_payouts(ledgers).await;
    let bank = ledgers[1].bank();
    let first = added(&*ledgers[0], export("a", &[1, 2])).await;
    assert_eq!(
        finish(&*ledgers[0], first).await,
        ExportEnd::Other(ExportState::Made)
    );
    world.apply(&[paid(1, "x")]).await;
    let ExportEnd::Ended(settling) = pay(&*ledgers[1], first).await else {
        panic!("nothing hinders it");
    };
    assert_eq!(settling.state, ExportState::Settling);
    assert_eq!(
        bank.settling_exports(9).await.unwrap(),
        std::slice::from_ref(&settling)
    );
    assert_eq!(
        pay(&*ledgers[0], first).await,
        ExportEnd::Repeated(settling.clone())
    );
    assert_eq!(
        withdraw(&*ledgers[0], first).await,
        ExportEnd::Other(ExportState::Settling)
    );
    assert_eq!(
        finish(&*ledgers[0], first).await,
        ExportEnd::PayoutOpen(PayoutNo::new(2))
    );
    world.apply(&[failed(2, "no")]).await;
    let ExportEnd::Ended(whole) = finish(&*ledgers[1], first).await else {
        panic!("its payouts are settled");
    };
    assert_eq!(
        (whole.state, whole.ended_at),
        (ExportState::Paid, settling.ended_at)
    );
    assert_eq!(bank.settling_exports(9).await.unwrap(), []);
    for repeated in [pay(&*ledgers[0], first).await, finish(&*ledgers[0], first).await] {
        assert_eq!(repeated, ExportEnd::Repeated(whole.clone()));
    }
    assert_eq!(
        withdraw(&*ledgers[0], first).await,
        ExportEnd::Other(ExportState::Paid)
    );
    for unknown in [
        pay(&*ledgers[0], ExportNo::new(9)).await,
        finish(&*ledgers[0], ExportNo::new(9)).await,
    ] {
        assert_eq!(unknown, ExportEnd::Unknown);
    }
    assert_eq!(
        actions_of(&*ledgers[0], ActionKind::PayExport).await,
        [Some(amount(2))]
    );
}

/// A file is withdrawn, paid and made anew at once: one of the ends wins, and no payout is in two files.
pub async fn a_file_ends_in_one_way(ledgers: &Pair) {
    six_payouts(ledgers).await;
    let first = added(&*ledgers[0], export("a", &[1, 2, 3, 4, 5, 6])).await;
    let ends = (0..8_usize).map(|number| {
        let ledger = std::sync::Arc::clone(&ledgers[number % 2]);
        tokio::spawn(async move {
            if number % 4 < 2 {
                withdraw(&*ledger, first).await
            } else {
                pay(&*ledger, first).await
            }
        })
    });
    let exports = (0..4_usize).map(|number| {
        let ledger = std::sync::Arc::clone(&ledgers[number % 2]);
        tokio::spawn(async move { add(&*ledger, export(&format!("new-{number}"), &[2, 3])).await })
    });
    let (ends, exports): (Vec<_>, Vec<_>) = (ends.collect(), exports.collect());
    let (mut ended, mut states) = (0, Vec::new());
    for end in ends {
        match end.await.unwrap() {
            ExportEnd::Ended(export) => {
                ended += 1;
                states.push(export.state);
            }
            ExportEnd::Repeated(export) => states.push(export.state),
            ExportEnd::Other(state) => states.push(state),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(ended, 1, "{states:?}");
    states.dedup();
    assert_eq!(states.len(), 1, "all see the same end");
    let mut added = 0;
    for exported in exports {
        match exported.await.unwrap() {
            ExportOutcome::Added(_) => added += 1,
            ExportOutcome::Exported(_, _) => {}
            other => panic!("{other:?}"),
        }
    }
    let payouts = (1..=6).map(PayoutNo::new).collect();
    let exported = ledgers[0].bank().exported(payouts).await.unwrap();
    let expected = match (states[0], added) {
        (ExportState::Withdrawn, 0) => 0,
        (ExportState::Withdrawn, 1) => 2,
        (ExportState::Settling, 0) => 6,
        other => panic!("{other:?}"),
    };
    assert_eq!(exported.len(), expected);
}

/// A payout is settled while its file is withdrawn or recorded as paid. Whoever is first, both see the same books.
pub async fn a_payout_is_settled_while_its_file_ends(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 100).await;
    for round in 0..ROUNDS {
        let (asked, other) = (format!("asked-{round}"), format!("other-{round}"));
        world
            .apply(&[payout(alice(), 1, &asked), payout(alice(), 1, &other)])
            .await;
        let numbers = [2 * round + 1, 2 * round + 2];
        let file = added(&*ledgers[0], export(&asked, &numbers)).await;
        let end = if round % 2 == 0 {
            ExportState::Withdrawn
        } else {
            ExportState::Settling
        };
        let settles = [paid(numbers[0], "by hand"), failed(numbers[1], "no such account")];
        let settling = settles.into_iter().enumerate().map(|(number, command)| {
            let ledger = std::sync::Arc::clone(&ledgers[number % 2]);
            tokio::spawn(async move { ledger.apply(&[command]).await.unwrap().remove(0).unwrap() })
        });
        let settling: Vec<_> = settling.collect();
        let ending = (0..2_usize).map(|number| {
            let ledger = std::sync::Arc::clone(&ledgers[number]);
            tokio::spawn(async move {
                match end {
                    ExportState::Withdrawn => withdraw(&*ledger, file).await,
                    _ => pay(&*ledger, file).await,
                }
            })
        });
        let mut ended = Vec::new();
        for outcome in ending.collect::<Vec<_>>() {
            ended.push(outcome.await.unwrap());
        }
        for settled in settling {
            settled.await.unwrap();
        }
        let file_now = ledgers[1].bank().exports(None, 1).await.unwrap().remove(0);
        let in_file = ledgers[1]
            .bank()
            .exported(numbers.map(PayoutNo::new).to_vec())
            .await
            .unwrap();
        let once = ended
            .iter()
            .filter(|end| matches!(end, ExportEnd::Ended(_)))
            .count();
        if end == ExportState::Withdrawn && once == 0 {
            // The bank has paid it first, as both were told.
            let paid = ExportEnd::PayoutPaid(PayoutNo::new(numbers[0]));
            assert_eq!(ended, [paid.clone(), paid]);
            assert_eq!((file_now.state, in_file.len()), (ExportState::Made, 2));
        } else {
            assert_eq!(once, 1, "{ended:?}");
            assert_eq!(file_now.state, end);
            assert_eq!(in_file.len(), if end == ExportState::Withdrawn { 0 } else { 2 });
        }
        // What is settled is in no other file, whatever became of this one.
        let again = add(&*ledgers[1], export(&other, &numbers)).await;
        assert_eq!(again, ExportOutcome::NotOpen(PayoutNo::new(numbers[0])));
        if end == ExportState::Settling {
            assert!(matches!(finish(&*ledgers[0], file).await, ExportEnd::Ended(_)));
        }
    }
}

/// Whoever makes a file sees which payouts are of frozen accounts.
pub async fn payouts_of_frozen_accounts_are_told(ledgers: &Pair) {
    let world = six_payouts(ledgers).await;
    world.one(credit(bob(), 1, "bob")).await.unwrap();
    world.one(payout(bob(), 1, "bob")).await.unwrap();
    world.one(set_status(bob(), AccountStatus::Frozen)).await.unwrap();
    let accounts = ledgers[1].accounts();
    let payouts = accounts
        .payouts(PayoutFilter::All, PayoutNo::BEFORE_ALL, 100)
        .await
        .unwrap();
    let frozen = payouts.iter().filter(|payout| payout.is_frozen);
    assert_eq!(frozen.map(|payout| payout.no.get()).collect::<Vec<_>>(), [7]);
    assert!(
        accounts
            .payout(PayoutNo::new(7))
            .await
            .unwrap()
            .unwrap()
            .is_frozen
    );
    assert_eq!(accounts.backlog().await.unwrap().frozen_accounts, 1);
}

/// A file has more payouts than one statement of SQL reads or writes, and the first that hinders it is named.
pub async fn a_file_has_many_payouts(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 1000).await;
    let requests: Vec<_> = (1..=MANY).map(|no| payout(alice(), 1, &no.to_string())).collect();
    assert!(world.apply(&requests).await.iter().all(Result::is_ok));
    let all: Vec<i64> = (1..=MANY).collect();
    let without = |missing: &[i64]| -> Vec<i64> {
        let kept = all.iter().filter(|no| !missing.contains(no));
        kept.copied().collect()
    };
    world.apply(&[paid(30, "x"), failed(290, "y")]).await;
    let first = added(&*ledgers[0], export("first", &[10, 280])).await;
    let not_open = |no| ExportOutcome::NotOpen(PayoutNo::new(no));
    let exported = |no| ExportOutcome::Exported(PayoutNo::new(no), first);
    let mut with_missing = without(&[10, 30, 280, 290]);
    with_missing.push(MANY + 1);
    for (payouts, hindrance) in [
        (all.clone(), exported(10)),
        (without(&[10]), not_open(30)),
        (without(&[10, 30]), exported(280)),
        (without(&[10, 30, 280]), not_open(290)),
        (with_missing, not_open(MANY + 1)),
    ] {
        assert_eq!(add(&*ledgers[1], export("many", &payouts)).await, hindrance);
    }
    let rest = without(&[10, 30, 280, 290]);
    let many = added(&*ledgers[1], export("many", &rest)).await;
    let numbers = |payouts: &[i64]| payouts.iter().copied().map(PayoutNo::new).collect::<Vec<_>>();
    let bank = ledgers[0].bank();
    assert_eq!(bank.payouts_of_export(many).await.unwrap(), numbers(&rest));
    let found = bank.exported(numbers(&all)).await.unwrap();
    assert!(found.is_sorted());
    assert_eq!(found.len(), rest.len() + 2);
    let mut asked = numbers(&all);
    asked.reverse();
    asked.push(PayoutNo::new(MANY + 1));
    let payouts = ledgers[0].accounts().payouts_with(asked).await.unwrap();
    let found: Vec<_> = payouts.iter().map(|payout| payout.no).collect();
    assert_eq!(found, numbers(&all));
    assert!(matches!(withdraw(&*ledgers[0], many).await, ExportEnd::Ended(_)));
    assert_eq!(bank.payouts_of_export(many).await.unwrap(), numbers(&rest));
    assert_eq!(bank.exported(numbers(&all)).await.unwrap().len(), 2);
}

/// A payout is in one file, and a file is stored once with its bytes.
pub async fn a_payout_is_exported_once(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 100).await;
    let requests: Vec<_> = (1..=5).map(|no| payout(alice(), 1, &no.to_string())).collect();
    world.apply(&requests).await;
    world.apply(&[paid(2, "x")]).await;
    let ExportOutcome::Added(first) = add(&*ledgers[0], export("a", &[1, 3])).await else {
        panic!("it is not added");
    };
    assert_eq!(
        add(&*ledgers[1], export("a", &[1, 3])).await,
        ExportOutcome::Repeated(first.clone())
    );
    let again = ExportOutcome::Exported(PayoutNo::new(3), first.no);
    assert_eq!(add(&*ledgers[1], export("b", &[3, 4])).await, again);
    for (payouts, missing) in [([2, 4], 2), ([4, 9], 9)] {
        assert_eq!(
            add(&*ledgers[0], export("b", &payouts)).await,
            ExportOutcome::NotOpen(PayoutNo::new(missing))
        );
    }
    let bank = ledgers[1].bank();
    assert_eq!(
        bank.export_of(&idempotency_key("a")).await.unwrap().as_ref(),
        Some(&first)
    );
    assert_eq!(bank.export_of(&idempotency_key("b")).await.unwrap(), None);
    let ExportOutcome::Added(second) = add(&*ledgers[1], export("b", &[4, 5])).await else {
        panic!("it is not added");
    };
    assert_eq!(
        bank.exports(None, 10).await.unwrap(),
        [second.clone(), first.clone()]
    );
    assert_eq!(
        bank.exports(Some(second.no), 10).await.unwrap(),
        std::slice::from_ref(&first)
    );
    let file = bank.export_file(first.no).await.unwrap();
    assert_eq!(file, Some((first, b"a".to_vec())));
    let exported = bank.exported((2..=4).map(PayoutNo::new).collect()).await.unwrap();
    let numbers: Vec<_> = exported
        .iter()
        .map(|(payout, export)| (payout.get(), export.get()))
        .collect();
    assert_eq!(numbers, [(3, 1), (4, 2)]);
    let recorded = actions_of(&*ledgers[0], ActionKind::ExportPayouts).await;
    assert_eq!(recorded.len(), 2);
    // What is in a file can be settled in either way.
    world.apply(&[paid(1, "y")]).await;
    assert_eq!(bank.failed_of_export(ExportNo::new(1)).await.unwrap(), None);
    world.apply(&[failed(3, "z")]).await;
    let failed = bank.failed_of_export(ExportNo::new(1)).await.unwrap();
    assert_eq!(failed, Some(PayoutNo::new(3)));
    assert_eq!(bank.failed_of_export(ExportNo::new(2)).await.unwrap(), None);
}

/// Several operators export the same payouts at once, and each payout is in one file.
pub async fn payouts_exported_at_once_are_in_one_file(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 100).await;
    let requests: Vec<_> = (1..=6).map(|no| payout(alice(), 1, &no.to_string())).collect();
    world.apply(&requests).await;
    let exporting = (0..8_usize).map(|number| {
        let ledger = std::sync::Arc::clone(&ledgers[number % 2]);
        let payouts = if number % 3 == 0 { [1, 2, 3] } else { [3, 4, 5] };
        tokio::spawn(async move { add(&*ledger, export(&format!("key-{number}"), &payouts)).await })
    });
    let mut added = 0;
    for exported in exporting.collect::<Vec<_>>() {
        added += usize::from(matches!(exported.await.unwrap(), ExportOutcome::Added(_)));
    }
    assert_eq!(added, 1, "both sets of payouts have the third");
    let repeating = (0..8_usize).map(|number| {
        let ledger = std::sync::Arc::clone(&ledgers[number % 2]);
        tokio::spawn(async move { add(&*ledger, export("same", &[6])).await })
    });
    let mut added = 0;
    for exported in repeating.collect::<Vec<_>>() {
        match exported.await.unwrap() {
            ExportOutcome::Added(_) => added += 1,
            ExportOutcome::Repeated(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(added, 1, "the same request is carried out once");
    let exported = ledgers[0]
        .bank()
        .exported((1..=6).map(PayoutNo::new).collect())
        .await;
    assert_eq!(exported.unwrap().len(), 4);
}
