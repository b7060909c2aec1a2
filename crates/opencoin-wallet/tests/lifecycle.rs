//! The wallet against an issuer in memory: whatever happens, and wherever the process dies, the money adds up.

#![expect(clippy::unwrap_used, unreachable_pub, reason = "helpers of tests")]

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_schema::{BigInt, CoinStack};
use opencoin_wallet::{Clock, ExchangeError, Secret, Transport, Wallet, WalletError};
use support::{DENOMINATIONS, FakeIssuer, Fault, TOKEN, URL};
use tempfile::TempDir;

const PAID_IN: u64 = 300;

fn start() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

struct Fixture {
    folder: TempDir,
    issuer: Arc<FakeIssuer>,
    clock: Clock,
    now: Arc<AtomicI64>,
}

impl Fixture {
    fn new() -> Self {
        let now = Arc::new(AtomicI64::new(start().timestamp()));
        let read = Arc::clone(&now);
        let clock: Clock = Arc::new(move || DateTime::from_timestamp(read.load(Ordering::Relaxed), 0).unwrap());
        let issuer = FakeIssuer::new("OpenCent", start());
        issuer.books.lock().unwrap().account = PAID_IN;
        Self { folder: tempfile::tempdir().unwrap(), issuer, clock, now }
    }

    fn open(&self, name: &str) -> Wallet {
        self.issuer.wallet(&self.folder.path().join(name), &self.clock)
    }

    async fn wallet(&self, name: &str) -> Wallet {
        let mut wallet = self.open(name);
        wallet.add(URL).await.unwrap();
        wallet
    }

    fn account(&self) -> u64 {
        self.issuer.books.lock().unwrap().account
    }
}

fn token() -> Secret {
    Secret::new(TOKEN)
}

async fn mint(wallet: &mut Wallet, amount: u64) -> Result<(), WalletError> {
    wallet.mint(None, amount, &token(), &mut |_, _| {}).await
}

fn held(wallet: &Wallet) -> u64 {
    wallet.balances().iter().map(|balance| balance.balance).sum()
}

#[tokio::test]
async fn wherever_the_processes_die_the_money_adds_up() {
    let fixture = Fixture::new();
    let folders = ["alice", "bob"].map(|name| fixture.folder.path().join(name));
    *fixture.issuer.watched.lock().unwrap() = folders.to_vec();
    let (mut alice, mut bob) = (fixture.wallet("alice").await, fixture.wallet("bob").await);
    mint(&mut alice, 37).await.unwrap();
    let gift = alice.send(None, 20, "gift").await.unwrap().value;
    bob.receive(&gift).await.unwrap();
    bob.redeem(None, 7, &token()).await.unwrap();
    let mistake = alice.send(None, 6, "mistake").await.unwrap().value;
    assert_eq!(alice.reclaim(None).await.unwrap(), 6);
    assert_eq!((held(&alice), held(&bob), fixture.account()), (17, 13, PAID_IN - 37 + 7));
    drop((alice, bob));

    let snapshots = std::mem::take(&mut *fixture.issuer.snapshots.lock().unwrap());
    fixture.issuer.watched.lock().unwrap().clear();
    assert!(snapshots.len() >= 12, "{}", snapshots.len());
    for (index, snapshot) in snapshots.into_iter().enumerate() {
        *fixture.issuer.books.lock().unwrap() = snapshot.books;
        let mut wallets = Vec::new();
        for (name, journal) in ["alice", "bob"].iter().zip(&snapshot.journals) {
            let folder = fixture.folder.path().join(format!("{index}-{name}"));
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("journal.jsonl"), journal).unwrap();
            wallets.push(fixture.issuer.wallet(&folder, &fixture.clock));
        }
        // First the receiver, then the sender, who takes back what was not taken.
        for wallet in wallets.iter_mut().rev() {
            let done = wallet.resume().await.unwrap();
            assert!(done.warning.is_none(), "{}: {:?}", snapshot.what, done.warning);
            wallet.reclaim(None).await.unwrap();
        }
        let balances: Vec<u64> = wallets.iter().map(held).collect();
        let sum = balances.iter().sum::<u64>() + fixture.account();
        assert_eq!(sum, PAID_IN, "killed at {}: {balances:?} and {} in the account", snapshot.what, fixture.account());
    }
    assert_eq!(mistake.coins.iter().map(|coin| coin.payload.denomination).sum::<u64>(), 6);
}

#[tokio::test]
async fn lost_requests_lost_answers_and_delays_are_finished_by_resume() {
    for fault in [Fault::LoseRequest, Fault::LoseAnswer, Fault::Delay] {
        let fixture = Fixture::new();
        let mut alice = fixture.wallet("alice").await;
        fixture.issuer.set_fault(fault);
        let error = mint(&mut alice, 20).await.unwrap_err();
        let is_delay = matches!(error, WalletError::Exchange(ExchangeError::Delayed));
        assert_eq!(is_delay, fault == Fault::Delay, "{error}");
        // The fault is still there: nothing is given up.
        assert!(alice.resume().await.unwrap().warning.is_some());
        drop(alice);
        fixture.issuer.set_fault(Fault::None);
        let mut alice = fixture.open("alice");
        let finished = alice.resume().await.unwrap();
        assert_eq!((finished.value, finished.warning.is_none()), (1, true), "{fault:?}");
        assert_eq!((held(&alice), fixture.account()), (20, PAID_IN - 20), "{fault:?}");
        assert_eq!(alice.resume().await.unwrap().value, 0);
    }
}

#[tokio::test]
async fn every_amount_can_be_paid_one_after_the_other() {
    let fixture = Fixture::new();
    let (mut alice, mut bob) = (fixture.wallet("alice").await, fixture.wallet("bob").await);
    mint(&mut alice, 60).await.unwrap();
    for amount in [1, 1, 1, 13, 4, 9, 3, 8, 2, 7, 11] {
        let sent = alice.send(None, amount, "").await.unwrap();
        assert!(sent.warning.is_none());
        assert_eq!(bob.receive(&sent.value).await.unwrap(), amount);
    }
    assert_eq!((held(&alice), held(&bob)), (0, 60));
    bob.redeem(None, 59, &token()).await.unwrap();
    bob.redeem(None, 1, &token()).await.unwrap();
    assert_eq!(fixture.account(), PAID_IN);
}

#[tokio::test]
async fn a_wrong_signature_is_told_and_nothing_is_dropped() {
    let fixture = Fixture::new();
    let mut alice = fixture.wallet("alice").await;
    fixture.issuer.set_fault(Fault::WrongSignature);
    assert!(matches!(mint(&mut alice, 5).await, Err(WalletError::WrongSignature)));
    fixture.issuer.set_fault(Fault::None);
    assert_eq!(alice.resume().await.unwrap().value, 1);
    assert_eq!(held(&alice), 5);
}

#[tokio::test]
async fn a_refusal_ends_the_request_and_changes_nothing() {
    let fixture = Fixture::new();
    let mut alice = fixture.wallet("alice").await;
    let refused = mint(&mut alice, PAID_IN + 1).await.unwrap_err();
    assert!(refused.to_string().contains("insufficient-funds"), "{refused}");
    assert_eq!(alice.resume().await.unwrap().value, 0);
    assert_eq!((held(&alice), fixture.account()), (0, PAID_IN));
    assert!(alice.history()[0].state.starts_with("refused"));
    let short = alice.send(None, 1, "").await.unwrap_err();
    assert!(matches!(short, WalletError::InsufficientFunds { balance: 0, needed: 1 }));
}

#[tokio::test]
async fn a_stack_is_received_once() {
    let fixture = Fixture::new();
    let (mut alice, mut bob) = (fixture.wallet("alice").await, fixture.wallet("bob").await);
    let mut carol = fixture.wallet("carol").await;
    mint(&mut alice, 30).await.unwrap();
    let stack = alice.send(None, 12, "").await.unwrap().value;
    bob.receive(&stack).await.unwrap();
    assert!(matches!(bob.receive(&stack).await, Err(WalletError::ReceivedBefore)));
    let late = carol.receive(&stack).await.unwrap_err();
    assert!(matches!(late, WalletError::Exchange(ExchangeError::Refused { ref word, .. }) if word == "double-spend"), "{late}");
    // The sender learns that it was taken, and loses nothing else.
    assert_eq!(alice.reclaim(None).await.unwrap(), 0);
    assert_eq!(alice.history().last().unwrap().kind, "reclaim");
    assert_eq!((held(&alice), held(&bob), held(&carol)), (18, 12, 0));
    assert_eq!(alice.balances()[0].sent, 0);
}

#[tokio::test]
async fn what_is_left_of_a_partly_taken_stack_comes_back() {
    let fixture = Fixture::new();
    let (mut alice, mut bob) = (fixture.wallet("alice").await, fixture.wallet("bob").await);
    mint(&mut alice, 30).await.unwrap();
    let stack = alice.send(None, 13, "").await.unwrap().value;
    let part = CoinStack { coins: vec![stack.coins[0].clone()], subject: String::new() };
    let taken = bob.receive(&part).await.unwrap();
    assert_eq!(alice.reclaim(None).await.unwrap(), 13 - taken);
    assert_eq!(held(&alice) + held(&bob), 30);
    // A stack of one's own is a way to take it back, too.
    let own = alice.send(None, 5, "").await.unwrap().value;
    assert_eq!(alice.receive(&own).await.unwrap(), 5);
    assert_eq!((alice.reclaim(None).await.unwrap(), held(&alice) + held(&bob)), (0, 30));
}

#[tokio::test]
async fn coins_that_are_not_good_are_refused_before_anything_is_done() {
    let fixture = Fixture::new();
    let (mut alice, mut bob) = (fixture.wallet("alice").await, fixture.wallet("bob").await);
    mint(&mut alice, 30).await.unwrap();
    let stack = alice.send(None, 13, "").await.unwrap().value;
    let with = |change: &dyn Fn(&mut CoinStack)| {
        let mut stack = stack.clone();
        change(&mut stack);
        stack
    };
    let forged = with(&|stack| stack.coins[1].payload.serial = BigInt::from_be_bytes(&[7]));
    assert!(matches!(bob.receive(&forged).await, Err(WalletError::BadCoin(1))));
    let twice = with(&|stack| stack.coins.push(stack.coins[0].clone()));
    assert!(matches!(bob.receive(&twice).await, Err(WalletError::RepeatedCoin(_))));
    let empty = with(&|stack| stack.coins.clear());
    assert!(matches!(bob.receive(&empty).await, Err(WalletError::EmptyStack)));
    let other = with(&|stack| stack.coins.iter_mut().for_each(|coin| coin.payload.issuer_id = BigInt::from_be_bytes(&[9])));
    assert!(matches!(bob.receive(&other).await, Err(WalletError::UnknownCurrency { .. })));
    assert!(bob.history().is_empty());
    assert_eq!(bob.receive(&stack).await.unwrap(), 13);
}

#[tokio::test]
async fn coins_are_renewed_before_they_expire() {
    let fixture = Fixture::new();
    let mut alice = fixture.wallet("alice").await;
    mint(&mut alice, 17).await.unwrap();
    assert_eq!(alice.history().len(), 1);
    fixture.now.store((start() + TimeDelta::days(440)).timestamp(), Ordering::Relaxed);
    alice.resume().await.unwrap();
    let last = alice.history().pop().unwrap();
    assert_eq!((last.kind, held(&alice)), ("change", 17));
}

#[tokio::test]
async fn a_wallet_with_two_currencies_asks_which() {
    let fixture = Fixture::new();
    let mut alice = fixture.wallet("alice").await;
    mint(&mut alice, 10).await.unwrap();
    drop(alice);
    let other = FakeIssuer::new("Other", start());
    other.books.lock().unwrap().account = 50;
    let open = |issuer: &Arc<FakeIssuer>| -> Wallet {
        let folder: &Path = &fixture.folder.path().join("alice");
        Wallet::open(folder, Arc::clone(issuer) as Arc<dyn Transport>, Arc::clone(&fixture.clock), support::rng()).unwrap()
    };
    let mut alice = open(&other);
    alice.add(URL).await.unwrap();
    assert!(matches!(mint(&mut alice, 5).await, Err(WalletError::WhichCurrency(_))));
    alice.mint(Some("Other"), 5, &token(), &mut |_, _| {}).await.unwrap();
    let balances: Vec<(String, u64)> = alice.balances().into_iter().map(|balance| (balance.name, balance.balance)).collect();
    assert!(balances.contains(&("OpenCent".to_owned(), 10)) && balances.contains(&("Other".to_owned(), 5)), "{balances:?}");
    assert_eq!(DENOMINATIONS.len(), 4);
}
