//! The identity of the books (their history) and their newest record, and accepting a restored state.

use async_trait::async_trait;
use opencoin_ledger::{
    BooksPosition, Entry, EntryDigest, History, HistoryId, LedgerError, LedgerTime, Mark, TransactionNo,
    journal, scoped,
};
use sqlx::{Connection, SqliteConnection};

use crate::fault::{Fault, ledger_error};
use crate::script::Script;
use crate::transaction::{self, Task};
use crate::{SqliteLedger, save};

type EntryColumns = (i64, Vec<u8>, Vec<u8>, i64);

#[async_trait]
impl History for SqliteLedger {
    async fn position(&self, asked: Option<TransactionNo>) -> Result<BooksPosition, LedgerError> {
        self.read("position", |connection| scoped(snapshot(connection, asked)))
            .await
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

async fn snapshot(
    connection: &mut SqliteConnection,
    asked: Option<TransactionNo>,
) -> Result<BooksPosition, LedgerError> {
    let mut snapshot = connection
        .begin_with("BEGIN")
        .await
        .map_err(|error| ledger_error(&error))?;
    let position = position(&mut snapshot, asked).await?;
    snapshot.rollback().await.map_err(|error| ledger_error(&error))?;
    Ok(position)
}

pub(crate) async fn position(
    connection: &mut SqliteConnection,
    asked: Option<TransactionNo>,
) -> Result<BooksPosition, LedgerError> {
    let query = sqlx::query_as("SELECT id, confirmed FROM histories ORDER BY no")
        .fetch_all(&mut *connection)
        .await;
    let mut histories: Vec<(Vec<u8>, bool)> = query.map_err(|error| ledger_error(&error))?;
    let none = || LedgerError::corrupt("table histories", "it is empty");
    let (id, is_confirmed) = histories.pop().ok_or_else(none)?;
    let earlier = histories
        .iter()
        .map(|(id, _)| HistoryId::from_row(id))
        .collect::<Result<_, _>>()?;
    let sql = "SELECT id, reference, content, applied_at FROM transactions ORDER BY id DESC LIMIT 1";
    let newest: Option<EntryColumns> = sqlx::query_as(sql)
        .fetch_optional(&mut *connection)
        .await
        .map_err(|error| ledger_error(&error))?;
    let mut found = None;
    if let Some(asked) = asked {
        let sql = "SELECT id, reference, content, applied_at FROM transactions WHERE id = ?";
        let query = sqlx::query_as(sql)
            .bind(asked.get())
            .fetch_optional(connection)
            .await;
        found = query.map_err(|error| ledger_error(&error))?.map(entry);
    }
    let mark = Mark {
        history: HistoryId::from_row(&id)?,
        newest: newest.map(entry),
    };
    Ok(BooksPosition {
        mark,
        is_confirmed,
        earlier,
        asked: found.map(|entry| entry.digest),
    })
}

fn entry((no, reference, content, applied_at): EntryColumns) -> Entry {
    Entry {
        no: TransactionNo::new(no),
        digest: EntryDigest::of(&reference, &content, applied_at),
    }
}

async fn suspend(connection: &mut SqliteConnection, new: HistoryId, at: LedgerTime) -> Result<(), Fault> {
    let sql = "SELECT confirmed FROM histories ORDER BY no DESC LIMIT 1";
    let is_confirmed: bool = sqlx::query_scalar(sql).fetch_one(&mut *connection).await?;
    if is_confirmed {
        begin(connection, new, at, false).await?;
    }
    Ok(())
}

async fn accept(
    connection: &mut SqliteConnection,
    new: HistoryId,
    above: TransactionNo,
    at: LedgerTime,
) -> Result<(), Fault> {
    let confirm = "UPDATE histories SET confirmed = 1 WHERE confirmed = 0";
    if sqlx::query(confirm)
        .execute(&mut *connection)
        .await?
        .rows_affected()
        == 0
    {
        begin(connection, new, at, true).await?;
    }
    let sql = "UPDATE histories SET numbers_above = max(?, ifnull((SELECT max(id) FROM transactions), 0))
        WHERE no = (SELECT max(no) FROM histories) RETURNING id, numbers_above";
    let (id, above): (Vec<u8>, i64) = sqlx::query_as(sql)
        .bind(above.get())
        .fetch_one(&mut *connection)
        .await?;
    let record = [journal::Record::of_accepted_state(HistoryId::from_row(&id)?, at)];
    let mut script = Script::default();
    save::insert_transactions(&mut script, &record, None, save::EntryNumbers::OfTheBooks)?;
    script.run(connection).await?;
    // Later records get numbers after this one.
    let sql = "UPDATE transactions SET id = ? WHERE id = (SELECT max(id) FROM transactions)";
    sqlx::query(sql).bind(above + 1).execute(&mut *connection).await?;
    let entries = sqlx::query("UPDATE accounts SET last_entry = ?1 WHERE last_entry < ?1").bind(above);
    entries.execute(&mut *connection).await?;
    // The older state may have some that had ended.
    for ended in ["DELETE FROM sessions", "DELETE FROM start_codes"] {
        sqlx::query(ended).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Adds a new history, which an operator must accept unless it is confirmed already.
pub(crate) async fn begin(
    connection: &mut SqliteConnection,
    new: HistoryId,
    at: LedgerTime,
    is_confirmed: bool,
) -> Result<(), sqlx::Error> {
    let sql =
        "INSERT INTO histories (no, id, begun_at, confirmed) SELECT max(no) + 1, ?, ?, ? FROM histories";
    let query = sqlx::query(sql)
        .bind(&new.as_bytes()[..])
        .bind(at.unix_micros())
        .bind(is_confirmed);
    query.execute(connection).await.map(|_| ())
}
