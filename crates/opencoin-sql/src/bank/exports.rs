//! Files of payouts.

use opencoin_ledger::bank::{ExportEnd, ExportNo, ExportOutcome, ExportState, NewExport, PayoutExport};
use opencoin_ledger::stored::{self, StoredExport};
use opencoin_ledger::{Action, ActionDetail, IdempotencyKey, PayoutNo};

use super::READ_AT_A_TIME_MAX;
use crate::actions::record;
use crate::places::{list, places};
use crate::{Executor, Row, SqlError, Value, pieces};

const COLUMNS: &str = "no, request, format, message_id, payouts, amount, operator, at, state, ended_at";
/// The most payouts that one statement of SQL inserts.
const INSERTED_AT_A_TIME_MAX: usize = 256;

fn export(row: &mut Row) -> Result<PayoutExport, SqlError> {
    Ok(stored::payout_export(StoredExport {
        no: row.take()?,
        request: row.take()?,
        format: row.take()?,
        message_id: row.take()?,
        payouts: row.take()?,
        amount: row.take()?,
        operator: row.take()?,
        at: row.take()?,
        state: row.take()?,
        ended_at: row.take()?,
    })?)
}

/// The rows of the payouts are locked first, so none is settled meanwhile. If another process stores a file at the same
/// time, this violates a key, and the transaction is tried again.
pub(super) async fn add(
    sql: &mut dyn Executor,
    new: &NewExport,
    action: &Action,
) -> Result<ExportOutcome, SqlError> {
    assert!(
        new.payouts.is_sorted_by(|one, next| one < next),
        "each payout once, ascending"
    );
    if let Some(same) = of_key(sql, &new.key).await? {
        return Ok(ExportOutcome::Repeated(same));
    }
    if let Some(outcome) = hindrance(sql, &new.payouts).await? {
        // The same request may have been carried out while this one waited for the locks.
        let same = of_key(sql, &new.key).await?;
        return Ok(same.map_or(outcome, ExportOutcome::Repeated));
    }
    let query = format!(
        "INSERT INTO payout_exports (no, key, request, format, message_id, payouts, amount, operator, at, file)
        SELECT coalesce(max(no), 0) + 1, $1, $2, $3, $4, $5, $6, $7, $8, $9 FROM payout_exports RETURNING {COLUMNS}"
    );
    let count = i64::try_from(new.payouts.len()).expect("a file has few payouts");
    let values = [
        new.key.as_str().into(),
        (&new.request).into(),
        i64::from(new.format.code()).into(),
        new.message_id.as_str().into(),
        count.into(),
        new.amount.as_i64().into(),
        action.operator.as_str().into(),
        action.at.unix_micros().into(),
        new.file.as_slice().into(),
    ];
    let added = sql.one(&query, &values, export).await?;
    for piece in pieces(&new.payouts, INSERTED_AT_A_TIME_MAX) {
        let query = format!(
            "INSERT INTO exported_payouts (payout, export) VALUES {}",
            places(piece.len(), 2)
        );
        let values: Vec<Value<'_>> = piece
            .iter()
            .flat_map(|no| [no.get().into(), added.no.get().into()])
            .collect();
        sql.execute(&query, &values).await?;
    }
    record(sql, action).await?;
    Ok(ExportOutcome::Added(added))
}

/// Locks payouts, which are in ascending order, and says why the first of them that cannot be in a file cannot be.
async fn hindrance(sql: &mut dyn Executor, payouts: &[PayoutNo]) -> Result<Option<ExportOutcome>, SqlError> {
    let for_update = sql.dialect().for_update;
    let mut open = Vec::with_capacity(payouts.len());
    for piece in pieces(payouts, READ_AT_A_TIME_MAX) {
        let query = format!(
            "SELECT no FROM payouts WHERE no IN ({}) AND paid IS NULL ORDER BY no {for_update}",
            list(piece.len())
        );
        let number = |row: &mut Row| Ok(PayoutNo::new(row.take()?));
        open.extend(sql.all(&query, &numbers(piece), number).await?);
    }
    let settled = payouts.iter().find(|no| open.binary_search(no).is_err());
    let in_file = exported(sql, payouts).await?.first().copied();
    Ok(match (settled, in_file) {
        (Some(no), Some((exported, _))) if *no <= exported => Some(ExportOutcome::NotOpen(*no)),
        (_, Some((no, export))) => Some(ExportOutcome::Exported(no, export)),
        (Some(no), None) => Some(ExportOutcome::NotOpen(*no)),
        (None, None) => None,
    })
}

/// The numbers as parameters.
fn numbers(payouts: &[PayoutNo]) -> Vec<Value<'static>> {
    payouts.iter().map(|no| no.get().into()).collect()
}

pub(super) async fn of_key(
    sql: &mut dyn Executor,
    key: &IdempotencyKey,
) -> Result<Option<PayoutExport>, SqlError> {
    let query = format!("SELECT {COLUMNS} FROM payout_exports WHERE key = $1");
    sql.optional(&query, &[key.as_str().into()], export).await
}

pub(super) async fn page(
    sql: &mut dyn Executor,
    before: Option<ExportNo>,
    limit: u32,
) -> Result<Vec<PayoutExport>, SqlError> {
    let query = format!("SELECT {COLUMNS} FROM payout_exports WHERE no < $1 ORDER BY no DESC LIMIT $2");
    let before = before.map_or(i64::MAX, ExportNo::get);
    sql.all(&query, &[before.into(), i64::from(limit).into()], export)
        .await
}

pub(super) async fn file(
    sql: &mut dyn Executor,
    no: ExportNo,
) -> Result<Option<(PayoutExport, Vec<u8>)>, SqlError> {
    let query = format!("SELECT {COLUMNS}, file FROM payout_exports WHERE no = $1");
    let with_file = |row: &mut Row| Ok((export(row)?, row.take()?));
    sql.optional(&query, &[no.get().into()], with_file).await
}

pub(super) async fn exported(
    sql: &mut dyn Executor,
    payouts: &[PayoutNo],
) -> Result<Vec<(PayoutNo, ExportNo)>, SqlError> {
    let exported = |row: &mut Row| Ok((PayoutNo::new(row.take()?), ExportNo::new(row.take()?)));
    let mut found = Vec::new();
    for piece in pieces(payouts, READ_AT_A_TIME_MAX) {
        let query = format!(
            "SELECT payout, export FROM exported_payouts WHERE payout IN ({}) AND NOT is_withdrawn",
            list(piece.len())
        );
        found.extend(sql.all(&query, &numbers(piece), exported).await?);
    }
    found.sort_unstable();
    Ok(found)
}

pub(super) async fn payouts_of(sql: &mut dyn Executor, no: ExportNo) -> Result<Vec<PayoutNo>, SqlError> {
    let query = "SELECT payout FROM exported_payouts WHERE export = $1 ORDER BY payout";
    let number = |row: &mut Row| Ok(PayoutNo::new(row.take()?));
    sql.all(query, &[no.get().into()], number).await
}

/// Withdraws a file or records it as paid. Its row and those of its payouts are locked first, so that none of them is settled
/// meanwhile and no other file takes them.
pub(super) async fn end(
    sql: &mut dyn Executor,
    no: ExportNo,
    end: ExportState,
    action: &Action,
) -> Result<ExportEnd, SqlError> {
    let Some(found) = locked(sql, no).await? else {
        return Ok(ExportEnd::Unknown);
    };
    match found.state {
        ExportState::Made => {}
        state if state.has_come_to(end) => return Ok(ExportEnd::Repeated(found)),
        other => return Ok(ExportEnd::Other(other)),
    }
    let payouts = payouts_of(sql, no).await?;
    let paid = locked_paid(sql, &payouts).await?;
    if let (Some(payout), ExportState::Withdrawn) = (paid, end) {
        return Ok(ExportEnd::PayoutPaid(payout));
    }
    let query =
        format!("UPDATE payout_exports SET state = $2, ended_at = $3 WHERE no = $1 RETURNING {COLUMNS}");
    let values = [
        no.get().into(),
        i64::from(end.code()).into(),
        action.at.unix_micros().into(),
    ];
    let ended = sql.one(&query, &values, export).await?;
    if end == ExportState::Withdrawn {
        let query = "UPDATE exported_payouts SET is_withdrawn = true WHERE export = $1";
        sql.execute(query, &[no.get().into()]).await?;
    }
    let action = Action {
        amount: Some(ended.amount),
        detail: Some(ActionDetail::new(&ended.message_id)),
        ..action.clone()
    };
    record(sql, &action).await?;
    Ok(ExportEnd::Ended(ended))
}

/// Records that the payouts of a file are settled. A payout that is settled stays so.
pub(super) async fn finish(sql: &mut dyn Executor, no: ExportNo) -> Result<ExportEnd, SqlError> {
    let Some(found) = locked(sql, no).await? else {
        return Ok(ExportEnd::Unknown);
    };
    match found.state {
        ExportState::Settling => {}
        ExportState::Paid => return Ok(ExportEnd::Repeated(found)),
        other => return Ok(ExportEnd::Other(other)),
    }
    let query = "SELECT p.no FROM exported_payouts e JOIN payouts p ON p.no = e.payout
        WHERE e.export = $1 AND p.paid IS NULL ORDER BY p.no LIMIT 1";
    let number = |row: &mut Row| Ok(PayoutNo::new(row.take()?));
    if let Some(open) = sql.optional(query, &[no.get().into()], number).await? {
        return Ok(ExportEnd::PayoutOpen(open));
    }
    let query = format!("UPDATE payout_exports SET state = $2 WHERE no = $1 RETURNING {COLUMNS}");
    let values = [no.get().into(), i64::from(ExportState::Paid.code()).into()];
    Ok(ExportEnd::Ended(sql.one(&query, &values, export).await?))
}

pub(super) async fn settling(sql: &mut dyn Executor, limit: u32) -> Result<Vec<PayoutExport>, SqlError> {
    let settling = ExportState::Settling.code();
    let query = format!("SELECT {COLUMNS} FROM payout_exports WHERE state = {settling} ORDER BY no LIMIT $1");
    sql.all(&query, &[i64::from(limit).into()], export).await
}

/// Locks a file's row.
async fn locked(sql: &mut dyn Executor, no: ExportNo) -> Result<Option<PayoutExport>, SqlError> {
    let for_update = sql.dialect().for_update;
    let query = format!("SELECT {COLUMNS} FROM payout_exports WHERE no = $1 {for_update}");
    sql.optional(&query, &[no.get().into()], export).await
}

/// Locks payouts, and returns the first that is paid.
async fn locked_paid(sql: &mut dyn Executor, payouts: &[PayoutNo]) -> Result<Option<PayoutNo>, SqlError> {
    let for_update = sql.dialect().for_update;
    let mut first = None;
    for piece in pieces(payouts, READ_AT_A_TIME_MAX) {
        let query = format!(
            "SELECT no, paid FROM payouts WHERE no IN ({}) ORDER BY no {for_update}",
            list(piece.len())
        );
        let state = |row: &mut Row| Ok((PayoutNo::new(row.take()?), row.take::<Option<bool>>()?));
        let states = sql.all(&query, &numbers(piece), state).await?;
        let found = states.into_iter().find(|(_, paid)| *paid == Some(true));
        first = first.or(found.map(|(no, _)| no));
    }
    Ok(first)
}

pub(super) async fn failed(sql: &mut dyn Executor, no: ExportNo) -> Result<Option<PayoutNo>, SqlError> {
    let query = "SELECT p.no FROM exported_payouts e JOIN payouts p ON p.no = e.payout
        WHERE e.export = $1 AND p.paid IS FALSE ORDER BY p.no LIMIT 1";
    let number = |row: &mut Row| Ok(PayoutNo::new(row.take()?));
    sql.optional(query, &[no.get().into()], number).await
}
