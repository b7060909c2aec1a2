//! The store on SQLite passes the conformance tests, agrees with the model, and copes with full disks,
//! copies, replaced files and power failures.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;

use opencoin_audit::AuditSource;
use opencoin_conformance::{
    Pair, RENEW_BYTES_MAX, World, alice, assert_agreement, assert_recovers, assert_same_log,
    books_tell_their_history, growth_of_a_renew, permuted, sequence,
};
use opencoin_ledger::Moments;
use opencoin_ledger::{
    Command, HasAccounts, HistoryId, Ledger, LedgerError, LedgerTime, MemoryLedger, MintKeyId,
};
use opencoin_sqlite::{Mode, Replaced, SqliteLedger, copy_into, inspect, mark_as_restored, migrate, replace};
use proptest::prelude::*;
use sqlx::migrate::Migrate;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};
use tempfile::TempDir;

async fn open() -> (Pair, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = address(&folder);
    let first = SqliteLedger::open(&path, Mode::Create).await.unwrap();
    let second = SqliteLedger::open(&format!("sqlite:{path}"), Mode::Existing)
        .await
        .unwrap();
    ([Arc::new(first), Arc::new(second)], folder)
}

fn address(folder: &TempDir) -> String {
    folder.path().join("ledger.sqlite").to_str().unwrap().to_owned()
}

/// Changes the file without the ledger.
async fn tamper(folder: &TempDir, statements: &str) -> Result<(), sqlx::Error> {
    let mut connection = SqliteConnectOptions::new()
        .filename(address(folder))
        .connect()
        .await?;
    connection.execute(sqlx::raw_sql(statements)).await?;
    connection.close().await
}

opencoin_conformance::conformance_tests!(open);

#[tokio::test]
async fn a_renew_stores_few_bytes() {
    const RENEWS: u64 = 2_000;
    let (ledgers, folder) = open().await;
    // Only the main file counts, because the write-ahead log is reused.
    let size = async || {
        tamper(&folder, "PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
        std::fs::metadata(address(&folder)).unwrap().len()
    };
    let growth = growth_of_a_renew(&ledgers, RENEWS, size).await;
    assert!(growth <= RENEW_BYTES_MAX, "{growth} bytes for each renew");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn agrees_with_the_model_on_any_commands(batches in sequence()) {
        let run = async {
            let ([store, _], _folder) = open().await;
            assert_agreement(&batches, &[Arc::new(MemoryLedger::new()), store]).await;
        };
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run);
    }

    #[test]
    fn any_lost_time_is_recovered(batches in sequence(), backup in 0_usize..60, sealed in 1_usize..8) {
        let run = async {
            let ([store, _], _folder) = open().await;
            assert_recovers(&batches, backup, sealed, &*store).await;
        };
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run);
    }

    #[test]
    fn the_log_does_not_depend_on_how_requests_arrive(permuted in permuted()) {
        let run = async {
            let (sqlite, _folder) = open().await;
            let model = Arc::new(MemoryLedger::new());
            assert_same_log(&permuted, [&[model.clone(), model], &sqlite]).await;
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

#[tokio::test]
async fn a_statement_that_fails_within_a_batch_changes_nothing() {
    let (ledgers, folder) = open().await;
    let _world = World::with_paid_in(&ledgers, 100).await;
    let before = ledgers[1].audit_facts().await.unwrap();
    let trigger = "CREATE TRIGGER fault BEFORE UPDATE ON accounts WHEN new.balance < 50
        BEGIN SELECT RAISE(ABORT, 'a fault of the test'); END";
    tamper(&folder, trigger).await.unwrap();
    let error = ledgers[0].apply(&[debit(30), debit(40)]).await.unwrap_err();
    assert_eq!(error, LedgerError::Database("a fault of the test".to_owned()));
    assert_eq!(ledgers[1].audit_facts().await.unwrap(), before);
    tamper(&folder, "DROP TRIGGER fault").await.unwrap();
    let outcomes = ledgers[0].apply(&[debit(30), debit(40)]).await.unwrap();
    assert!(outcomes.iter().all(|outcome| !outcome.as_ref().unwrap().repeated));
}

#[tokio::test]
async fn a_transaction_that_sqlite_rolls_back_does_not_break_the_next() {
    let (ledgers, folder) = open().await;
    let _world = World::with_paid_in(&ledgers, 100).await;
    // On a full disk SQLite rolls back the transaction, not only the statement.
    let full_disk =
        "CREATE TRIGGER full_disk BEFORE INSERT ON transactions BEGIN SELECT RAISE(ROLLBACK, 'no room'); END";
    tamper(&folder, full_disk).await.unwrap();
    for _ in 0..2 {
        let error = ledgers[0].apply(&[debit(1)]).await.unwrap_err();
        assert!(
            matches!(&error, LedgerError::Database(text) if text.contains("no room")),
            "{error}"
        );
    }
    tamper(&folder, "DROP TRIGGER full_disk").await.unwrap();
    let outcomes = ledgers[0].apply(&[debit(1)]).await.unwrap();
    assert!(
        outcomes[0].as_ref().is_ok_and(|applied| !applied.repeated),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn the_tables_refuse_what_the_books_refuse() {
    let (ledgers, folder) = open().await;
    let _world = World::with_paid_in(&ledgers, 100).await;
    let statements = [
        "UPDATE accounts SET balance = -1",
        "UPDATE mint_keys SET returned = issued + 1",
        "INSERT INTO accounts (id, name, token_hash, balance) VALUES (2, 'coins', zeroblob(32), 0)",
        "UPDATE transactions SET credit_account = NULL WHERE kind = 2",
        "UPDATE transactions SET amount = 0 WHERE kind = 2",
        "UPDATE transactions SET issued = x'01' WHERE kind = 2",
        "UPDATE transactions SET credit_entry = NULL WHERE kind = 2",
        "UPDATE transactions SET debit_entry = 1 WHERE kind = 2",
        "UPDATE transactions SET reference = (SELECT min(reference) FROM transactions)",
        "UPDATE transactions SET kind = 0 WHERE kind = 1",
        "UPDATE transactions SET kind = 13 WHERE kind = 2",
        "UPDATE mint_keys SET recouped = issued + 1",
        "UPDATE mint_keys SET retired = 2",
        "INSERT INTO recouped VALUES (1, zeroblob(32), zeroblob(32)), (1, zeroblob(32), randomblob(32))",
        "INSERT INTO recouped VALUES (1, zeroblob(32), zeroblob(32)), (1, randomblob(32), zeroblob(32))",
        "INSERT INTO recouped VALUES (1, zeroblob(31), zeroblob(32))",
        "INSERT INTO recouped VALUES (1, zeroblob(32), zeroblob(31))",
        "INSERT INTO spent VALUES (1, zeroblob(31), NULL)",
        "UPDATE mint_keys SET pruned = 2",
        "UPDATE signing SET id = 2",
        "UPDATE transactions SET label = 'x' WHERE kind = 2",
        "UPDATE transactions SET kind = 14 WHERE kind = 2",
        "INSERT INTO payouts (no, account, amount, destination, reference, requested_at) VALUES (1, 3, 0, 'x', x'0a01', 0)",
        "INSERT INTO payouts VALUES (1, 3, 1, 'x', x'0a01', 0, 1, 'y', NULL)",
        "INSERT INTO sessions VALUES (x'01', 3, NULL, 0, 0)",
        "INSERT INTO services VALUES (hex(zeroblob(16)), 2, 'x', 0, zeroblob(32), 0, NULL)",
        "INSERT INTO waiting_mints VALUES (x'0101', 3, zeroblob(32), 1, 7, 7, x'01')",
        "INSERT INTO failed_logins VALUES (zeroblob(32), 0, 0)",
    ];
    for statement in statements {
        let error = tamper(&folder, statement).await.expect_err(statement);
        assert!(
            error.to_string().contains("constraint failed"),
            "{statement}: {error}"
        );
    }
}

#[tokio::test]
async fn an_audit_finds_changes_made_directly_in_the_file() {
    let (ledgers, folder) = open().await;
    let _world = World::with_paid_in(&ledgers, 100).await;
    tamper(&folder, "UPDATE accounts SET balance = 1000 WHERE name = 'alice'")
        .await
        .unwrap();
    let report = opencoin_audit::check(&ledgers[0].audit_facts().await.unwrap());
    let broken = report.broken();
    assert_eq!(
        broken,
        [
            "every balance is what the journal says",
            "accounts, payouts on their way and coins outstanding are what was paid in minus what was paid out plus what was recouped",
            "the totals of the public log are those of the books"
        ]
    );
}

#[tokio::test]
async fn faults_that_a_prune_would_hide_are_found_before_it() {
    let (ledgers, folder) = open().await;
    let _world = World::with_paid_in(&ledgers, 100).await;
    tamper(&folder, "INSERT INTO spent VALUES (1, zeroblob(32), NULL)")
        .await
        .unwrap();
    let error = ledgers[0].check_coins(MintKeyId::new([1; 20])).await.unwrap_err();
    assert!(
        matches!(&error, LedgerError::Corrupt { row, .. } if row.starts_with("table spent of mint key")),
        "{error}"
    );

    tamper(
        &folder,
        "DELETE FROM spent; INSERT INTO recouped VALUES (1, zeroblob(32), zeroblob(32))",
    )
    .await
    .unwrap();
    let error = ledgers[0].check_coins(MintKeyId::new([1; 20])).await.unwrap_err();
    assert!(
        matches!(&error, LedgerError::Corrupt { row, .. } if row.starts_with("table recouped of mint key")),
        "{error}"
    );
}

#[tokio::test]
async fn books_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let first = SqliteLedger::open(&address(&folder), Mode::Create).await.unwrap();
    let pair: Pair = [Arc::new(first.clone()), Arc::new(first.clone())];
    let _world = World::with_paid_in(&pair, 100).await;
    let before = first.audit_facts().await.unwrap();
    first.close().await;
    assert!(matches!(first.ready().await, Err(LedgerError::Unavailable(_))));
    let second = SqliteLedger::open(&address(&folder), Mode::Existing)
        .await
        .unwrap();
    assert_eq!(second.audit_facts().await.unwrap(), before);
}

#[tokio::test]
async fn a_missing_file_is_not_created_by_accident() {
    let folder = tempfile::tempdir().unwrap();
    let error = SqliteLedger::open(&address(&folder), Mode::Existing)
        .await
        .unwrap_err();
    assert_eq!(
        error,
        LedgerError::Address(format!(
            "there is no database at {}; check the path",
            address(&folder)
        ))
    );
}

#[tokio::test]
async fn a_reader_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let writer = SqliteLedger::open(&address(&folder), Mode::Create).await.unwrap();
    let reader = SqliteLedger::open_to_read(&address(&folder)).await.unwrap();
    assert_eq!(reader.moments().await, Ok(Moments::default()));
    let at = LedgerTime::from_unix_micros(17);
    let pause = [Command::SetSigningPaused { paused: true, at }];
    assert!(reader.apply(&pause).await.is_err());
    assert_eq!(reader.signing_paused().await, Ok(false));
    writer.apply(&pause).await.unwrap().remove(0).unwrap();
    assert_eq!(
        reader.moments().await,
        Ok(Moments {
            last_applied: Some(at),
            database_now: None
        })
    );
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_access_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let (ledgers, folder) = open().await;
    let _world = World::with_paid_in(&ledgers, 100).await;
    for entry in folder.path().read_dir().unwrap() {
        let entry = entry.unwrap();
        assert_eq!(
            entry.metadata().unwrap().permissions().mode() & 0o077,
            0,
            "{:?}",
            entry.path()
        );
    }
}

#[tokio::test]
async fn newer_tables_are_refused_unless_they_declare_compatibility() {
    let (ledgers, folder) = open().await;
    drop(ledgers);
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (9000, 'from the future', 1, x'00', 0)";
    tamper(&folder, newer).await.unwrap();
    let ledger = SqliteLedger::open(&address(&folder), Mode::Existing)
        .await
        .unwrap();
    ledger.ready().await.unwrap();
    drop(ledger);
    assert_eq!(
        migrate(&address(&folder)).await.unwrap().before.pending,
        [],
        "newer tables are left alone"
    );
    tamper(&folder, "UPDATE schema_compatibility SET oldest_program = 9000")
        .await
        .unwrap();
    let error = SqliteLedger::open(&address(&folder), Mode::Existing)
        .await
        .unwrap_err();
    assert_eq!(error, LedgerError::SchemaUnknown(9000));
}

#[tokio::test]
async fn an_interrupted_creation_of_books_is_completed() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = SqliteConnectOptions::new()
        .filename(address(&folder))
        .create_if_missing(true)
        .connect()
        .await
        .unwrap();
    connection.ensure_migrations_table().await.unwrap();
    connection.close().await.unwrap();
    let unfinished = SqliteLedger::open(&address(&folder), Mode::Existing)
        .await
        .unwrap_err();
    assert!(matches!(unfinished, LedgerError::Address(_)), "{unfinished}");
    SqliteLedger::open(&address(&folder), Mode::Create)
        .await
        .unwrap()
        .ready()
        .await
        .unwrap();
}

#[tokio::test]
async fn books_have_an_identity() {
    let folder = tempfile::tempdir().unwrap();
    books_tell_their_history(SqliteLedger::open(&address(&folder), Mode::Create).await.unwrap()).await;
}

#[tokio::test]
async fn open_books_are_not_replaced_or_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = SqliteLedger::open(&address(&folder), Mode::Create).await.unwrap();
    let (books, kept) = (folder.path().join("ledger.sqlite"), folder.path().join("kept"));
    let copy = folder.path().join("copy");
    copy_into(&address(&folder), &copy).await.unwrap();
    assert!(matches!(
        replace(&books, &copy, &kept).await,
        Err(LedgerError::InUse(_))
    ));
    assert!(matches!(
        migrate(&address(&folder)).await,
        Err(LedgerError::InUse(_))
    ));
    ledger.close().await;
    drop(ledger);
    assert_eq!(replace(&books, &copy, &kept).await.unwrap(), Replaced::Kept);
    SqliteLedger::open(&address(&folder), Mode::Existing)
        .await
        .unwrap()
        .ready()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_copy_is_consistent_and_damage_is_found() {
    let (ledgers, folder) = open().await;
    let _world = World::with_paid_in(&ledgers, 100).await;
    let copy = folder.path().join("copy");
    let before = ledgers[0].audit_facts().await.unwrap();
    copy_into(&address(&folder), &copy).await.unwrap();
    ledgers[0].apply(&[debit(30)]).await.unwrap()[0].as_ref().unwrap();
    let found = inspect(&copy).await.unwrap();
    assert_eq!(
        found.position.mark.newest.map(|entry| entry.no.get()),
        Some(i64::try_from(before.transactions).unwrap())
    );
    mark_as_restored(&copy, HistoryId::new([7; 16]), LedgerTime::from_unix_micros(9))
        .await
        .unwrap();
    assert!(!inspect(&copy).await.unwrap().position.is_confirmed);
    let restored = SqliteLedger::open(copy.to_str().unwrap(), Mode::Existing)
        .await
        .unwrap();
    assert_eq!(restored.audit_facts().await.unwrap(), before);
    restored.close().await;
    assert!(
        !folder.path().join("copy-wal").exists(),
        "closing the books removes the log"
    );

    let mut bytes = std::fs::read(&copy).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0xa5);
    std::fs::write(&copy, bytes).unwrap();
    assert!(inspect(&copy).await.is_err());
}

/// Otherwise a power failure could lose rows that were read, because the log may not be on the disk yet.
#[tokio::test]
async fn opening_writes_the_log_of_a_killed_process_to_the_file() {
    let (killed, [found, copied]) = (
        tempfile::tempdir().unwrap(),
        [(); 2].map(|()| tempfile::tempdir().unwrap()),
    );
    let ledger = SqliteLedger::open(&address(&killed), Mode::Create).await.unwrap();
    let pair: Pair = [Arc::new(ledger.clone()), Arc::new(ledger)];
    let _world = World::with_paid_in(&pair, 100).await;
    let copy = |from: &TempDir, to: &TempDir, ending: &str| {
        std::fs::copy(address(from) + ending, address(to) + ending).unwrap();
    };
    copy(&killed, &found, "");
    copy(&killed, &found, "-wal");
    let opened = SqliteLedger::open(&address(&found), Mode::Existing)
        .await
        .unwrap();
    copy(&found, &copied, "");
    let without_log = SqliteLedger::open(&address(&copied), Mode::Existing)
        .await
        .unwrap();
    for ledger in [opened, without_log] {
        let alice = ledger
            .accounts()
            .profile(&"alice".parse().unwrap())
            .await
            .unwrap();
        assert_eq!(alice.unwrap().account.balance.units(), 100);
    }
}
