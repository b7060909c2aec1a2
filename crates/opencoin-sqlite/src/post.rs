//! Writes a batch that was decided optimistically. No row is read in advance: the statements contain the conditions of
//! the [`Postings`], and the transaction commits only if all of them hold. So it crosses to SQLite's thread as one
//! script, from its `BEGIN` to its `COMMIT`.

use opencoin_ledger::journal::{ReferenceKey, waiting_since};
use opencoin_ledger::{Amount, LogBatchNo, Postings, stored};

use crate::bulk::{padded_pieces, placeholders};
use crate::fault::Fault;
use crate::save::{EntryNumbers, counter, insert_pending, insert_transactions};
use crate::script::Script;

/// The whole transaction.
///
/// # Errors
/// A number is too large for the database.
pub(crate) fn script(postings: &Postings) -> Result<Script<'_>, Fault> {
    let mut script = Script::default();
    script.add("BEGIN IMMEDIATE", 0);
    if postings.signs {
        script.require("NOT (SELECT paused FROM signing WHERE id = 1)", 0);
        require_none_waits(&mut script, postings)?;
    }
    require_open_batch(&mut script, postings.log_batch)?;
    update_accounts(&mut script, postings)?;
    update_mint_keys(&mut script, postings)?;
    insert_transactions(
        &mut script,
        &postings.journal,
        postings.log_batch,
        EntryNumbers::UpTo(&postings.accounts),
    )?;
    insert_spent(&mut script, postings)?;
    insert_pending(&mut script, &postings.pending, waiting_since(&postings.journal))?;
    script.add("COMMIT", 0);
    Ok(script)
}

/// Adds the condition that this batch of the log is open, or that there is no log.
fn require_open_batch(script: &mut Script<'_>, batch: Option<LogBatchNo>) -> Result<(), Fault> {
    match batch {
        Some(batch) => {
            script.require("(SELECT batch FROM log_head WHERE halted IS NULL) = ?", 1);
            script.bind(stored::log_batch_column(batch))?;
        }
        None => script.require("NOT EXISTS (SELECT 1 FROM log_head)", 0),
    }
    Ok(())
}

/// Adds the condition that none of the batch's mints is a waiting mint. Usually there are none at all.
fn require_none_waits<'q>(script: &mut Script<'q>, postings: &'q Postings) -> Result<(), Fault> {
    let mints: Vec<&ReferenceKey> = postings.mints().collect();
    for (_, padded) in padded_pieces(&mints) {
        let places = vec!["?"; padded.len()].join(",");
        let condition = format!(
            "NOT EXISTS (SELECT 1 FROM waiting_mints)
            OR NOT EXISTS (SELECT 1 FROM waiting_mints WHERE reference IN ({places}))"
        );
        script.require(&condition, padded.len());
        for reference in padded {
            script.bind(reference.as_bytes())?;
        }
    }
    Ok(())
}

fn update_accounts<'q>(script: &mut Script<'q>, postings: &'q Postings) -> Result<(), Fault> {
    for (accounts, padded) in padded_pieces(&postings.accounts) {
        let sql = format!(
            "WITH posting (id, paid, received, entries) AS (VALUES {})
            UPDATE accounts
            SET balance = balance - posting.paid + posting.received, last_entry = last_entry + posting.entries
            FROM posting
            WHERE accounts.id = posting.id AND status = 0 AND balance >= posting.paid AND balance <= ? - posting.received",
            placeholders(padded.len(), 4)
        );
        script.add(&sql, 4 * padded.len() + 1);
        for account in padded {
            script.bind(account.id.get())?;
            script.bind(account.paid.as_i64())?;
            script.bind(account.received.as_i64())?;
            script.bind(account.entries)?;
        }
        script.bind(Amount::MAX.as_i64())?;
        script.require_changes(accounts.len())?;
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
                AND (posting.issued = 0 OR NOT retired AND NOT awaits_log)
                AND posting.returned <= mint_keys.issued - mint_keys.returned AND mint_keys.issued <= ? - posting.issued",
            placeholders(padded.len(), 4)
        );
        script.add(&sql, 4 * padded.len() + 1);
        for key in padded {
            script.bind(key.no.get())?;
            script.bind(&key.id.as_bytes()[..])?;
            script.bind(counter(key.issued)?)?;
            script.bind(counter(key.returned)?)?;
        }
        script.bind(i64::MAX)?;
        script.require_changes(keys.len())?;
    }
    Ok(())
}

fn insert_spent<'q>(script: &mut Script<'q>, postings: &'q Postings) -> Result<(), Fault> {
    for (coins, padded) in padded_pieces(&postings.spent) {
        let sql = format!(
            "INSERT INTO spent (mint_key_no, spent_digest, log_batch) VALUES {} ON CONFLICT (mint_key_no, spent_digest) DO NOTHING",
            placeholders(padded.len(), 3)
        );
        script.add(&sql, 3 * padded.len());
        for (no, digest) in padded {
            script.bind(no.get())?;
            script.bind(&digest.as_bytes()[..])?;
            script.bind(postings.log_batch.map(stored::log_batch_column))?;
        }
        script.require_changes(coins.len())?;
    }
    Ok(())
}
