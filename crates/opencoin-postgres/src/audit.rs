//! Reading the facts of an audit: whole tables, row by row, in one snapshot, while commands go on.

use futures_util::TryStreamExt;
use opencoin_ledger::LedgerError;
use opencoin_ledger::audit::{AuditFacts, Collector, JournalRow, MintKeyRow, PayoutRow};
use sqlx::{Connection, PgConnection, PgPool};

use crate::fault::ledger_error;
use crate::read::{MINT_KEY_COLUMNS, mint_key};

pub(crate) async fn facts(pool: &PgPool) -> Result<AuditFacts, LedgerError> {
    collect(pool).await.map_err(|error| ledger_error(&error))
}

async fn collect(pool: &PgPool) -> Result<AuditFacts, sqlx::Error> {
    // Out of the pool: dropped in the middle, it is closed and not used again inside an old snapshot.
    let mut connection = pool.acquire().await?.detach();
    let mut snapshot = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let mut collector = Collector::default();
    accounts(&mut snapshot, &mut collector).await?;
    mint_keys(&mut snapshot, &mut collector).await?;
    payouts(&mut snapshot, &mut collector).await?;
    spent(&mut snapshot, &mut collector).await?;
    recouped(&mut snapshot, &mut collector).await?;
    journal(&mut snapshot, &mut collector).await?;
    snapshot.rollback().await?;
    connection.close().await?;
    Ok(collector.finish())
}

async fn accounts(connection: &mut PgConnection, collector: &mut Collector) -> Result<(), sqlx::Error> {
    let query = sqlx::query_as("SELECT id, name, balance FROM accounts ORDER BY id");
    let mut rows = query.fetch(connection);
    while let Some((id, name, balance)) = rows.try_next().await? {
        let name: String = name;
        collector.account(id, &name, balance);
    }
    Ok(())
}

async fn mint_keys(connection: &mut PgConnection, collector: &mut Collector) -> Result<(), sqlx::Error> {
    let sql = format!("SELECT {MINT_KEY_COLUMNS} FROM mint_keys ORDER BY no");
    let mut rows = sqlx::query_as(&sql).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let row = mint_key(row);
        collector.mint_key(MintKeyRow {
            no: row.no.into(),
            id: &row.id,
            denomination: row.denomination,
            dates: row.dates,
            issued: row.issued,
            returned: row.returned,
            recouped: row.recouped,
            stopped: row.stopped_reason.is_some(),
            retired: row.retired,
            pruned: row.pruned,
        });
    }
    Ok(())
}

async fn payouts(connection: &mut PgConnection, collector: &mut Collector) -> Result<(), sqlx::Error> {
    type Columns = (i64, i64, i64, Vec<u8>, Option<bool>);
    let query = sqlx::query_as("SELECT no, account, amount, reference, paid FROM payouts ORDER BY no");
    let mut rows = query.fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let (no, account, amount, reference, paid): Columns = row;
        collector.payout(PayoutRow { no, account, amount, reference: &reference, paid });
    }
    Ok(())
}

async fn spent(connection: &mut PgConnection, collector: &mut Collector) -> Result<(), sqlx::Error> {
    let query = sqlx::query_as("SELECT mint_key_no, count(*) FROM spent GROUP BY mint_key_no");
    let mut rows = query.fetch(connection);
    while let Some((no, coins)) = rows.try_next().await? {
        let no: i32 = no;
        collector.spent(no.into(), coins);
    }
    Ok(())
}

async fn recouped(connection: &mut PgConnection, collector: &mut Collector) -> Result<(), sqlx::Error> {
    let query = sqlx::query_as("SELECT mint_key_no, count(*) FROM recouped GROUP BY mint_key_no");
    let mut rows = query.fetch(connection);
    while let Some((no, coins)) = rows.try_next().await? {
        let no: i32 = no;
        collector.recouped(no.into(), coins);
    }
    Ok(())
}

async fn journal(connection: &mut PgConnection, collector: &mut Collector) -> Result<(), sqlx::Error> {
    type Columns = (i64, i16, Option<Vec<u8>>, Option<i64>, Option<i64>, i64, Option<Vec<u8>>);
    let sql = "SELECT id, kind, CASE WHEN kind IN (14, 15, 16) THEN reference END, debit_account, credit_account, amount, blinds
        FROM transactions";
    let mut rows = sqlx::query_as(sql).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let (id, kind, reference, debit, credit, amount, blinds): Columns = row;
        let (kind, reference) = (kind.into(), reference.as_deref());
        collector.journal(&JournalRow { id, kind, reference, debit, credit, amount, blinds: blinds.as_deref() });
    }
    Ok(())
}
