//! Writes a batch that was decided optimistically: one statement, one round trip, one commit.
//!
//! The statement commits by itself. Its `WHERE` clauses contain the conditions of the [`Postings`]. If a row
//! was not written, the statement fails and changes nothing. Rows are locked in the same order as in
//! [`crate::load`]: accounts, counts of mint keys, then records, blinds and coins.

use opencoin_ledger::journal::{ReferenceKey, waiting_since};
use opencoin_ledger::{
    AccountId, AccountPosting, Amount, EntryNo, LedgerError, LogBatchNo, MintKeyPosting, Postings, stored,
};
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres, Row};

use crate::columns::{column, counters};
use crate::fault::{Fault, is_contradiction};
use crate::save::{self, BLINDS_BYTES_PER_STATEMENT_MAX, EntriesBefore, OnConflict, issued, recorded_blinds};
use crate::slots;

/// The parts that change small tables: accounts, counts of mint keys, and what waits for the log.
macro_rules! local_parts {
    () => {
        "account AS (
        UPDATE accounts
        SET balance = accounts.balance - posting.paid + posting.received, last_entry = accounts.last_entry + posting.entries
        FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[]) WITH ORDINALITY
            AS posting (id, paid, received, entries, place)
        WHERE accounts.id = posting.id AND accounts.status = 0
            AND accounts.balance >= posting.paid AND accounts.balance <= $5 - posting.received
        RETURNING posting.place, accounts.last_entry - posting.entries AS last_entry
    ), before AS (
        SELECT coalesce(array_agg(last_entry ORDER BY place), '{}') AS entries, count(*) AS accounts FROM account
    ), mint_key AS (
        UPDATE mint_key_counts AS counts
        SET issued = counts.issued + posting.issued, returned = counts.returned + posting.returned
        FROM unnest($6::int4[], $7::bytea[], $8::int8[], $9::int8[]) AS posting (no, id, issued, returned)
            JOIN mint_keys ON mint_keys.no = posting.no AND mint_keys.id = posting.id
        WHERE counts.mint_key_no = posting.no AND counts.slot = $10
            AND counts.takes AND (posting.issued = 0 OR counts.signs)
            AND posting.returned <= counts.issued - counts.returned AND counts.issued <= $11 - posting.issued
        RETURNING 1
    ), open_batch AS (
        SELECT batch FROM log_head WHERE id = 1 AND halted IS NULL
    ), pending AS (
        INSERT INTO log_pending (at, coins, others, accounts, paid_in, paid_out, recouped)
        SELECT $16, $17, '', $18, $19, $20, $21 FROM open_batch WHERE $15 = 1
        RETURNING 1
    )"
    };
}

/// The conditions of [`local_parts`]. What waits for the log gets its number under the locks of the other rows, so that a
/// commit that builds on another one has a larger number.
macro_rules! local_conditions {
    () => {
        "NOT ($12 AND (SELECT paused FROM signing WHERE id = 1))
            AND NOT EXISTS (SELECT 1 FROM waiting_mints WHERE reference = ANY($13::bytea[]))
            AND (SELECT count(*) FROM log_head) = $14::int4
            AND (SELECT accounts FROM before) = cardinality($1)
            AND (SELECT count(*) FROM mint_key) = cardinality($6)
            AND (SELECT count(*) FROM pending) = $15::int4"
    };
}

/// Fails, so that the statement changes nothing. Casting the text to a number fails, and the server's log
/// shows the text. It contains a subquery, so that the planner cannot evaluate it in advance.
macro_rules! contradiction {
    () => {
        "CAST(concat('an optimistic batch does not fit the books and is decided again', (SELECT '' FROM signing)) AS int4)"
    };
}

/// The parts run in the order of the conditions at the end, cheap ones first.
///
/// Records get their numbers while the rows of their accounts are locked: `record` reads `before` first. So a
/// transaction that waits for one of these locks gets a higher number, and the records of an account ascend as
/// its entries do. An audit relies on this.
const POST: &str = concat!(
    "WITH ",
    local_parts!(),
    ", record AS (
        INSERT INTO transactions (reference, id, kind, content, debit_account, debit_entry, credit_account, credit_entry,
            amount, applied_at, issued, label, log_batch)
        SELECT reference, nextval('transaction_numbers'), kind, content, debit_account,
            before.entries[debtor] + debit_entry, credit_account, before.entries[creditor] + credit_entry, amount,
            applied_at, issued, label, CASE WHEN has_coins THEN (SELECT batch FROM open_batch) END
        FROM before, unnest($22::bytea[], $23::int2[], $24::bytea[], $25::int8[], $26::int8[], $27::int4[], $28::int8[],
            $29::int8[], $30::int4[], $31::int8[], $32::int8[], $33::bytea[], $34::text[], $35::bool[])
            AS record (reference, kind, content, debit_account, debit_entry, debtor, credit_account, credit_entry, creditor,
                amount, applied_at, issued, label, has_coins)
        WHERE before.accounts = cardinality($1)
        ON CONFLICT (reference) DO NOTHING
        RETURNING 1
    ), blind AS (
        INSERT INTO blinds (reference, expires_with, blinds)
        SELECT * FROM unnest($36::bytea[], $37::int4[], $38::bytea[])
        ON CONFLICT (reference) DO NOTHING
        RETURNING 1
    ), coin AS (
        INSERT INTO spent (mint_key_no, spent_digest, log_batch)
        SELECT mint_key_no, spent_digest, (SELECT batch FROM open_batch)
        FROM unnest($39::int4[], $40::bytea[]) AS coin (mint_key_no, spent_digest)
        ON CONFLICT (mint_key_no, spent_digest) DO NOTHING
        RETURNING 1
    )
    SELECT CASE
        WHEN ",
    local_conditions!(),
    "
            AND (SELECT count(*) FROM record) = cardinality($22)
            AND (SELECT count(*) FROM blind) = cardinality($36)
            AND (SELECT count(*) FROM coin) = cardinality($39)
        THEN 0
        ELSE ",
    contradiction!(),
    " END, (SELECT batch FROM open_batch)"
);

/// Writes the batch and commits. Returns the batch of the log that was open.
///
/// # Errors
/// [`Fault::LostRace`] if a condition does not hold or another process changed the same rows first. Nothing
/// is written then.
pub(crate) async fn postings(
    connection: &mut PgConnection,
    postings: &Postings,
    slot: i16,
) -> Result<Option<LogBatchNo>, Fault> {
    let Postings {
        journal,
        spent,
        accounts,
        ..
    } = postings;
    let blinds = recorded_blinds(journal);
    let query = bind_local_parts(sqlx::query(POST), postings, slot)?
        .bind(column(journal, |record| record.reference.as_bytes()))
        .bind(column(journal, |record| record.kind.code()))
        .bind(column(journal, |record| &record.content.as_bytes()[..]))
        .bind(column(journal, |record| record.debit.map(AccountId::get)))
        .bind(column(journal, |record| record.debit_entry.map(EntryNo::get)))
        .bind(column(journal, |record| place(accounts, record.debit)))
        .bind(column(journal, |record| record.credit.map(AccountId::get)))
        .bind(column(journal, |record| record.credit_entry.map(EntryNo::get)))
        .bind(column(journal, |record| place(accounts, record.credit)))
        .bind(column(journal, |record| record.amount.as_i64()))
        .bind(column(journal, |record| record.at.unix_micros()))
        .bind(column(journal, issued))
        .bind(column(journal, |record| {
            record.label.as_ref().map(|label| label.as_str())
        }))
        .bind(column(journal, |record| record.kind.has_coins()))
        .bind(column(&blinds, |(reference, _)| reference.as_bytes()))
        .bind(column(&blinds, |(_, blinds)| blinds.expires_with.get()))
        .bind(column(&blinds, |(_, blinds)| &blinds.encoded[..]))
        .bind(column(spent, |(no, _)| no.get()))
        .bind(column(spent, |(_, digest)| &digest.as_bytes()[..]));
    // The server commits after it has reported the result. `fetch_all` reads until the server is ready for the
    // next command, and so notices a commit that fails.
    match query.fetch_all(connection).await {
        Ok(rows) => {
            let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
            Ok(open_batch(row.try_get(1)?)?)
        }
        Err(error) if is_contradiction(&error) => Err(Fault::LostRace),
        Err(error) => Err(error.into()),
    }
}

/// Binds the parameters of [`local_parts`] and [`local_conditions`].
fn bind_local_parts<'q>(
    query: Query<'q, Postgres, PgArguments>,
    postings: &'q Postings,
    slot: i16,
) -> Result<Query<'q, Postgres, PgArguments>, Fault> {
    let accounts = &postings.accounts;
    // The rows of counts are locked in this order, as elsewhere.
    let mut mint_keys: Vec<&MintKeyPosting> = postings.mint_keys.iter().collect();
    mint_keys.sort_unstable_by_key(|key| key.no);
    let mint_keys = &mint_keys[..];
    // A batch that is decided optimistically changes no key account.
    let [accounts_change, paid_in, paid_out, recouped, _] = postings.pending.totals.columns();
    Ok(query
        .bind(column(accounts, |account| account.id.get()))
        .bind(column(accounts, |account| account.paid.as_i64()))
        .bind(column(accounts, |account| account.received.as_i64()))
        .bind(column(accounts, |account| i64::from(account.entries)))
        .bind(Amount::MAX.as_i64())
        .bind(column(mint_keys, |key| key.no.get()))
        .bind(column(mint_keys, |key| &key.id.as_bytes()[..]))
        .bind(counters(mint_keys, |key| key.issued)?)
        .bind(counters(mint_keys, |key| key.returned)?)
        .bind(slot)
        .bind(slots::COUNT_MAX)
        .bind(postings.signs)
        .bind(postings.mints().map(ReferenceKey::as_bytes).collect::<Vec<_>>())
        .bind(i32::from(postings.log_batch.is_some()))
        .bind(i32::from(!postings.pending.is_empty()))
        .bind(waiting_since(&postings.journal).unix_micros())
        .bind(&postings.pending.coins[..])
        .bind(accounts_change)
        .bind(paid_in)
        .bind(paid_out)
        .bind(recouped))
}

fn open_batch(batch: Option<i32>) -> Result<Option<LogBatchNo>, LedgerError> {
    stored::log_batch(batch).map_err(|error| LedgerError::corrupt("row of log_head", error))
}

/// The place of an account among the accounts that the batch changes, from 1; `None` for others.
fn place(accounts: &[AccountPosting], account: Option<AccountId>) -> Option<i32> {
    let index = accounts
        .binary_search_by_key(&account?, |posting| posting.id)
        .ok()?;
    Some(i32::try_from(index + 1).expect("a batch changes fewer accounts"))
}

/// The changes of small tables alone. Returns the numbers of the accounts' newest entries before the batch, in
/// the order of the accounts.
const POST_LOCAL_PARTS: &str = concat!(
    "WITH ",
    local_parts!(),
    " SELECT before.entries, CASE WHEN ",
    local_conditions!(),
    " THEN 0 ELSE ",
    contradiction!(),
    " END, (SELECT batch FROM open_batch) FROM before"
);

/// Writes the batch in the caller's transaction, where the tables that grow are distributed over several
/// servers. The conditions are the same. The local part comes first, so that records get their numbers while
/// the rows of their accounts are locked.
///
/// # Errors
/// As [`postings`].
pub(crate) async fn distributed_postings(
    connection: &mut PgConnection,
    postings: &Postings,
    slot: i16,
) -> Result<Option<LogBatchNo>, Fault> {
    let query = bind_local_parts(sqlx::query(POST_LOCAL_PARTS), postings, slot)?;
    let row = match query.fetch_one(&mut *connection).await {
        Ok(row) => row,
        Err(error) if is_contradiction(&error) => return Err(Fault::LostRace),
        Err(error) => return Err(error.into()),
    };
    let entries: Vec<i64> = row.try_get(0)?;
    let batch = open_batch(row.try_get(2)?)?;
    let accounts = postings.accounts.iter().map(|account| account.id);
    let before: EntriesBefore = accounts.zip(entries).collect();
    save::insert_transactions(connection, &postings.journal, batch, &before, OnConflict::Fail).await?;
    let blinds = recorded_blinds(&postings.journal);
    if !blinds.is_empty() {
        save::insert_blinds(connection, &blinds).await?;
    }
    if !postings.spent.is_empty() {
        save::insert_spent(connection, &postings.spent, batch, OnConflict::Fail).await?;
    }
    Ok(batch)
}

/// Whether the blinds of the batch fit into one statement.
pub(crate) fn fits_one_statement(postings: &Postings) -> bool {
    let blinds_bytes = postings
        .journal
        .iter()
        .filter_map(|record| record.blinds.as_ref())
        .map(|blinds| blinds.encoded.len());
    blinds_bytes.sum::<usize>() <= BLINDS_BYTES_PER_STATEMENT_MAX
}
