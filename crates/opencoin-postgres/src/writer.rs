//! The connections that write. Nearly always one is in use, because batches follow one another; another one
//! is opened when a batch hangs. (And some more for what is known of accounts beside their money.)
//!
//! A connection is used again only when what was done on it came to its end. A future that is dropped in the
//! middle, or a fault that leaves doubts, closes it: on a connection of which nobody knows whether a
//! transaction is open, a statement that commits by itself might not commit. (A pool gives such a connection
//! to the next one who asks.)
//!
//! A new connection may lead to another server than the one before: to a standby that took over and was
//! behind. So nothing is written on it before the books there hold what was seen of them.

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
use crate::position::position;
use crate::session::{ACQUIRE_SECONDS_MAX, IDLE_DURATION_MAX, SESSION, UNPINGED_DURATION_MAX, is_alive};

const ACQUIRE_DURATION_MAX: Duration = Duration::from_secs(ACQUIRE_SECONDS_MAX);

/// How many batches may be in hand at once: three in each lane of the committer.
const BATCH_CONNECTIONS_MAX: usize = 6;

/// How many changes of accounts, beside their money, may be in hand at once.
const HOLDER_CONNECTIONS_MAX: usize = 2;

/// The connections that wait for the next batch, and the right to use or open one.
#[derive(Clone)]
pub(crate) struct Writer {
    options: Arc<PgConnectOptions>,
    idle: Arc<std::sync::Mutex<Vec<Idle>>>,
    permits: Arc<Semaphore>,
    permits_max: usize,
    /// What the books hold, as far as somebody has looked.
    seen: Arc<std::sync::Mutex<Option<Mark>>>,
}

struct Idle {
    connection: PgConnection,
    since: Instant,
}

/// The connection in use. Dropped without [`Writing::done`], it is closed.
pub(crate) struct Writing {
    connection: PgConnection,
    idle: Arc<std::sync::Mutex<Vec<Idle>>>,
    _permit: OwnedSemaphorePermit,
}

impl Writer {
    pub(crate) fn new(options: PgConnectOptions) -> Self {
        Self {
            options: Arc::new(options.disable_statement_logging()),
            idle: Arc::default(),
            permits: Arc::new(Semaphore::new(BATCH_CONNECTIONS_MAX)),
            permits_max: BATCH_CONNECTIONS_MAX,
            seen: Arc::default(),
        }
    }

    /// Other connections to the same books, which go by what was seen of them as well.
    pub(crate) fn another(&self) -> Self {
        Self {
            options: Arc::clone(&self.options),
            idle: Arc::default(),
            permits: Arc::new(Semaphore::new(HOLDER_CONNECTIONS_MAX)),
            permits_max: HOLDER_CONNECTIONS_MAX,
            seen: Arc::clone(&self.seen),
        }
    }

    /// Waits for the right to use a connection, and connects where there is none that lives.
    pub(crate) async fn begin(&self) -> Result<Writing, Fault> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| LedgerError::Unavailable("the ledger was closed".to_owned()))?;
        let newest = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match newest {
            Some(idle) => still_alive(idle).await,
            None => None,
        };
        let connection = match connection {
            Some(connection) => connection,
            // Whatever stands in the way, nothing was sent.
            None => match timeout(ACQUIRE_DURATION_MAX, self.connect()).await {
                Ok(connected) => connected?,
                Err(_) => {
                    return Err(
                        LedgerError::Unavailable("the server does not take connections".to_owned()).into(),
                    );
                }
            },
        };
        Ok(Writing {
            connection,
            idle: Arc::clone(&self.idle),
            _permit: permit,
        })
    }

    /// What was seen of the books, where it goes on from what was seen before.
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
                        &"an operator has accepted an older state; this process knows the newer one",
                    );
                }
                Err(setback) => return refused(&setback),
            }
        }
        Ok(connection)
    }

    /// Waits for the batches in hand and closes the connections.
    pub(crate) async fn close(&self) {
        let all = u32::try_from(self.permits_max).expect("a small number");
        let permits = self.permits.acquire_many(all).await;
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for idle in idle {
            // A connection that is broken is closed as well.
            let _ = idle.connection.close().await;
        }
        drop(permits);
    }
}

impl Writing {
    /// The work came to its end: the connection is there for the next batch.
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

/// The options hold a password.
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
