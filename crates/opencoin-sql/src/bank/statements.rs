//! Statements as they were uploaded, and what booking them would do.

use opencoin_bank::{BankLineId, Direction};
use opencoin_ledger::bank::{
    BankStatement, IgnoredLine, LineAccount, LineMeaning, NewStatement, Preview, PreviewLine, StatementLine,
    StatementNo, TableColumns, VerdictOn, is_other_content, verdicts,
};
use opencoin_ledger::stored::{self, StoredStatement};
use opencoin_ledger::{AccountId, AccountStatus, Action, LedgerError};

use super::READ_AT_A_TIME_MAX;
use super::rows::{LINE_COLUMNS, ids, line};
use crate::actions::record;
use crate::places::{list_after, places};
use crate::{Executor, Row, SqlError, Value, pieces};

const COLUMNS: &str = "no, name, at, operator, line_count, booked, booked_lines, booked_amount, booked_at";
/// The days and amounts of a statement with kept lines that were read in another way and are not in it. `WANTED` narrows
/// down the lines of the statement.
const ALIKE: &str = "SELECT l.day, l.amount, l.bank_account, min(o.no) AS no
    FROM (SELECT DISTINCT day, amount FROM bank_statement_lines WHERE statement = $1 AND line IS NOT NULL WANTED) d
        JOIN bank_statement_lines l ON l.day = d.day AND l.amount = d.amount
        JOIN bank_lines o ON o.line = l.line AND o.statement = l.statement
        JOIN bank_statements os ON os.no = l.statement
    WHERE os.reading <> (SELECT reading FROM bank_statements WHERE no = $1)
        AND NOT EXISTS (SELECT 1 FROM bank_statement_lines x WHERE x.statement = $1 AND x.line = o.line)
    GROUP BY l.day, l.amount, l.bank_account";
/// The most lines that one statement of SQL inserts.
const INSERTED_AT_A_TIME_MAX: usize = 64;
/// The columns of `bank_statement_lines`.
const LINE_COLUMNS_INSERTED: usize = 18;

fn statement(row: &mut Row) -> Result<BankStatement, SqlError> {
    Ok(stored::statement(StoredStatement {
        no: row.take()?,
        name: row.take()?,
        at: row.take()?,
        operator: row.take()?,
        line_count: row.take()?,
        booked: row.take()?,
        booked_figures: [row.take()?, row.take()?, row.take()?],
    })?)
}

/// If another process adds a statement at the same time, this violates a key, and the transaction is tried again.
pub(super) async fn add(
    sql: &mut dyn Executor,
    new: &NewStatement,
    action: &Action,
) -> Result<(BankStatement, bool), SqlError> {
    let query = format!("SELECT {COLUMNS} FROM bank_statements WHERE digest = $1");
    let digest = [new.digest.as_bytes().into()];
    if let Some(same) = sql.optional(&query, &digest, statement).await? {
        return Ok((same, false));
    }
    let query = format!(
        "INSERT INTO bank_statements (no, digest, reading, columns, name, at, operator, line_count)
        SELECT coalesce(max(no), 0) + 1, $1, $2, $3, $4, $5, $6, $7 FROM bank_statements RETURNING {COLUMNS}"
    );
    let count = i64::try_from(new.lines.len()).expect("a statement has few lines");
    let values = [
        new.digest.as_bytes().into(),
        (&new.reading).into(),
        new.columns.as_ref().map(TableColumns::stored).into(),
        new.name.as_str().into(),
        action.at.unix_micros().into(),
        action.operator.as_str().into(),
        count.into(),
    ];
    let added = sql.one(&query, &values, statement).await?;
    for piece in pieces(&new.lines, INSERTED_AT_A_TIME_MAX) {
        insert(sql, added.no, piece).await?;
    }
    record(sql, action).await?;
    Ok((added, true))
}

async fn insert(sql: &mut dyn Executor, no: StatementNo, lines: &[StatementLine]) -> Result<(), SqlError> {
    let query = format!(
        "INSERT INTO bank_statement_lines (statement, place, line, ignored, amount, is_gathered, is_return, codes,
        bank_account, day, is_credit, currency, bank_amount, party, party_account, remittance, bank_reference,
        end_to_end_id) VALUES {}",
        places(lines.len(), LINE_COLUMNS_INSERTED)
    );
    let texts: Vec<[String; 2]> = lines
        .iter()
        .map(|line| [codes(line), line.content.day.to_string()])
        .collect();
    let mut values: Vec<Value<'_>> = Vec::with_capacity(lines.len() * LINE_COLUMNS_INSERTED);
    for (line, [codes, day]) in lines.iter().zip(&texts) {
        let content = &line.content;
        let (id, ignored, amount, is_gathered, is_return) = match &line.meaning {
            LineMeaning::Incoming(incoming) => (
                Some(&incoming.id.as_bytes()[..]),
                None,
                Some(incoming.amount.as_i64()),
                incoming.is_gathered,
                incoming.is_return,
            ),
            LineMeaning::Ignored(reason) => (None, Some(IgnoredLine::code(*reason)), None, false, false),
        };
        let row: [Value<'_>; LINE_COLUMNS_INSERTED] = [
            no.get().into(),
            i64::from(line.place).into(),
            Value::Bytes(id),
            ignored.map(i64::from).into(),
            amount.into(),
            is_gathered.into(),
            is_return.into(),
            codes.as_str().into(),
            content.account.as_str().into(),
            day.as_str().into(),
            (content.direction == Direction::Credit).into(),
            content.currency.as_str().into(),
            content.amount.as_str().into(),
            content.party.as_str().into(),
            content.party_account.as_str().into(),
            content.text.as_str().into(),
            content.bank_reference.as_str().into(),
            content.end_to_end_id.as_str().into(),
        ];
        values.extend(row);
    }
    sql.execute(&query, &values).await?;
    Ok(())
}

fn codes(line: &StatementLine) -> String {
    match &line.meaning {
        LineMeaning::Incoming(incoming) => incoming.codes.join(" "),
        LineMeaning::Ignored(_) => String::new(),
    }
}

pub(super) async fn page(
    sql: &mut dyn Executor,
    before: Option<StatementNo>,
    limit: u32,
) -> Result<Vec<BankStatement>, SqlError> {
    let query = format!("SELECT {COLUMNS} FROM bank_statements WHERE no < $1 ORDER BY no DESC LIMIT $2");
    let before = before.map_or(i64::MAX, StatementNo::get);
    sql.all(&query, &[before.into(), i64::from(limit).into()], statement)
        .await
}

pub(super) async fn typed_columns(sql: &mut dyn Executor) -> Result<Option<String>, SqlError> {
    let query = "SELECT columns FROM bank_statements WHERE columns IS NOT NULL AND booked IS NOT NULL
        ORDER BY no DESC LIMIT 1";
    let newest: Option<String> = sql.optional(query, &[], Row::take).await?;
    Ok(newest.filter(|columns| !columns.is_empty()))
}

/// The statement with this number, locked if the transaction will change it.
pub(super) async fn by_no(
    sql: &mut dyn Executor,
    no: StatementNo,
    lock: &str,
) -> Result<Option<BankStatement>, SqlError> {
    let query = format!("SELECT {COLUMNS} FROM bank_statements WHERE no = $1 {lock}");
    sql.optional(&query, &[no.get().into()], statement).await
}

pub(super) async fn preview(sql: &mut dyn Executor, no: StatementNo) -> Result<Option<Preview>, SqlError> {
    match by_no(sql, no, "").await? {
        Some(statement) => Ok(Some(preview_of(sql, statement).await?)),
        None => Ok(None),
    }
}

/// Reads these lines and those with the same days and amounts, on which their verdicts depend.
pub(super) async fn preview_lines(
    sql: &mut dyn Executor,
    no: StatementNo,
    lines: &[BankLineId],
) -> Result<Vec<PreviewLine>, SqlError> {
    let mut found = Vec::new();
    for piece in pieces(lines, READ_AT_A_TIME_MAX) {
        let read = verdicts(read_lines(sql, no, piece).await?);
        let is_wanted = |found: &PreviewLine| found.line.id().is_some_and(|id| piece.contains(&id));
        found.extend(read.into_iter().filter(is_wanted));
    }
    found.sort_unstable_by_key(|found| found.line.place);
    Ok(found)
}

pub(super) async fn preview_of(
    sql: &mut dyn Executor,
    statement: BankStatement,
) -> Result<Preview, SqlError> {
    let lines = verdicts(read_lines(sql, statement.no, &[]).await?);
    Ok(Preview { statement, lines })
}

/// All lines of a statement, or if there are some in `only`, those with their days and amounts. A line with several codes
/// joins no account, because names have no spaces.
async fn read_lines(
    sql: &mut dyn Executor,
    no: StatementNo,
    only: &[BankLineId],
) -> Result<Vec<(StatementLine, VerdictOn)>, SqlError> {
    let (mut wanted, mut alike_to) = (String::new(), String::new());
    if !only.is_empty() {
        alike_to = format!("AND line IN ({})", list_after(1, only.len()));
        wanted = format!(
            "AND EXISTS (SELECT 1 FROM bank_statement_lines w
                WHERE w.statement = $1 AND w.day = s.day AND w.amount = s.amount AND w.line IN ({}))",
            list_after(1, only.len())
        );
    }
    let alike = ALIKE.replace("WANTED", &alike_to);
    let query = format!(
        "SELECT {LINE_COLUMNS}, k.state, k.account, b.name, k.reason, a.id, a.name, a.status,
            c.codes, c.remittance, ks.reading, st.reading,
            alike.no
        FROM bank_statement_lines s
            JOIN bank_statements st ON st.no = s.statement
            LEFT JOIN bank_lines k ON k.line = s.line
            LEFT JOIN bank_statement_lines c ON c.statement = k.statement AND c.place = k.place
            LEFT JOIN bank_statements ks ON ks.no = k.statement
            LEFT JOIN ({alike}) alike
                ON alike.day = s.day AND alike.amount = s.amount AND alike.bank_account = s.bank_account
            LEFT JOIN accounts b ON b.id = k.account
            LEFT JOIN accounts a ON a.name = s.codes
        WHERE s.statement = $1 {wanted} ORDER BY s.place"
    );
    let mut values = vec![no.get().into()];
    values.extend(ids(only));
    sql.all(&query, &values, preview_line).await
}

fn preview_line(row: &mut Row) -> Result<(StatementLine, VerdictOn), SqlError> {
    let line = line(row)?;
    let (state, account, name, reason): (Option<i16>, _, _, _) =
        (row.take()?, row.take()?, row.take()?, row.take()?);
    let kept = match state {
        Some(state) => Some(stored::line_state(state, account, name, reason)?),
        None => None,
    };
    let payee = payee(row.take()?, row.take()?, row.take()?)?;
    let (codes, text): (Option<String>, Option<String>) = (row.take()?, row.take()?);
    let (kept_reading, reading): (Option<Vec<u8>>, Vec<u8>) = (row.take()?, row.take()?);
    let alike: Option<i64> = row.take()?;
    let is_other_content = match (codes, text) {
        (Some(codes), Some(text)) => {
            is_other_content(&line, (&codes, &text), kept_reading.as_ref() == Some(&reading))
        }
        _ => false,
    };
    let on = VerdictOn {
        kept,
        is_other_content,
        shares_reference: false,
        may_be_booked: alike.is_some(),
        payee,
    };
    Ok((line, on))
}

fn payee(
    id: Option<i64>,
    name: Option<String>,
    status: Option<i16>,
) -> Result<Option<(LineAccount, AccountStatus)>, LedgerError> {
    let (Some(id), Some(name), Some(status)) = (id, name, status) else {
        return Ok(None);
    };
    let place = format!("account {id}");
    let status = AccountStatus::from_code(status)
        .ok_or_else(|| LedgerError::corrupt(place.as_str(), "the status is unknown"))?;
    let name = name
        .parse()
        .map_err(|error: opencoin_ledger::AccountNameError| LedgerError::corrupt(place.as_str(), error))?;
    let id = AccountId::new(id);
    Ok(Some((LineAccount { id, name }, status)))
}
