//! Brings the tables of a file up to date, after copying the file.

use std::fs;
use std::path::{Path, PathBuf};

use opencoin_ledger::{LedgerError, SchemaState};
use sqlx::migrate::Migrator;
use sqlx::{ConnectOptions, Connection};

use crate::fault::ledger_error;
use crate::lock::beside;
use crate::migrations::MIGRATIONS;
use crate::{backup, lock, open, schema};

/// Suffix of the name of a copy that is being written.
const UNFINISHED: &str = ".unfinished";

/// The result of [`migrate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The state of the tables before the migration.
    pub before: SchemaState,
    /// The copy of the books before the migration; `None` if there was nothing to do.
    pub copy: Option<PathBuf>,
}

/// Returns the version of the tables at `address` and the migrations that they lack. Changes nothing.
///
/// # Errors
/// There is no file, or it is not a SQLite database.
pub async fn schema_state(address: &str) -> Result<SchemaState, LedgerError> {
    let readers = open::connect_to_read(&existing(address)?).await?;
    let mut connection = readers.acquire().await.map_err(|error| ledger_error(&error))?;
    let version = schema::version(&mut connection).await?;
    drop(connection);
    readers.close().await;
    Ok(schema::state(&MIGRATIONS, version))
}

/// Brings the tables at `address` up to date. Does nothing if they are current or newer. Copies the books
/// first, to a file beside them that is named after their version.
///
/// # Errors
/// Another process uses the books, there are no books, or a migration fails. A migration that fails changes
/// nothing.
pub async fn migrate(address: &str) -> Result<Migrated, LedgerError> {
    migrate_with(&MIGRATIONS, address).await
}

async fn migrate_with(migrations: &Migrator, address: &str) -> Result<Migrated, LedgerError> {
    let path = existing(address)?;
    let _alone = lock::alone(&path)?;
    let mut connection = open::options(&path)
        .connect()
        .await
        .map_err(|error| ledger_error(&error))?;
    let none = || {
        LedgerError::Address(format!(
            "there are no books in {}; check the path",
            path.display()
        ))
    };
    let version = schema::version(&mut connection).await?.ok_or_else(none)?;
    let before = schema::state(migrations, Some(version));
    let mut copy = None;
    if version < before.known {
        copy = Some(copy_beside(&mut connection, &path, version).await?);
        schema::migrate(&mut connection, migrations).await?;
    }
    connection.close().await.map_err(|error| ledger_error(&error))?;
    Ok(Migrated { before, copy })
}

async fn copy_beside(
    connection: &mut sqlx::SqliteConnection,
    path: &Path,
    version: i64,
) -> Result<PathBuf, LedgerError> {
    let copy = beside(path, &format!(".version-{version}"));
    let unfinished = beside(&copy, UNFINISHED);
    let refused = |error: std::io::Error| LedgerError::Unavailable(format!("{}: {error}", copy.display()));
    if unfinished.exists() {
        fs::remove_file(&unfinished).map_err(refused)?;
    }
    backup::copy(connection, &unfinished).await?;
    fs::rename(&unfinished, &copy).map_err(refused)?;
    backup::sync(path.parent().unwrap_or(Path::new("/"))).map_err(refused)?;
    Ok(copy)
}

fn existing(address: &str) -> Result<PathBuf, LedgerError> {
    let path = open::path(address)?;
    if path.is_file() {
        Ok(path)
    } else {
        Err(LedgerError::Address(format!(
            "there is no database at {}; check the path",
            path.display()
        )))
    }
}

#[cfg(test)]
mod tests {
    use opencoin_audit::AuditSource as _;
    use opencoin_ledger::{Command, HasAccounts as _, HasLog as _, Ledger, LedgerTime};
    use sqlx::Executor as _;

    use super::*;
    use crate::migrations::{first, with_another};
    use crate::{Mode, SqliteLedger};

    /// Books in which signing was paused.
    async fn books(address: &str) {
        let ledger = SqliteLedger::open(address, Mode::Create).await.unwrap();
        let at = LedgerTime::from_unix_micros(17);
        ledger
            .apply(&[Command::SetSigningPaused { paused: true, at }])
            .await
            .unwrap()[0]
            .as_ref()
            .unwrap();
        ledger.close().await;
    }

    #[tokio::test]
    async fn books_are_copied_and_keep_their_contents() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        let address = path.to_str().unwrap();
        books(address).await;
        let newer = with_another("ALTER TABLE signing ADD COLUMN note TEXT");
        let Migrated { before, copy } = migrate_with(&newer, address).await.unwrap();
        assert_eq!(
            (before.version, before.known, before.pending.len()),
            (Some(4), 9999, 1)
        );
        let copy = copy.unwrap();
        assert_eq!(
            schema_state(copy.to_str().unwrap()).await.unwrap().version,
            Some(4)
        );
        assert_eq!(
            migrate_with(&newer, address).await.unwrap().copy,
            None,
            "there is nothing to do"
        );
        let ledger = SqliteLedger::open(address, Mode::Existing).await.unwrap();
        assert_eq!(ledger.signing_paused().await, Ok(true));
    }

    /// Books of the first version, with a holder and a log.
    #[tokio::test]
    async fn books_without_key_accounts_get_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        let address = path.to_str().unwrap();
        let options = open::options(&path).create_if_missing(true);
        let mut connection = options.connect().await.unwrap();
        schema::migrate(&mut connection, &first()).await.unwrap();
        let rows = "INSERT INTO accounts (id, name, token_hash, balance, last_entry, password_hash, listed)
                VALUES (3, 'alice', zeroblob(32), 40, 1, '$hash', 1);
            INSERT INTO transactions (kind, reference, content, debit_account, credit_account, credit_entry, amount, applied_at)
                VALUES (2, x'0341', zeroblob(32), 1, 3, 1, 40, 5);
            INSERT INTO log_head (id, batch, size, root, time_s, accounts, paid_in, paid_out, recouped, began_late)
                VALUES (1, 1, 0, zeroblob(32), 0, 0, 0, 0, 0, 0);
            INSERT INTO log_pending (at, coins, others, accounts, paid_in, paid_out, recouped)
                VALUES (5, x'', x'', 40, 40, 0, 0)";
        connection.execute(sqlx::raw_sql(rows)).await.unwrap();
        connection.close().await.unwrap();

        let early = SqliteLedger::open(address, Mode::Existing).await.unwrap_err();
        assert!(matches!(early, LedgerError::SchemaOlder { .. }), "{early:?}");
        assert_eq!(migrate(address).await.unwrap().before.version, Some(1));
        let ledger = SqliteLedger::open(address, Mode::Existing).await.unwrap();
        let report = opencoin_audit::check(&ledger.audit_facts().await.unwrap());
        assert!(report.holds(), "{report:#?}");
        let name = "alice".parse().unwrap();
        let profile = ledger.accounts().profile(&name).await.unwrap().unwrap();
        assert_eq!((profile.account.balance.units(), profile.listed), (40, true));
        assert!(profile.password.is_some());
        let logged = ledger.log().key_accounts().await.unwrap().unwrap();
        let head = ledger.log().head().await.unwrap().unwrap();
        assert_eq!(head.ledger_root, logged.ledger.root());
    }

    #[tokio::test]
    async fn a_migration_that_fails_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        let address = path.to_str().unwrap();
        books(address).await;
        let failing =
            with_another("ALTER TABLE signing ADD COLUMN note TEXT; ALTER TABLE nothing RENAME TO something");
        migrate_with(&failing, address).await.unwrap_err();
        assert_eq!(schema_state(address).await.unwrap().version, Some(4));
        migrate_with(&with_another("ALTER TABLE signing ADD COLUMN note TEXT"), address)
            .await
            .unwrap();
    }
}
