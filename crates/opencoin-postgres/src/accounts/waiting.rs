//! Reading mints that wait for money. What becomes of them is decided by commands.

use opencoin_ledger::journal::ReferenceKey;
use opencoin_ledger::stored;
use opencoin_ledger::{Backlog, DueMint, LedgerError, LedgerTime, TransactionReference, WaitingMint};
use sqlx::PgConnection;

use crate::fault::ledger_error;
use crate::read::waiting;

pub(super) async fn by_reference(
    connection: &mut PgConnection,
    reference: &TransactionReference,
) -> Result<Option<WaitingMint>, LedgerError> {
    type Columns = (Vec<u8>, i64, Vec<u8>, i64, i64, i64, Vec<u8>);
    let sql = "SELECT reference, account, content, amount, asked_at, expires_at, blinds
        FROM waiting_mints WHERE reference = $1";
    let key = ReferenceKey::of_transaction(reference);
    let query = sqlx::query_as(sql)
        .bind(key.as_bytes())
        .fetch_optional(connection)
        .await;
    let row: Option<Columns> = query.map_err(|error| ledger_error(&error))?;
    row.map(
        |(reference, account, content, amount, asked_at, expires_at, blinds)| {
            waiting((reference, account, content, amount, asked_at, expires_at)).mint(&blinds)
        },
    )
    .transpose()
}

/// Without the blinds, of which there may be many.
pub(super) async fn due(
    connection: &mut PgConnection,
    now: LedgerTime,
    after: Option<&DueMint>,
    limit: u32,
) -> Result<Vec<DueMint>, LedgerError> {
    let sql = "SELECT reference, asked_at
        FROM waiting_mints JOIN accounts ON accounts.id = waiting_mints.account
        WHERE (expires_at <= $1 OR accounts.balance >= waiting_mints.amount) AND (asked_at, reference) > ($2, $3)
        ORDER BY asked_at, reference LIMIT $4";
    let after = after.map(|after| (after.asked, ReferenceKey::of_transaction(&after.reference)));
    let (asked, reference) = after.as_ref().map_or((i64::MIN, &[][..]), |(asked, reference)| {
        (asked.unix_micros(), reference.as_bytes())
    });
    let query = sqlx::query_as(sql)
        .bind(now.unix_micros())
        .bind(asked)
        .bind(reference)
        .bind(i64::from(limit));
    let rows: Result<Vec<(Vec<u8>, i64)>, _> = query.fetch_all(connection).await;
    let rows = rows.map_err(|error| ledger_error(&error))?;
    rows.iter()
        .map(|(reference, asked_at)| stored::due_mint(reference, *asked_at))
        .collect()
}

/// One statement, each part over an index of what waits alone.
pub(super) async fn backlog(connection: &mut PgConnection) -> Result<Backlog, LedgerError> {
    let sql =
        "SELECT (SELECT count(*) FROM waiting_mints), (SELECT count(*) FROM payouts WHERE paid IS NULL),
        (SELECT requested_at FROM payouts WHERE paid IS NULL ORDER BY no LIMIT 1)";
    let query = sqlx::query_as(sql).fetch_one(connection).await;
    let (waiting, requested, oldest): (i64, i64, Option<i64>) =
        query.map_err(|error| ledger_error(&error))?;
    let [waiting_mints, payouts_requested] =
        [waiting, requested].map(|count| u64::try_from(count).expect("a count is not below zero"));
    Ok(Backlog {
        waiting_mints,
        payouts_requested,
        oldest_payout: oldest.map(LedgerTime::from_unix_micros),
    })
}
