//! Opens the database: connects, checks encoding, durability settings and schema version, and creates tables.

use std::sync::Arc;
use std::time::Duration;

use opencoin_ledger::{KnownBooks, LedgerError, SchemaState, scoped};
use sqlx::migrate::Migrator;
use sqlx::postgres::PgPoolOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, PgPool};
use tokio::time::timeout;

use crate::address::{Address, Protection};
use crate::durable::Barrier;
use crate::fault::ledger_error;
use crate::layout::{self, Layout};
use crate::migrations::MIGRATIONS;
use crate::postgres_ledger::PostgresLedger;
use crate::session::{
    ACQUIRE_SECONDS_MAX, APPLICATION_NAME, IDLE_DURATION_MAX, SESSION, UNPINGED_DURATION_MAX, is_alive,
};
use crate::transaction::{self, Task};
use crate::writer::Writer;
use crate::{durable, in_doubt, schema};

/// The most connections of one process that read. Connections that write are not counted.
const READERS_MAX: u32 = 4;

impl PostgresLedger {
    /// Connects to the database at `url` (`postgres://user:password@host/database`). Creates missing tables
    /// if the books have no transaction yet.
    ///
    /// # Errors
    /// The address is malformed, the database does not answer, or this program cannot work with the version
    /// of its tables.
    pub async fn connect(url: &str) -> Result<Self, LedgerError> {
        let ledger = Self::open(Address::parse(url)?).await?;
        schema::make(&ledger.pool).await?;
        ledger.admitted().await
    }

    /// As [`Self::connect`], and distributes the tables that grow over the servers of Citus.
    ///
    /// # Errors
    /// As [`Self::connect`]; also if the database has no Citus.
    pub async fn connect_distributed(url: &str) -> Result<Self, LedgerError> {
        Self::connect(url).await?.close().await;
        Self::distribute(url).await?;
        Self::connect_to_existing(url).await
    }

    /// Distributes the tables that grow, with their rows, over the servers of Citus. No other process may use the
    /// books meanwhile. Does nothing if they are distributed.
    ///
    /// # Errors
    /// The database has no books or no Citus, or it fails. Then nothing is changed.
    pub async fn distribute(url: &str) -> Result<Layout, LedgerError> {
        let address = Address::parse(url)?;
        Self::open(address.clone()).await?.admitted().await?.close().await;
        let mut connection = first_connection(&address).await?;
        layout::distribute(&mut connection).await?;
        let layout = layout::look(&mut connection).await;
        let _ = connection.close().await;
        layout
    }

    /// Where the tables at `url` are.
    ///
    /// # Errors
    /// The address is malformed, or the database does not answer.
    pub async fn layout_at(url: &str) -> Result<Layout, LedgerError> {
        let mut connection = first_connection(&Address::parse(url)?).await?;
        let layout = layout::look(&mut connection).await;
        let _ = connection.close().await;
        layout
    }

    /// Where the tables are.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Connects to existing books.
    ///
    /// # Errors
    /// As [`Self::connect`]; also if there are no tables.
    pub async fn connect_to_existing(url: &str) -> Result<Self, LedgerError> {
        Self::open(Address::parse(url)?).await?.admitted().await
    }

    /// Connects for reading: every transaction is read-only. A role that may only `SELECT` is enough.
    ///
    /// # Errors
    /// As [`Self::connect_to_existing`].
    pub async fn connect_to_read(url: &str) -> Result<Self, LedgerError> {
        let mut address = Address::parse(url)?;
        address.options = address.options.options([("default_transaction_read_only", "on")]);
        let ledger = Self::open(address).await?;
        schema::check(&ledger.pool).await?;
        Ok(Self {
            is_read_only: true,
            ..ledger
        })
    }

    /// Returns the version of the tables at `url`, and the migrations that they lack.
    ///
    /// # Errors
    /// The address is malformed, or the database does not answer.
    pub async fn schema_state(url: &str) -> Result<SchemaState, LedgerError> {
        let ledger = Self::open(Address::parse(url)?).await?;
        let state = schema::state(&ledger.pool, &MIGRATIONS).await;
        ledger.close().await;
        state
    }

    /// Brings the tables at `url` up to date and returns their previous state. Does nothing if they are
    /// current or newer. Concurrent migrations wait for each other. Servers may stay running if the
    /// migrations allow it.
    ///
    /// # Errors
    /// As [`Self::schema_state`]; also if there are no tables or a migration fails. A migration that fails
    /// changes nothing.
    pub async fn migrate(url: &str) -> Result<SchemaState, LedgerError> {
        Self::migrate_with(&MIGRATIONS, url).await
    }

    async fn migrate_with(migrations: &Migrator, url: &str) -> Result<SchemaState, LedgerError> {
        let ledger = Self::open(Address::parse(url)?).await?;
        let before = schema::state(&ledger.pool, migrations).await?;
        let version = before.version.ok_or_else(schema::no_books)?;
        if version < before.known {
            schema::migrate(&ledger.pool, migrations).await?;
        }
        ledger.close().await;
        Ok(before)
    }

    /// Returns how connections to the database at `url` are protected.
    ///
    /// # Errors
    /// The address is malformed, or the database does not answer.
    pub async fn protection(url: &str) -> Result<Protection, LedgerError> {
        let address = Address::parse(url)?;
        let mut connection = first_connection(&address).await?;
        let protection = address.protection(&mut connection).await;
        // The connection is closed even if this fails.
        let _ = connection.close().await;
        Ok(protection)
    }

    async fn admitted(self) -> Result<Self, LedgerError> {
        schema::check(&self.pool).await?;
        warn_unless_durable(&self.pool).await?;
        Ok(self)
    }

    async fn open(mut address: Address) -> Result<Self, LedgerError> {
        address.options = address.options.application_name(APPLICATION_NAME);
        let mut first = first_connection(&address).await?;
        let asked = async {
            check_encoding(&mut first).await?;
            let layout = layout::look(&mut first).await?;
            if layout.is_distributed() {
                check_workers(&mut first).await?;
            }
            Ok((address.protection(&mut first).await, layout))
        };
        let no_answer = |_| LedgerError::Unavailable("the server does not answer".to_owned());
        let asked = timeout(Duration::from_secs(ACQUIRE_SECONDS_MAX), asked).await;
        let (protection, layout) = asked.map_err(no_answer)??;
        let _ = first.close().await;
        if protection.is_enough() {
            tracing::info!("the database is {protection}");
        } else {
            tracing::warn!(
                "the database is {protection}: others may read or change the data; use sslmode=verify-full"
            );
        }
        let options = match layout {
            Layout::OneServer => address.options,
            Layout::Distributed { .. } => address.options.options(layout::SESSION),
        };
        let pool = PgPoolOptions::new()
            .max_connections(READERS_MAX)
            .acquire_timeout(Duration::from_secs(ACQUIRE_SECONDS_MAX))
            .idle_timeout(IDLE_DURATION_MAX)
            // `before_acquire` tests instead, with a time limit.
            .test_before_acquire(false)
            .before_acquire(|connection, about| {
                Box::pin(async move {
                    let is_alive = about.idle_for < UNPINGED_DURATION_MAX || is_alive(connection).await;
                    // After an error the pool closes the connection without waiting for the server.
                    if is_alive {
                        Ok(true)
                    } else {
                        Err(sqlx::Error::Protocol(
                            "the server closed an idle connection".to_owned(),
                        ))
                    }
                })
            })
            .after_connect(|connection, _| {
                Box::pin(async move {
                    connection.execute(sqlx::raw_sql(SESSION)).await?;
                    durable::settle(connection).await
                })
            })
            .connect_lazy_with(options.clone());
        let writer = Writer::new(options, layout);
        let holders = writer.another();
        let doubts = writer.another();
        let barrier = Barrier::new(writer.another(), layout);
        Ok(Self {
            pool,
            writer,
            holders,
            doubts,
            barrier,
            is_read_only: false,
            layout,
            known: KnownBooks::default(),
            slots: Arc::default(),
        })
    }

    /// Returns the id of one process of each server. A benchmark on the same machine finds the servers by them.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn backend_process_ids(&self) -> Result<Vec<u32>, LedgerError> {
        let sql = match self.layout {
            Layout::OneServer => "SELECT pg_backend_pid()",
            Layout::Distributed { .. } => {
                // A backend there may end before the caller looks at it. The checkpointer does not. Its id is 0 if the
                // role may not see it.
                "SELECT pg_backend_pid() UNION ALL SELECT coalesce(nullif(result, '')::int4, 0) FROM run_command_on_workers(
                    $$SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'$$)"
            }
        };
        let query = sqlx::query_scalar(sql).fetch_all(&self.pool).await;
        let ids: Vec<i32> = query.map_err(|error| ledger_error(&error))?;
        let id = |id: i32| u32::try_from(id).expect("a process id is positive");
        Ok(ids.into_iter().map(id).collect())
    }

    /// Waits for statements in progress and closes all connections.
    pub async fn close(&self) {
        self.writer.close().await;
        self.holders.close().await;
        self.doubts.close().await;
        self.barrier.close().await;
        self.pool.close().await;
    }
}

/// Opens one connection to learn the reason of a failure. A pool would retry until its timeout and hide it.
async fn first_connection(address: &Address) -> Result<PgConnection, LedgerError> {
    let connecting = address.options.connect();
    match timeout(Duration::from_secs(ACQUIRE_SECONDS_MAX), connecting).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) if is_about_tls(&error) => Err(LedgerError::Unavailable(format!(
            "{error}; {}",
            address.tls_hint()
        ))),
        Ok(Err(error)) => Err(ledger_error(&error)),
        Err(_) => Err(LedgerError::Unavailable(format!(
            "the server did not accept a connection within {ACQUIRE_SECONDS_MAX} s"
        ))),
    }
}

/// Whether TLS is the reason of the error. A certificate that fails verification is reported as invalid data.
fn is_about_tls(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Tls(_) => true,
        sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::InvalidData,
        _ => false,
    }
}

/// Labels and references are arbitrary Unicode text. Another encoding would refuse some of it when it is
/// stored.
async fn check_encoding(connection: &mut PgConnection) -> Result<(), LedgerError> {
    let query = "SELECT current_setting('server_encoding')";
    let encoding: String = sqlx::query_scalar(query)
        .fetch_one(connection)
        .await
        .map_err(|error| ledger_error(&error))?;
    if encoding.eq_ignore_ascii_case("UTF8") {
        return Ok(());
    }
    Err(LedgerError::Address(format!(
        "the database has the encoding {encoding}, but the books need UTF8: create it with `createdb --encoding UTF8 --template template0`"
    )))
}

/// The sessions of the coordinator with other servers have the settings of these servers. A commit there must be
/// durable as well.
async fn check_workers(connection: &mut PgConnection) -> Result<(), LedgerError> {
    let sql =
        "SELECT coalesce(bool_and(success), true), coalesce(bool_and(result NOT IN ('off', 'local')), true)
        FROM run_command_on_workers($$SELECT current_setting('synchronous_commit')$$)";
    let query = sqlx::query_as(sql).fetch_one(connection).await;
    let (have_answered, are_durable): (bool, bool) = query.map_err(|error| ledger_error(&error))?;
    if !have_answered {
        return Err(in_doubt::no_answer());
    }
    if !are_durable {
        return Err(LedgerError::Address(
            "a server of the distributed tables confirms commits that are not durable: set synchronous_commit=on there"
                .to_owned(),
        ));
    }
    Ok(())
}

/// A server without `fsync` loses committed transactions in a crash. Only its operator can change that. The
/// setting is NULL on engines that do not have it.
async fn warn_unless_durable(pool: &PgPool) -> Result<(), LedgerError> {
    let fsync: Option<String> = transaction::read(pool, Task::read("fsync"), |connection| {
        scoped(async move {
            let query = sqlx::query_scalar("SELECT current_setting('fsync', true)");
            query
                .fetch_one(connection)
                .await
                .map_err(|error| ledger_error(&error))
        })
    })
    .await?;
    if let Some(fsync) = fsync.filter(|fsync| fsync != "on") {
        tracing::warn!(
            "the PostgreSQL server runs with fsync={fsync}: a crash of its machine can lose money; set fsync=on"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use opencoin_audit::AuditSource as _;
    use opencoin_ledger::{Command, HasAccounts as _, HasLog as _, Ledger};
    use opencoin_testkit::postgres::TestDatabase;

    use super::*;
    use crate::migrations::{first, with_another};

    async fn synchronous_commit(default: &str) -> String {
        let database = TestDatabase::create();
        database.execute(&format!(
            "ALTER DATABASE {} SET synchronous_commit = {default}",
            database.name()
        ));
        let ledger = PostgresLedger::connect(&database.url()).await.unwrap();
        sqlx::query_scalar("SELECT current_setting('synchronous_commit')")
            .fetch_one(&ledger.pool)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_role_that_may_only_select_is_enough_for_reading() {
        let database = TestDatabase::create();
        let missing = PostgresLedger::connect_to_read(&database.url()).await;
        assert!(missing.is_err(), "there are no tables yet");
        PostgresLedger::connect(&database.url()).await.unwrap();
        let role = format!("reads_{}", database.name());
        database.execute(&format!(
            "CREATE ROLE {role} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"
        ));
        let url = database.url();
        let (scheme, rest) = url.split_once("://").unwrap();
        let place = rest.split_once('@').map_or(rest, |(_, place)| place);
        let reader = PostgresLedger::connect_to_read(&format!("{scheme}://{role}@{place}"))
            .await
            .unwrap();
        assert_eq!(reader.mint_keys().await, Ok(vec![]));
        let moments = reader.moments().await.unwrap();
        assert!(moments.last_applied.is_none() && moments.database_now.is_some());
        let at = opencoin_ledger::LedgerTime::from_unix_micros(0);
        assert!(
            reader
                .apply(&[Command::SetSigningPaused { paused: true, at }])
                .await
                .is_err()
        );
        database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    }

    #[tokio::test]
    async fn migrations_at_the_same_time_wait_for_each_other() {
        let database = TestDatabase::create();
        let url = database.url();
        let ledger = PostgresLedger::connect(&url).await.unwrap();
        let at = opencoin_ledger::LedgerTime::from_unix_micros(0);
        ledger
            .apply(&[Command::SetSigningPaused { paused: true, at }])
            .await
            .unwrap();
        let newer = with_another("ALTER TABLE signing ADD COLUMN note text");
        let migrate = || PostgresLedger::migrate_with(&newer, &url);
        let (one, other) = tokio::join!(migrate(), migrate());
        // Either may be the first. The other one looks before or after that, and then has nothing to do.
        let mut states = [one, other]
            .map(Result::unwrap)
            .map(|state| (state.version, state.known, state.pending.len()));
        states.sort_unstable();
        assert_eq!(states[0], (Some(4), 9999, 1));
        assert!(
            [(Some(4), 9999, 1), (Some(9999), 9999, 0)].contains(&states[1]),
            "{states:?}"
        );
        assert_eq!(migrate().await.unwrap().pending, []);
        assert_eq!(ledger.signing_paused().await, Ok(true));
    }

    /// Books of the first version, with a holder and a log.
    #[tokio::test]
    async fn books_without_key_accounts_get_them() {
        let database = TestDatabase::create();
        let url = database.url();
        let pool = PgPool::connect(&url).await.unwrap();
        schema::migrate(&pool, &first()).await.unwrap();
        let rows = "INSERT INTO accounts (id, name, token_hash, balance, last_entry, password_hash, listed)
                VALUES (3, 'alice', sha256('token'), 40, 1, '$hash', true);
            INSERT INTO transactions
                (id, kind, reference, content, debit_account, credit_account, credit_entry, amount, applied_at)
                VALUES (nextval('transaction_numbers'), 2, '\\x0341', sha256(''), 1, 3, 1, 40, 5);
            INSERT INTO log_head (id, batch, size, root, time_s, accounts, paid_in, paid_out, recouped, began_late)
                VALUES (1, 1, 0, sha256(''), 0, 0, 0, 0, 0, false);
            INSERT INTO log_pending (at, coins, others, accounts, paid_in, paid_out, recouped)
                VALUES (5, '', '', 40, 40, 0, 0)";
        pool.execute(sqlx::raw_sql(rows)).await.unwrap();
        let early = PostgresLedger::connect_to_existing(&url).await.unwrap_err();
        assert!(matches!(early, LedgerError::SchemaOlder { .. }), "{early:?}");
        PostgresLedger::migrate(&url).await.unwrap();
        let ledger = PostgresLedger::connect_to_existing(&url).await.unwrap();
        let report = opencoin_audit::check(&ledger.audit_facts().await.unwrap());
        assert!(report.holds(), "{report:#?}");
        let name = "alice".parse().unwrap();
        let profile = ledger.accounts().profile(&name).await.unwrap().unwrap();
        assert_eq!((profile.account.balance.units(), profile.listed), (40, true));
        let logged = ledger.log().key_accounts().await.unwrap().unwrap();
        let head = ledger.log().head().await.unwrap().unwrap();
        assert_eq!(head.ledger_root, logged.ledger.root());
    }

    #[tokio::test]
    async fn commits_are_durable_with_any_server_default() {
        assert_eq!(synchronous_commit("off").await, "on");
        assert_eq!(synchronous_commit("local").await, "on");
        assert_eq!(synchronous_commit("remote_apply").await, "remote_apply");
    }
}
