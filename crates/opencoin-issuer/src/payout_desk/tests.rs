//! Files that are handed out again, and days of execution.

use opencoin_ledger::{Command, Ledger, LedgerTime, MemoryLedger, Reference, Settlement};

use super::*;

struct Noon;

impl Clock for Noon {
    fn now(&self) -> DateTime<Utc> {
        "2026-05-04T12:00:00Z".parse().unwrap()
    }
}

const AT: LedgerTime = LedgerTime::from_unix_micros(1);

async fn apply(ledger: &MemoryLedger, command: Command) {
    ledger.apply(&[command]).await.unwrap()[0].as_ref().unwrap();
}

/// A desk with two payouts of alice.
async fn desk() -> (Arc<MemoryLedger>, PayoutDesk) {
    let ledger = Arc::new(MemoryLedger::new());
    let account = BankConfig {
        iban: Some("DE89370400440532013000".to_owned()),
        name: Some("Issuer".to_owned()),
        ..BankConfig::default()
    };
    let desk = PayoutDesk::new(
        Arc::clone(&ledger),
        Arc::new(Noon),
        BankSettings {
            account,
            ..BankSettings::default()
        },
        ("Test".to_owned(), 100),
    );
    let open = Command::OpenAccount {
        name: "alice".parse().unwrap(),
        token_hash: None,
        password: None,
        at: AT,
    };
    apply(&ledger, open).await;
    let alice = desk.books.accounts.profile(&"alice".parse().unwrap()).await;
    let account = alice.unwrap().unwrap().account.id;
    let amount = Amount::new(100).unwrap();
    for key in ["a", "b"] {
        let reference = Reference::new(key).unwrap();
        let credit = Command::Credit {
            account,
            amount,
            reference,
            at: AT,
        };
        apply(&ledger, credit).await;
        let request = Command::RequestPayout {
            account,
            amount,
            destination: Reference::new("GB29NWBK60161331926819").unwrap(),
            key: IdempotencyKey::new(key).unwrap(),
            at: AT,
        };
        apply(&ledger, request).await;
    }
    (ledger, desk)
}

fn request(execution: Option<&str>) -> ExportRequest {
    ExportRequest {
        key: IdempotencyKey::new("one").unwrap(),
        payouts: vec![PayoutNo::new(1), PayoutNo::new(2)],
        format: ExportFormat::Csv,
        execution: execution.map(|day| day.parse().unwrap()),
    }
}

#[tokio::test]
async fn a_file_with_a_failed_payout_is_not_handed_out_again() {
    let (ledger, desk) = desk().await;
    let operator = OperatorName::command_line();
    let first = desk.acting(&operator).export(request(None)).await.unwrap();
    let settled = |no, settlement| Command::SettlePayout {
        payout: PayoutNo::new(no),
        settlement,
        at: AT,
    };
    apply(
        &ledger,
        settled(1, Settlement::Paid(Reference::new("x").unwrap())),
    )
    .await;
    let again = desk.file(first.export.no).await.unwrap();
    assert_eq!(again.file, first.file);
    apply(
        &ledger,
        settled(2, Settlement::Failed(Reference::new("x").unwrap())),
    )
    .await;
    let shown = desk.file(first.export.no).await;
    let repeated = desk.acting(&operator).export(request(None)).await;
    for refused in [shown, repeated] {
        let Err(PayoutDeskError::Failed(payout, export)) = refused else {
            panic!("the holder has the money back, and the bank would pay it");
        };
        assert_eq!((payout, export), (PayoutNo::new(2), first.export.no));
    }
}

#[tokio::test]
async fn the_bank_is_asked_to_pay_from_today_to_a_year_ahead() {
    let (_, desk) = desk().await;
    let operator = OperatorName::command_line();
    for day in ["2026-05-03", "2027-05-06"] {
        let refused = desk.acting(&operator).export(request(Some(day))).await;
        assert!(matches!(refused, Err(PayoutDeskError::Execution(_))), "{day}");
    }
    let made = desk.acting(&operator).export(request(Some("2027-05-05"))).await;
    assert!(!made.unwrap().repeated);
}

#[tokio::test]
async fn a_withdrawn_file_is_not_handed_out_and_its_payouts_can_be_in_another() {
    let (_, desk) = desk().await;
    let operator = OperatorName::command_line();
    let acting = desk.acting(&operator);
    let first = acting.export(request(None)).await.unwrap().export.no;
    assert!(!acting.withdraw(first).await.unwrap().1);
    assert!(acting.withdraw(first).await.unwrap().1);
    for refused in [desk.file(first).await, acting.export(request(None)).await] {
        assert!(matches!(refused, Err(PayoutDeskError::Withdrawn(no)) if no == first));
    }
    let paid = acting.pay(first).await;
    assert!(matches!(paid, Err(PayoutDeskError::Withdrawn(no)) if no == first));
    let again = ExportRequest {
        key: IdempotencyKey::new("two").unwrap(),
        ..request(None)
    };
    let second = acting.export(again).await.unwrap().export;
    assert_ne!(second.no, first);
    let (_, payouts) = desk.export(second.no).await.unwrap();
    assert_eq!(payouts.len(), 2);
    let (withdrawn, had) = desk.export(first).await.unwrap();
    assert_eq!((withdrawn.state, had), (ExportState::Withdrawn, payouts));
}

/// The file is marked, and the process dies before it settles the payouts.
#[tokio::test]
async fn a_file_is_paid_once_and_what_was_interrupted_is_finished() {
    let (ledger, desk) = desk().await;
    let operator = OperatorName::command_line();
    let acting = desk.acting(&operator);
    let made = acting.export(request(None)).await.unwrap().export;
    let own = Command::SettlePayout {
        payout: PayoutNo::new(1),
        settlement: Settlement::Paid(Reference::new("by hand").unwrap()),
        at: AT,
    };
    apply(&ledger, own).await;
    let action = Action {
        operator: operator.clone(),
        kind: ActionKind::PayExport,
        subject: ActionSubject::new("1"),
        amount: None,
        detail: None,
        at: AT,
    };
    desk.books.bank.pay_export(made.no, action).await.unwrap();
    let waiting = desk.books.bank.settling_exports(9).await.unwrap();
    assert_eq!(waiting.iter().map(|file| file.no).collect::<Vec<_>>(), [made.no]);
    let withdrawn = acting.withdraw(made.no).await;
    assert!(matches!(withdrawn, Err(PayoutDeskError::PaidExport(_))));
    for _ in 0..2 {
        let paid = acting.pay(made.no).await.unwrap();
        assert_eq!((paid.paid, paid.repeated), (2, true));
        assert_eq!(paid.failed, []);
        assert_eq!(paid.export.state, ExportState::Paid);
    }
    assert_eq!(desk.books.bank.settling_exports(9).await.unwrap(), []);
    let (_, payouts) = desk.export(made.no).await.unwrap();
    let notes: Vec<_> = payouts
        .iter()
        .map(|payout| match &payout.settled {
            Some((Settlement::Paid(reference), _)) => reference.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(notes, ["by hand", made.message_id.as_str()]);
}

#[tokio::test]
async fn every_wrong_destination_is_named() {
    let (ledger, desk) = desk().await;
    let alice = desk.books.accounts.profile(&"alice".parse().unwrap()).await;
    let account = alice.unwrap().unwrap().account.id;
    for (key, destination) in [("c", "cash"), ("d", "DE88370400440532013000")] {
        let credit = Command::Credit {
            account,
            amount: Amount::new(1).unwrap(),
            reference: Reference::new(key).unwrap(),
            at: AT,
        };
        apply(&ledger, credit).await;
        let request = Command::RequestPayout {
            account,
            amount: Amount::new(1).unwrap(),
            destination: Reference::new(destination).unwrap(),
            key: IdempotencyKey::new(key).unwrap(),
            at: AT,
        };
        apply(&ledger, request).await;
    }
    let all = ExportRequest {
        payouts: (1..=4).map(PayoutNo::new).collect(),
        ..request(None)
    };
    let operator = OperatorName::command_line();
    let refused = desk.acting(&operator).export(all).await;
    let Err(error @ PayoutDeskError::Destinations(_)) = refused else {
        panic!("two of them are no accounts");
    };
    let text = error.to_string();
    assert!(
        text.contains("payout 3: ") && text.contains("payout 4: "),
        "{text}"
    );
}
