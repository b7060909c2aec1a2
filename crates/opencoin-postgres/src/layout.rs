//! Where the tables of the books are: on one PostgreSQL server, or distributed over several by Citus.
//!
//! The tables that grow with the coins can be distributed: `spent`, `transactions` and `blinds`. All other
//! tables stay on the coordinator. A process looks when it connects, and works accordingly until it ends.

use std::fmt;

use opencoin_ledger::LedgerError;
use sqlx::{Connection, PgConnection};

use crate::fault::ledger_error;
use crate::session::APPLICATION_NAME;

/// The tables that are distributed, and the columns by which they are.
const DISTRIBUTED: [(&str, &str); 3] = [
    ("spent", "spent_digest"),
    ("transactions", "reference"),
    ("blinds", "reference"),
];

/// The shards of a table on each server. A batch inserts into each shard with a statement of its own, so few are fast;
/// with several, shards can be moved to further servers later.
const SHARDS_PER_SERVER: i32 = 4;

/// Settings of each session with distributed tables. A read or a plain insert uses one connection to each server, and
/// not one to each shard, so that only one part of it has to be prepared there. `SET LOCAL` reaches the other servers.
pub(crate) const SESSION: [(&str, &str); 3] = [
    ("citus.multi_shard_modify_mode", "sequential"),
    ("citus.max_adaptive_executor_pool_size", "1"),
    ("citus.propagate_set_commands", "local"),
];

/// The first statement of each transaction with distributed tables. Other servers know no settings of the session, so
/// the time limit of [`crate::session::SESSION`] is repeated for them. Citus sends them the whole text that it gets, so
/// this cannot be one text with `BEGIN`.
pub(crate) const LIMIT_WAITS: &str = "SET LOCAL lock_timeout = '2s'";

/// Where the tables of the books are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// All tables are on one server.
    OneServer,
    /// The tables that grow are distributed over several servers.
    Distributed {
        /// The number of servers with shards.
        servers: u32,
        /// The number of shards of each table.
        shards: u32,
    },
}

impl Layout {
    pub(crate) fn is_distributed(self) -> bool {
        match self {
            Self::OneServer => false,
            Self::Distributed { .. } => true,
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneServer => formatter.write_str("all tables are on one server"),
            Self::Distributed { servers, shards } => write!(
                formatter,
                "spent, transactions and blinds are distributed by Citus: {shards} shards each on {servers} servers"
            ),
        }
    }
}

/// The names of the tables that can be distributed.
pub(crate) fn distributed_tables() -> Vec<&'static str> {
    DISTRIBUTED.iter().map(|(table, _)| *table).collect()
}

/// Finds out where the tables are. Without tables, they will be on one server.
///
/// # Errors
/// The database does not answer, or the tables are distributed in a way that this program cannot work with.
pub(crate) async fn look(connection: &mut PgConnection) -> Result<Layout, LedgerError> {
    if !has_citus(connection).await? {
        return Ok(Layout::OneServer);
    }
    type Columns = (String, Option<String>, i32, i64);
    let sql =
        "SELECT logicalrelid::regclass::text, column_to_column_name(logicalrelid, partkey), colocationid,
            (SELECT count(*) FROM pg_dist_shard AS shard WHERE shard.logicalrelid = part.logicalrelid)
        FROM pg_dist_partition AS part
        WHERE logicalrelid = ANY(ARRAY(
            SELECT to_regclass(name) FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL))";
    let rows: Vec<Columns> = sqlx::query_as(sql)
        .bind(distributed_tables())
        .fetch_all(&mut *connection)
        .await
        .map_err(|error| ledger_error(&error))?;
    if rows.is_empty() {
        return Ok(Layout::OneServer);
    }
    let found = |(table, key): &(&str, &str)| {
        rows.iter()
            .find(|(name, column, ..)| name == table && column.as_deref() == Some(key))
    };
    let [Some(spent), Some(transactions), Some(blinds)] = [0, 1, 2].map(|index| found(&DISTRIBUTED[index]))
    else {
        return Err(LedgerError::Address(
            "Citus distributes some tables of the books in another way than this program: see deploy/postgresql/README.md"
                .to_owned(),
        ));
    };
    if transactions.2 != blinds.2 {
        return Err(LedgerError::Address(
            "the tables transactions and blinds are not colocated: see deploy/postgresql/README.md"
                .to_owned(),
        ));
    }
    let number =
        |count: i64| u32::try_from(count).map_err(|error| LedgerError::corrupt("Citus catalog", error));
    Ok(Layout::Distributed {
        servers: number(servers(connection).await?.into())?,
        shards: number(spent.3)?,
    })
}

/// Distributes the tables, with their rows, in one transaction. Does nothing if they are distributed already.
///
/// # Errors
/// The database has no Citus, or Citus fails. The tables stay as they were then.
pub(crate) async fn distribute(connection: &mut PgConnection) -> Result<(), LedgerError> {
    if !has_citus(connection).await? {
        return Err(LedgerError::Address(
            "the database has no Citus: run `CREATE EXTENSION citus` there and add its workers, or leave out `--distributed`"
                .to_owned(),
        ));
    }
    if look(connection).await? != Layout::OneServer {
        return Ok(());
    }
    if has_other_users(connection).await? {
        return Err(LedgerError::Address(
            "another process uses the books: stop all servers and signers before their tables are distributed".to_owned(),
        ));
    }
    let servers = servers(connection).await?;
    if servers == 0 {
        return Err(LedgerError::Address(
            "Citus has no servers for shards: add its workers with `SELECT citus_add_node(host, port)`"
                .to_owned(),
        ));
    }
    let done = distribute_all(connection, servers).await;
    done.map_err(|error| ledger_error(&error))
}

async fn distribute_all(connection: &mut PgConnection, servers: i32) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    for (index, (table, key)) in DISTRIBUTED.iter().enumerate() {
        // The blinds of a transaction are on its server.
        let beside = if index == 2 { "transactions" } else { "none" };
        let shards = (beside == "none").then_some(servers * SHARDS_PER_SERVER);
        let sql =
            "SELECT create_distributed_table($1::text::regclass, $2, colocate_with := $3, shard_count := $4)";
        let query = sqlx::query(sql).bind(table).bind(key).bind(beside).bind(shards);
        query.execute(&mut *transaction).await?;
        // The rows have been copied to the shards. This deletes what is left of them on the coordinator.
        let sql = "SELECT truncate_local_data_after_distributing_table($1::text::regclass)";
        sqlx::query(sql).bind(table).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

/// Whether a session of this program exists besides this one. A process finds out only once where the tables are.
async fn has_other_users(connection: &mut PgConnection) -> Result<bool, LedgerError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = $1 AND pid <> pg_backend_pid())";
    let query = sqlx::query_scalar(sql)
        .bind(APPLICATION_NAME)
        .fetch_one(connection)
        .await;
    query.map_err(|error| ledger_error(&error))
}

/// The number of servers that can have shards.
async fn servers(connection: &mut PgConnection) -> Result<i32, LedgerError> {
    let sql = "SELECT count(DISTINCT groupid)::int4 FROM pg_dist_node
        WHERE isactive AND shouldhaveshards AND noderole = 'primary'";
    let query = sqlx::query_scalar(sql).fetch_one(connection).await;
    query.map_err(|error| ledger_error(&error))
}

async fn has_citus(connection: &mut PgConnection) -> Result<bool, LedgerError> {
    let query = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')");
    query
        .fetch_one(connection)
        .await
        .map_err(|error| ledger_error(&error))
}
