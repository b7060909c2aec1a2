//! Faults in pairs: a store fails and has stored nothing, or it fails and has stored everything. A dropped
//! future is the same without an error.
//!
//! The test program of a store causes the faults. This module checks what every store must guarantee after
//! them, for every command.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::Pair;
use crate::Store;
use crate::key_world::*;
use crate::world::*;
use opencoin_audit::AuditFacts;
use opencoin_ledger::journal::Kind;
use opencoin_ledger::recovered::{RecoveredBlind, RecoveredPart};
use opencoin_ledger::view::MintKeyNo;
use opencoin_ledger::{
    Account, AccountEntry, Applied, Command, Effect, EntryNo, EntryPage, IssuedDigest, LedgerError,
    LogBatchNo, LogHead, MemoryLedger, MintKeyStatus, Outcome, Payout, PayoutFilter, PayoutNo,
    PendingSummary, Settlement, Transaction, TransactionNo, TransactionReference, UnsignedTransaction,
    WaitingMint,
};

/// The number of polls after which the future of a batch must have finished.
const POLLS_MAX: usize = 1024;

/// How many times as many batches are dropped at most until each outcome was seen.
const BATCHES_FACTOR_MAX: usize = 64;

/// The time before a future is dropped, in half of the rounds. The database goes on meanwhile, as far as it can without
/// the future.
const PAUSE: Duration = Duration::from_millis(4);

/// A change of the books, and the books before and after it according to the in-memory model.
pub struct FaultCase {
    change: Change,
    before: Books,
    after: Books,
}

enum Change {
    /// A command is applied.
    Command(Box<Command>, Applied),
    /// Signatures of [`SIGNER`] are kept, for the transaction to which the store itself has given a number.
    Signatures,
}

/// The answer of a store to a change.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The outcome of a command.
    Outcome(Outcome),
    /// For each transaction, whether its signatures were kept.
    Kept(Vec<bool>),
}

/// The key whose signatures are kept.
const SIGNER: u8 = 1;

/// The time at which the waiting mint of the prepared books is given up. Its keys still sign then.
const LONG_WAIT: i64 = SIGN_TO - 1;

/// The references of transactions in these books.
const TRANSACTIONS: [&str; 8] = [
    "by key",
    "minted before",
    "recouped before",
    "mint",
    "renew",
    "recoup",
    "waits",
    "patient",
];

/// Everything that can be read from the small books of these tests.
#[derive(Debug, PartialEq, Eq)]
struct Books {
    facts: AuditFacts,
    accounts: Vec<Option<Account>>,
    /// The entries of each account that exists.
    entries: Vec<Vec<AccountEntry>>,
    mint_keys: Vec<MintKeyStatus>,
    /// The transactions with unsigned blinds of each mint key.
    unsigned: Vec<Vec<TransactionReference>>,
    transactions: Vec<Option<Transaction>>,
    waiting: Vec<Option<WaitingMint>>,
    payouts: Vec<Payout>,
    signing_paused: bool,
    /// Its end, and what waits for it.
    log: (Option<LogHead>, PendingSummary),
}

impl FaultCase {
    /// One case for each kind of command, and one for signatures that are kept.
    ///
    /// # Panics
    /// The model refuses a command.
    pub async fn all() -> Vec<Self> {
        let prepared: Arc<dyn Store> = Arc::new(MemoryLedger::new());
        prepare(Arc::clone(&prepared)).await;
        let keys = prepared.mint_keys().await.unwrap();
        let mut commands: Vec<(Option<Kind>, Command)> = Kind::ALL
            .into_iter()
            .filter_map(|kind| Some((Some(kind), example(kind, &keys)?)))
            .collect();
        // Changes without a record: a mint begins to wait, or waits longer.
        commands.push((None, patient(LONG_WAIT, mint(bob(), "patient", &[5]))));
        commands.push((None, patient(LONG_WAIT + 1, mint(bob(), "waits", &[5, 2]))));
        // What changes the accounts of keys, and has the kinds of other commands.
        commands.extend([
            (Some(Kind::Transfer), pay_key(0, 1, 1, 4)),
            (Some(Kind::Transfer), pay_holder(0, (bob(), "bob"), 1, 4)),
            (
                Some(Kind::Transfer),
                transfer(alice(), key_account(1), 5, "to-a-key"),
            ),
            (Some(Kind::Credit), credit(key_account(1), 6, "to-a-key")),
            (Some(Kind::Redeem), redeem(key_account(1), &[(1, 1), (2, 2)])),
        ]);
        let mut cases = Vec::new();
        for (kind, command) in commands {
            let model: Arc<dyn Store> = Arc::new(MemoryLedger::new());
            prepare(Arc::clone(&model)).await;
            let before = Books::read(&*model).await;
            let applied = model
                .apply(std::slice::from_ref(&command))
                .await
                .unwrap()
                .remove(0)
                .unwrap();
            assert_eq!(kind_of(&command, applied.effect), kind);
            let after = Books::read(&*model).await;
            assert!(!applied.repeated && before != after, "{kind:?} changes the books");
            cases.push(Self {
                change: Change::Command(Box::new(command), applied),
                before,
                after,
            });
        }
        cases.push(Self::of_signatures().await);
        cases
    }

    async fn of_signatures() -> Self {
        let model: Arc<dyn Store> = Arc::new(MemoryLedger::new());
        prepare(Arc::clone(&model)).await;
        let before = Books::read(&*model).await;
        assert_eq!(keep_signatures(&*model).await.unwrap(), [true]);
        Self {
            change: Change::Signatures,
            before,
            after: Books::read(&*model).await,
        }
    }

    /// The name of the case, for messages.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.change {
            Change::Command(command, applied) => kind_of(command, applied.effect)
                .map_or_else(|| "a waiting mint".to_owned(), |kind| format!("{kind:?}")),
            Change::Signatures => "keeping signatures".to_owned(),
        }
    }

    /// Brings empty books into the state before the change.
    pub async fn prepare(&self, ledger: Arc<dyn Store>) {
        prepare(Arc::clone(&ledger)).await;
        assert_eq!(Books::read(&*ledger).await, self.before, "{}", self.name());
    }

    /// Makes the change and returns the answer of the store.
    ///
    /// # Errors
    /// The store fails.
    pub async fn apply(&self, ledger: &dyn Store) -> Result<Answer, LedgerError> {
        match &self.change {
            Change::Command(command, _) => {
                let outcomes = ledger.apply(std::slice::from_ref(&**command)).await;
                outcomes.map(|mut outcomes| Answer::Outcome(outcomes.remove(0)))
            }
            Change::Signatures => keep_signatures(ledger).await.map(Answer::Kept),
        }
    }

    /// The expected answer, the first time or as a repetition.
    fn answer(&self, repeated: bool) -> Answer {
        match &self.change {
            Change::Command(_, applied) => Answer::Outcome(Ok(Applied { repeated, ..*applied })),
            Change::Signatures => Answer::Kept(vec![!repeated]),
        }
    }

    /// Call it after a fault that stored nothing: the books are unchanged, and the change can be made as for
    /// the first time.
    pub async fn assert_not_stored(&self, ledger: &dyn Store) {
        assert_eq!(Books::read(ledger).await, self.before, "{}", self.name());
        assert_eq!(
            self.apply(ledger).await,
            Ok(self.answer(false)),
            "{}",
            self.name()
        );
        self.assert_stored(ledger).await;
    }

    /// Call it while the change is stored and a part of it may be invisible: the store fails, or the change is there.
    /// It is not refused, and no reader is told that it was not made.
    pub async fn assert_in_doubt(&self, ledger: &dyn Store) {
        let is_for_later = |error: &LedgerError| {
            matches!(error, LedgerError::Unavailable(_) | LedgerError::Contended { .. })
        };
        let there = TRANSACTIONS.iter().zip(&self.after.transactions);
        for (name, _) in there.filter(|(_, transaction)| transaction.is_some()) {
            match ledger.transaction(&reference(name)).await {
                Ok(found) => assert!(found.is_some(), "{name}: {}", self.name()),
                Err(error) => assert!(is_for_later(&error), "{}: {error:?}", self.name()),
            }
        }
        for (account, expected) in self.after.accounts.iter().flatten().zip(&self.after.entries) {
            match entries(ledger, account).await {
                Ok(found) => assert_eq!(&found, expected, "{}", self.name()),
                Err(error) => assert!(is_for_later(&error), "{}: {error:?}", self.name()),
            }
        }
        for (key, expected) in self.after.mint_keys.iter().zip(&self.after.unsigned) {
            match unsigned(ledger, key).await {
                // Blinds of a pruned key may not be deleted yet.
                Ok(found) => assert!(
                    expected.iter().all(|reference| found.contains(reference)),
                    "{}: {found:?}",
                    self.name()
                ),
                Err(error) => assert!(is_for_later(&error), "{}: {error:?}", self.name()),
            }
        }
        match self.apply(ledger).await {
            Ok(answer) => assert_eq!(answer, self.answer(true), "{}", self.name()),
            Err(error) => assert!(is_for_later(&error), "{}: {error:?}", self.name()),
        }
    }

    /// Call it after a fault that stored everything: the books contain the change once, and repeating it gets
    /// the same effect and changes nothing.
    pub async fn assert_stored(&self, ledger: &dyn Store) {
        assert_eq!(Books::read(ledger).await, self.after, "{}", self.name());
        assert_eq!(self.apply(ledger).await, Ok(self.answer(true)), "{}", self.name());
        assert_eq!(Books::read(ledger).await, self.after, "{}", self.name());
    }
}

impl Books {
    async fn read(ledger: &dyn Store) -> Self {
        forget_rows(&[ledger]).await;
        let (mut accounts, mut transactions, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
        let keys = [0, 1, 2].map(|number| account_key(number).to_string());
        for name in ["alice", "bob", "carol"]
            .into_iter()
            .chain(keys.iter().map(String::as_str))
        {
            accounts.push(account(ledger, name).await);
        }
        for name in TRANSACTIONS {
            let reference = reference(name);
            transactions.push(ledger.transaction(&reference).await.unwrap());
            waiting.push(ledger.accounts().waiting(&reference).await.unwrap());
        }
        let mut entries_of_accounts = Vec::new();
        for account in accounts.iter().flatten() {
            entries_of_accounts.push(entries(ledger, account).await.unwrap());
        }
        let payouts = ledger
            .accounts()
            .payouts(PayoutFilter::All, PayoutNo::BEFORE_ALL, 100)
            .await
            .unwrap();
        let log = ledger.log();
        let log = (log.head().await.unwrap(), log.pending().await.unwrap());
        let facts = ledger.audit_facts().await.unwrap();
        assert!(opencoin_audit::check(&facts).holds(), "{facts:?}");
        let (mint_keys, signing_paused) = (
            ledger.mint_keys().await.unwrap(),
            ledger.signing_paused().await.unwrap(),
        );
        let mut unsigned_of_keys = Vec::new();
        for key in &mint_keys {
            unsigned_of_keys.push(unsigned(ledger, key).await.unwrap());
        }
        Self {
            facts,
            accounts,
            entries: entries_of_accounts,
            mint_keys,
            unsigned: unsigned_of_keys,
            transactions,
            waiting,
            payouts,
            signing_paused,
            log,
        }
    }
}

/// All entries of an account.
async fn entries(ledger: &dyn Store, account: &Account) -> Result<Vec<AccountEntry>, LedgerError> {
    let page = EntryPage::After(EntryNo::BEFORE_ALL);
    ledger.accounts().entries(account.id, page, 100).await
}

/// All transactions with unsigned blinds of a mint key.
async fn unsigned(ledger: &dyn Store, key: &MintKeyStatus) -> Result<Vec<TransactionReference>, LedgerError> {
    let page = ledger.unsigned(key, TransactionNo::BEFORE_ALL, 100).await?;
    assert_eq!(page.next, None, "one page has all of them");
    let transactions = page.transactions.into_iter();
    Ok(transactions.map(|transaction| transaction.reference).collect())
}

async fn prepare(ledger: Arc<dyn Store>) {
    let world = crate::World::with_paid_in(&[Arc::clone(&ledger), Arc::clone(&ledger)], 1000).await;
    // A key that waits for the log.
    ledger.apply(&[register(8, 8)]).await.unwrap();
    for command in [
        register(3, 3),
        mint(alice(), "minted before", &[1, 1, 1, 2, 2, 3, 3, 3]),
        redeem(alice(), &[(2, 1), (3, 1)]),
        stop(3),
        recoup("recouped before", &[(3, 2, 2)], &[2, 1]),
        payout(alice(), 7, "before"),
        patient(LONG_WAIT, mint(bob(), "waits", &[5, 2])),
        introduce(0),
        introduce(1),
        transfer(alice(), key_account(0), 10, "funding"),
    ] {
        world.one(command).await.unwrap();
    }
    let keys = ledger.mint_keys().await.unwrap();
    let mut issued = Vec::new();
    for request in lost_requests() {
        let blind = |(no, issued_digest): &(MintKeyNo, IssuedDigest)| RecoveredBlind {
            mint_key: keys.iter().find(|key| key.no == *no).unwrap().id,
            issued_digest: *issued_digest,
        };
        let found = found_in(LogBatchNo::FIRST, &keys, &request);
        issued.extend(found.blinds.iter().map(blind));
    }
    for part in [RecoveredPart::PaidIn(amount(100)), RecoveredPart::Issued(issued)] {
        world.one(recover(LogBatchNo::FIRST, part)).await.unwrap();
    }
}

/// Requests whose blinds were accepted in a lost time.
fn lost_requests() -> [Command; 3] {
    [
        mint(alice(), "mint again", &[1, 2, 5]),
        renew("renew again", &[(1, 1), (1, 2)], &[2]),
        recoup("recoup again", &[(3, 3, 3)], &[1, 2]),
    ]
}

/// Keeps signatures for the transaction `minted before`, as if none had been kept before.
async fn keep_signatures(ledger: &dyn Store) -> Result<Vec<bool>, LedgerError> {
    let keys = ledger.mint_keys().await?;
    let other = keys.iter().find(|key| key.id == key_id(2)).unwrap();
    let page = ledger.unsigned(other, TransactionNo::BEFORE_ALL, 100).await?;
    let transaction = page
        .transactions
        .into_iter()
        .find(|found| found.reference == reference("minted before"))
        .unwrap();
    let before = stored(&[1, 1, 1, 2, 2, 3, 3, 3]);
    ledger
        .keep_signatures(&[keep(
            SIGNER,
            &UnsignedTransaction {
                blinds: before,
                ..transaction
            },
        )])
        .await
}

/// A command that leaves a record of this kind in the prepared books; `None` if no command does.
fn example(kind: Kind, keys: &[MintKeyStatus]) -> Option<Command> {
    let again = |request: usize| {
        let request = lost_requests()[request].clone();
        sign_again(found_in(LogBatchNo::FIRST, keys, &request), request)
    };
    Some(match kind {
        Kind::OpenAccount => open("carol", 3),
        Kind::Credit => credit(alice(), 30, "credit"),
        Kind::Debit => debit(alice(), 30, "debit"),
        Kind::Transfer => labelled("rent", transfer(alice(), bob(), 30, "transfer")),
        Kind::RegisterMintKey => register(7, 7),
        Kind::StopMintKey => stop(5),
        Kind::SetSigningPaused => Command::SetSigningPaused {
            paused: true,
            at: NOW,
        },
        Kind::Mint => mint(alice(), "mint", &[1, 2, 5]),
        Kind::Renew => renew("renew", &[(1, 1), (1, 2)], &[2]),
        Kind::Redeem => redeem(bob(), &[(1, 1), (2, 2)]),
        Kind::PruneMintKey => prune(3),
        Kind::RetireMintKey => retire(5),
        Kind::Recoup => recoup("recoup", &[(3, 3, 3)], &[1, 2]),
        Kind::RequestPayout => payout(alice(), 30, "payout"),
        Kind::PayPayout => paid(1, "statement 7"),
        Kind::ReturnPayout => failed(1, "no such bank account"),
        // It prepared the books with these.
        Kind::AcceptState | Kind::OpenLog => return None,
        Kind::LogCurrency => log_currency(2),
        Kind::ReleaseMintKey => release(8),
        Kind::Recover => recover(LogBatchNo::FIRST, RecoveredPart::PaidIn(amount(30))),
        Kind::AssignRecovered => assign(alice(), 30, "assigned"),
        Kind::BearShortfall => recover(LogBatchNo::FIRST, RecoveredPart::Shortfall(amount(30))),
        Kind::MintAgain => again(0),
        Kind::RenewAgain => again(1),
        Kind::RecoupAgain => again(2),
        Kind::GiveUpMint => at(LONG_WAIT, mint(bob(), "waits", &[5, 2])),
        Kind::IntroduceKey => introduce(2),
        Kind::PayForMint => mint_by_key(0, 1, 3, "by key", &[1, 2], &WORLD_KEYS),
    })
}

/// The kind of the record that a command leaves. A new command does not compile until it has a case here.
fn kind_of(command: &Command, effect: Effect) -> Option<Kind> {
    Some(match command {
        Command::Recover { recovered, .. } => match recovered.part {
            RecoveredPart::Shortfall(_) => Kind::BearShortfall,
            _ => Kind::Recover,
        },
        Command::AssignRecovered { .. } => Kind::AssignRecovered,
        Command::SignAgain { request, .. } => match **request {
            Command::Mint { .. } => Kind::MintAgain,
            Command::Renew { .. } => Kind::RenewAgain,
            _ => Kind::RecoupAgain,
        },
        Command::OpenLog { .. } => Kind::OpenLog,
        Command::LogCurrency { .. } => Kind::LogCurrency,
        Command::ReleaseMintKey { .. } => Kind::ReleaseMintKey,
        Command::OpenAccount { .. } => Kind::OpenAccount,
        Command::SetAccountStatus { .. } => return None,
        Command::IntroduceKey { .. } => Kind::IntroduceKey,
        Command::PayByKey { .. } => Kind::Transfer,
        Command::Mint { payment: Some(_), .. } => Kind::PayForMint,
        Command::Credit { .. } => Kind::Credit,
        Command::Debit { .. } => Kind::Debit,
        Command::Transfer { .. } => Kind::Transfer,
        Command::RegisterMintKey { .. } => Kind::RegisterMintKey,
        Command::StopMintKey { .. } => Kind::StopMintKey,
        Command::SetSigningPaused { .. } => Kind::SetSigningPaused,
        Command::Mint { .. } if effect == Effect::Waiting => return None,
        Command::Mint { .. } if effect == Effect::GivenUp => Kind::GiveUpMint,
        Command::Mint { .. } => Kind::Mint,
        Command::Renew { .. } => Kind::Renew,
        Command::Redeem { .. } => Kind::Redeem,
        Command::PruneMintKey { .. } => Kind::PruneMintKey,
        Command::RetireMintKey { .. } => Kind::RetireMintKey,
        Command::Recoup { .. } => Kind::Recoup,
        Command::RequestPayout { .. } => Kind::RequestPayout,
        Command::SettlePayout {
            settlement: Settlement::Paid(_),
            ..
        } => Kind::PayPayout,
        Command::SettlePayout {
            settlement: Settlement::Failed(_),
            ..
        } => Kind::ReturnPayout,
    })
}

/// What happened to batches whose futures were dropped.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Dropped {
    /// The number of batches that finished before they were dropped.
    pub finished: usize,
    /// The number of dropped batches that were stored completely.
    pub stored: usize,
    /// The number of dropped batches of which nothing was stored.
    pub not_stored: usize,
}

impl Dropped {
    fn has_each_outcome(self) -> bool {
        self.finished > 0 && self.stored > 0 && self.not_stored > 0
    }
}

/// Drops the futures of batches in rounds: after one poll, after two, and so on, until a batch finishes. Each batch
/// must be stored completely or not at all, and be applied when it is sent again.
///
/// How far a database has come when a future is dropped depends on its speed. So after `batches` batches, more
/// are dropped until each outcome was seen.
///
/// # Panics
/// A batch is stored in part, the ledger no longer works, or an outcome was not seen in many times as many batches.
pub async fn batches_are_dropped_anywhere(ledgers: &Pair, batches: usize) -> Dropped {
    let batches_max = BATCHES_FACTOR_MAX * batches;
    let units = 10 * batches_max as u64;
    let world = crate::World::with_paid_in(ledgers, units).await;
    let mut dropped = Dropped::default();
    let (mut number, mut round, mut polls, mut paid_out) = (0, 0, 1, 0);
    while number < batches || !dropped.has_each_outcome() {
        assert!(number < batches_max, "an outcome was not seen: {dropped:?}");
        let name = number.to_string();
        let mut batch = vec![
            credit(bob(), 1, &format!("credit {name}")),
            labelled(&name, transfer(alice(), bob(), 2, &name)),
            mint(alice(), &name, &[1, 1, 2]),
        ];
        // No store decides this optimistically, so it talks more often with the database.
        if round % 2 == 0 {
            batch.push(payout(alice(), 1, &format!("payout-{name}")));
            paid_out += 1;
        }
        let pause = if round % 4 < 2 { Duration::ZERO } else { PAUSE };
        let finished = polled(ledgers[0].apply(&batch), polls, pause).await.is_some();
        let outcomes = world.apply(&batch).await;
        let repeated = outcomes
            .iter()
            .filter(|outcome| outcome.as_ref().unwrap().repeated)
            .count();
        match (finished, repeated) {
            (true, all) if all == batch.len() => dropped.finished += 1,
            (false, all) if all == batch.len() => dropped.stored += 1,
            (false, 0) => dropped.not_stored += 1,
            other => panic!("batch {number} was stored in part: {other:?} (finished, repeated)"),
        }
        number += 1;
        polls += 1;
        assert!(polls < POLLS_MAX, "no batch finishes: {dropped:?}");
        if finished {
            polls = 1;
            round += 1;
        }
    }
    let batches = number as u64;
    assert_eq!(
        world.balances().await,
        [units - 6 * batches - paid_out, 3 * batches]
    );
    dropped
}

/// Polls a future at most this many times, and drops it after a pause. Returns `None` if it did not finish.
async fn polled<F: Future>(future: F, times: usize, pause: Duration) -> Option<F::Output> {
    let (mut future, mut left) = (pin!(future), times);
    let output = poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => {
            left -= 1;
            if left == 0 {
                Poll::Ready(None)
            } else {
                Poll::Pending
            }
        }
    })
    .await;
    if output.is_none() && !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
    output
}
