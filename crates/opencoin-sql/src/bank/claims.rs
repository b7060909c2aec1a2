//! Claims of lines for accounts.

use opencoin_bank::BankLineId;
use opencoin_ledger::bank::{
    BankLineNo, BankLineState, BankLineStateKind, ClaimOutcome, ClaimedLine, KeptLine, LineMeaning,
    LineOutcome, Preview, PreviewDigest, StatementClaim, StatementLine, StatementNo,
};
use opencoin_ledger::stored;
use opencoin_ledger::{Action, Amount, LedgerError, LedgerTime};

use super::rows::kept;
use super::statements::{by_no, preview_of};
use crate::actions::record;
use crate::places::places;
use crate::{Executor, Row, SqlError, Value, pieces};

/// The most lines that one statement of SQL inserts.
const INSERTED_AT_A_TIME_MAX: usize = 64;
/// The columns of `bank_lines` that are inserted.
const COLUMNS_INSERTED: usize = 9;

/// The rows of the statement and of its lines are locked first, so the preview is still true at the commit. A line that
/// another statement brings at the same time violates the key, and the transaction is tried again.
pub(super) async fn statement(
    sql: &mut dyn Executor,
    no: StatementNo,
    digest: PreviewDigest,
    action: &Action,
    above: Option<Amount>,
) -> Result<StatementClaim, SqlError> {
    let for_update = sql.dialect().for_update;
    // The first statement's row stands for all of them: what a booking keeps may change the preview of any other.
    by_no(sql, StatementNo::new(1), for_update).await?;
    let Some(found) = by_no(sql, no, for_update).await? else {
        return Ok(StatementClaim::Unknown);
    };
    let booked = found.booked.as_ref();
    let is_repeated = booked.is_some_and(|booked| booked.preview == digest);
    let query = format!(
        "SELECT no FROM bank_lines
        WHERE line IN (SELECT line FROM bank_statement_lines WHERE statement = $1 AND line IS NOT NULL)
        ORDER BY line {for_update}"
    );
    let _locked: Vec<i64> = sql.all(&query, &[no.get().into()], Row::take).await?;
    let preview = preview_of(sql, found).await?;
    // A booking whose credits were refused for good shows the same again, and is tried again.
    if preview.digest() != digest {
        return Ok(if is_repeated {
            StatementClaim::Repeated(preview.statement)
        } else {
            StatementClaim::Changed
        });
    }
    if preview.is_booked_already() {
        return Ok(StatementClaim::Repeated(preview.statement));
    }
    if let Some(lines) = preview.needs_another(&action.operator, above) {
        return Ok(StatementClaim::NeedsAnother(lines));
    }
    claim(sql, &preview, action).await?;
    let query = "UPDATE bank_statements
        SET booked = $2, booked_lines = $3, booked_amount = $4, booked_at = $5 WHERE no = $1";
    let count = i64::try_from(preview.new_lines().count()).expect("a statement has few lines");
    let values = [
        no.get().into(),
        digest.as_bytes().into(),
        count.into(),
        preview.new_amount().as_i64().into(),
        action.at.unix_micros().into(),
    ];
    sql.execute(query, &values).await?;
    let amount = Some(preview.new_amount());
    record(
        sql,
        &Action {
            amount,
            ..action.clone()
        },
    )
    .await?;
    let booked = by_no(sql, no, "").await?;
    Ok(booked.map_or(StatementClaim::Unknown, StatementClaim::Claimed))
}

/// A line and the account for which it is claimed, if any.
type Decided<'a> = (&'a StatementLine, Option<i64>);

async fn claim(sql: &mut dyn Executor, preview: &Preview, action: &Action) -> Result<(), SqlError> {
    let kept: Vec<BankLineId> = kept_before(sql, preview.statement.no).await?;
    let new = preview
        .new_lines()
        .map(|(line, account)| (line, Some(account.id.get())));
    let (again, new): (Vec<Decided<'_>>, Vec<Decided<'_>>) =
        new.partition(|(line, _)| line.id().is_some_and(|id| kept.binary_search(&id).is_ok()));
    for (line, account) in again {
        claim_again(sql, line, account, action).await?;
    }
    let mut new = new;
    new.extend(preview.lines_to_keep().map(|line| (line, None)));
    new.sort_unstable_by_key(|(line, _)| line.place);
    let query = "SELECT coalesce(max(no), 0) FROM bank_lines";
    let mut last: i64 = sql.one(query, &[], Row::take).await?;
    for piece in pieces(&new, INSERTED_AT_A_TIME_MAX) {
        insert(sql, preview.statement.no, last, piece, action).await?;
        last += i64::try_from(piece.len()).expect("a piece is small");
    }
    Ok(())
}

/// The lines of a statement that were kept before, in ascending order.
async fn kept_before(sql: &mut dyn Executor, no: StatementNo) -> Result<Vec<BankLineId>, SqlError> {
    let query = "SELECT k.line FROM bank_statement_lines s JOIN bank_lines k ON k.line = s.line
        WHERE s.statement = $1";
    let id = |row: &mut Row| line_id(&row.take::<Vec<u8>>()?);
    let mut kept = sql.all(query, &[no.get().into()], id).await?;
    kept.sort_unstable();
    Ok(kept)
}

fn line_id(bytes: &[u8]) -> Result<BankLineId, SqlError> {
    let bytes = bytes.try_into();
    let wrong = |_| LedgerError::corrupt("bank line", "the id does not have 16 bytes");
    Ok(bytes.map(BankLineId::new).map_err(wrong)?)
}

/// Claims a line that was kept before and is unmatched. The caller holds the lock of its row.
async fn claim_again(
    sql: &mut dyn Executor,
    line: &StatementLine,
    account: Option<i64>,
    action: &Action,
) -> Result<(), SqlError> {
    let id = line.id().expect("only incoming money is claimed");
    let query = "UPDATE bank_lines SET state = $2, account = $3, operator = $4, at = $5
        WHERE line = $1 AND state = $6";
    let values = [
        (&id.as_bytes()[..]).into(),
        i64::from(BankLineStateKind::Claimed.code()).into(),
        account.into(),
        action.operator.as_str().into(),
        action.at.unix_micros().into(),
        i64::from(BankLineStateKind::Unmatched.code()).into(),
    ];
    let changed = sql.execute(query, &values).await?;
    if changed == 1 {
        Ok(())
    } else {
        Err(LedgerError::corrupt("bank line", "a row that this transaction locked has changed").into())
    }
}

async fn insert(
    sql: &mut dyn Executor,
    statement: StatementNo,
    last: i64,
    lines: &[Decided<'_>],
    action: &Action,
) -> Result<(), SqlError> {
    let query = format!(
        "INSERT INTO bank_lines (line, no, statement, place, amount, state, account, operator, at) VALUES {}",
        places(lines.len(), COLUMNS_INSERTED)
    );
    let mut values: Vec<Value<'_>> = Vec::with_capacity(lines.len() * COLUMNS_INSERTED);
    for ((line, account), no) in lines.iter().zip(last + 1..) {
        let LineMeaning::Incoming(incoming) = &line.meaning else {
            unreachable!("only incoming money is kept");
        };
        let state = match account {
            Some(_) => BankLineStateKind::Claimed,
            None => BankLineStateKind::Unmatched,
        };
        let row: [Value<'_>; COLUMNS_INSERTED] = [
            (&incoming.id.as_bytes()[..]).into(),
            no.into(),
            statement.get().into(),
            i64::from(line.place).into(),
            incoming.amount.as_i64().into(),
            i64::from(state.code()).into(),
            (*account).into(),
            action.operator.as_str().into(),
            action.at.unix_micros().into(),
        ];
        values.extend(row);
    }
    sql.execute(&query, &values).await?;
    Ok(())
}

/// Decides an unmatched line.
pub(super) async fn line(
    sql: &mut dyn Executor,
    id: BankLineId,
    state: &BankLineState,
    action: &Action,
) -> Result<LineOutcome, SqlError> {
    let (account, reason) = match state {
        BankLineState::Claimed(account) | BankLineState::Booked(account) => (Some(account.id.get()), None),
        BankLineState::SetAside(reason) => (None, Some(reason.as_str())),
        BankLineState::Unmatched => (None, None),
    };
    let query = "UPDATE bank_lines SET state = $2, account = $3, reason = $4, operator = $5, at = $6
        WHERE line = $1 AND state = $7";
    let values = [
        (&id.as_bytes()[..]).into(),
        i64::from(state.kind().code()).into(),
        account.into(),
        reason.into(),
        action.operator.as_str().into(),
        action.at.unix_micros().into(),
        i64::from(BankLineStateKind::Unmatched.code()).into(),
    ];
    if sql.execute(query, &values).await? == 1 {
        record(sql, action).await?;
        return Ok(LineOutcome::Changed);
    }
    Ok(match kept(sql, id).await? {
        None => LineOutcome::Unknown,
        Some(kept) => decided(kept, state),
    })
}

/// What becomes of a change of a line that was decided before.
pub(super) fn decided(kept: KeptLine, state: &BankLineState) -> LineOutcome {
    if kept.state.is_same_decision(state) {
        LineOutcome::Repeated
    } else {
        LineOutcome::Decided(kept.state)
    }
}

pub(super) async fn open(
    sql: &mut dyn Executor,
    after: BankLineNo,
    limit: u32,
) -> Result<Vec<ClaimedLine>, SqlError> {
    let query = "SELECT k.no, k.account, k.amount, k.line, a.name, k.operator
        FROM bank_lines k JOIN accounts a ON a.id = k.account
        WHERE k.state = $1 AND k.no > $2 ORDER BY k.no LIMIT $3";
    let claimed = |row: &mut Row| {
        let numbers = [row.take()?, row.take()?, row.take()?];
        let id: Vec<u8> = row.take()?;
        Ok(stored::claimed_line(numbers, &id, [row.take()?, row.take()?])?)
    };
    let values = [
        i64::from(BankLineStateKind::Claimed.code()).into(),
        after.get().into(),
        i64::from(limit).into(),
    ];
    sql.all(query, &values, claimed).await
}

pub(super) async fn end(
    sql: &mut dyn Executor,
    claims: &[(ClaimedLine, ClaimOutcome)],
    at: LedgerTime,
) -> Result<(), SqlError> {
    let mut claims: Vec<_> = claims.iter().collect();
    // In one order, so that two processes do not wait for each other.
    claims.sort_unstable_by_key(|(claim, _)| claim.id);
    for (claim, outcome) in claims {
        let (state, account) = match outcome {
            ClaimOutcome::Credited => (BankLineStateKind::Booked, Some(claim.account.id.get())),
            ClaimOutcome::Refused => (BankLineStateKind::Unmatched, None),
        };
        let query = "UPDATE bank_lines SET state = $2, account = $3, at = $4
            WHERE line = $1 AND state = $5 AND account = $6";
        let values = [
            (&claim.id.as_bytes()[..]).into(),
            i64::from(state.code()).into(),
            account.into(),
            at.unix_micros().into(),
            i64::from(BankLineStateKind::Claimed.code()).into(),
            claim.account.id.get().into(),
        ];
        sql.execute(query, &values).await?;
    }
    Ok(())
}
