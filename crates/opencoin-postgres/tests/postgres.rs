//! The store on PostgreSQL passes the conformance tests, agrees with the model and with SQLite, and copes
//! with conflicts, older books and the loss of its server.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "postgres/connections.rs"]
mod connections;
#[path = "postgres/slots.rs"]
mod slots;

use std::sync::Arc;
use std::time::Duration;

use opencoin_audit::AuditSource;
use opencoin_conformance::{
    Pair, World, alice, assert_agreement, assert_recovers, assert_same_log, bob, books_tell_their_history,
    permuted, sequence,
};
use opencoin_ledger::{
    APPLY_ATTEMPTS_MAX, Blind, CoinIn, Command, ErrorClass, HasAccounts, History, IdempotencyKey, Ledger,
    LedgerError, LedgerTime, MemoryLedger, MintKeyId, Routine, SpentDigest, TransactionReference,
};
use opencoin_postgres::PostgresLedger;
use opencoin_sqlite::{Mode, SqliteLedger};
use opencoin_testkit::postgres::{EphemeralPostgres, TestDatabase};
use proptest::prelude::*;
use sqlx::migrate::Migrate;
use sqlx::{Connection, Executor, PgConnection};

async fn open() -> (Pair, TestDatabase) {
    let database = TestDatabase::create();
    let first = PostgresLedger::connect(&database.url()).await.unwrap();
    let second = PostgresLedger::connect(&database.url()).await.unwrap();
    ([Arc::new(first), Arc::new(second)], database)
}

opencoin_conformance::conformance_tests!(open);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn agrees_with_the_model_and_sqlite_on_any_commands(batches in sequence()) {
        let run = async {
            let ([postgres, _], _database) = open().await;
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("ledger.sqlite");
            let sqlite = SqliteLedger::open(path.to_str().unwrap(), Mode::Create).await.unwrap();
            assert_agreement(&batches, &[Arc::new(MemoryLedger::new()), Arc::new(sqlite), postgres]).await;
        };
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run);
    }

    #[test]
    fn any_lost_time_is_recovered(batches in sequence(), backup in 0_usize..60, sealed in 1_usize..8) {
        let run = async {
            let ([store, _], _database) = open().await;
            assert_recovers(&batches, backup, sealed, &*store).await;
        };
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    #[test]
    fn the_log_does_not_depend_on_how_requests_arrive(permuted in permuted()) {
        let run = async {
            let (postgres, _database) = open().await;
            let model = Arc::new(MemoryLedger::new());
            assert_same_log(&permuted, [&[model.clone(), model], &postgres]).await;
        };
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run);
    }
}

fn debit(units: u64) -> Command {
    Command::Debit {
        account: alice(),
        amount: units.try_into().unwrap(),
        reference: format!("debit {units}").parse().unwrap(),
        at: LedgerTime::from_unix_micros(150),
    }
}

/// A routine batch reads nothing in advance, however many commands it has. A busy issuer is fast because of
/// this.
#[tokio::test]
async fn a_routine_batch_is_one_statement() {
    let server = EphemeralPostgres::start();
    let database = TestDatabase::create_on(&server.url());
    let ledger = PostgresLedger::connect(&database.url()).await.unwrap();
    let pair: Pair = [Arc::new(ledger.clone()), Arc::new(ledger)];
    let _world = World::with_paid_in(&pair, 100).await;
    database.execute(&format!(
        "ALTER DATABASE {} SET log_statement = 'all'",
        database.name()
    ));

    let ledger = PostgresLedger::connect(&database.url()).await.unwrap();
    let statements = || {
        server
            .log()
            .unwrap()
            .lines()
            .filter(|line| line.contains("LOG:  execute"))
            .count()
    };
    ledger.apply(&[debit(101)]).await.unwrap()[0]
        .as_ref()
        .unwrap_err();
    let before = statements();
    let transfer = Command::Transfer {
        from: alice(),
        to: bob(),
        amount: 5_u64.try_into().unwrap(),
        key: IdempotencyKey::new("k").unwrap(),
        label: Some("rent".parse().unwrap()),
        at: LedgerTime::from_unix_micros(150),
    };
    let outcomes = ledger.apply(&[debit(30), debit(40), transfer]).await.unwrap();
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(statements(), before + 1, "{}", server.log().unwrap());

    // Coins of a retired key come back for a long time, so redeeming them must be one statement too.
    let (id, at) = (MintKeyId::new([1; 20]), LedgerTime::from_unix_micros(150));
    let blind = Blind {
        reference: "a".to_owned(),
        mint_key: id,
        blinded: vec![7],
    };
    let mint = Command::Mint {
        account: alice(),
        transaction_reference: TransactionReference::new([7]).unwrap(),
        blinds: vec![blind],
        payment: None,
        wait_until: None,
        at,
    };
    let retire = Command::RetireMintKey {
        id,
        at: LedgerTime::from_unix_micros(201),
    };
    assert!(
        ledger
            .apply(&[mint, retire])
            .await
            .unwrap()
            .iter()
            .all(Result::is_ok)
    );
    let coin = CoinIn {
        mint_key: id,
        spent_digest: SpentDigest::new([7; 32]),
    };
    let before = statements();
    assert!(
        ledger
            .apply(&[Command::Redeem {
                account: alice(),
                coins: vec![coin],
                at
            }])
            .await
            .unwrap()[0]
            .is_ok()
    );
    assert_eq!(statements(), before + 1, "{}", server.log().unwrap());
}

#[tokio::test]
async fn a_statement_that_fails_within_a_batch_changes_nothing() {
    let (ledgers, database) = open().await;
    let _world = World::with_paid_in(&ledgers, 100).await;
    let before = ledgers[1].audit_facts().await.unwrap();
    database.execute("ALTER TABLE accounts ADD CONSTRAINT fault CHECK (balance = 0 OR balance >= 50)");
    let error = ledgers[0].apply(&[debit(30), debit(40)]).await.unwrap_err();
    assert!(
        matches!(&error, LedgerError::Database(text) if text.contains("fault") && text.contains("23514")),
        "{error}"
    );
    assert_eq!(ledgers[1].audit_facts().await.unwrap(), before);
    database.execute("ALTER TABLE accounts DROP CONSTRAINT fault");
    let outcomes = ledgers[0].apply(&[debit(30), debit(40)]).await.unwrap();
    assert!(outcomes.iter().all(|outcome| !outcome.as_ref().unwrap().repeated));
}

#[tokio::test]
async fn the_tables_refuse_what_the_books_refuse() {
    let (ledgers, database) = open().await;
    let _world = World::with_paid_in(&ledgers, 100).await;
    let statements = [
        "UPDATE accounts SET balance = -1",
        "UPDATE mint_key_counts SET returned = issued + 1",
        "UPDATE mint_key_counts SET returned = -1",
        "INSERT INTO accounts (id, name, token_hash, balance) VALUES (2, 'coins', decode(repeat('00', 32), 'hex'), 0)",
        "UPDATE transactions SET credit_account = NULL WHERE kind = 2",
        "UPDATE transactions SET amount = 0 WHERE kind = 2",
        "UPDATE transactions SET issued = '\\x01' WHERE kind = 2",
        "UPDATE transactions SET credit_entry = NULL WHERE kind = 2",
        "UPDATE transactions SET debit_entry = 1 WHERE kind = 2",
        "UPDATE transactions SET reference = (SELECT reference FROM transactions ORDER BY id LIMIT 1)",
        "UPDATE transactions SET kind = 0 WHERE kind = 1",
        "UPDATE transactions SET kind = 13 WHERE kind = 2",
        "UPDATE mint_keys SET recouped = -1",
        "INSERT INTO recouped VALUES (1, sha256('a'), sha256('a')), (1, sha256('a'), sha256('b'))",
        "INSERT INTO recouped VALUES (1, sha256('a'), sha256('a')), (1, sha256('b'), sha256('a'))",
        "INSERT INTO recouped VALUES (1, '\\x07', sha256('a'))",
        "INSERT INTO recouped VALUES (1, sha256('a'), '\\x07')",
        "INSERT INTO spent VALUES (1, '\\x07')",
        "UPDATE signing SET id = 2",
        "UPDATE transactions SET label = 'x' WHERE kind = 2",
        "UPDATE transactions SET kind = 14 WHERE kind = 2",
        "INSERT INTO payouts (no, account, amount, destination, reference, requested_at) VALUES (1, 3, 0, 'x', '\\x0a01', 0)",
        "INSERT INTO payouts VALUES (1, 3, 1, 'x', '\\x0a01', 0, true, 'y', NULL)",
        "INSERT INTO sessions VALUES ('\\x01', 3, NULL, 0, 0)",
        "INSERT INTO services VALUES (md5(''), 2, 'x', 0, sha256(''), 0, NULL)",
        "INSERT INTO waiting_mints VALUES ('\\x0101', 3, decode(repeat('00', 32), 'hex'), 1, 7, 7, '\\x01')",
        "INSERT INTO failed_logins VALUES (sha256(''), 0, 0)",
    ];
    for statement in statements {
        let error = database.try_execute(statement).expect_err(statement);
        assert!(error.contains("constraint"), "{statement}: {error}");
    }
}

#[tokio::test]
async fn an_audit_finds_changes_made_directly_in_the_tables() {
    let (ledgers, database) = open().await;
    let _world = World::with_paid_in(&ledgers, 100).await;
    database.execute("INSERT INTO spent VALUES (1, sha256('a')), (77, sha256('a'))");
    let report = opencoin_audit::check(&ledgers[0].audit_facts().await.unwrap());
    let broken = report.broken();
    assert_eq!(
        broken,
        [
            "every row makes sense",
            "every coin counted as returned is recorded as spent"
        ]
    );
}

fn prune(key: u8) -> Command {
    Command::PruneMintKey {
        id: MintKeyId::new([key; 20]),
        at: LedgerTime::from_unix_micros(301),
    }
}

#[tokio::test]
async fn faults_that_a_prune_would_hide_are_found_before_it() {
    let (ledgers, database) = open().await;
    let _world = World::with_paid_in(&ledgers, 100).await;
    database.execute("INSERT INTO spent VALUES (1, sha256('a'))");
    let error = ledgers[0].check_coins(MintKeyId::new([1; 20])).await.unwrap_err();
    assert!(
        matches!(&error, LedgerError::Corrupt { row, .. } if row.starts_with("table spent of mint key")),
        "{error}"
    );

    database.execute("DELETE FROM spent; INSERT INTO recouped VALUES (1, sha256('a'), sha256('a'))");
    let error = ledgers[0].check_coins(MintKeyId::new([1; 20])).await.unwrap_err();
    assert!(
        matches!(&error, LedgerError::Corrupt { row, .. } if row.starts_with("table recouped of mint key")),
        "{error}"
    );
}

/// While another process deletes a portion of a prune, coins of the key are refused and other coins are
/// redeemed, without waiting for a lock.
#[tokio::test]
async fn a_portion_of_a_prune_does_not_block_commands() {
    let (ledgers, database) = open().await;
    let _world = World::with_paid_in(&ledgers, 100).await;
    let at = LedgerTime::from_unix_micros(150);
    let blind = |key: u8, number: u8| Blind {
        reference: format!("{key} {number}"),
        mint_key: MintKeyId::new([key; 20]),
        blinded: vec![7, number],
    };
    let mint = Command::Mint {
        account: alice(),
        transaction_reference: TransactionReference::new([7]).unwrap(),
        blinds: vec![blind(1, 1), blind(1, 2), blind(2, 1)],
        payment: None,
        wait_until: None,
        at,
    };
    let redeem = |key: u8, hash: u8| Command::Redeem {
        account: bob(),
        coins: vec![CoinIn {
            mint_key: MintKeyId::new([key; 20]),
            spent_digest: SpentDigest::new([hash; 32]),
        }],
        at,
    };
    for command in [mint, redeem(1, 1), prune(1)] {
        ledgers[0].apply(&[command]).await.unwrap()[0].as_ref().unwrap();
    }
    let mut other = PgConnection::connect(&database.url()).await.unwrap();
    let mut portion = other.begin().await.unwrap();
    portion
        .execute("SET lock_timeout = '1ms'; DELETE FROM spent WHERE mint_key_no = 1")
        .await
        .unwrap();
    let outcomes = ledgers[0].apply(&[redeem(1, 2), redeem(2, 1)]).await.unwrap();
    assert!(outcomes[0].is_err() && outcomes[1].is_ok(), "{outcomes:?}");
    portion.commit().await.unwrap();
    assert_eq!(ledgers[1].forget_rows(MintKeyId::new([1; 20]), 1).await, Ok(0));
}

/// A batch gives up on a locked row after a few waits for the lock, not ten.
#[tokio::test]
async fn a_row_that_stays_locked_is_contention() {
    let (ledgers, database) = open().await;
    let _world = World::with_paid_in(&ledgers, 100).await;
    let mut other = PgConnection::connect(&database.url()).await.unwrap();
    let mut hold = other.begin().await.unwrap();
    let lock = format!("SELECT 1 FROM accounts WHERE id = {} FOR UPDATE", alice().get());
    hold.execute(&*lock).await.unwrap();
    let locked = ledgers[0].apply(&[debit(30)]).await.unwrap_err();
    assert_eq!(locked.class(), ErrorClass::Contention, "{locked}");
    assert_eq!(
        ledgers[0].apply_routine(&[debit(30)]).await,
        Ok(Routine::Odd(vec![0]))
    );
    hold.rollback().await.unwrap();
    assert!(ledgers[0].apply(&[debit(30)]).await.unwrap()[0].is_ok());
}

/// If the server cancels a statement, as by `statement_timeout`, the command is not at fault.
#[tokio::test]
async fn a_statement_that_takes_too_long_is_a_fault_of_the_database() {
    let (ledgers, database) = open().await;
    let _world = World::with_paid_in(&ledgers, 100).await;
    database.execute(
        "CREATE FUNCTION wait_long() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$;
        CREATE TRIGGER slow BEFORE INSERT ON transactions EXECUTE FUNCTION wait_long()",
    );
    database.execute(&format!(
        "ALTER DATABASE {} SET statement_timeout = '50ms'",
        database.name()
    ));
    let ledger = PostgresLedger::connect_to_existing(&database.url())
        .await
        .unwrap();
    let error = ledger.apply(&[debit(30)]).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Database, "{error}");
}

/// `apply_routine` names the commands that cannot be routine, without asking the database.
#[tokio::test]
async fn commands_that_are_not_routine_are_named() {
    let (ledgers, _database) = open().await;
    let _world = World::with_paid_in(&ledgers, 100).await;
    let batch = [debit(1), prune(1), debit(2), debit(2)];
    assert_eq!(
        ledgers[0].apply_routine(&batch).await,
        Ok(Routine::Odd(vec![1, 3]))
    );
    assert!(matches!(
        ledgers[0].apply_routine(&[debit(1), debit(2)]).await,
        Ok(Routine::Applied(outcomes)) if outcomes.iter().all(Result::is_ok)
    ));
}

#[tokio::test]
async fn an_invalid_row_is_named() {
    let (ledgers, database) = open().await;
    let _world = World::with_paid_in(&ledgers, 100).await;
    database.execute("UPDATE accounts SET name = 'Not A Name' WHERE id = 3");
    let error = ledgers[0].apply(&[debit(101)]).await.unwrap_err();
    assert!(
        matches!(&error, LedgerError::Corrupt { row, .. } if row == "account 3"),
        "{error}"
    );
}

#[tokio::test]
async fn a_batch_that_loses_a_race_is_decided_again() {
    let (ledgers, database) = open().await;
    let _world = World::with_paid_in(&ledgers, 100).await;
    // The first insert of a debit's record behaves as if another process had just written it.
    database.execute(
        "CREATE FUNCTION overtake() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.kind = 3 AND nextval('overtaken') = 1 THEN RETURN NULL; END IF;
            RETURN NEW;
        END $$;
        CREATE SEQUENCE overtaken;
        CREATE TRIGGER overtake BEFORE INSERT ON transactions FOR EACH ROW EXECUTE FUNCTION overtake();",
    );
    let outcomes = ledgers[0].apply(&[debit(30)]).await.unwrap();
    assert!(!outcomes[0].as_ref().unwrap().repeated);
    let alice = ledgers[1]
        .accounts()
        .profile(&"alice".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(alice.unwrap().account.balance.units(), 70);
}

#[tokio::test]
async fn a_batch_that_always_loses_the_race_is_given_up() {
    let (ledgers, database) = open().await;
    let _world = World::with_paid_in(&ledgers, 100).await;
    let before = ledgers[0].audit_facts().await.unwrap();
    database.execute(
        "CREATE FUNCTION overtake() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.kind = 3 THEN RETURN NULL; END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER overtake BEFORE INSERT ON transactions FOR EACH ROW EXECUTE FUNCTION overtake();",
    );
    let error = ledgers[0].apply(&[debit(30)]).await.unwrap_err();
    assert_eq!(
        error,
        LedgerError::Contended {
            attempts: APPLY_ATTEMPTS_MAX
        }
    );
    assert_eq!(ledgers[0].audit_facts().await.unwrap(), before);
}

#[tokio::test]
async fn newer_tables_are_refused_unless_they_declare_compatibility() {
    let (ledgers, database) = open().await;
    drop(ledgers);
    database.execute(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (9000, 'from the future', true, '\\x00', 0)",
    );
    PostgresLedger::connect(&database.url())
        .await
        .unwrap()
        .ready()
        .await
        .unwrap();
    assert_eq!(
        PostgresLedger::migrate(&database.url()).await.unwrap().pending,
        [],
        "newer tables are left alone"
    );
    database.execute("UPDATE schema_compatibility SET oldest_program = 9000");
    let error = PostgresLedger::connect(&database.url()).await.unwrap_err();
    assert_eq!(error, LedgerError::SchemaUnknown(9000));
}

#[tokio::test]
async fn nothing_is_written_if_a_new_connection_finds_older_books() {
    let database = TestDatabase::create();
    let ledger = PostgresLedger::connect(&database.url()).await.unwrap();
    let pair: Pair = [Arc::new(ledger.clone()), Arc::new(ledger.clone())];
    let _world = World::with_paid_in(&pair, 100).await;
    ledger.position(None).await.unwrap();
    // As if a standby that was behind had taken over.
    let gone = "CREATE TABLE gone AS SELECT * FROM transactions ORDER BY id DESC LIMIT 1;
        DELETE FROM transactions WHERE id IN (SELECT id FROM gone);";
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    database.execute(&format!("{gone}{cut}"));
    let before = PostgresLedger::connect(&database.url())
        .await
        .unwrap()
        .audit_facts()
        .await
        .unwrap();
    let mut refusals = 0;
    while refusals < 3 {
        // The first attempt fails because its connection is cut.
        match ledger.apply(&[debit(30)]).await.unwrap_err() {
            LedgerError::Unavailable(text) if text.contains("the books are older than they were") => {
                refusals += 1
            }
            LedgerError::Unavailable(_) => assert_eq!(refusals, 0),
            other => panic!("{other}"),
        }
    }
    let listed = ledger.accounts().set_listed(alice(), true).await;
    assert!(
        matches!(&listed, Err(LedgerError::Unavailable(text)) if text.contains("nothing is written")),
        "{listed:?}"
    );
    let accept = "INSERT INTO histories (no, id, begun_at, confirmed) VALUES (2, decode(repeat('07', 16), 'hex'), 0, true)";
    database.execute(accept);
    let accepted = ledger.apply(&[debit(30)]).await;
    let is_refused = matches!(&accepted, Err(LedgerError::Unavailable(text)) if text.contains("has accepted an older state"));
    assert!(is_refused, "this process still refuses: {accepted:?}");
    assert_eq!(
        PostgresLedger::connect(&database.url())
            .await
            .unwrap()
            .audit_facts()
            .await
            .unwrap(),
        before
    );
    database.execute("DELETE FROM histories WHERE no = 2");
    database.execute("INSERT INTO transactions SELECT * FROM gone");
    assert!(
        ledger.apply(&[debit(30)]).await.unwrap()[0].is_ok(),
        "the missing record is back"
    );
}

#[tokio::test]
async fn an_interrupted_creation_of_books_is_completed() {
    let database = TestDatabase::create();
    let mut connection = PgConnection::connect(&database.url()).await.unwrap();
    connection.ensure_migrations_table().await.unwrap();
    let unfinished = PostgresLedger::connect_to_existing(&database.url())
        .await
        .unwrap_err();
    assert!(matches!(unfinished, LedgerError::Address(_)), "{unfinished}");
    let url = database.url();
    let (one, other) = tokio::join!(PostgresLedger::connect(&url), PostgresLedger::connect(&url));
    assert!(one.is_ok() && other.is_ok(), "two at once: {one:?} {other:?}");
}

#[tokio::test]
async fn tables_cannot_be_distributed_without_citus() {
    let (ledgers, database) = open().await;
    drop(ledgers);
    let refused = PostgresLedger::distribute(&database.url()).await;
    assert!(
        matches!(&refused, Err(LedgerError::Address(why)) if why.contains("has no Citus")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn books_have_an_identity() {
    let database = TestDatabase::create();
    let missing = PostgresLedger::connect_to_existing(&database.url())
        .await
        .unwrap_err();
    assert_eq!(
        missing,
        LedgerError::Address("there are no books in this database; check its address".to_owned())
    );
    books_tell_their_history(PostgresLedger::connect(&database.url()).await.unwrap()).await;
}

#[tokio::test]
async fn a_malformed_address_is_refused_and_not_quoted() {
    let error = PostgresLedger::connect("mysql://user:secret@host")
        .await
        .unwrap_err();
    assert!(
        matches!(&error, LedgerError::Address(_)) && !error.to_string().contains("secret"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_stops_is_unavailable() {
    let server = EphemeralPostgres::start();
    let database = TestDatabase::create_on(&server.url());
    let ledger = PostgresLedger::connect(&database.url()).await.unwrap();
    let pair: Pair = [Arc::new(ledger.clone()), Arc::new(ledger)];
    let _world = World::with_paid_in(&pair, 100).await;
    tokio::task::spawn_blocking(|| drop(server)).await.unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(30), pair[0].apply(&[debit(1)]))
        .await
        .unwrap();
    assert!(matches!(answer, Err(LedgerError::Unavailable(_))), "{answer:?}");
    assert!(matches!(pair[0].ready().await, Err(LedgerError::Unavailable(_))));
}
