//! Reads the history of the books and their newest record in one snapshot.

use opencoin_ledger::{BooksPosition, Entry, EntryDigest, HistoryId, LedgerError, Mark, TransactionNo};
use sqlx::PgConnection;

use crate::fault::ledger_error;

/// One statement, so that it is one snapshot. Every part is a look-up by primary key.
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
