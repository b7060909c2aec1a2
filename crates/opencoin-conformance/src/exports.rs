//! Rules of files of payouts: a file ends once, and whoever ends it, a payout is never in two files at a time.

use opencoin_ledger::bank::{ExportEnd, ExportFormat, ExportNo, ExportOutcome, ExportState, NewExport};
use opencoin_ledger::{ActionFilter, ActionKind, Amount, PayoutNo};

use crate::world::*;
use crate::{Pair, Store, World};

fn export(key: &str, payouts: &[i64]) -> NewExport {
    NewExport {
        key: idempotency_key(key),
        request: [7; 32],
        format: ExportFormat::Csv,
        message_id: format!("message {key}"),
        payouts: payouts.iter().map(|no| PayoutNo::new(*no)).collect(),
        amount: amount(9),
        file: key.as_bytes().to_vec(),
    }
}

async fn add(ledger: &dyn Store, new: NewExport) -> ExportOutcome {
    let exported = action(ActionKind::ExportPayouts, &new.message_id);
    ledger.bank().add_export(new, exported).await.unwrap()
}

async fn added(ledger: &dyn Store, key: &str, payouts: &[i64]) -> ExportNo {
    match add(ledger, export(key, payouts)).await {
        ExportOutcome::Added(export) => export.no,
        other => panic!("{other:?}"),
    }
}

async fn withdraw(ledger: &dyn Store, no: ExportNo) -> ExportEnd {
    let withdrawn = action(ActionKind::WithdrawExport, &no.get().to_string());
    ledger.bank().withdraw_export(no, withdrawn).await.unwrap()
}

async fn pay(ledger: &dyn Store, no: ExportNo) -> ExportEnd {
    let paid = action(ActionKind::PayExport, &no.get().to_string());
    ledger.bank().pay_export(no, paid).await.unwrap()
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
    let first = added(&*ledgers[0], "a", &[1, 2, 3]).await;
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
    assert_eq!(bank.payouts_of_export(first).await.unwrap(), []);
    assert_eq!(
        pay(&*ledgers[1], first).await,
        ExportEnd::Other(ExportState::Withdrawn)
    );
    let again = add(&*ledgers[0], export("a", &[1, 2, 3])).await;
    assert_eq!(again, ExportOutcome::Repeated(withdrawn.clone()));
    let second = added(&*ledgers[0], "b", &[1, 3]).await;
    assert_eq!(bank.exports(Some(second), 1).await.unwrap(), [withdrawn]);
    world.apply(&[paid(3, "x")]).await;
    let hindered = withdraw(&*ledgers[1], second).await;
    assert_eq!(hindered, ExportEnd::PayoutPaid(PayoutNo::new(3)));
    assert_eq!(withdraw(&*ledgers[0], ExportNo::new(9)).await, ExportEnd::Unknown);
    let withdrawals = actions_of(&*ledgers[0], ActionKind::WithdrawExport).await;
    assert_eq!(withdrawals, [Some(amount(9))]);
}

/// A file that the bank has paid is not withdrawn.
pub async fn a_file_is_paid_once(ledgers: &Pair) {
    let world = six_payouts(ledgers).await;
    let first = added(&*ledgers[0], "a", &[1, 2]).await;
    world.apply(&[paid(1, "x")]).await;
    let ExportEnd::Ended(whole) = pay(&*ledgers[1], first).await else {
        panic!("nothing hinders it");
    };
    assert_eq!(whole.state, ExportState::Paid);
    assert_eq!(pay(&*ledgers[0], first).await, ExportEnd::Repeated(whole));
    assert_eq!(
        withdraw(&*ledgers[0], first).await,
        ExportEnd::Other(ExportState::Paid)
    );
    let second = added(&*ledgers[0], "b", &[3, 4]).await;
    world.apply(&[failed(4, "no")]).await;
    // The bank has paid the other one.
    assert!(matches!(pay(&*ledgers[0], second).await, ExportEnd::Ended(_)));
    assert_eq!(pay(&*ledgers[0], ExportNo::new(9)).await, ExportEnd::Unknown);
    assert_eq!(
        actions_of(&*ledgers[0], ActionKind::PayExport).await,
        [Some(amount(9)), Some(amount(9))]
    );
}

/// A file is withdrawn, paid and made anew at once: one of the ends wins, and no payout is in two files.
pub async fn a_file_ends_in_one_way(ledgers: &Pair) {
    six_payouts(ledgers).await;
    let first = added(&*ledgers[0], "a", &[1, 2, 3, 4, 5, 6]).await;
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
        (ExportState::Paid, 0) => 6,
        other => panic!("{other:?}"),
    };
    assert_eq!(exported.len(), expected);
}
