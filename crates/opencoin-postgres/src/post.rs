//! Writes a batch that was decided optimistically: one statement, one round trip, one commit.
//!
//! The statement commits by itself. Its `WHERE` clauses contain the conditions of the [`Postings`]. If a row
//! was not written, the statement fails and changes nothing. Rows are locked in the same order as in
//! [`crate::load`]: accounts, counts of mint keys, then records, blinds and coins.

use opencoin_ledger::journal::ReferenceKey;
use opencoin_ledger::{AccountId, Amount, EntryNo, Postings};
use sqlx::PgConnection;

use crate::columns::{column, counters};
use crate::fault::{Fault, is_contradiction};
use crate::save::{BLINDS_BYTES_PER_STATEMENT_MAX, issued, recorded_blinds};
use crate::slots;

/// The parts run in the order of the conditions at the end, cheap ones first. If one fails, casting the text
/// to a number fails, and the server's log shows the text. The text contains a subquery, so that the planner
/// cannot evaluate it in advance.
///
/// Records get their numbers while the rows of their accounts are locked: `record` reads `account` first. So a
/// transaction that waits for one of these locks gets a higher number, and the records of an account ascend as
/// its entries do. An audit relies on this.
const POST: &str = "
    WITH account AS (
        UPDATE accounts
        SET balance = accounts.balance - posting.paid + posting.received, last_entry = accounts.last_entry + posting.entries
        FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[]) AS posting (id, paid, received, entries)
        WHERE accounts.id = posting.id
            AND accounts.balance >= posting.paid AND accounts.balance <= $5 - posting.received
        RETURNING accounts.id, accounts.last_entry - posting.entries AS last_entry
    ), mint_key AS (
        UPDATE mint_key_counts AS counts
        SET issued = counts.issued + posting.issued, returned = counts.returned + posting.returned
        FROM unnest($6::int4[], $7::bytea[], $8::int8[], $9::int8[]) AS posting (no, id, issued, returned)
            JOIN mint_keys ON mint_keys.no = posting.no AND mint_keys.id = posting.id
        WHERE counts.mint_key_no = posting.no AND counts.slot = $10
            AND counts.takes AND (posting.issued = 0 OR counts.signs)
            AND posting.returned <= counts.issued - counts.returned AND counts.issued <= $11 - posting.issued
        RETURNING 1
    ), record AS (
        INSERT INTO transactions (reference, id, kind, content, debit_account, debit_entry, credit_account, credit_entry,
            amount, applied_at, issued, label)
        SELECT reference, number, kind, content, debit_account, debtor.last_entry + debit_entry, credit_account,
            creditor.last_entry + credit_entry, amount, applied_at, issued, label
        FROM (
            SELECT *, nextval('transaction_numbers') AS number
            FROM unnest($12::bytea[], $13::int2[], $14::bytea[], $15::int8[], $16::int8[], $17::int8[], $18::int8[],
                $19::int8[], $20::int8[], $21::bytea[], $22::text[])
                AS record (reference, kind, content, debit_account, debit_entry, credit_account, credit_entry, amount,
                    applied_at, issued, label)
            WHERE (SELECT count(*) FROM account) = cardinality($1)
        ) AS record
            LEFT JOIN account AS debtor ON debtor.id = debit_account
            LEFT JOIN account AS creditor ON creditor.id = credit_account
        ON CONFLICT (reference) DO NOTHING
        RETURNING 1
    ), blind AS (
        INSERT INTO blinds (reference, expires_with, blinds)
        SELECT * FROM unnest($23::bytea[], $24::int4[], $25::bytea[])
        ON CONFLICT (reference) DO NOTHING
        RETURNING 1
    ), coin AS (
        INSERT INTO spent (mint_key_no, spent_digest)
        SELECT * FROM unnest($26::int4[], $27::bytea[])
        ON CONFLICT (mint_key_no, spent_digest) DO NOTHING
        RETURNING 1
    )
    SELECT CASE
        WHEN NOT ($28 AND (SELECT paused FROM signing WHERE id = 1))
            AND NOT EXISTS (SELECT 1 FROM waiting_mints WHERE reference = ANY($29::bytea[]))
            AND (SELECT count(*) FROM account) = cardinality($1)
            AND (SELECT count(*) FROM mint_key) = cardinality($6)
            AND (SELECT count(*) FROM record) = cardinality($12)
            AND (SELECT count(*) FROM blind) = cardinality($23)
            AND (SELECT count(*) FROM coin) = cardinality($26)
        THEN 0
        ELSE CAST(concat('an optimistic batch does not fit the books and is decided again', (SELECT '' FROM signing)) AS int4)
    END";

/// Writes the batch and commits.
///
/// # Errors
/// [`Fault::LostRace`] if a condition does not hold or another process changed the same rows first. Nothing
/// is written then.
pub(crate) async fn postings(
    connection: &mut PgConnection,
    postings: &Postings,
    slot: i16,
) -> Result<(), Fault> {
    let Postings {
        journal,
        spent,
        accounts,
        mint_keys,
        signs,
    } = postings;
    let blinds = recorded_blinds(journal);
    let query = sqlx::query(POST)
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
        .bind(column(journal, |record| record.reference.as_bytes()))
        .bind(column(journal, |record| record.kind.code()))
        .bind(column(journal, |record| &record.content.as_bytes()[..]))
        .bind(column(journal, |record| record.debit.map(AccountId::get)))
        .bind(column(journal, |record| record.debit_entry.map(EntryNo::get)))
        .bind(column(journal, |record| record.credit.map(AccountId::get)))
        .bind(column(journal, |record| record.credit_entry.map(EntryNo::get)))
        .bind(column(journal, |record| record.amount.as_i64()))
        .bind(column(journal, |record| record.at.unix_micros()))
        .bind(column(journal, issued))
        .bind(column(journal, |record| {
            record.label.as_ref().map(|label| label.as_str())
        }))
        .bind(column(&blinds, |(reference, _)| reference.as_bytes()))
        .bind(column(&blinds, |(_, blinds)| blinds.expires_with.get()))
        .bind(column(&blinds, |(_, blinds)| &blinds.encoded[..]))
        .bind(column(spent, |(no, _)| no.get()))
        .bind(column(spent, |(_, digest)| &digest.as_bytes()[..]))
        .bind(signs)
        .bind(postings.mints().map(ReferenceKey::as_bytes).collect::<Vec<_>>());
    // The server commits after it has reported the result. `execute` reads until the server is ready for the
    // next command, and so notices a commit that fails.
    match query.execute(connection).await {
        Ok(_) => Ok(()),
        Err(error) if is_contradiction(&error) => Err(Fault::LostRace),
        Err(error) => Err(error.into()),
    }
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
