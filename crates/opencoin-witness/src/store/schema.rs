//! The tables, and their version.

use std::path::Path;

use sqlx::{Sqlite, SqliteConnection, Transaction};

use super::error::StoreError;

/// The version of the schema.
const VERSION: i64 = 1;

const TABLES: &str = "
    CREATE TABLE logs (
        no INTEGER PRIMARY KEY,
        origin TEXT NOT NULL UNIQUE CHECK (length(origin) > 0),
        -- SHA-256 of the origin, by which the last checkpoint is asked for.
        origin_hash BLOB NOT NULL UNIQUE CHECK (length(origin_hash) = 32),
        -- 0: an operator has removed it. The row stays, so that adding it again does not set the witness back.
        is_accepted INTEGER NOT NULL CHECK (is_accepted IN (0, 1)),
        -- Where people find the log; the witness does not use it.
        url TEXT,
        -- What was cosigned last; NULL before the first time.
        size INTEGER CHECK (size >= 0),
        root BLOB CHECK (length(root) = 32),
        cosigned_at INTEGER CHECK (cosigned_at > 0),
        -- The checkpoint with the signatures of the log and of the witness.
        checkpoint TEXT,
        CHECK ((size IS NULL) = (root IS NULL)),
        CHECK ((size IS NULL) = (cosigned_at IS NULL)),
        CHECK ((size IS NULL) = (checkpoint IS NULL))
    ) STRICT;
    CREATE TABLE log_keys (
        log INTEGER NOT NULL REFERENCES logs (no),
        vkey TEXT NOT NULL,
        PRIMARY KEY (log, vkey)
    ) STRICT, WITHOUT ROWID;
    -- Checkpoints that a log has signed although it had signed another root for the same size.
    CREATE TABLE contradictions (
        no INTEGER PRIMARY KEY,
        log INTEGER NOT NULL REFERENCES logs (no),
        seen_at INTEGER NOT NULL,
        size INTEGER NOT NULL CHECK (size >= 0),
        root BLOB NOT NULL CHECK (length(root) = 32),
        cosigned TEXT NOT NULL,
        contradicting TEXT NOT NULL,
        UNIQUE (log, size, root)
    ) STRICT;
    CREATE TRIGGER logs_never_go_back BEFORE UPDATE ON logs
        WHEN OLD.size IS NOT NULL AND (
            NEW.size IS NULL OR NEW.size < OLD.size OR NEW.cosigned_at < OLD.cosigned_at
            OR (NEW.size = OLD.size AND NEW.root <> OLD.root) OR NEW.origin <> OLD.origin)
        BEGIN SELECT RAISE(ABORT, 'this would set the witness back'); END;
    CREATE TRIGGER logs_are_never_forgotten BEFORE DELETE ON logs
        WHEN OLD.size IS NOT NULL
        BEGIN SELECT RAISE(ABORT, 'this would make the witness forget a log'); END;
    PRAGMA user_version = 1;
";

/// Makes the tables in a new file. Tables of this version are left as they are.
pub(super) async fn make(transaction: &mut Transaction<'static, Sqlite>) -> Result<(), StoreError> {
    match version(transaction).await? {
        0 => {
            sqlx::raw_sql(TABLES).execute(&mut **transaction).await?;
            Ok(())
        }
        VERSION => Ok(()),
        other => Err(StoreError::VersionUnknown(other)),
    }
}

/// Requires the tables of this version. An empty file is a lost database.
pub(super) async fn check(pool: &sqlx::SqlitePool, path: &Path) -> Result<(), StoreError> {
    match version(&mut *pool.acquire().await?).await? {
        0 => Err(StoreError::Missing(path.to_owned())),
        VERSION => Ok(()),
        other => Err(StoreError::VersionUnknown(other)),
    }
}

async fn version(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(connection)
        .await?)
}

#[cfg(test)]
mod tests {
    use sqlx::Connection;
    use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

    use super::*;

    #[tokio::test]
    async fn no_statement_sets_a_witness_back() {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("test.sqlite"))
            .create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let insert =
            "INSERT INTO logs (no, origin, origin_hash, is_accepted, size, root, cosigned_at, checkpoint)
            VALUES (1, 'o', zeroblob(32), 1, 9, zeroblob(32), 100, 'c')";
        for statement in [TABLES, insert] {
            sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        }
        for (statement, is_allowed) in [
            ("UPDATE logs SET size = 8", false),
            (
                "UPDATE logs SET size = NULL, root = NULL, cosigned_at = NULL, checkpoint = NULL",
                false,
            ),
            ("UPDATE logs SET root = randomblob(32)", false),
            ("UPDATE logs SET cosigned_at = 99", false),
            ("UPDATE logs SET origin = 'p'", false),
            ("DELETE FROM logs", false),
            ("UPDATE logs SET is_accepted = 0", true),
            ("UPDATE logs SET cosigned_at = 101", true),
            ("UPDATE logs SET size = 10, root = randomblob(32)", true),
        ] {
            let result = sqlx::raw_sql(statement).execute(&mut connection).await;
            assert_eq!(result.is_ok(), is_allowed, "{statement}: {result:?}");
        }
    }
}
