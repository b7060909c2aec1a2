//! Settings and time limits of all connections.

use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

/// The name of every session of this program.
pub(crate) const APPLICATION_NAME: &str = "opencoin";

/// How long a read or a batch waits for a working connection before the database counts as unavailable.
pub(crate) const ACQUIRE_SECONDS_MAX: u64 = 5;

/// A connection that was idle for less is used without a ping, which would cost each batch a round trip.
pub(crate) const UNPINGED_DURATION_MAX: Duration = Duration::from_secs(1);

/// How long the server may take to answer a ping. It never answers on a connection that a firewall has
/// dropped, and the rest of [`ACQUIRE_SECONDS_MAX`] must suffice for a new connection.
const PING_DURATION_MAX: Duration = Duration::from_secs(1);

/// A connection that was idle for longer is closed. Firewalls drop idle connections after some minutes, and
/// lose what is sent over them.
pub(crate) const IDLE_DURATION_MAX: Duration = Duration::from_secs(60);

/// Settings of each session. A setting that an engine lacks is left out.
///
/// - `synchronous_commit`: a commit returns only when it is durable. A stronger server default is kept.
/// - `idle_in_transaction_session_timeout`, `lock_timeout`: a process that hangs in a transaction loses its
///   locks, and nobody waits for a lock without limit.
/// - `enable_*`, `jit`, `plan_cache_mode`: every query is a look-up by key. The planner must not scan a table
///   because its statistics say that it is empty, and need not plan a statement again each time. Reads of
///   whole tables, as in an audit, still work. Citus finds the shards of a statement by its parameters, so it must plan
///   each time.
pub(crate) const SESSION: &str = "
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local');
    SELECT set_config(name, '30s', false) FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout';
    SELECT set_config(name, '2s', false) FROM pg_settings WHERE name = 'lock_timeout';
    SELECT set_config(name, 'off', false) FROM pg_settings
        WHERE name IN ('enable_seqscan', 'enable_bitmapscan', 'enable_hashjoin', 'enable_mergejoin', 'jit');
    SELECT set_config(name, 'force_generic_plan', false) FROM pg_settings
        WHERE name = 'plan_cache_mode' AND current_setting('citus.multi_shard_modify_mode', true) IS DISTINCT FROM 'sequential';
";

/// Whether the server answers a ping. The server or a firewall may have ended an idle connection silently.
pub(crate) async fn is_alive(connection: &mut PgConnection) -> bool {
    matches!(timeout(PING_DURATION_MAX, connection.ping()).await, Ok(Ok(())))
}
