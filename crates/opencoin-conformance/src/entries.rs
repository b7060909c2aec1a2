//! Rules of the entries of an account.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::Store;
use crate::concurrency::at_once;
use crate::world::*;
use crate::{Pair, World};
use opencoin_ledger::journal::Kind;
use opencoin_ledger::{AccountEntry, AccountId, EntryNo, EntryPage};

async fn read(ledger: &dyn Store, account: AccountId, page: EntryPage, limit: u32) -> Vec<AccountEntry> {
    ledger.accounts().entries(account, page, limit).await.unwrap()
}

async fn all(ledger: &dyn Store, account: AccountId) -> Vec<AccountEntry> {
    read(ledger, account, EntryPage::After(EntryNo::BEFORE_ALL), 1000).await
}

/// The entries list everything that moved money of an account, with labels and counterparties.
pub async fn entries_say_what_moved_the_money_of_an_account(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 100).await;
    let commands = [
        labelled("rent", transfer(alice(), bob(), 30, "1")),
        transfer(bob(), alice(), 1, "1"),
        mint(alice(), "m", &[1, 1, 2]),
        renew("r", &[(1, 1)], &[1]),
        redeem(alice(), &[(1, 2), (2, 3)]),
        debit(alice(), 5, "statement 2"),
        payout(alice(), 7, "2"),
        failed(1, "no such bank account"),
    ];
    assert!(world.apply(&commands).await.iter().all(Result::is_ok));
    let entries = all(&*ledgers[1], alice()).await;
    let seen = |entry: &AccountEntry| (entry.kind, entry.received, entry.amount.units());
    assert_eq!(
        entries.iter().map(seen).collect::<Vec<_>>(),
        [
            (Kind::Credit, true, 100),
            (Kind::Transfer, false, 30),
            (Kind::Transfer, true, 1),
            (Kind::Mint, false, 4),
            (Kind::Redeem, true, 3),
            (Kind::Debit, false, 5),
            (Kind::RequestPayout, false, 7),
            (Kind::ReturnPayout, true, 7),
        ]
    );
    let texts: Vec<_> = entries.iter().map(|entry| entry.label.as_deref()).collect();
    assert_eq!(
        texts,
        [
            Some("opening balance"),
            Some("rent"),
            None,
            None,
            None,
            Some("statement 2"),
            None,
            None
        ]
    );
    let others: Vec<_> = entries
        .iter()
        .map(|entry| entry.counterparty.as_ref().map(|name| name.as_str()))
        .collect();
    assert_eq!(
        others,
        [None, Some("bob"), Some("bob"), None, None, None, None, None]
    );
    assert!(entries.iter().all(|entry| entry.at == NOW));
    // The same transfer, seen from the other side.
    let of_bob = &all(&*ledgers[1], bob()).await[0];
    assert_eq!((of_bob.received, of_bob.label.as_deref()), (true, Some("rent")));
    // Each account numbers its own entries.
    assert!(
        (1..)
            .zip(&entries)
            .all(|(no, entry)| entry.no == EntryNo::new(no))
    );
    assert_eq!(of_bob.no, EntryNo::new(1));
    assert_eq!(
        of_bob.counterparty.as_ref().map(|name| name.as_str()),
        Some("alice")
    );

    let by_key = async |account, key| {
        ledgers[1]
            .accounts()
            .entry_of(account, &idempotency_key(key))
            .await
            .unwrap()
    };
    assert_eq!(by_key(alice(), "1").await.as_ref(), Some(&entries[1]));
    assert_eq!(by_key(alice(), "2").await.as_ref(), Some(&entries[6]));
    assert_eq!(
        by_key(bob(), "1").await,
        Some(all(&*ledgers[1], bob()).await[1].clone())
    );
    assert_eq!(by_key(bob(), "2").await, None);
}

/// Pages of entries join without a gap in both directions.
pub async fn entries_are_read_in_pages(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 100).await;
    let transfers: Vec<_> = (0..9)
        .map(|index| transfer(alice(), bob(), 1 + index, &index.to_string()))
        .collect();
    world.apply(&transfers).await;
    let expected = all(&*ledgers[0], alice()).await;
    let (mut forwards, mut no) = (Vec::new(), EntryNo::BEFORE_ALL);
    loop {
        let page = read(&*ledgers[1], alice(), EntryPage::After(no), 4).await;
        let Some(last) = page.last() else { break };
        no = last.no;
        forwards.extend(page);
    }
    let (mut backwards, mut no) = (Vec::new(), None);
    loop {
        let page = read(&*ledgers[1], alice(), EntryPage::Before(no), 3).await;
        let Some(last) = page.last() else { break };
        no = Some(last.no);
        backwards.extend(page);
    }
    backwards.reverse();
    assert_eq!(
        (expected.len(), &forwards, &backwards),
        (10, &expected, &expected)
    );
    assert!(
        read(&*ledgers[1], alice(), EntryPage::After(EntryNo::BEFORE_ALL), 0)
            .await
            .is_empty()
    );
}

/// A client that reads on from the last number that it has seen, while both processes move money, misses no
/// entry and sees none twice.
pub async fn entries_are_followed_while_money_moves(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 1000).await;
    world.one(credit(bob(), 1000, "b")).await.unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let follow = |account: AccountId| {
        let (ledger, is_over) = (Arc::clone(&ledgers[1]), Arc::clone(&is_over));
        tokio::spawn(async move {
            let (mut seen, mut no) = (Vec::new(), EntryNo::BEFORE_ALL);
            loop {
                let was_over = is_over.load(Ordering::SeqCst); // loaded first, so no entry is missed
                let page = read(&*ledger, account, EntryPage::After(no), 3).await;
                if page.is_empty() && was_over {
                    break seen;
                }
                no = page.last().map_or(no, |last| last.no);
                seen.extend(page);
                tokio::task::yield_now().await;
            }
        })
    };
    let followers = [alice(), bob()].map(|account| (account, follow(account)));
    let commands = (0..120).map(|index| match (index % 4, index.to_string()) {
        (0, key) => transfer(alice(), bob(), 2, &key),
        (1, key) => transfer(bob(), alice(), 1, &key),
        (2, key) => mint(if index % 8 == 2 { alice() } else { bob() }, &key, &[1]),
        (_, key) => credit(alice(), 1, &key),
    });
    assert!(at_once(ledgers, commands).await.iter().all(Result::is_ok));
    is_over.store(true, Ordering::SeqCst);
    for (account, follower) in followers {
        let seen = follower.await.unwrap();
        assert_eq!(seen, all(&*ledgers[0], account).await);
        assert_eq!(
            seen.len(),
            1 + 30 + 30 + 15 + if account == alice() { 30 } else { 0 }
        );
    }
}

/// Fifty requests spend one balance at once in three ways, and exactly what it holds is spent.
pub async fn fifty_spenders_cannot_overdraw_one_balance(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 20).await;
    let spend = |index: usize| match (index % 3, index.to_string()) {
        (0, key) => transfer(alice(), bob(), 1, &key),
        (1, key) => mint(alice(), &key, &[1]),
        (_, key) => payout(alice(), 1, &key),
    };
    let outcomes = at_once(ledgers, (0..50).map(spend)).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 20);
    let facts = world.facts().await;
    assert_eq!(facts.accounts[0].balance, 0);
    assert_eq!(
        facts.accounts[1].balance + facts.coins_outstanding + facts.unsettled_payouts,
        20
    );
}
