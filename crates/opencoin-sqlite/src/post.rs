//! Writes a batch that was decided optimistically. No row is read in advance: the `WHERE` clauses contain the
//! conditions of the [`Postings`].

use std::collections::HashMap;

use opencoin_ledger::journal::ReferenceKey;
use opencoin_ledger::{Amount, Postings};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteQueryResult;

use crate::bulk::{padded_pieces, placeholders};
use crate::fault::Fault;
use crate::save::{EntriesBefore, counter, insert_transactions};

/// Writes in the caller's transaction, which must be rolled back after an error.
///
/// # Errors
/// [`Fault::Contradiction`] if a condition does not hold.
pub(crate) async fn postings(connection: &mut SqliteConnection, postings: &Postings) -> Result<(), Fault> {
    if postings.signs && !can_mint_and_sign(connection, postings).await? {
        return Err(Fault::Contradiction);
    }
    let before = update_accounts(connection, postings).await?;
    let before = before.ok_or(Fault::Contradiction)?;
    let holds = update_mint_keys(connection, postings).await?
        && insert_transactions(connection, &postings.journal, &before).await?
        && insert_spent(connection, postings).await?;
    if holds { Ok(()) } else { Err(Fault::Contradiction) }
}

/// Whether signing is not paused and none of the batch's mints is a waiting mint.
async fn can_mint_and_sign(connection: &mut SqliteConnection, postings: &Postings) -> Result<bool, Fault> {
    let sql = "SELECT NOT paused, EXISTS (SELECT 1 FROM waiting_mints) FROM signing WHERE id = 1";
    let (signs, some_wait): (bool, bool) = sqlx::query_as(sql).fetch_one(&mut *connection).await?;
    if !signs || !some_wait {
        return Ok(signs);
    }
    let mints: Vec<&ReferenceKey> = postings.mints().collect();
    for (_, padded) in padded_pieces(&mints) {
        let places = vec!["?"; padded.len()].join(",");
        let sql = format!("SELECT EXISTS (SELECT 1 FROM waiting_mints WHERE reference IN ({places}))");
        let query = padded.iter().fold(sqlx::query_scalar(&sql), |query, reference| {
            query.bind(reference.as_bytes())
        });
        let waits: bool = query.fetch_one(&mut *connection).await?;
        if waits {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns the numbers of the accounts' newest entries before the batch; `None` if a condition does not hold.
async fn update_accounts(
    connection: &mut SqliteConnection,
    postings: &Postings,
) -> Result<Option<EntriesBefore>, Fault> {
    let mut before = EntriesBefore::with_capacity(postings.accounts.len());
    for (accounts, padded) in padded_pieces(&postings.accounts) {
        let sql = format!(
            "WITH posting (id, paid, received, entries) AS (VALUES {})
            UPDATE accounts
            SET balance = balance - posting.paid + posting.received, last_entry = last_entry + posting.entries
            FROM posting
            WHERE accounts.id = posting.id AND balance >= posting.paid AND balance <= ? - posting.received
            RETURNING id, last_entry",
            placeholders(padded.len(), 4)
        );
        let query = padded.iter().fold(sqlx::query_as(&sql), |query, account| {
            query
                .bind(account.id.get())
                .bind(account.paid.as_i64())
                .bind(account.received.as_i64())
                .bind(account.entries)
        });
        let rows = query
            .bind(Amount::MAX.as_i64())
            .fetch_all(&mut *connection)
            .await?;
        let after: HashMap<i64, i64> = rows.into_iter().collect();
        for account in accounts {
            let Some(after) = after.get(&account.id.get()) else {
                return Ok(None);
            };
            before.insert(account.id, after - i64::from(account.entries));
        }
    }
    Ok(Some(before))
}

async fn update_mint_keys(connection: &mut SqliteConnection, postings: &Postings) -> Result<bool, Fault> {
    for (keys, padded) in padded_pieces(&postings.mint_keys) {
        let sql = format!(
            "WITH posting (no, id, issued, returned) AS (VALUES {})
            UPDATE mint_keys SET issued = mint_keys.issued + posting.issued, returned = mint_keys.returned + posting.returned
            FROM posting
            WHERE mint_keys.no = posting.no AND mint_keys.id = posting.id AND stopped_reason IS NULL AND NOT pruned
                AND (posting.issued = 0 OR NOT retired)
                AND posting.returned <= mint_keys.issued - mint_keys.returned AND mint_keys.issued <= ? - posting.issued",
            placeholders(padded.len(), 4)
        );
        let mut query = sqlx::query(&sql);
        for key in &padded {
            let (issued, returned) = (counter(key.issued)?, counter(key.returned)?);
            query = query
                .bind(key.no.get())
                .bind(&key.id.as_bytes()[..])
                .bind(issued)
                .bind(returned);
        }
        let result = query.bind(i64::MAX).execute(&mut *connection).await?;
        if !is_all(&result, keys) {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn insert_spent(connection: &mut SqliteConnection, postings: &Postings) -> Result<bool, Fault> {
    for (coins, padded) in padded_pieces(&postings.spent) {
        let sql = format!(
            "INSERT INTO spent (mint_key_no, spent_digest) VALUES {} ON CONFLICT (mint_key_no, spent_digest) DO NOTHING",
            placeholders(padded.len(), 2)
        );
        let query = padded.iter().fold(sqlx::query(&sql), |query, (no, hash)| {
            query.bind(no.get()).bind(&hash.as_bytes()[..])
        });
        if !is_all(&query.execute(&mut *connection).await?, coins) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_all<T>(result: &SqliteQueryResult, rows: &[T]) -> bool {
    result.rows_affected() == rows.len() as u64
}
