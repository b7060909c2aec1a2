//! Which books these are, and how far they have come.

use async_trait::async_trait;
use opencoin_ledger::{
    BooksPosition, Entry, EntryDigest, History, HistoryId, LedgerError, LedgerTime, Mark, TransactionNo,
    journal, scoped,
};
use sqlx::PgConnection;

use crate::fault::{Fault, ledger_error};
use crate::transaction::{self, Task};
use crate::{PostgresLedger, save};

/// One statement is one snapshot. Every part is a look-up in a primary key.
const POSITION: &str = "
    SELECT ARRAY(SELECT id FROM histories ORDER BY no), ARRAY(SELECT confirmed FROM histories ORDER BY no),
        newest.id, newest.reference, newest.content, newest.applied_at, asked.reference, asked.content, asked.applied_at
    FROM (VALUES (1)) AS one (one)
        LEFT JOIN (SELECT id, reference, content, applied_at FROM transactions ORDER BY id DESC LIMIT 1) AS newest ON true
        LEFT JOIN (SELECT reference, content, applied_at FROM transactions WHERE id = $1) AS asked ON true";

type Columns = (
    Vec<Vec<u8>>,
    Vec<bool>,
    Option<i64>,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Option<i64>,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Option<i64>,
);

#[async_trait]
impl History for PostgresLedger {
    async fn position(&self, asked: Option<TransactionNo>) -> Result<BooksPosition, LedgerError> {
        let position = self.read("position", |connection| scoped(position(connection, asked)));
        let position = position.await?;
        self.writer.saw(&position);
        Ok(position)
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
    // A number that is drawn is never lower than those that the books hold.
    let sql = "UPDATE histories SET numbers_above = setval(sequence, greatest($1, nextval(sequence)))
        FROM (SELECT pg_get_serial_sequence('transactions', 'id')::regclass AS sequence) AS numbers
        WHERE no = (SELECT max(no) FROM histories) RETURNING id";
    let query = sqlx::query_scalar(sql).bind(above.get());
    let id: Vec<u8> = query.fetch_one(&mut *connection).await?;
    let first = journal::Record::of_accepted_state(HistoryId::from_row(&id)?, at);
    save::insert_transactions(connection, &[first]).await?;
    sqlx::query("DELETE FROM sessions").execute(connection).await?;
    Ok(())
}

pub(crate) async fn position(
    connection: &mut PgConnection,
    asked: Option<TransactionNo>,
) -> Result<BooksPosition, LedgerError> {
    let query = sqlx::query_as(POSITION).bind(asked.map(TransactionNo::get));
    read(
        query
            .fetch_one(connection)
            .await
            .map_err(|error| ledger_error(&error))?,
    )
}

fn read(row: Columns) -> Result<BooksPosition, LedgerError> {
    let (ids, confirmed, no, reference, content, applied_at, asked_reference, asked_content, asked_at) = row;
    let mut histories = ids
        .iter()
        .map(|id| HistoryId::from_row(id))
        .collect::<Result<Vec<_>, _>>()?;
    let none = || LedgerError::corrupt("table histories", "it is empty");
    let history = histories.pop().ok_or_else(none)?;
    let newest = digest(reference, content, applied_at);
    let newest = no.zip(newest).map(|(no, digest)| Entry {
        no: TransactionNo::new(no),
        digest,
    });
    Ok(BooksPosition {
        mark: Mark { history, newest },
        is_confirmed: confirmed.last().copied().unwrap_or(false),
        earlier: histories,
        asked: digest(asked_reference, asked_content, asked_at),
    })
}

fn digest(
    reference: Option<Vec<u8>>,
    content: Option<Vec<u8>>,
    applied_at: Option<i64>,
) -> Option<EntryDigest> {
    Some(EntryDigest::of(&reference?, &content?, applied_at?))
}
