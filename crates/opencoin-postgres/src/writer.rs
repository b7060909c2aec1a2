//! The connections that write. Usually one is in use for each lane of the committer that has work. More are opened
//! when a batch hangs. Changes of account data other than balances, and the durability barrier, have their
//! own.
//!
//! A connection is reused only if the work on it ended normally. It is closed if the future is dropped midway
//! or a fault leaves its state unknown: if a transaction were still open, a statement that should commit by
//! itself would not. sqlx's pool would reuse such a connection.
//!
//! A new connection may reach another server, such as a standby that was behind when it took over. Nothing is
//! written on it unless the books there contain the newest record that was seen before.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use opencoin_ledger::{BooksPosition, Continuation, LedgerError, Mark};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::fault::Fault;
use crate::layout::Layout;
use crate::position::position;
use crate::session::{ACQUIRE_SECONDS_MAX, IDLE_DURATION_MAX, SESSION, UNPINGED_DURATION_MAX, is_alive};

const ACQUIRE_DURATION_MAX: Duration = Duration::from_secs(ACQUIRE_SECONDS_MAX);

/// The most batches that run at the same time: three in each of the committer's three lanes.
const BATCH_CONNECTIONS_MAX: usize = 9;

/// The most connections of a writer that is not for batches.
const HOLDER_CONNECTIONS_MAX: usize = 2;

/// A pool of connections that write.
#[derive(Clone)]
pub(crate) struct Writer {
    options: Arc<PgConnectOptions>,
    layout: Layout,
    idle: Arc<std::sync::Mutex<Vec<Idle>>>,
    /// One permit is held for each connection in use.
    permits: Arc<Semaphore>,
    permits_max: usize,
    /// The newest position of the books that was seen.
    seen: Arc<std::sync::Mutex<Option<Mark>>>,
}

struct Idle {
    connection: PgConnection,
    since: Instant,
}

/// A connection in use. It is closed if it is dropped without [`Writing::done`].
pub(crate) struct Writing {
    connection: PgConnection,
    idle: Arc<std::sync::Mutex<Vec<Idle>>>,
    _permit: OwnedSemaphorePermit,
}

impl Writer {
    pub(crate) fn new(options: PgConnectOptions, layout: Layout) -> Self {
        Self {
            options: Arc::new(options.disable_statement_logging()),
            layout,
            idle: Arc::default(),
            permits: Arc::new(Semaphore::new(BATCH_CONNECTIONS_MAX)),
            permits_max: BATCH_CONNECTIONS_MAX,
            seen: Arc::default(),
        }
    }

    /// Makes a separate pool for the same books, which shares the position that was seen.
    pub(crate) fn another(&self) -> Self {
        Self {
            options: Arc::clone(&self.options),
            layout: self.layout,
            idle: Arc::default(),
            permits: Arc::new(Semaphore::new(HOLDER_CONNECTIONS_MAX)),
            permits_max: HOLDER_CONNECTIONS_MAX,
            seen: Arc::clone(&self.seen),
        }
    }

    /// Where the tables are that the connections of this pool write.
    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    /// Waits for a permit, and opens a connection if none that works is idle.
    pub(crate) async fn begin(&self) -> Result<Writing, Fault> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| LedgerError::Unavailable("the ledger is closed".to_owned()))?;
        let newest = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match newest {
            Some(idle) => still_alive(idle).await,
            None => None,
        };
        let connection = match connection {
            Some(connection) => connection,
            // Nothing was sent yet, whatever the error is.
            None => match timeout(ACQUIRE_DURATION_MAX, self.connect()).await {
                Ok(connected) => connected?,
                Err(_) => {
                    return Err(LedgerError::Unavailable(
                        "the server did not accept a connection".to_owned(),
                    )
                    .into());
                }
            },
        };
        Ok(Writing {
            connection,
            idle: Arc::clone(&self.idle),
            _permit: permit,
        })
    }

    /// Records a position of the books if it continues the one that was seen before.
    pub(crate) fn saw(&self, position: &BooksPosition) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if position.is_confirmed
            && seen.is_none_or(|before| position.since(&before) == Ok(Continuation::Ahead))
        {
            *seen = Some(position.mark);
        }
    }

    async fn connect(&self) -> Result<PgConnection, LedgerError> {
        let unavailable = |error: sqlx::Error| LedgerError::Unavailable(error.to_string());
        let mut connection = self.options.connect().await.map_err(unavailable)?;
        connection
            .execute(sqlx::raw_sql(SESSION))
            .await
            .map_err(unavailable)?;
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = seen {
            let asked = before.newest.map(|entry| entry.no);
            let position = position(&mut connection, asked).await?;
            let refused =
                |why: &dyn fmt::Display| Err(LedgerError::Unavailable(format!("nothing is written: {why}")));
            match position.since(&before) {
                Ok(Continuation::Ahead) => {}
                Ok(Continuation::Accepted) => {
                    return refused(
                        &"an operator has accepted an older state; restart this process, which knows the newer one",
                    );
                }
                Err(setback) => return refused(&setback),
            }
        }
        Ok(connection)
    }

    /// Waits for running batches and closes the connections.
    pub(crate) async fn close(&self) {
        let all = u32::try_from(self.permits_max).expect("the limit is a small number");
        let permits = self.permits.acquire_many(all).await;
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for idle in idle {
            // The connection is closed even if this fails.
            let _ = idle.connection.close().await;
        }
        drop(permits);
    }
}

impl Writing {
    /// Returns the connection to the pool after the work ended normally.
    pub(crate) fn done(self) {
        let idle = Idle {
            connection: self.connection,
            since: Instant::now(),
        };
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(idle);
    }
}

/// Shows no fields, because the options hold a password.
impl fmt::Debug for Writer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Deref for Writing {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Writing {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

async fn still_alive(idle: Idle) -> Option<PgConnection> {
    let Idle {
        mut connection,
        since,
    } = idle;
    let idle = since.elapsed();
    let is_usable =
        idle < UNPINGED_DURATION_MAX || (idle < IDLE_DURATION_MAX && is_alive(&mut connection).await);
    is_usable.then_some(connection)
}
