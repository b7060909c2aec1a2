//! Writes a batch that was decided optimistically: one statement, one round trip, one commit.
//!
//! The statement commits by itself. Its `WHERE` clauses contain the conditions of the [`Postings`]. If a row
//! was not written, the statement fails and changes nothing. Rows are locked in the same order as in
//! [`crate::load`]: accounts, mint keys by id, then records and coins.

use opencoin_ledger::journal::ReferenceKey;
use opencoin_ledger::{AccountId, Amount, Postings};
use sqlx::PgConnection;

use crate::fault::{Fault, is_contradiction};
use crate::save::{BLINDS_BYTES_PER_STATEMENT_MAX, column, counters};

/// The parts run in the order of the conditions at the end, cheap ones first. If one fails, casting the text
/// to a number fails, and the server's log shows the text. The text contains a subquery, so that the planner
/// cannot evaluate it in advance.
///
/// A record gets its number when it is inserted, and the numbers of one account must ascend in the order of
/// its balances. `record` therefore reads `account` first, which locks the rows of the accounts. A
/// transaction that waits for one of these locks gets a higher number.
const POST: &str = "
    WITH account AS (
        UPDATE accounts SET balance = accounts.balance - posting.paid + posting.received
        FROM unnest($1::int8[], $2::int8[], $3::int8[]) AS posting (id, paid, received)
        WHERE accounts.id = posting.id
            AND accounts.balance >= posting.paid AND accounts.balance <= $4 - posting.received
        RETURNING 1
    ), mint_key AS (
        UPDATE mint_keys SET issued = mint_keys.issued + posting.issued, returned = mint_keys.returned + posting.returned
        FROM unnest($5::int4[], $6::bytea[], $7::int8[], $8::int8[]) AS posting (no, id, issued, returned)
        WHERE mint_keys.no = posting.no AND mint_keys.id = posting.id
            AND mint_keys.stopped_reason IS NULL AND NOT mint_keys.pruned
            AND (posting.issued = 0 OR NOT mint_keys.retired)
            AND posting.returned <= mint_keys.issued - mint_keys.returned AND mint_keys.issued <= $4 - posting.issued
        RETURNING 1
    ), record AS (
        INSERT INTO transactions (kind, reference, content, debit_account, credit_account, amount, applied_at, blinds, label)
        SELECT * FROM unnest($9::int2[], $10::bytea[], $11::bytea[], $12::int8[], $13::int8[], $14::int8[], $15::int8[],
            $16::bytea[], $20::text[])
        WHERE (SELECT count(*) FROM account) = cardinality($1)
        ON CONFLICT (reference) DO NOTHING
        RETURNING 1
    ), coin AS (
        INSERT INTO spent (mint_key_no, payload_hash)
        SELECT * FROM unnest($17::int4[], $18::bytea[])
        ON CONFLICT (mint_key_no, payload_hash) DO NOTHING
        RETURNING 1
    )
    SELECT CASE
        WHEN NOT ($19 AND (SELECT paused FROM signing WHERE id = 1))
            AND NOT EXISTS (SELECT 1 FROM waiting_mints WHERE reference = ANY($21::bytea[]))
            AND (SELECT count(*) FROM account) = cardinality($1)
            AND (SELECT count(*) FROM mint_key) = cardinality($5)
            AND (SELECT count(*) FROM record) = cardinality($9)
            AND (SELECT count(*) FROM coin) = cardinality($17)
        THEN 0
        ELSE CAST(concat('an optimistic batch does not fit the books and is decided again', (SELECT '' FROM signing)) AS int4)
    END";

/// Writes the batch and commits.
///
/// # Errors
/// [`Fault::LostRace`] if a condition does not hold or another process changed the same rows first. Nothing
/// is written then.
pub(crate) async fn postings(connection: &mut PgConnection, postings: &Postings) -> Result<(), Fault> {
    let Postings {
        journal,
        spent,
        accounts,
        mint_keys,
        signs,
    } = postings;
    let query = sqlx::query(POST)
        .bind(column(accounts, |account| account.id.get()))
        .bind(column(accounts, |account| account.paid.as_i64()))
        .bind(column(accounts, |account| account.received.as_i64()))
        .bind(Amount::MAX.as_i64())
        .bind(column(mint_keys, |key| key.no.get()))
        .bind(column(mint_keys, |key| &key.id.as_bytes()[..]))
        .bind(counters(mint_keys, |key| key.issued)?)
        .bind(counters(mint_keys, |key| key.returned)?)
        .bind(column(journal, |record| record.kind.code()))
        .bind(column(journal, |record| record.reference.as_bytes()))
        .bind(column(journal, |record| &record.content.as_bytes()[..]))
        .bind(column(journal, |record| record.debit.map(AccountId::get)))
        .bind(column(journal, |record| record.credit.map(AccountId::get)))
        .bind(column(journal, |record| record.amount.as_i64()))
        .bind(column(journal, |record| record.at.unix_micros()))
        .bind(column(journal, |record| record.blinds.as_deref()))
        .bind(column(spent, |(no, _)| no.get()))
        .bind(column(spent, |(_, hash)| hash.as_bytes()))
        .bind(signs)
        .bind(column(journal, |record| {
            record.label.as_ref().map(|label| label.as_str())
        }))
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
        .filter_map(|record| record.blinds.as_deref())
        .map(<[u8]>::len);
    blinds_bytes.sum::<usize>() <= BLINDS_BYTES_PER_STATEMENT_MAX
}
