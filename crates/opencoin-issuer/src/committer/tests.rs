//! Which commands wait for which, with a ledger whose answers each test scripts.

use std::sync::Mutex;

use async_trait::async_trait;
use opencoin_ledger::{
    AccountId, Applied, CoinIn, Effect, KeptSignatures, LedgerError, LedgerTime, MintKeyId, MintKeyStatus,
    OperatorCommand, SpentDigest, Transaction, TransactionNo, TransactionReference, UnsignedPage,
};

use super::*;

/// The ledger's answer to a batch of these accounts; the flag is `true` on a routine lane.
type Script = dyn Fn(&[i64], bool) -> Answer + Send + Sync;

enum Answer {
    Apply,
    Odd(Vec<usize>),
    Fail(LedgerError),
    Hang,
    WrongCount,
}

/// A ledger that follows a script and records the accounts of every batch.
struct Scripted {
    script: Box<Script>,
    batches: Mutex<Vec<Vec<i64>>>,
}

impl Scripted {
    fn new(script: impl Fn(&[i64], bool) -> Answer + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            script: Box::new(script),
            batches: Mutex::default(),
        })
    }

    fn batches(&self) -> Vec<Vec<i64>> {
        self.batches.lock().unwrap().clone()
    }

    async fn answer(&self, batch: &[Command], is_routine: bool) -> Result<Routine, LedgerError> {
        let accounts: Vec<i64> = batch.iter().map(account).collect();
        self.batches.lock().unwrap().push(accounts.clone());
        let applied = Ok(Applied {
            repeated: false,
            effect: Effect::MintKeyStopped,
            logged: None,
        });
        match (self.script)(&accounts, is_routine) {
            Answer::Apply => Ok(Routine::Applied(vec![applied; batch.len()])),
            Answer::Odd(places) => Ok(Routine::Odd(places)),
            Answer::Fail(error) => Err(error),
            Answer::Hang => std::future::pending().await,
            Answer::WrongCount => Ok(Routine::Applied(Vec::new())),
        }
    }
}

#[async_trait]
impl Ledger for Scripted {
    async fn apply(&self, batch: &[Command]) -> Result<Vec<Outcome>, LedgerError> {
        match self.answer(batch, false).await? {
            Routine::Applied(outcomes) => Ok(outcomes),
            Routine::Odd(_) => panic!("the script is wrong"),
        }
    }

    async fn apply_for_operator(&self, _: &[OperatorCommand]) -> Result<Vec<Outcome>, LedgerError> {
        unreachable!("no operator uses the committer")
    }

    async fn apply_routine(&self, batch: &[Command]) -> Result<Routine, LedgerError> {
        self.answer(batch, true).await
    }

    async fn transaction(&self, _: &TransactionReference) -> Result<Option<Transaction>, LedgerError> {
        unreachable!("the committer only applies")
    }

    async fn unsigned(
        &self,
        _: &MintKeyStatus,
        _: TransactionNo,
        _: usize,
    ) -> Result<UnsignedPage, LedgerError> {
        unreachable!("the committer only applies")
    }

    async fn keep_signatures(&self, _: &[KeptSignatures]) -> Result<Vec<bool>, LedgerError> {
        unreachable!("the committer only applies")
    }

    async fn check_coins(&self, _: MintKeyId) -> Result<(), LedgerError> {
        unreachable!("the committer only applies")
    }

    async fn forget_rows(&self, _: MintKeyId, _: u32) -> Result<u64, LedgerError> {
        unreachable!("the committer only applies")
    }

    async fn mint_keys(&self) -> Result<Vec<MintKeyStatus>, LedgerError> {
        unreachable!("the committer only applies")
    }

    async fn signing_paused(&self) -> Result<bool, LedgerError> {
        unreachable!("the committer only applies")
    }

    async fn ready(&self) -> Result<(), LedgerError> {
        unreachable!("the committer only applies")
    }
}

fn start(ledger: &Arc<Scripted>) -> Committer {
    let metrics = Arc::new(Metrics::new(chrono::DateTime::UNIX_EPOCH));
    Committer::start(Arc::clone(ledger) as Arc<dyn Ledger>, 1000, metrics)
}

/// Sends small commands of these accounts at the same time, which puts them into one batch. Returns whether each was
/// confirmed.
async fn apply(committer: &Committer, accounts: impl IntoIterator<Item = i64>) -> Vec<bool> {
    apply_all(committer, accounts.into_iter().map(|account| command(account, 1))).await
}

/// Sends commands at the same time. Returns whether each was confirmed.
async fn apply_all(committer: &Committer, commands: impl IntoIterator<Item = Command>) -> Vec<bool> {
    let applied = commands.into_iter().map(|command| committer.apply(command));
    futures_util::future::join_all(applied)
        .await
        .into_iter()
        .map(|outcome| outcome.is_ok())
        .collect()
}

#[tokio::test]
async fn a_failure_of_the_database_fails_a_batch_at_once() {
    let ledger = Scripted::new(|_, _| Answer::Fail(LedgerError::Unavailable("statement timeout".to_owned())));
    assert_eq!(apply(&start(&ledger), 0..1000).await, [false; 1000]);
    assert_eq!(ledger.batches().len(), 1, "no command is tried by itself");
}

#[tokio::test]
async fn a_command_at_fault_is_found_by_bisection() {
    for error in [
        LedgerError::Database("no".to_owned()),
        LedgerError::Contended { attempts: 10 },
    ] {
        let ledger = Scripted::new(move |accounts, _| {
            if accounts.contains(&700) {
                Answer::Fail(error.clone())
            } else {
                Answer::Apply
            }
        });
        let confirmed = apply(&start(&ledger), 0..1000).await;
        assert!(
            confirmed
                .iter()
                .enumerate()
                .all(|(account, is_confirmed)| *is_confirmed == (account != 700))
        );
        let batches = ledger.batches().len();
        assert!(batches <= 2 + 2 * 10, "{batches} batches for 1,000 commands");
    }
}

#[tokio::test]
async fn a_failure_of_the_database_ends_the_bisection() {
    let ledger = Scripted::new(|accounts, _| match accounts.len() {
        0..500 => Answer::Fail(LedgerError::Unavailable("gone".to_owned())),
        _ => Answer::Fail(LedgerError::Database("no".to_owned())),
    });
    assert_eq!(apply(&start(&ledger), 0..1000).await, [false; 1000]);
    let lengths: Vec<usize> = ledger.batches().iter().map(Vec::len).collect();
    assert_eq!(lengths, [1000, 1000, 500, 250]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_hangs_does_not_block_the_next_ones() {
    let ledger = Scripted::new(|accounts, _| match accounts {
        [0] => Answer::Hang,
        _ => Answer::Apply,
    });
    let committer = Arc::new(start(&ledger));
    let first = Arc::clone(&committer);
    let hanging = tokio::spawn(async move { first.apply(command(0, 1)).await.is_ok() });
    while ledger.batches().is_empty() {
        tokio::task::yield_now().await;
    }
    let begun = tokio::time::Instant::now();
    for account in 1..100 {
        assert_eq!(apply(&committer, [account]).await, [true]);
    }
    assert!(
        begun.elapsed() <= PATIENCE,
        "only the first waited: {:?}",
        begun.elapsed()
    );
    assert!(!hanging.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_small_command_is_answered_while_a_batch_with_a_large_one_hangs() {
    let ledger = Scripted::new(|accounts, _| match accounts[0] {
        1000.. => Answer::Hang,
        _ => Answer::Apply,
    });
    let committer = Arc::new(start(&ledger));
    for number in 0..10 {
        let other = Arc::clone(&committer);
        let large = command(1000 + number, SMALL_COMMAND_ITEMS_MAX + 1);
        tokio::spawn(async move { other.apply(large).await.is_ok() });
    }
    while ledger.batches().is_empty() {
        tokio::task::yield_now().await;
    }
    let begun = tokio::time::Instant::now();
    for account in 0..100 {
        let small = command(account, SMALL_COMMAND_ITEMS_MAX);
        assert_eq!(apply_all(&committer, [small]).await, [true]);
    }
    assert_eq!(begun.elapsed(), Duration::ZERO, "nobody waits for large commands");
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_large_commands_is_short_while_there_are_small_ones() {
    let ledger = Scripted::new(|accounts, _| match accounts {
        [1000] => Answer::Hang,
        _ => Answer::Apply,
    });
    let committer = Arc::new(start(&ledger));
    let large = || (0..6).map(|account| command(account, 1000));
    assert_eq!(apply_all(&committer, large()).await, [true; 6]);
    assert_eq!(ledger.batches(), [vec![0, 1, 2, 3], vec![4, 5]]);

    let other = Arc::clone(&committer);
    tokio::spawn(async move { other.apply(command(1000, 1)).await.is_ok() });
    assert_eq!(apply_all(&committer, large()).await, [true; 6]);
    let batches = ledger.batches().split_off(2);
    assert_eq!(batches[0], [1000]);
    assert_eq!(batches[1..], [[0], [1], [2], [3], [4], [5]]);
}

#[tokio::test(start_paused = true)]
async fn many_commands_that_are_not_routine_do_not_delay_the_others() {
    // Commands of accounts from 1000 on are not routine, and the careful lane hangs.
    let ledger = Scripted::new(|accounts, is_routine| {
        let places = accounts
            .iter()
            .enumerate()
            .filter(|(_, account)| **account >= 1000);
        let odd: Vec<usize> = places.map(|(place, _)| place).collect();
        match (is_routine, odd.is_empty()) {
            (false, _) => Answer::Hang,
            (true, true) => Answer::Apply,
            (true, false) => Answer::Odd(odd),
        }
    });
    let committer = Arc::new(start(&ledger));
    let begun = tokio::time::Instant::now();
    for round in 0..100 {
        let attacker = Arc::clone(&committer);
        tokio::spawn(async move { attacker.apply(command(1000 + round, 1)).await.is_ok() });
        let before = ledger.batches().len();
        assert_eq!(apply(&committer, 0..10).await, [true; 10]);
        // One attempt with the odd command and one without it, besides the batches of the careful lane.
        assert!(ledger.batches().len() <= before + 4, "round {round}");
    }
    assert_eq!(
        begun.elapsed(),
        Duration::ZERO,
        "nobody waits for the careful lane"
    );
}

#[tokio::test]
async fn the_end_of_the_committer_is_reported() {
    let ledger = Scripted::new(|_, _| Answer::WrongCount);
    let committer = start(&ledger);
    assert_eq!(apply(&committer, [1]).await, [false]);
    committer.ended().await;
}

/// A command with this number of coins, identified by its account.
fn command(account: i64, items: usize) -> Command {
    let coin = CoinIn {
        mint_key: MintKeyId::new([1; 20]),
        spent_digest: SpentDigest::new([1; 32]),
    };
    let at = LedgerTime::from_unix_micros(0);
    Command::Redeem {
        account: AccountId::new(account),
        coins: vec![coin; items],
        at,
    }
}

fn account(command: &Command) -> i64 {
    match command {
        Command::Redeem { account, .. } => account.get(),
        other => panic!("not made here: {other:?}"),
    }
}

fn request(account: i64, items: usize) -> Request {
    let command = command(account, items);
    let room = Arc::new(Semaphore::new(1))
        .try_acquire_owned()
        .expect("a fresh semaphore");
    let queued = Metrics::new(chrono::DateTime::UNIX_EPOCH).queued();
    let waiting = Waiting {
        items: item_count(&command),
        answer: oneshot::channel().0,
        _room: room,
        _queued: queued,
    };
    Request { command, waiting }
}

#[test]
fn a_command_larger_than_a_batch_is_a_batch_of_its_own() {
    let mut lane = Lane::default();
    for (account, items) in [(1, 11), (2, 7), (3, 3), (4, 1)] {
        lane.waiting.push_back(request(account, items));
    }
    let mut next = || {
        let batch = lane.next_batch(1000, 10)?;
        Some(
            batch
                .iter()
                .map(|request| account(&request.command))
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(
        [next(), next(), next(), next()],
        [Some(vec![1]), Some(vec![2, 3]), Some(vec![4]), None]
    );
}
