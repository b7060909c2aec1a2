//! The reads of an audit: whole tables, or only what is new in them, row by row.
//! The caller opens the snapshot.
//!
//! A role that may read these columns and no others is enough (docs/AUDIT.md has the grants).

use opencoin_audit::{
    ACCEPTANCES_PER_PAGE_MAX, AccountRow, CoinsToCount, FilePayoutRow, FileRow, JournalRow, Pass, PayoutRow,
    StoredAcceptance, WaitingRow, Wanted,
};

use crate::rows::{mint_key, mint_key_columns};
use crate::{Executor, Row, SqlError};

/// Reads the tables that the pass asks for, and hands it their rows.
///
/// # Errors
/// The database cannot be read.
pub async fn tables(sql: &mut dyn Executor, pass: &mut Pass) -> Result<(), SqlError> {
    accounts(sql, pass).await?;
    mint_keys(sql, pass).await?;
    payouts(sql, pass).await?;
    files(sql, pass).await?;
    waiting_mints(sql, pass).await?;
    ways_in(sql, pass).await?;
    log(sql, pass).await?;
    match pass.coins_to_count() {
        CoinsToCount::All => {
            pass.blinds_rows(sql.count("SELECT count(*) FROM blinds", &[]).await?);
            spent(sql, pass).await?;
            recouped(sql, pass).await?;
        }
        CoinsToCount::Of(no) => coins_of(sql, pass, no).await?,
        CoinsToCount::None => {}
    }
    journal(sql, pass).await
}

async fn accounts(sql: &mut dyn Executor, pass: &mut Pass) -> Result<(), SqlError> {
    let mut take = |mut row: Row| {
        let (id, name): (i64, String) = (row.take()?, row.take()?);
        pass.account(AccountRow {
            id,
            name: &name,
            balance: row.take()?,
            last_entry: row.take()?,
            counts: [row.take()?, row.take()?],
            status: row.take()?,
        });
        Ok(())
    };
    sql.stream(
        "SELECT id, name, balance, last_entry, seq, credits, status FROM accounts ORDER BY id",
        &[],
        &mut take,
    )
    .await
}

async fn mint_keys(sql: &mut dyn Executor, pass: &mut Pass) -> Result<(), SqlError> {
    let columns = mint_key_columns(sql.dialect());
    let query = format!("SELECT {columns} FROM mint_keys ORDER BY no");
    let mut take = |mut row: Row| {
        pass.mint_key(&mint_key(&mut row)?);
        Ok(())
    };
    sql.stream(&query, &[], &mut take).await
}

async fn payouts(sql: &mut dyn Executor, pass: &mut Pass) -> Result<(), SqlError> {
    let query = "SELECT no, account, amount, reference, paid FROM payouts ORDER BY no";
    let mut take = |mut row: Row| {
        let (no, account, amount) = (row.take()?, row.take()?, row.take()?);
        let reference: Vec<u8> = row.take()?;
        pass.payout(PayoutRow {
            no,
            account,
            amount,
            reference: &reference,
            paid: row.take()?,
        });
        Ok(())
    };
    sql.stream(query, &[], &mut take).await
}

async fn files(sql: &mut dyn Executor, pass: &mut Pass) -> Result<(), SqlError> {
    let mut take = |mut row: Row| {
        pass.file(FileRow {
            no: row.take()?,
            payouts: row.take()?,
            amount: row.take()?,
            state: row.take()?,
        });
        Ok(())
    };
    let query = "SELECT no, payouts, amount, state FROM payout_exports ORDER BY no";
    sql.stream(query, &[], &mut take).await?;
    let mut take = |mut row: Row| {
        pass.file_payout(FilePayoutRow {
            file: row.take()?,
            payout: row.take()?,
            is_withdrawn: row.take()?,
        });
        Ok(())
    };
    let query = "SELECT export, payout, is_withdrawn FROM exported_payouts ORDER BY export, payout";
    sql.stream(query, &[], &mut take).await
}

async fn waiting_mints(sql: &mut dyn Executor, pass: &mut Pass) -> Result<(), SqlError> {
    let query = "SELECT reference, content, blinds, account, amount FROM waiting_mints ORDER BY reference";
    let mut take = |mut row: Row| {
        let (reference, content): (Vec<u8>, Vec<u8>) = (row.take()?, row.take()?);
        let blinds: Vec<u8> = row.take()?;
        pass.waiting(&WaitingRow {
            reference: &reference,
            account: row.take()?,
            content: &content,
            amount: row.take()?,
            blinds: &blinds,
        });
        Ok(())
    };
    sql.stream(query, &[], &mut take).await
}

/// Ways into closed accounts, of which there are none if the books are right.
async fn ways_in(sql: &mut dyn Executor, pass: &mut Pass) -> Result<(), SqlError> {
    for table in ["sessions", "services", "start_codes"] {
        let query = format!(
            "SELECT {table}.account FROM accounts JOIN {table} ON {table}.account = accounts.id WHERE accounts.status = 2"
        );
        let mut take = |mut row: Row| {
            pass.way_in(row.take()?);
            Ok(())
        };
        sql.stream(&query, &[], &mut take).await?;
    }
    Ok(())
}

async fn log(sql: &mut dyn Executor, pass: &mut Pass) -> Result<(), SqlError> {
    let mut take = |mut row: Row| {
        let totals = totals(&mut row)?;
        let (root, halted): (Vec<u8>, Option<String>) = (row.take()?, row.take()?);
        pass.log_head(totals, &root, halted.as_deref());
        Ok(())
    };
    let query =
        "SELECT accounts, paid_in, paid_out, recouped, key_accounts, ledger_root, halted FROM log_head";
    sql.stream(query, &[], &mut take).await?;
    let mut take = |mut row: Row| {
        pass.log_key(row.take()?, row.take()?, row.take()?);
        Ok(())
    };
    let query = "SELECT CAST(key_no AS bigint), issued, spent FROM log_keys";
    sql.stream(query, &[], &mut take).await?;
    let mut take = |mut row: Row| {
        let key: Vec<u8> = row.take()?;
        pass.log_key_account(&key, row.take()?, row.take()?, row.take()?);
        Ok(())
    };
    let query = "SELECT key, balance, seq, credits FROM log_key_accounts";
    sql.stream(query, &[], &mut take).await?;
    let mut take = |mut row: Row| {
        let (coins, statements): (Vec<u8>, Vec<u8>) = (row.take()?, row.take()?);
        pass.log_pending(&coins, &statements, totals(&mut row)?);
        Ok(())
    };
    let query =
        "SELECT coins, statements, accounts, paid_in, paid_out, recouped, key_accounts FROM log_pending";
    sql.stream(query, &[], &mut take).await
}

/// The columns of totals, in the order of [`LogTotals::columns`](opencoin_ledger::LogTotals::columns).
fn totals(row: &mut Row) -> Result<[i64; 5], SqlError> {
    Ok([row.take()?, row.take()?, row.take()?, row.take()?, row.take()?])
}

async fn spent(sql: &mut dyn Executor, pass: &mut Pass) -> Result<(), SqlError> {
    let query = "SELECT mint_key_no, count(*) FROM spent GROUP BY mint_key_no";
    let mut take = |mut row: Row| {
        pass.spent(row.take()?, row.take()?);
        Ok(())
    };
    sql.stream(query, &[], &mut take).await
}

async fn recouped(sql: &mut dyn Executor, pass: &mut Pass) -> Result<(), SqlError> {
    let query = "SELECT mint_key_no, count(*) FROM recouped GROUP BY mint_key_no";
    let mut take = |mut row: Row| {
        pass.recouped(row.take()?, row.take()?);
        Ok(())
    };
    sql.stream(query, &[], &mut take).await
}

/// Counts the spent and recouped coins of one mint key.
async fn coins_of(sql: &mut dyn Executor, pass: &mut Pass, no: i64) -> Result<(), SqlError> {
    let query = "SELECT count(*) FROM spent WHERE mint_key_no = $1";
    pass.spent(no, sql.count(query, &[no.into()]).await?);
    let query = "SELECT count(*) FROM recouped WHERE mint_key_no = $1";
    pass.recouped(no, sql.count(query, &[no.into()]).await?);
    Ok(())
}

async fn journal(sql: &mut dyn Executor, pass: &mut Pass) -> Result<(), SqlError> {
    let query =
        "SELECT transactions.reference, content, issued, blinds.blinds, blinds.expires_with, id, kind, debit_account,
            debit_entry, credit_account, credit_entry, amount, applied_at
        FROM transactions LEFT JOIN blinds ON blinds.reference = transactions.reference
        WHERE id >= $1 ORDER BY id";
    let from = pass.journal_from();
    let mut take = |mut row: Row| {
        let (reference, content): (Vec<u8>, Vec<u8>) = (row.take()?, row.take()?);
        let (issued, blinds): (Option<Vec<u8>>, Option<Vec<u8>>) = (row.take()?, row.take()?);
        let expires_with: Option<i64> = row.take()?;
        pass.journal(&JournalRow {
            id: row.take()?,
            kind: row.take()?,
            debit: row.take()?,
            debit_entry: row.take()?,
            credit: row.take()?,
            credit_entry: row.take()?,
            amount: row.take()?,
            at: row.take()?,
            reference: &reference,
            content: &content,
            issued: issued.as_deref(),
            blinds: blinds.as_deref().zip(expires_with),
        });
        Ok(())
    };
    sql.stream(query, &[from.into()], &mut take).await
}

/// Reads stored mints, renews and recoups, at most [`ACCEPTANCES_PER_PAGE_MAX`]. Skips those whose coins have
/// expired and whose blinds were deleted.
///
/// # Errors
/// The database cannot be read.
pub async fn acceptances(
    sql: &mut dyn Executor,
    wanted: Wanted<'_>,
) -> Result<Vec<StoredAcceptance>, SqlError> {
    let columns = "SELECT id, kind, content, debit_account, applied_at, blinds.blinds
        FROM transactions JOIN blinds ON blinds.reference = transactions.reference";
    match wanted {
        Wanted::After(no) => {
            let query = format!("{columns} WHERE id > $1 ORDER BY id LIMIT $2");
            let limit = i64::try_from(ACCEPTANCES_PER_PAGE_MAX).expect("the limit is a small number");
            sql.all(&query, &[no.get().into(), limit.into()], acceptance)
                .await
        }
        Wanted::Numbers(numbers) => {
            let query = format!("{columns} WHERE id = $1");
            let mut found = Vec::new();
            for no in numbers.iter().take(ACCEPTANCES_PER_PAGE_MAX) {
                // Several, if somebody has tampered with the numbers.
                found.extend(sql.all(&query, &[no.get().into()], acceptance).await?);
            }
            Ok(found)
        }
    }
}

fn acceptance(row: &mut Row) -> Result<StoredAcceptance, SqlError> {
    let (id, kind, content) = (row.take()?, row.take()?, row.take()?);
    let (debit, at): (_, i64) = (row.take()?, row.take()?);
    let blinds: Vec<u8> = row.take()?;
    Ok(StoredAcceptance::new(id, kind, content, debit, at, &blinds))
}
