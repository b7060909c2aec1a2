//! Bookings that died, and accounts that close in between.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use opencoin_bank::payment_code;
use opencoin_ledger::bank::credit_reference;
use opencoin_ledger::{
    AccountId, Command, KeptSignatures, Ledger, LedgerError, MemoryLedger, MintKeyId, MintKeyStatus,
    OperatorCommand, Outcome, Transaction, TransactionNo, TransactionReference, UnsignedPage,
};

use super::*;

struct Noon;

impl Clock for Noon {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(1).unwrap()
    }
}

const AT: LedgerTime = LedgerTime::from_unix_micros(1);

struct World {
    ledger: Arc<MemoryLedger>,
    desk: BankDesk,
    operator: OperatorName,
}

impl World {
    async fn new() -> Self {
        let ledger = Arc::new(MemoryLedger::new());
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
            second_person: SecondPersonLimit::OFF,
        };
        let world = Self {
            desk: BankDesk::new(Arc::clone(&ledger), Arc::new(Noon), settings, 100),
            ledger,
            operator: OperatorName::command_line(),
        };
        for name in ["alice", "bob"] {
            let open = Command::OpenAccount {
                name: name.parse().unwrap(),
                token_hash: None,
                password: None,
                at: AT,
            };
            world.apply(open).await;
        }
        world
    }

    async fn apply(&self, command: Command) {
        self.ledger.apply(&[command]).await.unwrap()[0].as_ref().unwrap();
    }

    fn acting(&self) -> ActingBankDesk<'_> {
        self.desk.acting(&self.operator)
    }

    async fn upload(&self, texts: &[&str]) -> StatementNo {
        let rows = texts.iter().map(|text| format!("04.05.2026;{text};1,00\n"));
        let table: String = std::iter::once("day;text;amount\n".to_owned())
            .chain(rows)
            .collect();
        let file = StatementFile {
            name: Reference::new("may.csv").unwrap(),
            content: table.into_bytes(),
            format: None,
            columns: self.desk.settings().columns.clone(),
        };
        self.acting().upload(file).await.unwrap().0.no
    }

    /// Claims the lines of a statement and dies.
    async fn claim(&self, no: StatementNo) -> PreviewDigest {
        let digest = self.desk.preview(no).await.unwrap().digest();
        let action = self.acting().action(ActionKind::BookStatement, "x");
        let claim = self
            .desk
            .store()
            .claim_statement(no, digest, action, None)
            .await
            .unwrap();
        assert!(matches!(claim, StatementClaim::Claimed(_)));
        digest
    }

    async fn balance(&self, name: &str) -> u64 {
        let name = name.parse().unwrap();
        let profile = self.desk.books.accounts.profile(&name).await.unwrap();
        profile.unwrap().account.balance.units()
    }

    async fn lines(&self, state: BankLineStateKind) -> Vec<KeptLine> {
        self.desk
            .lines(Some(state), BankLineNo::BEFORE_ALL, 100)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn any_booking_finishes_what_a_dead_one_has_claimed() {
    let world = World::new().await;
    let (alice, bob) = (payment_code::of_account("alice"), payment_code::of_account("bob"));
    let first = world.upload(&[&alice, "no code"]).await;
    let digest = world.claim(first).await;
    assert_eq!(world.balance("alice").await, 0);
    let second = world.upload(&[&bob]).await;
    let preview = world.desk.preview(second).await.unwrap().digest();
    let booking = world.acting().book(second, preview).await.unwrap();
    assert_eq!((booking.booked.lines, booking.repeated), (1, false));
    assert_eq!(
        (world.balance("alice").await, world.balance("bob").await),
        (100, 100)
    );
    let again = world.acting().book(first, digest).await.unwrap();
    assert_eq!((again.booked.lines, again.repeated), (1, true));
    assert_eq!(world.balance("alice").await, 100);
    assert_eq!(world.lines(BankLineStateKind::Booked).await.len(), 2);
}

#[tokio::test]
async fn a_server_finishes_what_a_dead_booking_has_claimed() {
    let world = World::new().await;
    let no = world.upload(&[&payment_code::of_account("alice")]).await;
    let digest = world.claim(no).await;
    for _ in 0..2 {
        world.desk.finish_interrupted().await;
        assert_eq!(world.balance("alice").await, 100);
    }
    assert!(world.acting().book(no, digest).await.unwrap().repeated);
    assert_eq!(world.balance("alice").await, 100);
}

#[tokio::test]
async fn a_line_whose_account_closes_before_its_credit_is_unmatched_again() {
    let world = World::new().await;
    let no = world.upload(&[&payment_code::of_account("bob")]).await;
    let digest = world.claim(no).await;
    let account = world.desk.books.accounts.profile(&"bob".parse().unwrap()).await;
    let close = Command::SetAccountStatus {
        account: account.unwrap().unwrap().account.id,
        status: AccountStatus::Closed,
        at: AT,
    };
    world.apply(close).await;
    let booking = world.acting().book(no, digest).await.unwrap();
    assert_eq!(booking.refused.len(), 1);
    let line = booking.refused[0].id;
    assert_eq!(world.lines(BankLineStateKind::Unmatched).await.len(), 1);
    let refused = world.acting().assign(line, &"bob".parse().unwrap()).await;
    assert!(matches!(refused, Err(BankDeskError::ClosedAccount(_))));
    let (kept, repeated) = world
        .acting()
        .assign(line, &"alice".parse().unwrap())
        .await
        .unwrap()
        .done();
    assert!(matches!(kept.state, BankLineState::Booked(_)) && !repeated);
    assert_eq!(world.balance("alice").await, 100);
}

#[tokio::test]
async fn a_booking_whose_credits_must_wait_does_not_report_success() {
    let world = World::new().await;
    let profile = world.desk.books.accounts.profile(&"bob".parse().unwrap()).await;
    let bob = profile.unwrap().unwrap().account.id;
    let full = Command::Credit {
        account: bob,
        amount: opencoin_ledger::Amount::MAX,
        reference: Reference::new("all there is").unwrap(),
        at: AT,
    };
    world.apply(full).await;
    let no = world.upload(&[&payment_code::of_account("bob")]).await;
    let digest = world.desk.preview(no).await.unwrap().digest();
    for _ in 0..2 {
        let Err(StatementBookingError::Waiting(waiting)) = world.acting().book(no, digest).await else {
            panic!("nothing was credited");
        };
        assert_eq!(
            waiting,
            [world.lines(BankLineStateKind::Claimed).await[0]
                .line
                .id()
                .unwrap()]
        );
    }
    let debit = Command::Debit {
        account: bob,
        amount: opencoin_ledger::Amount::new(1000).unwrap(),
        reference: Reference::new("room").unwrap(),
        at: AT,
    };
    world.apply(debit).await;
    let booking = world.acting().book(no, digest).await.unwrap();
    assert_eq!((booking.booked.lines, booking.repeated), (1, true));
}

#[tokio::test]
async fn without_an_account_nothing_is_read() {
    let ledger = Arc::new(MemoryLedger::new());
    let desk = BankDesk::new(ledger, Arc::new(Noon), BankSettings::default(), 100);
    let file = StatementFile {
        name: Reference::new("x").unwrap(),
        content: Vec::new(),
        format: None,
        columns: BankCsvConfig::default(),
    };
    let operator = OperatorName::command_line();
    let uploaded = desk.acting(&operator).upload(file).await;
    assert!(matches!(uploaded, Err(StatementUploadError::NoAccount)));
}

/// A repeated booking does not say that it has booked what the books refuse.
#[tokio::test]
async fn a_booking_whose_credit_is_refused_says_so_each_time() {
    let world = World::new().await;
    let no = world.upload(&[&payment_code::of_account("bob")]).await;
    let preview = world.desk.preview(no).await.unwrap();
    let id = preview.lines[0].line.id().unwrap();
    let alice = world.desk.books.accounts.profile(&"alice".parse().unwrap()).await;
    let by_hand = Command::Credit {
        account: alice.unwrap().unwrap().account.id,
        amount: opencoin_ledger::Amount::new(7).unwrap(),
        reference: credit_reference(id),
        at: AT,
    };
    world.apply(by_hand).await;
    for _ in 0..2 {
        let booking = world.acting().book(no, preview.digest()).await.unwrap();
        assert_eq!((booking.refused.len(), booking.repeated), (1, false));
    }
    let refused = world.acting().assign(id, &"bob".parse().unwrap()).await;
    assert!(matches!(refused, Err(BankDeskError::Refused(_))), "{refused:?}");
    assert_eq!([world.balance("alice").await, world.balance("bob").await], [7, 0]);
}

/// A ledger that fails at every batch with a credit of one account.
struct Choking {
    ledger: Arc<MemoryLedger>,
    account: AccountId,
}

#[async_trait]
impl Ledger for Choking {
    async fn apply(&self, batch: &[Command]) -> Result<Vec<Outcome>, LedgerError> {
        self.ledger.apply(batch).await
    }

    async fn apply_for_operator(&self, batch: &[OperatorCommand]) -> Result<Vec<Outcome>, LedgerError> {
        let is_bad = |command: &OperatorCommand| matches!(command.command, Command::Credit { account, .. } if account == self.account);
        if batch.iter().any(is_bad) {
            return Err(LedgerError::Database("no".to_owned()));
        }
        self.ledger.apply_for_operator(batch).await
    }

    async fn transaction(&self, _: &TransactionReference) -> Result<Option<Transaction>, LedgerError> {
        unreachable!("the desk only applies")
    }

    async fn unsigned(
        &self,
        _: &MintKeyStatus,
        _: TransactionNo,
        _: usize,
    ) -> Result<UnsignedPage, LedgerError> {
        unreachable!("the desk only applies")
    }

    async fn keep_signatures(&self, _: &[KeptSignatures]) -> Result<Vec<bool>, LedgerError> {
        unreachable!("the desk only applies")
    }

    async fn check_coins(&self, _: MintKeyId) -> Result<(), LedgerError> {
        unreachable!("the desk only applies")
    }

    async fn forget_rows(&self, _: MintKeyId, _: u32) -> Result<u64, LedgerError> {
        unreachable!("the desk only applies")
    }

    async fn mint_keys(&self) -> Result<Vec<MintKeyStatus>, LedgerError> {
        unreachable!("the desk only applies")
    }

    async fn signing_paused(&self) -> Result<bool, LedgerError> {
        unreachable!("the desk only applies")
    }

    async fn ready(&self) -> Result<(), LedgerError> {
        unreachable!("the desk only applies")
    }
}

#[tokio::test]
async fn a_line_at_which_the_ledger_fails_holds_up_no_other() {
    let mut world = World::new().await;
    let profile = world.desk.books.accounts.profile(&"bob".parse().unwrap()).await;
    world.desk.books.ledger = Arc::new(Choking {
        ledger: Arc::clone(&world.ledger),
        account: profile.unwrap().unwrap().account.id,
    });
    let (alice, bob) = (payment_code::of_account("alice"), payment_code::of_account("bob"));
    let no = world.upload(&[&bob, &alice, &alice]).await;
    let digest = world.desk.preview(no).await.unwrap().digest();
    let booked = world.acting().book(no, digest).await;
    assert!(matches!(booked, Err(StatementBookingError::Waiting(waiting)) if waiting.len() == 1));
    assert_eq!(
        (world.balance("alice").await, world.balance("bob").await),
        (200, 0)
    );
    world.desk.books.ledger = Arc::<MemoryLedger>::clone(&world.ledger);
    world.desk.finish_interrupted().await;
    assert_eq!(world.balance("bob").await, 100);
}
