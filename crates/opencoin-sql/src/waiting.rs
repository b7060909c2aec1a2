//! Reads of waiting mints and pending payouts. Only commands change them.

use opencoin_ledger::journal::ReferenceKey;
use opencoin_ledger::stored;
use opencoin_ledger::{Backlog, DueMint, LedgerTime, TransactionReference, WaitingMint};

use crate::rows::{WAITING_COLUMNS, waiting};
use crate::{Executor, Row, SqlError};

pub(crate) async fn by_reference(
    sql: &mut dyn Executor,
    reference: &TransactionReference,
) -> Result<Option<WaitingMint>, SqlError> {
    let query = format!("SELECT {WAITING_COLUMNS}, blinds FROM waiting_mints WHERE reference = $1");
    let mint = |row: &mut Row| {
        let waiting = waiting(row)?;
        let blinds: Vec<u8> = row.take()?;
        Ok(waiting.mint(&blinds)?)
    };
    let key = ReferenceKey::of_transaction(reference);
    sql.optional(&query, &[key.as_bytes().into()], mint).await
}

/// Does not read the blinds, which can be large.
pub(crate) async fn due(
    sql: &mut dyn Executor,
    now: LedgerTime,
    after: Option<&DueMint>,
    limit: u32,
) -> Result<Vec<DueMint>, SqlError> {
    let query = "SELECT reference, asked_at
        FROM waiting_mints JOIN accounts ON accounts.id = waiting_mints.account
        WHERE (expires_at <= $1 OR accounts.balance >= waiting_mints.amount AND accounts.status = 0) AND (asked_at, reference) > ($2, $3)
        ORDER BY asked_at, reference LIMIT $4";
    let after = after.map(|after| (after.asked, ReferenceKey::of_transaction(&after.reference)));
    let (asked, reference) = after.as_ref().map_or((i64::MIN, &[][..]), |(asked, reference)| {
        (asked.unix_micros(), reference.as_bytes())
    });
    let values = [
        now.unix_micros().into(),
        asked.into(),
        reference.into(),
        i64::from(limit).into(),
    ];
    let mint = |row: &mut Row| {
        let reference: Vec<u8> = row.take()?;
        Ok(stored::due_mint(&reference, row.take()?)?)
    };
    sql.all(query, &values, mint).await
}

/// One statement, whose parts read waiting rows only.
pub(crate) async fn backlog(sql: &mut dyn Executor) -> Result<Backlog, SqlError> {
    let query =
        "SELECT (SELECT count(*) FROM waiting_mints), (SELECT count(*) FROM payouts WHERE paid IS NULL),
        (SELECT count(*) FROM accounts WHERE status = 1),
        (SELECT requested_at FROM payouts WHERE paid IS NULL ORDER BY no LIMIT 1)";
    let backlog = |row: &mut Row| {
        let counts: [i64; 3] = [row.take()?, row.take()?, row.take()?];
        let [waiting_mints, payouts_requested, frozen_accounts] =
            counts.map(|count| u64::try_from(count).expect("a count is not below zero"));
        let oldest: Option<i64> = row.take()?;
        Ok(Backlog {
            waiting_mints,
            payouts_requested,
            frozen_accounts,
            oldest_payout: oldest.map(LedgerTime::from_unix_micros),
        })
    };
    sql.one(query, &[], backlog).await
}
