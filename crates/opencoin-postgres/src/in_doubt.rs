//! Transactions in doubt on distributed tables.
//!
//! A transaction that writes on several servers is first prepared on each of them, then committed on the
//! coordinator, and then on the others. Usually the last step follows at once. If one of the others fails before it,
//! the transaction is committed, but its rows there stay invisible until Citus has recovered it
//! (`citus.recover_2pc_interval`). So a read that finds no record does not prove that there is none. A command must
//! not be refused, a wallet must not be told that nothing was accepted, and the key of blinds that were not seen
//! must not be destroyed, because of such a read.
//!
//! An insert is not deceived: it waits for a prepared transaction that has inserted the same key. [`wait`]
//! inserts the references and takes that back. After that, a read finds the records that were in doubt. A
//! coin in doubt needs no such care: it is not refused, and its own insert waits.
//!
//! A read of many records waits until all transactions are committed everywhere that were prepared when it began:
//! [`wait_for_all`].

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use opencoin_ledger::LedgerError;
use opencoin_ledger::journal::ReferenceKey;
use sqlx::{Executor, PgConnection};

use crate::columns::column;
use crate::fault::{Fault, ledger_error};

/// How long [`wait_for_all`] waits, as long as a statement waits for a lock.
const WAIT_DURATION_MAX: Duration = Duration::from_secs(2);
/// The pause between two looks at the servers.
const LOOK_PAUSE: Duration = Duration::from_millis(10);

/// Waits until no transaction is in doubt that has written one of these references. Runs in a transaction.
///
/// # Errors
/// [`Fault::Locked`] if one stays in doubt for longer than `lock_timeout`.
pub(crate) async fn wait(connection: &mut PgConnection, references: &[ReferenceKey]) -> Result<(), Fault> {
    // The rows are never seen. Their kind moves no money, so that the constraints of the table hold.
    let sql = "INSERT INTO transactions (reference, id, kind, content, amount, applied_at)
        SELECT reference, 0, 7, sha256(''), 0, 0 FROM unnest($1::bytea[]) AS reference
        ON CONFLICT (reference) DO NOTHING";
    connection.execute("SAVEPOINT in_doubt").await?;
    let query = sqlx::query(sql).bind(column(references, |reference| reference.as_bytes()));
    query.execute(&mut *connection).await?;
    connection.execute("ROLLBACK TO SAVEPOINT in_doubt").await?;
    Ok(())
}

/// Waits until the rows of all transactions are visible that the coordinator has committed before.
///
/// # Errors
/// [`LedgerError::Unavailable`] if one stays in doubt for longer than [`WAIT_DURATION_MAX`], or a server does not
/// answer.
pub(crate) async fn wait_for_all(connection: &mut PgConnection) -> Result<(), LedgerError> {
    let begun = Instant::now();
    let mut awaited = prepared(connection).await?;
    while !awaited.is_empty() {
        if begun.elapsed() > WAIT_DURATION_MAX {
            return Err(LedgerError::Unavailable(
                "a transaction is in doubt on a server of the distributed tables; Citus recovers it soon"
                    .to_owned(),
            ));
        }
        tokio::time::sleep(LOOK_PAUSE).await;
        let left = prepared(connection).await?;
        awaited.retain(|name| left.contains(name));
    }
    Ok(())
}

/// The names of the transactions that Citus has prepared on the servers other than the coordinator.
///
/// # Errors
/// A server does not answer.
pub(crate) async fn prepared(connection: &mut PgConnection) -> Result<BTreeSet<String>, LedgerError> {
    let sql = "SELECT coalesce(bool_and(success), true), coalesce(string_agg(result, ' '), '')
        FROM run_command_on_workers($$SELECT coalesce(string_agg(gid, ' '), '') FROM pg_prepared_xacts
            WHERE database = current_database() AND gid LIKE 'citus_%'$$)";
    let query = sqlx::query_as(sql).fetch_one(connection).await;
    let (have_answered, names): (bool, String) = query.map_err(|error| ledger_error(&error))?;
    if !have_answered {
        return Err(no_answer());
    }
    Ok(names.split_whitespace().map(str::to_owned).collect())
}

pub(crate) fn no_answer() -> LedgerError {
    LedgerError::Unavailable("a server of the distributed tables does not answer".to_owned())
}
