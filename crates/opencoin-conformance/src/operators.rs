//! Rules of what operators do: each change is recorded with it, once.

use opencoin_ledger::{
    ActionDetail, ActionFilter, ActionKind, ActionNo, ActionSubject, Command, Consent, OperatorCommand,
    OperatorName, Outcome, PasswordHash, PasswordSetter, RecordedAction, Refusal, TokenHash,
};

use crate::world::*;
use crate::{Pair, Store, World};

fn by_desk(command: Command, kind: ActionKind, subject: &str) -> OperatorCommand {
    OperatorCommand {
        command,
        action: action(kind, subject),
        consent: Consent::NotNeeded,
    }
}

async fn actions(ledger: &dyn Store) -> Vec<RecordedAction> {
    ledger
        .operators()
        .actions(ActionFilter::All, None, 1000)
        .await
        .unwrap()
}

/// The number, kind and subject of each action.
async fn summary(ledger: &dyn Store) -> Vec<(i64, String, String)> {
    let actions = actions(ledger).await.into_iter();
    actions
        .map(|action| (action.no.get(), action.kind, action.subject.as_str().to_owned()))
        .collect()
}

/// A command of an operator that is applied leaves one action; repeated or refused it leaves none.
pub async fn a_change_by_an_operator_is_recorded_once(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    let mut credited = by_desk(credit(alice(), 5, "line 1"), ActionKind::Credit, "alice");
    credited.action.amount = Some(amount(5));
    credited.action.detail = Some(ActionDetail::new("line 1"));
    let overdrawn = by_desk(debit(alice(), 16, "line 2"), ActionKind::Debit, "alice");
    let paused = by_desk(
        Command::SetSigningPaused {
            paused: true,
            at: NOW,
        },
        ActionKind::PauseSigning,
        "signing",
    );
    let batch = [credited.clone(), overdrawn, paused, credited.clone()];
    let outcomes = without_log(ledgers[0].apply_for_operator(&batch).await.unwrap());
    let short: Outcome = Err(Refusal::InsufficientFunds {
        balance: amount(15),
        needed: amount(16),
    });
    assert_eq!((&outcomes[0], &outcomes[1]), (&new(moved(5)), &short));
    assert_eq!(outcomes[3], again(moved(5)));
    assert_eq!(world.balances().await, [15, 0]);

    // Another operator repeats the credit, in another process.
    let mut by_other = credited.clone();
    by_other.action.operator = "other".parse().unwrap();
    let outcomes = without_log(ledgers[1].apply_for_operator(&[by_other]).await.unwrap());
    assert_eq!(outcomes, [again(moved(5))]);

    let recorded = actions(&*ledgers[1]).await;
    assert_eq!(recorded.len(), 2);
    assert_eq!(recorded[0].kind, "pause-signing");
    let first = RecordedAction {
        no: ActionNo::new(1),
        at: NOW,
        operator: "desk".parse::<OperatorName>().unwrap(),
        kind: "credit".to_owned(),
        subject: credited.action.subject,
        amount: credited.action.amount,
        detail: credited.action.detail,
    };
    assert_eq!(recorded[1], first);
}

/// Changes of accounts that move no money are recorded too, unless a holder makes them.
pub async fn credentials_that_an_operator_sets_are_recorded(ledgers: &Pair) {
    World::with_paid_in(ledgers, 0).await;
    let (accounts, token) = (ledgers[0].accounts(), TokenHash::new([9; 32]));
    let replaced = action(ActionKind::ReplaceToken, "alice");
    accounts.set_token(alice(), &token, &replaced).await.unwrap();
    let password = PasswordHash::new("$test$first".to_owned());
    let set = PasswordSetter::Operator(action(ActionKind::SetPassword, "alice"));
    assert!(accounts.set_password(alice(), &password, set).await.unwrap());
    let by_holder = PasswordSetter::Holder {
        before: Some(password.clone()),
        by: token,
    };
    assert!(
        accounts
            .set_password(alice(), &password, by_holder)
            .await
            .unwrap()
    );
    let subject = || "alice".to_owned();
    assert_eq!(
        summary(&*ledgers[1]).await,
        [
            (2, "set-password".to_owned(), subject()),
            (1, "replace-token".to_owned(), subject()),
        ]
    );
}

/// Actions are read in pages, the newest first, all or those of one subject.
pub async fn actions_are_read_in_pages(ledgers: &Pair) {
    let operators = ledgers[0].operators();
    for number in 1..=5 {
        let subject = if number % 2 == 0 { "even" } else { "odd" };
        operators
            .record(&action(ActionKind::RotateKeys, subject))
            .await
            .unwrap();
    }
    let page = async |filter, before: Option<i64>, limit| -> Vec<i64> {
        let operators = ledgers[1].operators();
        let page = operators.actions(filter, before.map(ActionNo::new), limit);
        page.await.unwrap().iter().map(|action| action.no.get()).collect()
    };
    let odd = || ActionFilter::Of(ActionSubject::new("odd"));
    assert_eq!(page(ActionFilter::All, None, 2).await, [5, 4]);
    assert_eq!(page(ActionFilter::All, Some(4), 2).await, [3, 2]);
    assert_eq!(page(ActionFilter::All, Some(1), 2).await, [0; 0]);
    assert_eq!(page(odd(), None, 2).await, [5, 3]);
    assert_eq!(page(odd(), Some(3), 2).await, [1]);
}

/// Operators act in several processes at once, and every action gets a number of its own.
pub async fn actions_at_once_are_numbered_without_a_gap(ledgers: &Pair) {
    World::with_paid_in(ledgers, 0).await;
    let acting = (0..20_u64).map(|number| {
        let ledger = std::sync::Arc::clone(&ledgers[(number % 2) as usize]);
        tokio::spawn(async move {
            if number % 4 < 2 {
                let action = action(ActionKind::RotateKeys, "keys");
                return ledger.operators().record(&action).await.unwrap();
            }
            let account = if number % 3 == 0 { alice() } else { bob() };
            let command = credit(account, 1, &format!("line {number}"));
            let command = by_desk(command, ActionKind::Credit, "x");
            let outcomes = ledger.apply_for_operator(&[command]).await.unwrap();
            assert!(!outcomes[0].as_ref().unwrap().repeated);
        })
    });
    for acted in acting.collect::<Vec<_>>() {
        acted.await.unwrap();
    }
    let numbers: Vec<i64> = summary(&*ledgers[0]).await.iter().map(|(no, ..)| *no).collect();
    assert_eq!(numbers, (1..=20).rev().collect::<Vec<i64>>());
}
