//! Writes a batch that was decided optimistically. No row is read in advance: the `WHERE` clauses contain the
//! conditions of the [`Postings`].

use opencoin_ledger::journal::ReferenceKey;
use opencoin_ledger::{Amount, Postings};
use sqlx::{Row, SqliteConnection};

use crate::bulk::{padded_pieces, placeholders};
use crate::fault::Fault;
use crate::save::{EntryNumbers, counter, insert_transactions};
use crate::script::Script;

/// Writes in the caller's transaction, which must be rolled back after an error.
///
/// # Errors
/// [`Fault::Contradiction`] if a condition does not hold.
pub(crate) async fn postings(connection: &mut SqliteConnection, postings: &Postings) -> Result<(), Fault> {
    let mut script = Script::default();
    if postings.signs {
        script.read(
            "SELECT NOT paused, EXISTS (SELECT 1 FROM waiting_mints) FROM signing WHERE id = 1",
            0,
        );
    }
    update_accounts(&mut script, postings)?;
    update_mint_keys(&mut script, postings)?;
    insert_transactions(
        &mut script,
        &postings.journal,
        EntryNumbers::UpTo(&postings.accounts),
    )?;
    insert_spent(&mut script, postings)?;
    let ran = script.run(connection).await?;
    if !ran.holds {
        return Err(Fault::Contradiction);
    }
    if postings.signs {
        let row = ran.rows.first().ok_or(sqlx::Error::RowNotFound)?;
        let (signs, some_wait): (bool, bool) = (row.try_get(0)?, row.try_get(1)?);
        if !signs || some_wait && is_waiting(connection, postings).await? {
            return Err(Fault::Contradiction);
        }
    }
    Ok(())
}

/// Whether one of the batch's mints is a waiting mint.
async fn is_waiting(connection: &mut SqliteConnection, postings: &Postings) -> Result<bool, Fault> {
    let mints: Vec<&ReferenceKey> = postings.mints().collect();
    for (_, padded) in padded_pieces(&mints) {
        let places = vec!["?"; padded.len()].join(",");
        let sql = format!("SELECT EXISTS (SELECT 1 FROM waiting_mints WHERE reference IN ({places}))");
        let query = padded.iter().fold(sqlx::query_scalar(&sql), |query, reference| {
            query.bind(reference.as_bytes())
        });
        let waits: bool = query.fetch_one(&mut *connection).await?;
        if waits {
            return Ok(true);
        }
    }
    Ok(false)
}

fn update_accounts<'q>(script: &mut Script<'q>, postings: &'q Postings) -> Result<(), Fault> {
    for (accounts, padded) in padded_pieces(&postings.accounts) {
        let sql = format!(
            "WITH posting (id, paid, received, entries) AS (VALUES {})
            UPDATE accounts
            SET balance = balance - posting.paid + posting.received, last_entry = last_entry + posting.entries
            FROM posting
            WHERE accounts.id = posting.id AND balance >= posting.paid AND balance <= ? - posting.received",
            placeholders(padded.len(), 4)
        );
        script.change(&sql, 4 * padded.len() + 1, accounts.len());
        for account in padded {
            script.bind(account.id.get())?;
            script.bind(account.paid.as_i64())?;
            script.bind(account.received.as_i64())?;
            script.bind(account.entries)?;
        }
        script.bind(Amount::MAX.as_i64())?;
    }
    Ok(())
}

fn update_mint_keys<'q>(script: &mut Script<'q>, postings: &'q Postings) -> Result<(), Fault> {
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
        script.change(&sql, 4 * padded.len() + 1, keys.len());
        for key in padded {
            script.bind(key.no.get())?;
            script.bind(&key.id.as_bytes()[..])?;
            script.bind(counter(key.issued)?)?;
            script.bind(counter(key.returned)?)?;
        }
        script.bind(i64::MAX)?;
    }
    Ok(())
}

fn insert_spent<'q>(script: &mut Script<'q>, postings: &'q Postings) -> Result<(), Fault> {
    for (coins, padded) in padded_pieces(&postings.spent) {
        let sql = format!(
            "INSERT INTO spent (mint_key_no, spent_digest) VALUES {} ON CONFLICT (mint_key_no, spent_digest) DO NOTHING",
            placeholders(padded.len(), 2)
        );
        script.change(&sql, 2 * padded.len(), coins.len());
        for (no, digest) in padded {
            script.bind(no.get())?;
            script.bind(&digest.as_bytes()[..])?;
        }
    }
    Ok(())
}
