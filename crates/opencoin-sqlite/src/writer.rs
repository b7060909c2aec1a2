//! The connection of this process that writes, for one transaction at a time.
//!
//! It is not in a pool, because a pool asks each connection for a sign of life after it was used. That costs two
//! switches between threads, about as much as a small batch itself.
//!
//! Failures: a connection whose transaction may still be open is closed, which rolls the transaction back. That is so
//! after some errors, after a panic, and if a future is dropped. The next transaction waits for that, and opens another
//! connection.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;

/// How long a command waits for a connection of this process, before the database counts as unavailable.
pub(crate) const ACQUIRE_SECONDS_MAX: u64 = 30;

const LENT: &str = "the connection is there until it is given back or dropped";

/// Lends the connection.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    options: Arc<SqliteConnectOptions>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
enum State {
    /// Without a connection, the next transaction opens one.
    Open(Option<SqliteConnection>),
    Closed,
}

/// The connection, lent for one transaction. It is closed unless [`Writing::end`] gives it back.
#[derive(Debug)]
pub(crate) struct Writing(Option<Lent>);

#[derive(Debug)]
struct Lent {
    connection: SqliteConnection,
    state: OwnedMutexGuard<State>,
}

impl Writer {
    /// Connects when the first transaction asks for it.
    pub(crate) fn new(options: SqliteConnectOptions) -> Self {
        Self {
            options: Arc::new(options),
            state: Arc::new(Mutex::new(State::Open(None))),
        }
    }

    /// Waits until no other task of this process writes.
    ///
    /// # Errors
    /// It takes too long, the file cannot be opened, or the ledger is closed.
    pub(crate) async fn acquire(&self) -> Result<Writing, sqlx::Error> {
        let turn = Arc::clone(&self.state).lock_owned();
        let waited = timeout(Duration::from_secs(ACQUIRE_SECONDS_MAX), turn).await;
        let mut state = waited.map_err(|_| sqlx::Error::PoolTimedOut)?;
        let connection = match &mut *state {
            State::Open(connection) => connection.take(),
            State::Closed => return Err(sqlx::Error::PoolClosed),
        };
        let connection = match connection {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        Ok(Writing(Some(Lent { connection, state })))
    }

    /// Waits for the transactions that have begun and closes the connection.
    pub(crate) async fn close(&self) {
        let closed = std::mem::replace(&mut *self.state.lock().await, State::Closed);
        if let State::Open(Some(connection)) = closed {
            close(connection).await;
        }
    }
}

async fn close(connection: SqliteConnection) {
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "the connection that writes was not closed in order");
    }
}

impl Writing {
    /// Gives the connection back. The caller knows that it has no open transaction.
    pub(crate) fn end(mut self) {
        if let Some(Lent {
            connection,
            mut state,
        }) = self.0.take()
        {
            *state = State::Open(Some(connection));
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let Some(Lent { connection, state }) = self.0.take() else {
            return;
        };
        // Without a runtime, SQLite's thread closes the file some time after the connection is dropped.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                close(connection).await;
                drop(state);
            });
        }
    }
}

impl Deref for Writing {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.0.as_ref().expect(LENT).connection
    }
}

impl DerefMut for Writing {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.0.as_mut().expect(LENT).connection
    }
}
