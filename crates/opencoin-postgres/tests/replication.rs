//! Replication with a synchronous standby that is away, a primary that restarts and a manual promotion: no
//! answer relies on rows that can still be lost, and no coin is spent twice.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;

use opencoin_conformance::{Pair, World, alice, assert_books_hold, without_log};
use opencoin_ledger::{
    Applied, Blind, CoinIn, Command, Effect, HasAccounts, Ledger, LedgerError, LedgerTime, MintKeyId,
    Outcome, Refusal, SpentDigest, TransactionReference,
};
use opencoin_postgres::PostgresLedger;
use opencoin_testkit::postgres_pair::PostgresPair;
use tokio::task::{JoinHandle, spawn_blocking};

const DATABASE: &str = "books";
/// At least the number of connections that a ledger uses for reads.
const READERS_MAX: usize = 4;
/// A time in the signing window of the world's keys, in microseconds.
const NOW: i64 = 150;

/// A pair of servers, and a ledger on its primary with money in Alice's account.
struct Replicated {
    /// `None` while [`Self::servers`] uses it.
    pair: Option<PostgresPair>,
    ledger: PostgresLedger,
}

impl Replicated {
    async fn with_paid_in(units: u64) -> Self {
        let pair = spawn_blocking(|| {
            let pair = PostgresPair::start();
            pair.create_database(DATABASE);
            pair
        });
        let pair = pair.await.unwrap();
        let ledger = PostgresLedger::connect(&pair.url(DATABASE)).await.unwrap();
        let _world = World::with_paid_in(&both(&ledger), units).await;
        Self {
            pair: Some(pair),
            ledger,
        }
    }

    /// Runs a blocking action on the servers.
    async fn servers(&mut self, action: impl FnOnce(&mut PostgresPair) + Send + 'static) {
        let mut pair = self.pair.take().unwrap();
        let pair = spawn_blocking(move || {
            action(&mut pair);
            pair
        });
        self.pair = Some(pair.await.unwrap());
    }

    async fn another_ledger(&self) -> PostgresLedger {
        let url = self.pair.as_ref().unwrap().url(DATABASE);
        PostgresLedger::connect_to_existing(&url).await.unwrap()
    }

    async fn one(&self, command: Command) -> Outcome {
        self.ledger.apply(&[command]).await.unwrap().remove(0)
    }
}

fn both(ledger: &PostgresLedger) -> Pair {
    [Arc::new(ledger.clone()), Arc::new(ledger.clone())]
}

fn begin(ledger: &PostgresLedger, command: Command) -> JoinHandle<Result<Vec<Outcome>, LedgerError>> {
    let ledger = ledger.clone();
    tokio::spawn(async move { ledger.apply(&[command]).await })
}

fn reference(text: &str) -> TransactionReference {
    TransactionReference::new(text.as_bytes()).unwrap()
}

fn time(micros: i64) -> LedgerTime {
    LedgerTime::from_unix_micros(micros)
}

fn blind() -> Vec<Blind> {
    vec![Blind {
        reference: "a".to_owned(),
        mint_key: MintKeyId::new([1; 20]),
        blinded: vec![7; 64],
    }]
}

fn mint(text: &str, wait_until: Option<i64>, at: i64) -> Command {
    Command::Mint {
        account: alice(),
        transaction_reference: reference(text),
        blinds: blind(),
        payment: None,
        wait_until: wait_until.map(time),
        at: time(at),
    }
}

/// Renews always the same coin.
fn renew(text: &str) -> Command {
    Command::Renew {
        transaction_reference: reference(text),
        coins: vec![CoinIn {
            mint_key: MintKeyId::new([1; 20]),
            spent_digest: SpentDigest::new([9; 32]),
        }],
        blinds: blind(),
        at: time(NOW),
    }
}

fn new(effect: Effect) -> Outcome {
    Ok(Applied {
        repeated: false,
        effect,
        logged: None,
    })
}

fn accepted() -> Effect {
    Effect::Accepted {
        amount: 1_u64.try_into().unwrap(),
        signing_paused: false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_relies_on_rows_that_a_promotion_would_lose() {
    let mut replicated = Replicated::with_paid_in(100).await;
    replicated.one(mint("coin", None, NOW)).await.unwrap();
    replicated.servers(PostgresPair::detach_standby).await;
    let first = begin(&replicated.ledger, renew("first"));
    replicated
        .servers(|pair| {
            pair.await_waiting_commits(1);
            pair.crash_primary();
        })
        .await;
    assert!(matches!(first.await.unwrap(), Err(LedgerError::Unavailable(_))));

    // The renew is visible now, but no standby has it. It is repeated and resumed.
    let resumed = replicated.ledger.clone();
    let answers = [
        begin(&replicated.ledger, renew("first")),
        tokio::spawn(async move { resumed.make_durable().await.map(|()| Vec::new()) }),
    ];
    replicated.servers(|pair| pair.await_waiting_commits(2)).await;
    let read = replicated.ledger.transaction(&reference("first")).await;
    assert!(matches!(read, Err(LedgerError::Unavailable(_))), "{read:?}");
    assert!(answers.iter().all(|answer| !answer.is_finished()));

    // The primary is lost, and the standby is promoted manually.
    replicated
        .servers(|pair| {
            pair.kill_primary();
            pair.promote_standby();
        })
        .await;
    for answer in answers {
        let answer = answer.await.unwrap();
        assert!(matches!(answer, Err(LedgerError::Unavailable(_))), "{answer:?}");
    }
    replicated.servers(PostgresPair::add_standby).await;
    let ledger = replicated.another_ledger().await;
    assert_eq!(ledger.transaction(&reference("first")).await.unwrap(), None);
    let outcomes = ledger.apply(&[renew("second"), renew("first")]).await.unwrap();
    let spent = Refusal::DoubleSpend { indices: vec![0] };
    assert_eq!(without_log(outcomes), [new(accepted()), Err(spent)]);
    assert_books_hold(&both(&ledger)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_waits_until_its_reason_is_durable() {
    let mut replicated = Replicated::with_paid_in(100).await;
    replicated.one(mint("coin", None, NOW)).await.unwrap();
    replicated.servers(PostgresPair::detach_standby).await;
    let first = begin(&replicated.ledger, renew("first"));
    replicated
        .servers(|pair| {
            pair.await_waiting_commits(1);
            pair.crash_primary();
        })
        .await;
    let _unknown = first.await.unwrap();
    let refused = begin(&replicated.ledger, renew("second"));
    replicated
        .servers(|pair| {
            pair.await_waiting_commits(1);
            pair.attach_standby();
        })
        .await;
    let spent = Refusal::DoubleSpend { indices: vec![0] };
    assert_eq!(refused.await.unwrap().unwrap(), [Err(spent)]);
    // The crash broke every reading connection. The first read on each of them fails and closes it.
    for _ in 0..READERS_MAX {
        let _ = replicated.ledger.mint_keys().await;
    }
    assert_books_hold(&both(&replicated.ledger)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_mint_is_not_given_up_while_its_commit_is_pending() {
    const UNTIL: i64 = NOW + 10;
    let mut replicated = Replicated::with_paid_in(0).await;
    assert_eq!(
        replicated.one(mint("waits", Some(UNTIL), NOW)).await,
        new(Effect::Waiting)
    );
    let credit = Command::Credit {
        account: alice(),
        amount: 1_u64.try_into().unwrap(),
        reference: "late".parse().unwrap(),
        at: time(NOW),
    };
    replicated.one(credit).await.unwrap();
    let other = replicated.another_ledger().await;
    // New connections wait for the standby, so the reads below need two that are open. Of four reads at once at least
    // two use connections of their own.
    let reads = tokio::join!(
        other.mint_keys(),
        other.mint_keys(),
        other.mint_keys(),
        other.mint_keys()
    );
    assert_eq!(
        (reads.0.unwrap(), reads.2.unwrap()),
        (reads.1.unwrap(), reads.3.unwrap())
    );
    replicated.servers(PostgresPair::detach_standby).await;
    let carried_out = begin(&replicated.ledger, mint("waits", None, UNTIL - 1));
    replicated.servers(|pair| pair.await_waiting_commits(1)).await;
    // Its time is over, and it is not yet visible that it was carried out.
    assert_eq!(other.transaction(&reference("waits")).await.unwrap(), None);
    assert!(
        other
            .accounts()
            .waiting(&reference("waits"))
            .await
            .unwrap()
            .is_some()
    );
    let given_up = begin(&other, mint("waits", None, UNTIL));
    replicated
        .servers(|pair| {
            pair.await_waiting_locks(1);
            pair.attach_standby();
        })
        .await;
    let carried_out = carried_out.await.unwrap().unwrap();
    assert_eq!(without_log(carried_out), [new(accepted())]);
    let repeated = Applied {
        repeated: true,
        effect: accepted(),
        logged: None,
    };
    assert_eq!(without_log(given_up.await.unwrap().unwrap()), [Ok(repeated)]);
    assert_books_hold(&both(&replicated.ledger)).await;
}
