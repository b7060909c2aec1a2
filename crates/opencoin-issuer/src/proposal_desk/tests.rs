//! What one dishonest operator cannot do alone.

use chrono::{DateTime, Utc};
use opencoin_bank::payment_code;
use opencoin_config::{BankConfig, BankCsvConfig};
use opencoin_ledger::bank::{BankLineNo, BankLineStateKind, StatementNo};
use opencoin_ledger::{
    AccountName, ActionFilter, Amount, Applied, Command, IdempotencyKey, Ledger, LedgerTime, MemoryLedger,
    PayoutNo, Reference, Refusal, Settlement,
};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::bank_desk::{BankSettings, StatementBookingError, StatementFile};
use crate::cashier::{Cashier, CashierError};
use crate::refusal::{Reason, Refusal as RequestRefusal};
use crate::second_person::{Asked, SecondPersonLimit};

struct Noon;

impl Clock for Noon {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(1).unwrap()
    }
}

const AT: LedgerTime = LedgerTime::from_unix_micros(1);
const LIMIT: u64 = 100;

/// Books with an account of Alice, and two operators.
struct World {
    ledger: Arc<MemoryLedger>,
    ann: OperatorName,
    ben: OperatorName,
    alice: AccountName,
}

impl World {
    async fn new() -> Self {
        let ledger = Arc::new(MemoryLedger::new());
        let alice: AccountName = "alice".parse().unwrap();
        let open = Command::OpenAccount {
            name: alice.clone(),
            token_hash: None,
            password: None,
            at: AT,
        };
        ledger.apply(&[open]).await.unwrap()[0].as_ref().unwrap();
        let name = |name: &str| name.parse().unwrap();
        Self {
            ledger,
            ann: name("ann"),
            ben: name("ben"),
            alice,
        }
    }

    fn cashier(&self, limit: SecondPersonLimit) -> Cashier {
        let rng = Box::new(StdRng::seed_from_u64(1));
        Cashier::new(Arc::clone(&self.ledger), Arc::new(Noon), rng, limit)
    }

    fn bank(&self) -> BankDesk {
        let settings = BankSettings {
            account: BankConfig {
                iban: Some("DE89370400440532013000".to_owned()),
                ..BankConfig::default()
            },
            columns: BankCsvConfig {
                day: Some("day".to_owned()),
                amount: Some("amount".to_owned()),
                text: vec!["text".to_owned()],
                ..BankCsvConfig::default()
            },
            second_person: limit(),
        };
        BankDesk::new(Arc::clone(&self.ledger), Arc::new(Noon), settings, 100)
    }

    fn desk(&self) -> ProposalDesk {
        ProposalDesk::new(Arc::clone(&self.ledger), Arc::new(Noon), self.bank())
    }

    async fn credit(&self, by: &OperatorName, units: u64, text: &str) -> Asked<Applied> {
        let cashier = self.cashier(limit());
        let acting = cashier.acting(by);
        let credited = acting.credit(&self.alice, amount(units), reference(text)).await;
        credited.unwrap()
    }

    async fn balance(&self) -> u64 {
        let account = self.cashier(limit()).account(&self.alice).await.unwrap().account;
        account.balance.units()
    }

    async fn upload(&self, lines: &[(&str, &str)]) -> StatementNo {
        let rows = lines
            .iter()
            .map(|(text, amount)| format!("04.05.2026;{text};{amount}\n"));
        let table: String = std::iter::once("day;text;amount\n".to_owned())
            .chain(rows)
            .collect();
        let bank = self.bank();
        let file = StatementFile {
            name: reference("may.csv"),
            content: table.into_bytes(),
            format: None,
            columns: bank.settings().columns.clone(),
        };
        bank.acting(&self.ann).upload(file).await.unwrap().0.no
    }
}

fn limit() -> SecondPersonLimit {
    SecondPersonLimit::above(amount(LIMIT))
}

fn amount(units: u64) -> Amount {
    Amount::new(units).unwrap()
}

fn reference(text: &str) -> Reference {
    Reference::new(text).unwrap()
}

fn waiting<T: std::fmt::Debug>(asked: Asked<T>) -> ProposalNo {
    match asked {
        Asked::Waits(proposal) => proposal.no,
        Asked::Done(done) => panic!("it was done: {done:?}"),
    }
}

#[tokio::test]
async fn money_above_the_limit_moves_with_two_names() {
    let world = World::new().await;
    assert!(!world.credit(&world.ann, LIMIT, "small").await.done().repeated);
    let no = waiting(world.credit(&world.ann, LIMIT + 1, "large").await);
    assert_eq!(waiting(world.credit(&world.ann, LIMIT + 1, "large").await), no);
    assert_eq!(waiting(world.credit(&world.ben, LIMIT + 1, "large").await), no);
    assert_eq!(world.balance().await, LIMIT);
    let desk = world.desk();
    assert_eq!(desk.waiting_for(&world.ann).await.unwrap().count, 0);
    assert_eq!(desk.waiting_for(&world.ben).await.unwrap().count, 1);
    let refused = RequestRefusal::from(desk.acting(&world.ann).approve(no).await.unwrap_err());
    assert_eq!(refused.reason, Reason::SecondPerson);
    assert_eq!(world.balance().await, LIMIT);
    assert!(!desk.acting(&world.ben).approve(no).await.unwrap().repeated);
    let again = desk.acting(&world.ben).approve(no).await.unwrap();
    assert!(again.repeated && again.proposal.verdict.unwrap().carried_out);
    assert_eq!(world.balance().await, 2 * LIMIT + 1);
    let declined = desk.acting(&world.ben).decline(no).await;
    assert!(matches!(declined, Err(ProposalError::CarriedOut(carried)) if carried == no));
    let cashier = world.cashier(limit());
    let actions = cashier.actions(ActionFilter::All, None, 2).await.unwrap();
    let shown = actions.iter().map(|action| {
        let detail = action.detail.as_ref().unwrap().as_str();
        (
            action.operator.as_str(),
            action.kind.as_str(),
            action.subject.as_str(),
            detail,
        )
    });
    let expected = [
        ("ben", "credit", "alice", "large; proposed by ann"),
        ("ann", "propose", "alice", "credit: large"),
    ];
    assert_eq!(shown.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn whoever_proposes_can_withdraw_and_others_decline() {
    let world = World::new().await;
    world.credit(&world.ann, LIMIT, "funds").await.done();
    world.credit(&world.ann, 1, "more funds").await.done();
    let cashier = world.cashier(limit());
    let debit = async |text| {
        let acting = cashier.acting(&world.ann);
        waiting(
            acting
                .debit(&world.alice, amount(LIMIT + 1), reference(text))
                .await
                .unwrap(),
        )
    };
    let desk = world.desk();
    for (operator, kind) in [
        (&world.ann, "withdraw-proposal"),
        (&world.ben, "decline-proposal"),
    ] {
        let no = debit(kind).await;
        assert!(!desk.acting(operator).decline(no).await.unwrap().repeated);
        assert!(desk.acting(operator).decline(no).await.unwrap().repeated);
        let refused = desk.acting(&world.ben).approve(no).await.unwrap_err();
        assert_eq!(RequestRefusal::from(refused).reason, Reason::Decided);
        let newest = cashier.actions(ActionFilter::All, None, 1).await.unwrap();
        assert_eq!(newest[0].kind, kind);
    }
    assert_eq!(world.balance().await, LIMIT + 1);
    let unknown = desk
        .acting(&world.ben)
        .approve(ProposalNo::new(9))
        .await
        .unwrap_err();
    assert_eq!(RequestRefusal::from(unknown).reason, Reason::NotFound);
}

#[tokio::test]
async fn a_payout_above_the_limit_is_settled_by_two() {
    let world = World::new().await;
    for text in ["a", "b"] {
        world.credit(&world.ann, LIMIT, text).await.done();
    }
    let request = Command::RequestPayout {
        account: opencoin_ledger::AccountId::FIRST_HOLDER,
        amount: amount(LIMIT + 50),
        destination: reference("DE02 1203 0000 0000 2020 51"),
        key: IdempotencyKey::new("one").unwrap(),
        at: AT,
    };
    world.ledger.apply(&[request]).await.unwrap()[0].as_ref().unwrap();
    let cashier = world.cashier(limit());
    let payout = PayoutNo::new(1);
    let failed = Settlement::Failed(reference("wrong account"));
    let asked = cashier.acting(&world.ann).settle(payout, failed.clone()).await;
    let no = waiting(asked.unwrap());
    assert!(cashier.payout(payout).await.unwrap().settled.is_none());
    let paid = Settlement::Paid(reference("sent"));
    let conflict = cashier.acting(&world.ben).settle(payout, paid).await.unwrap_err();
    assert!(matches!(
        conflict,
        CashierError::Refused(Refusal::OtherProposal { .. })
    ));
    world.desk().acting(&world.ben).approve(no).await.unwrap();
    assert_eq!(cashier.payout(payout).await.unwrap().settled.unwrap().0, failed);
    assert_eq!(world.balance().await, 2 * LIMIT);
}

#[tokio::test]
async fn a_proposal_waits_on_whatever_the_limit_is_later() {
    let world = World::new().await;
    let no = waiting(world.credit(&world.ann, LIMIT + 1, "large").await);
    // The limit was lifted, and the same request is carried out directly.
    let free = world.cashier(SecondPersonLimit::OFF);
    let acting = free.acting(&world.ann);
    let booked = acting
        .credit(&world.alice, amount(LIMIT + 1), reference("large"))
        .await;
    assert!(!booked.unwrap().done().repeated);
    let approved = world.desk().acting(&world.ben).approve(no).await.unwrap();
    assert!(approved.repeated);
    assert_eq!(world.balance().await, LIMIT + 1);
}

#[tokio::test]
async fn a_made_up_statement_and_a_line_of_it_need_a_second_operator() {
    let world = World::new().await;
    let code = payment_code::of_account("alice");
    let no = world
        .upload(&[(&code, "1,00"), (&code, "1,01"), ("no code", "7,00")])
        .await;
    let bank = world.bank();
    let preview = bank.preview(no).await.unwrap();
    assert_eq!(bank.lines_above_limit(&preview), 1);
    let refused = bank
        .acting(&world.ann)
        .book(no, preview.digest())
        .await
        .unwrap_err();
    assert!(
        matches!(refused, StatementBookingError::NeedsAnother(1)),
        "{refused}"
    );
    assert_eq!(RequestRefusal::from(refused).reason, Reason::SecondPerson);
    assert_eq!(world.balance().await, 0);
    bank.acting(&world.ben).book(no, preview.digest()).await.unwrap();
    assert_eq!(world.balance().await, 201);
    // Whoever has uploaded it gets the answer of a repetition.
    assert!(
        bank.acting(&world.ann)
            .book(no, preview.digest())
            .await
            .unwrap()
            .repeated
    );

    let unmatched = Some(BankLineStateKind::Unmatched);
    let lines = bank.lines(unmatched, BankLineNo::BEFORE_ALL, 10).await.unwrap();
    let line = lines[0].line.id().unwrap();
    let asked = bank.acting(&world.ann).assign(line, &world.alice).await.unwrap();
    let proposal = waiting(asked);
    assert_eq!(world.balance().await, 201);
    let desk = world.desk();
    let own = desk.acting(&world.ann).approve(proposal).await.unwrap_err();
    assert_eq!(RequestRefusal::from(own).reason, Reason::SecondPerson);
    let approved = desk.acting(&world.ben).approve(proposal).await.unwrap();
    assert!(!approved.repeated);
    assert!(desk.acting(&world.ben).approve(proposal).await.unwrap().repeated);
    assert_eq!(world.balance().await, 901);
}
