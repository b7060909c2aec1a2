//! The connection that writes: one in each process, because its batches follow one another.
//!
//! It is used again only when what was done on it came to its end. A future that is dropped in the middle, or a fault that
//! leaves doubts, closes it: on a connection of which nobody knows whether a transaction is open, a statement that commits by
//! itself might not commit. (A pool gives such a connection to the next one who asks.)

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::connect::SESSION;
use crate::fault::{Fault, ledger_error};

/// How long the connection may have been idle to be used without asking whether it lives: that would be a round trip for
/// each batch.
const UNPINGED_DURATION_MAX: Duration = Duration::from_secs(1);

/// Where the connection waits for the next batch.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    options: Arc<PgConnectOptions>,
    place: Arc<Mutex<Option<Idle>>>,
}

#[derive(Debug)]
struct Idle {
    connection: PgConnection,
    since: Instant,
}

/// The connection in use. Dropped without [`Writing::done`], it is closed.
pub(crate) struct Writing {
    connection: PgConnection,
    place: OwnedMutexGuard<Option<Idle>>,
}

impl Writer {
    pub(crate) fn new(options: PgConnectOptions) -> Self {
        Self { options: Arc::new(options.disable_statement_logging()), place: Arc::default() }
    }

    /// Waits for the batch before, and connects where there is no connection that lives.
    pub(crate) async fn begin(&self) -> Result<Writing, Fault> {
        let mut place = Arc::clone(&self.place).lock_owned().await;
        let connection = match place.take() {
            Some(idle) => still_alive(idle).await,
            None => None,
        };
        let connection = match connection {
            Some(connection) => connection,
            None => self.connect().await.map_err(|error| ledger_error(&error))?,
        };
        Ok(Writing { connection, place })
    }

    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let mut connection = self.options.connect().await?;
        connection.execute(sqlx::raw_sql(SESSION)).await?;
        Ok(connection)
    }

    /// Waits for the batch in hand and closes the connection.
    pub(crate) async fn close(&self) {
        if let Some(idle) = self.place.lock().await.take() {
            // A connection that is broken is closed as well.
            let _ = idle.connection.close().await;
        }
    }
}

impl Writing {
    /// The work came to its end: the connection is there for the next batch.
    pub(crate) fn done(mut self) {
        *self.place = Some(Idle { connection: self.connection, since: Instant::now() });
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
    let Idle { mut connection, since } = idle;
    let lives = since.elapsed() < UNPINGED_DURATION_MAX || connection.ping().await.is_ok();
    lives.then_some(connection)
}
