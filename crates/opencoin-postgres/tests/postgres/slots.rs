//! Batches of one process that run at the same time count the coins of a mint key in different rows.

use std::sync::Arc;
use std::time::Duration;

use opencoin_audit::AuditSource;
use opencoin_conformance::{World, alice, bob};
use opencoin_ledger::{
    AccountId, Blind, CoinIn, Command, Ledger, LedgerTime, MintKeyId, Routine, SpentDigest,
    TransactionReference,
};
use opencoin_postgres::PostgresLedger;
use opencoin_testkit::postgres::TestDatabase;
use sqlx::{Connection, Executor, PgConnection};

use super::open;

/// How long a batch may take that does not wait, on a busy machine. One that waits would do so for ever.
const PATIENCE: Duration = Duration::from_secs(30);
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'";

fn mint(number: u8, coins: usize) -> Command {
    let blind = |index| Blind {
        reference: format!("{index}"),
        mint_key: MintKeyId::new([1; 20]),
        blinded: vec![7, number, index as u8],
    };
    Command::Mint {
        account: alice(),
        transaction_reference: TransactionReference::new([number]).unwrap(),
        blinds: (0..coins).map(blind).collect(),
        payment: None,
        wait_until: None,
        at: LedgerTime::from_unix_micros(150),
    }
}

fn redeem(account: AccountId, digest: u8) -> Command {
    let coin = CoinIn {
        mint_key: MintKeyId::new([1; 20]),
        spent_digest: SpentDigest::new([digest; 32]),
    };
    Command::Redeem {
        account,
        coins: vec![coin],
        at: LedgerTime::from_unix_micros(150),
    }
}

/// Redeems a coin for Alice. Meanwhile, when her batch has counted the coin and waits for its row, which somebody else
/// has inserted, redeems another one for Bob. Returns whether Bob's redeem was routine.
async fn redeem_beside(database: &TestDatabase, ledger: &Arc<PostgresLedger>, digests: [u8; 2]) -> bool {
    let mut other = PgConnection::connect(&database.url()).await.unwrap();
    let mut hold = other.begin().await.unwrap();
    let insert = format!(
        "INSERT INTO spent VALUES (1, decode(repeat('{:02x}', 32), 'hex'))",
        digests[0]
    );
    hold.execute(&*insert).await.unwrap();
    let first = Arc::clone(ledger);
    let stuck = tokio::spawn(async move { first.apply_routine(&[redeem(alice(), digests[0])]).await });
    while database.number(WAITING) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let beside = [redeem(bob(), digests[1])];
    let beside = tokio::time::timeout(PATIENCE, ledger.apply_routine(&beside)).await;
    let is_routine = matches!(beside.unwrap().unwrap(), Routine::Applied(outcomes) if outcomes[0].is_ok());
    hold.rollback().await.unwrap();
    let stuck = stuck.await.unwrap().unwrap();
    assert!(matches!(stuck, Routine::Applied(outcomes) if outcomes[0].is_ok()));
    is_routine
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_one_process_do_not_wait_for_each_others_counts() {
    let (pair, database) = open().await;
    let ledger = Arc::new(PostgresLedger::connect(&database.url()).await.unwrap());
    let _world = World::with_paid_in(&pair, 100).await;
    for command in [mint(1, 1), mint(2, 99)] {
        ledger.apply(&[command]).await.unwrap()[0].as_ref().unwrap();
    }
    // All coins are in the first slot. The batch in the second one is refused, but does not wait.
    assert!(!redeem_beside(&database, &ledger, [1, 2]).await);
    ledger.apply(&[redeem(bob(), 2)]).await.unwrap()[0]
        .as_ref()
        .unwrap();
    // That has given the second slot its share.
    assert!(redeem_beside(&database, &ledger, [3, 4]).await);

    let counts = |what: &str| {
        database.number(&format!(
            "SELECT {what} FROM mint_key_counts WHERE mint_key_no = 1"
        ))
    };
    assert_eq!(
        [counts("sum(issued)::int8"), counts("sum(returned)::int8")],
        [100, 4]
    );
    assert!(counts("count(*) FILTER (WHERE returned > 0)") >= 2);
    let report = opencoin_audit::check(&ledger.audit_facts().await.unwrap());
    assert_eq!(report.broken(), [""; 0]);
}

/// A process that has never met a mint key, or has no coins of it left, gets what it needs from the others.
#[tokio::test]
async fn coins_come_back_through_any_process_until_the_last_one() {
    let (pair, database) = open().await;
    let _world = World::with_paid_in(&pair, 100).await;
    pair[0].apply(&[mint(1, 100)]).await.unwrap()[0].as_ref().unwrap();
    let mut refused = 0;
    for digest in 0..100 {
        let redeem = [redeem(bob(), digest)];
        if let Routine::Odd(_) = pair[1].apply_routine(&redeem).await.unwrap() {
            refused += 1;
            pair[1].apply(&redeem).await.unwrap()[0].as_ref().unwrap();
        }
    }
    assert!(refused <= 20, "{refused} of 100 batches were decided twice");
    let issued_left = "SELECT sum(issued - returned)::int8 FROM mint_key_counts WHERE mint_key_no = 1";
    assert_eq!(database.number(issued_left), 0);
}
