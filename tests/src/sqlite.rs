//! Direct access to a ledger in SQLite, bypassing the program under test.

use std::path::Path;
use std::thread;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection};

/// Runs statements.
///
/// # Errors
/// The database's error message.
pub fn execute(file: &Path, statements: &str) -> Result<(), String> {
    connected(file, async |connection| {
        connection.execute(sqlx::raw_sql(statements)).await.map(|_| ())
    })
}

/// The result of a query that returns one number.
///
/// # Errors
/// The database's error message.
pub fn query(file: &Path, query: &str) -> Result<i64, String> {
    connected(file, async |connection| {
        sqlx::query_scalar(query).fetch_one(connection).await
    })
}

/// The texts that a query returns, one for each row.
///
/// # Errors
/// The database's error message.
pub fn texts(file: &Path, query: &str) -> Result<Vec<String>, String> {
    connected(file, async |connection| {
        sqlx::query_scalar(query).fetch_all(connection).await
    })
}

/// Runs an action on a separate thread, so that tests can call it inside and outside a runtime.
fn connected<T: Send>(
    file: &Path,
    action: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, sqlx::Error> + Send,
) -> Result<T, String> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut connection = SqliteConnectOptions::new().filename(file).connect().await?;
            let result = action(&mut connection).await?;
            connection.close().await?;
            Ok(result)
        })
    };
    let result: Result<T, sqlx::Error> = thread::scope(|scope| scope.spawn(run).join().unwrap());
    result.map_err(|error| error.to_string())
}
