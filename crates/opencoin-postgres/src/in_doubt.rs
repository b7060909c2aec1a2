//! Transactions in doubt on distributed tables.
//!
//! A transaction that writes on several servers is first prepared on each of them, then committed on the
//! coordinator, and then on the others. If one of the others fails in between, the transaction is committed,
//! but its rows there stay invisible until Citus has recovered it (`citus.recover_2pc_interval`). So a read
//! that finds no record does not prove that there is none. A command must not be refused, and a wallet must
//! not be told that nothing was accepted, because of such a read.
//!
//! An insert is not deceived: it waits for a prepared transaction that has inserted the same key. [`wait`]
//! inserts the references and takes that back. After that, a read finds the records that were in doubt. A
//! coin in doubt needs no such care: it is not refused, and its own insert waits.

use opencoin_ledger::journal::ReferenceKey;
use sqlx::{Executor, PgConnection};

use crate::columns::column;
use crate::fault::Fault;

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
