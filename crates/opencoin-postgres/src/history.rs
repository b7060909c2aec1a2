//! The identity of the books (their history) and their newest record, and accepting a restored state.

use async_trait::async_trait;
use opencoin_ledger::{
    BooksPosition, History, HistoryId, LedgerError, LedgerTime, TransactionNo, journal, scoped,
};
use sqlx::PgConnection;

use crate::fault::Fault;
use crate::position::position;
use crate::transaction::{self, Task};
use crate::{PostgresLedger, save};

#[async_trait]
impl History for PostgresLedger {
    async fn position(&self, asked: Option<TransactionNo>) -> Result<BooksPosition, LedgerError> {
        let position = self.read("position", |connection| scoped(position(connection, asked)));
        let position = position.await?;
        self.writer.saw(&position);
        Ok(position)
    }

    async fn suspend(&self, new: HistoryId, at: LedgerTime) -> Result<(), LedgerError> {
        transaction::run(
            &self.writer,
            Task::transaction("suspend the books"),
            |connection| scoped(suspend(connection, new, at)),
        )
        .await
    }

    async fn accept(&self, new: HistoryId, above: TransactionNo, at: LedgerTime) -> Result<(), LedgerError> {
        transaction::run(&self.writer, Task::transaction("accept a state"), |connection| {
            scoped(accept(connection, new, above, at))
        })
        .await
    }

    async fn close(&self) {
        Self::close(self).await;
    }
}

async fn suspend(connection: &mut PgConnection, new: HistoryId, at: LedgerTime) -> Result<(), Fault> {
    let sql = "INSERT INTO histories (no, id, begun_at, confirmed)
        SELECT max(no) + 1, $1, $2, false FROM histories HAVING bool_and(confirmed)";
    let query = sqlx::query(sql).bind(&new.as_bytes()[..]).bind(at.unix_micros());
    query.execute(connection).await?;
    Ok(())
}

async fn accept(
    connection: &mut PgConnection,
    new: HistoryId,
    above: TransactionNo,
    at: LedgerTime,
) -> Result<(), Fault> {
    let confirm = "UPDATE histories SET confirmed = true WHERE NOT confirmed";
    if sqlx::query(confirm)
        .execute(&mut *connection)
        .await?
        .rows_affected()
        == 0
    {
        let sql = "INSERT INTO histories (no, id, begun_at, confirmed) SELECT max(no) + 1, $1, $2, true FROM histories";
        sqlx::query(sql)
            .bind(&new.as_bytes()[..])
            .bind(at.unix_micros())
            .execute(&mut *connection)
            .await?;
    }
    // `nextval` returns a number above all numbers in the books.
    let sql = "UPDATE histories SET numbers_above = setval(sequence, greatest($1, nextval(sequence)))
        FROM (SELECT 'transaction_numbers'::regclass AS sequence) AS numbers
        WHERE no = (SELECT max(no) FROM histories) RETURNING id, numbers_above";
    let query = sqlx::query_as(sql).bind(above.get());
    let (id, numbers_above): (Vec<u8>, i64) = query.fetch_one(&mut *connection).await?;
    let entries =
        sqlx::query("UPDATE accounts SET last_entry = $1 WHERE last_entry < $1").bind(numbers_above);
    entries.execute(&mut *connection).await?;
    let first = journal::Record::of_accepted_state(HistoryId::from_row(&id)?, at);
    save::insert_transactions(
        connection,
        &[first],
        None,
        &save::EntriesBefore::new(),
        save::OnConflict::LeaveOut,
    )
    .await?;
    // The older state may have some that had ended.
    for ended in ["DELETE FROM sessions", "DELETE FROM start_codes"] {
        sqlx::query(ended).execute(&mut *connection).await?;
    }
    Ok(())
}
