//! What every connection is set to, and how long one is waited for.

use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

/// How long a read or a batch waits for a connection that lives before the database counts as unavailable.
pub(crate) const ACQUIRE_SECONDS_MAX: u64 = 5;

/// How long a connection may have been idle to be used without asking whether it lives: that would be a round
/// trip for each batch.
pub(crate) const UNPINGED_DURATION_MAX: Duration = Duration::from_secs(1);

/// How long a server may take to say that a connection lives. One that was dropped on the way never answers,
/// and a new connection must fit into the rest of [`ACQUIRE_SECONDS_MAX`].
const PING_DURATION_MAX: Duration = Duration::from_secs(1);

/// A connection that was idle for longer is not used again: firewalls forget connections after some minutes,
/// and what is sent over one that was forgotten is lost.
pub(crate) const IDLE_DURATION_MAX: Duration = Duration::from_secs(60);

/// Settings of each session.
///
/// - A commit is confirmed only when it is durable, whatever the server's default; stronger settings are
///   kept.
/// - A process that hangs in a transaction frees its rows, and nobody waits for them for ever.
/// - Every query is a look-up by key. The planner must not believe the statistics of a table that was empty a
///   moment ago and scan it; reading whole tables, as the audit does, still works. Nor need it plan a
///   statement anew each time. Engines that lack a setting are not asked for it.
pub(crate) const SESSION: &str = "
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local');
    SELECT set_config(name, '30s', false) FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout';
    SELECT set_config(name, '2s', false) FROM pg_settings WHERE name = 'lock_timeout';
    SELECT set_config(name, 'off', false) FROM pg_settings
        WHERE name IN ('enable_seqscan', 'enable_bitmapscan', 'enable_hashjoin', 'enable_mergejoin', 'jit');
    SELECT set_config(name, 'force_generic_plan', false) FROM pg_settings WHERE name = 'plan_cache_mode';
";

/// Whether somebody answers at the other end: the server, or a firewall on the way, may have ended a
/// connection that was idle, without a word.
pub(crate) async fn is_alive(connection: &mut PgConnection) -> bool {
    matches!(timeout(PING_DURATION_MAX, connection.ping()).await, Ok(Ok(())))
}
