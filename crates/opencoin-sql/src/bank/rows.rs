//! Lines of statements, as they are stored.

use opencoin_bank::BankLineId;
use opencoin_ledger::LedgerTime;
use opencoin_ledger::bank::{BankLineNo, BankLineStateKind, KeptLine, LineCount, StatementLine};
use opencoin_ledger::stored::{self, StoredKeptLine, StoredStatementLine};

use super::READ_AT_A_TIME_MAX;
use crate::places::list;
use crate::{Executor, Row, SqlError, Value, pieces};

/// The columns of a line, of the table `s`.
pub(super) const LINE_COLUMNS: &str = "s.place, s.line, s.ignored, s.amount, s.is_gathered, s.is_return, s.codes, s.bank_account, s.day,
    s.is_credit, s.currency, s.bank_amount, s.party, s.party_account, s.remittance, s.bank_reference, s.end_to_end_id";

pub(super) fn line(row: &mut Row) -> Result<StatementLine, SqlError> {
    Ok(stored::statement_line(StoredStatementLine {
        place: row.take()?,
        line: row.take()?,
        ignored: row.take()?,
        amount: row.take()?,
        is_gathered: row.take()?,
        is_return: row.take()?,
        codes: row.take()?,
        bank_account: row.take()?,
        day: row.take()?,
        is_credit: row.take()?,
        currency: row.take()?,
        bank_amount: row.take()?,
        party: row.take()?,
        party_account: row.take()?,
        remittance: row.take()?,
        bank_reference: row.take()?,
        end_to_end_id: row.take()?,
    })?)
}

fn select_kept(condition: &str) -> String {
    format!(
        "SELECT k.no, k.statement, k.state, k.account, a.name, k.reason, k.operator, k.at, {LINE_COLUMNS}
        FROM bank_lines k
            JOIN bank_statement_lines s ON s.statement = k.statement AND s.place = k.place
            LEFT JOIN accounts a ON a.id = k.account
        WHERE {condition}"
    )
}

fn kept_line(row: &mut Row) -> Result<KeptLine, SqlError> {
    let kept = StoredKeptLine {
        no: row.take()?,
        statement: row.take()?,
        state: row.take()?,
        account: row.take()?,
        name: row.take()?,
        reason: row.take()?,
        operator: row.take()?,
        at: row.take()?,
    };
    Ok(stored::kept_line(kept, line(row)?)?)
}

pub(super) async fn kept_page(
    sql: &mut dyn Executor,
    state: Option<BankLineStateKind>,
    after: BankLineNo,
    limit: u32,
) -> Result<Vec<KeptLine>, SqlError> {
    let (after, limit) = (after.get().into(), i64::from(limit).into());
    match state {
        None => {
            let query = select_kept("k.no > $1 ORDER BY k.no LIMIT $2");
            sql.all(&query, &[after, limit], kept_line).await
        }
        Some(kind) => {
            let query = select_kept("k.no > $1 AND k.state = $3 ORDER BY k.no LIMIT $2");
            let state = i64::from(kind.code()).into();
            sql.all(&query, &[after, limit, state], kept_line).await
        }
    }
}

pub(super) async fn kept(sql: &mut dyn Executor, id: BankLineId) -> Result<Option<KeptLine>, SqlError> {
    let id = &id.as_bytes()[..];
    sql.optional(&select_kept("k.line = $1"), &[id.into()], kept_line)
        .await
}

pub(super) async fn count(sql: &mut dyn Executor, state: BankLineStateKind) -> Result<LineCount, SqlError> {
    let query = "SELECT count(*), min(at) FROM bank_lines WHERE state = $1";
    let counted = |row: &mut Row| {
        let (count, oldest): (i64, Option<i64>) = (row.take()?, row.take()?);
        Ok(LineCount {
            count: u64::try_from(count).expect("a count is not below zero"),
            oldest: oldest.map(LedgerTime::from_unix_micros),
        })
    };
    sql.one(query, &[i64::from(state.code()).into()], counted).await
}

pub(super) async fn numbers(
    sql: &mut dyn Executor,
    lines: &[BankLineId],
) -> Result<Vec<(BankLineId, BankLineNo)>, SqlError> {
    let mut found = Vec::new();
    for piece in pieces(lines, READ_AT_A_TIME_MAX) {
        let query = format!(
            "SELECT line, no FROM bank_lines WHERE line IN ({})",
            list(piece.len())
        );
        let number = |row: &mut Row| {
            let (id, no): (Vec<u8>, i64) = (row.take()?, row.take()?);
            Ok((stored::bank_line_id(&id)?, BankLineNo::new(no)))
        };
        found.extend(sql.all(&query, &ids(piece), number).await?);
    }
    Ok(found)
}

/// The identities as parameters.
pub(super) fn ids(lines: &[BankLineId]) -> Vec<Value<'_>> {
    lines.iter().map(|id| id.as_bytes()[..].into()).collect()
}
