//! Reading for an audit: whole tables or what is new in them, row by row, in one snapshot, while commands go
//! on.
//!
//! The file is not changed: one that was opened to be read only is enough.

use async_trait::async_trait;
use futures_util::TryStreamExt;
use opencoin_audit::{
    ACCEPTANCES_PER_PAGE_MAX, AuditSource, CoinsToCount, JournalRow, MintKeyRow, Pass, PayoutRow,
    StoredAcceptance, WaitingRow, Wanted,
};
use opencoin_ledger::{LedgerError, TransactionNo, scoped};
use sqlx::{Connection, SqliteConnection, SqlitePool};

use crate::SqliteLedger;
use crate::fault::ledger_error;
use crate::read::{MINT_KEY_COLUMNS, mint_key};
use crate::transaction::{self, Task};

type AcceptanceColumns = (i64, i16, Vec<u8>, Option<i64>, i64, Option<Vec<u8>>);

#[async_trait]
impl AuditSource for SqliteLedger {
    fn database(&self) -> &'static str {
        "SQLite"
    }

    async fn read(&self, pass: &mut Pass) -> Result<(), LedgerError> {
        read(&self.readers, pass).await
    }

    async fn acceptances(&self, wanted: Wanted<'_>) -> Result<Vec<StoredAcceptance>, LedgerError> {
        let rows = transaction::read(&self.readers, Task::long_read("acceptances"), |connection| {
            scoped(async move {
                let rows = match wanted {
                    Wanted::After(no) => acceptances_after(connection, no).await,
                    Wanted::Numbers(numbers) => acceptances(connection, numbers).await,
                };
                rows.map_err(|error| ledger_error(&error))
            })
        });
        let rows = rows.await?.into_iter();
        let stored = |(id, kind, content, debit, at, blinds): AcceptanceColumns| {
            StoredAcceptance::new(id, kind, content, debit, at, blinds.as_deref())
        };
        Ok(rows.map(stored).collect())
    }
}

async fn read(pool: &SqlitePool, pass: &mut Pass) -> Result<(), LedgerError> {
    transaction::read(pool, Task::long_read("audit"), |connection| {
        scoped(async move {
            let read = snapshot(connection, pass).await;
            read.map_err(|error| ledger_error(&error))
        })
    })
    .await
}

async fn snapshot(connection: &mut SqliteConnection, pass: &mut Pass) -> Result<(), sqlx::Error> {
    pass.settle_at_once(); // one writer at a time gives the numbers
    let mut snapshot = connection.begin_with("BEGIN").await?;
    tables(&mut snapshot, pass).await?;
    snapshot.rollback().await
}

async fn tables(snapshot: &mut SqliteConnection, pass: &mut Pass) -> Result<(), sqlx::Error> {
    accounts(snapshot, pass).await?;
    mint_keys(snapshot, pass).await?;
    payouts(snapshot, pass).await?;
    waiting_mints(snapshot, pass).await?;
    match pass.coins_to_count() {
        CoinsToCount::All => {
            spent(snapshot, pass).await?;
            recouped(snapshot, pass).await?;
        }
        CoinsToCount::Of(no) => coins_of(snapshot, pass, no).await?,
        CoinsToCount::None => {}
    }
    journal(snapshot, pass).await
}

async fn accounts(connection: &mut SqliteConnection, pass: &mut Pass) -> Result<(), sqlx::Error> {
    let query = sqlx::query_as("SELECT id, name, balance FROM accounts ORDER BY id");
    let mut rows = query.fetch(connection);
    while let Some((id, name, balance)) = rows.try_next().await? {
        let name: String = name;
        pass.account(id, &name, balance);
    }
    Ok(())
}

async fn mint_keys(connection: &mut SqliteConnection, pass: &mut Pass) -> Result<(), sqlx::Error> {
    let sql = format!("SELECT {MINT_KEY_COLUMNS} FROM mint_keys ORDER BY no");
    let mut rows = sqlx::query_as(&sql).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let row = mint_key(row);
        pass.mint_key(MintKeyRow {
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

async fn payouts(connection: &mut SqliteConnection, pass: &mut Pass) -> Result<(), sqlx::Error> {
    type Columns = (i64, i64, i64, Vec<u8>, Option<bool>);
    let query = sqlx::query_as("SELECT no, account, amount, reference, paid FROM payouts ORDER BY no");
    let mut rows = query.fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let (no, account, amount, reference, paid): Columns = row;
        pass.payout(PayoutRow {
            no,
            account,
            amount,
            reference: &reference,
            paid,
        });
    }
    Ok(())
}

async fn waiting_mints(connection: &mut SqliteConnection, pass: &mut Pass) -> Result<(), sqlx::Error> {
    type Columns = (Vec<u8>, i64, Vec<u8>, i64, Vec<u8>);
    let sql = "SELECT reference, account, content, amount, blinds FROM waiting_mints ORDER BY reference";
    let mut rows = sqlx::query_as(sql).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let (reference, account, content, amount, blinds): Columns = row;
        pass.waiting(&WaitingRow {
            reference: &reference,
            account,
            content: &content,
            amount,
            blinds: &blinds,
        });
    }
    Ok(())
}

async fn spent(connection: &mut SqliteConnection, pass: &mut Pass) -> Result<(), sqlx::Error> {
    let query = sqlx::query_as("SELECT mint_key_no, count(*) FROM spent GROUP BY mint_key_no");
    let mut rows = query.fetch(connection);
    while let Some((no, coins)) = rows.try_next().await? {
        let no: i32 = no;
        pass.spent(no.into(), coins);
    }
    Ok(())
}

async fn recouped(connection: &mut SqliteConnection, pass: &mut Pass) -> Result<(), sqlx::Error> {
    let query = sqlx::query_as("SELECT mint_key_no, count(*) FROM recouped GROUP BY mint_key_no");
    let mut rows = query.fetch(connection);
    while let Some((no, coins)) = rows.try_next().await? {
        let no: i32 = no;
        pass.recouped(no.into(), coins);
    }
    Ok(())
}

/// Those of one mint key, of all that the table holds for it.
async fn coins_of(connection: &mut SqliteConnection, pass: &mut Pass, no: i64) -> Result<(), sqlx::Error> {
    let query = sqlx::query_scalar("SELECT count(*) FROM spent WHERE mint_key_no = ?").bind(no);
    pass.spent(no, query.fetch_one(&mut *connection).await?);
    let query = sqlx::query_scalar("SELECT count(*) FROM recouped WHERE mint_key_no = ?").bind(no);
    pass.recouped(no, query.fetch_one(connection).await?);
    Ok(())
}

async fn journal(connection: &mut SqliteConnection, pass: &mut Pass) -> Result<(), sqlx::Error> {
    type Columns = (
        i64,
        i16,
        Vec<u8>,
        Vec<u8>,
        Option<i64>,
        Option<i64>,
        i64,
        i64,
        Option<Vec<u8>>,
    );
    let sql = "SELECT id, kind, reference, content, debit_account, credit_account, amount, applied_at, blinds
        FROM transactions WHERE id >= ? ORDER BY id";
    let mut rows = sqlx::query_as(sql).bind(pass.journal_from()).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let (id, kind, reference, content, debit, credit, amount, at, blinds): Columns = row;
        let (reference, content, blinds) = (&reference[..], &content[..], blinds.as_deref());
        pass.journal(&JournalRow {
            id,
            kind: kind.into(),
            debit,
            credit,
            amount,
            at,
            reference,
            content,
            blinds,
        });
    }
    Ok(())
}

async fn acceptances_after(
    connection: &mut SqliteConnection,
    after: TransactionNo,
) -> Result<Vec<AcceptanceColumns>, sqlx::Error> {
    let sql = "SELECT id, kind, content, debit_account, applied_at, blinds FROM transactions
        WHERE id > ? AND kind IN (8, 9, 13) ORDER BY id LIMIT ?";
    let limit = i64::try_from(ACCEPTANCES_PER_PAGE_MAX).expect("a small number");
    sqlx::query_as(sql)
        .bind(after.get())
        .bind(limit)
        .fetch_all(&mut *connection)
        .await
}

async fn acceptances(
    connection: &mut SqliteConnection,
    numbers: &[TransactionNo],
) -> Result<Vec<AcceptanceColumns>, sqlx::Error> {
    let sql = "SELECT id, kind, content, debit_account, applied_at, blinds FROM transactions
        WHERE id = ? AND kind IN (8, 9, 13)";
    let mut found = Vec::new();
    for no in numbers.iter().take(ACCEPTANCES_PER_PAGE_MAX) {
        found.extend(
            sqlx::query_as(sql)
                .bind(no.get())
                .fetch_optional(&mut *connection)
                .await?,
        );
    }
    Ok(found)
}
