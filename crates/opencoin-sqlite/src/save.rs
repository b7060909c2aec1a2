//! Writes the changes of a batch, many rows in one statement. The transaction holds the write lock, so a row
//! that unexpectedly exists or is missing is an error and not a race.

use opencoin_ledger::journal::{IssuedCounts, Record, ReferenceKey, waiting_since};
use opencoin_ledger::log::PendingLeaves;
use opencoin_ledger::view::{
    Balance, Changes, LogOpening, MintKeyNo, MintKeyState, Opened, PayoutState, Recouped, Signing,
    WaitingState,
};
use opencoin_ledger::{
    AccountId, AccountPosting, AccountStatus, EntryNo, IssuedDigest, LedgerError, LedgerTime, LogBatchNo,
    Settlement, SpentDigest, stored,
};
use opencoin_log::hash::Hash;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteQueryResult;

use crate::bulk::{padded_pieces, pieces, placeholders};
use crate::fault::Fault;
use crate::script::Script;
use crate::sql::Sql;

pub(crate) async fn changes(connection: &mut SqliteConnection, changes: Changes) -> Result<(), Fault> {
    let Changes {
        journal,
        spent,
        recouped,
        recovered,
        claimed,
        opened,
        balances,
        statuses,
        requested,
        settled,
        proposed,
        decided,
        waiting,
        extended,
        waited,
        registered,
        mint_keys,
        signing,
        log_opening,
        log_batch,
        pending,
        actions,
    } = changes;
    if let Some(opening) = log_opening {
        open_log(connection, &opening).await?;
    }
    release_tokens(connection, &statuses).await?;
    insert_accounts(connection, &opened).await?;
    insert_mint_keys(connection, &registered).await?;
    let mut script = Script::default();
    insert_transactions(&mut script, &journal, log_batch, EntryNumbers::OfTheBooks)?;
    insert_pending(&mut script, &pending, waiting_since(&journal))?;
    match script.run(connection).await {
        Err(Fault::Contradiction) => {
            let reason = "a reference exists that this transaction looked for and did not find";
            return Err(LedgerError::corrupt("table transactions", reason).into());
        }
        ran => ran?,
    }
    insert_payouts(connection, &requested).await?;
    update_payouts(connection, &settled).await?;
    opencoin_sql::save_proposals(&mut Sql(connection), &proposed, &decided).await?;
    insert_waiting(connection, &waiting).await?;
    extend_waiting(connection, &extended).await?;
    delete_waiting(connection, &waited).await?;
    insert_spent(connection, &spent, log_batch).await?;
    insert_recouped(connection, &recouped).await?;
    insert_recovered(connection, &recovered, log_batch).await?;
    delete_claimed(connection, &claimed).await?;
    update_accounts(connection, &balances).await?;
    update_statuses(connection, &statuses).await?;
    update_mint_keys(connection, &mint_keys).await?;
    if let Some(signing) = signing {
        update_signing(connection, signing).await?;
    }
    for action in &actions {
        opencoin_sql::record(&mut Sql(connection), action).await?;
    }
    Ok(())
}

/// Takes their tokens from accounts that this batch closes, because it may open others with them.
async fn release_tokens(
    connection: &mut SqliteConnection,
    statuses: &[(AccountId, AccountStatus)],
) -> Result<(), Fault> {
    for (account, status) in statuses {
        if *status == AccountStatus::Closed {
            let sql = "UPDATE accounts SET token_hash = NULL WHERE id = ?";
            sqlx::query(sql)
                .bind(account.get())
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}

async fn insert_accounts(connection: &mut SqliteConnection, opened: &[Opened]) -> Result<(), Fault> {
    for Opened { account, password } in opened {
        let sql =
            "INSERT INTO accounts (id, name, token_hash, balance, last_entry, password_hash, seq, credits)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
        let [seq, credits] = stored::key_columns(account.key());
        let query = sqlx::query(sql)
            .bind(account.id.get())
            .bind(account.name.as_str())
            .bind(account.token_hash().map(|hash| hash.as_bytes().to_vec()))
            .bind(account.balance.as_i64())
            .bind(account.last_entry.get())
            .bind(password.as_ref().map(|password| password.as_str()))
            .bind(seq)
            .bind(credits);
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

async fn insert_mint_keys(connection: &mut SqliteConnection, keys: &[MintKeyState]) -> Result<(), Fault> {
    let sql = "INSERT INTO mint_keys
            (no, id, denomination, sign_not_before, sign_not_after, coins_expiry, issued, returned, recouped, stopped_reason,
            retired, pruned, fingerprint, modulus_bytes, awaits_log)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    for key in keys {
        let query = sqlx::query(sql)
            .bind(key.no.get())
            .bind(&key.id.as_bytes()[..])
            .bind(key.terms.denomination().as_i64())
            .bind(key.terms.sign_not_before().unix_micros())
            .bind(key.terms.sign_not_after().unix_micros())
            .bind(key.terms.coins_expiry().unix_micros())
            .bind(counter(key.issued)?)
            .bind(counter(key.returned)?)
            .bind(counter(key.recouped)?)
            .bind(key.stopped.as_ref().map(|reason| reason.as_str()))
            .bind(key.retired)
            .bind(key.pruned)
            .bind(&key.identity.fingerprint().as_bytes()[..])
            .bind(i32::from(key.identity.modulus_bytes()))
            .bind(key.awaits_log);
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// What the entries of a batch's records are numbered from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum EntryNumbers<'a> {
    /// The records have the numbers of the books.
    OfTheBooks,
    /// The records number the entries of each account 1, 2, 3, ... These accounts already have the number of their
    /// newest entry after the batch.
    UpTo(&'a [AccountPosting]),
}

impl EntryNumbers<'_> {
    /// The number to bind: that of the entry, or its difference to the newest one.
    fn number(self, account: Option<AccountId>, entry: Option<EntryNo>) -> Option<i64> {
        let (account, entry) = account.zip(entry)?;
        let Self::UpTo(accounts) = self else {
            return Some(entry.get());
        };
        let index = accounts
            .binary_search_by_key(&account, |posting| posting.id)
            .expect("the batch changes every account that has an entry");
        Some(entry.get() - i64::from(accounts[index].entries))
    }

    /// The expression of the number that is stored, for the columns of a debit or credit. Without the account the batch
    /// is rolled back, whatever its records say.
    fn expression(self, side: &str) -> String {
        match self {
            Self::OfTheBooks => format!("{side}_entry"),
            Self::UpTo(_) => {
                format!(
                    "{side}_entry + ifnull((SELECT last_entry FROM accounts WHERE accounts.id = {side}_account), 0)"
                )
            }
        }
    }
}

/// Adds statements that insert records and their blinds, with the condition that no record with one of the references
/// exists.
pub(crate) fn insert_transactions<'q>(
    script: &mut Script<'q>,
    records: &'q [Record],
    log_batch: Option<LogBatchNo>,
    numbers: EntryNumbers<'_>,
) -> Result<(), Fault> {
    let (debit_entry, credit_entry) = (numbers.expression("debit"), numbers.expression("credit"));
    for (records, padded) in padded_pieces(records) {
        let sql = format!(
            "WITH record (kind, reference, content, debit_account, debit_entry, credit_account, credit_entry, amount,
                applied_at, issued, label, log_batch) AS (VALUES {})
            INSERT INTO transactions (kind, reference, content, debit_account, debit_entry, credit_account, credit_entry,
                amount, applied_at, issued, label, log_batch)
            SELECT kind, reference, content, debit_account, {debit_entry}, credit_account, {credit_entry}, amount,
                applied_at, issued, label, log_batch
            FROM record WHERE true ON CONFLICT (reference) DO NOTHING",
            placeholders(padded.len(), 12)
        );
        script.add(&sql, 12 * padded.len());
        for record in padded {
            script.bind(record.kind.code())?;
            script.bind(record.reference.as_bytes())?;
            script.bind(&record.content.as_bytes()[..])?;
            script.bind(record.debit.map(AccountId::get))?;
            script.bind(numbers.number(record.debit, record.debit_entry))?;
            script.bind(record.credit.map(AccountId::get))?;
            script.bind(numbers.number(record.credit, record.credit_entry))?;
            script.bind(record.amount.as_i64())?;
            script.bind(record.at.unix_micros())?;
            script.bind(record.issued.as_ref().map(IssuedCounts::to_bytes))?;
            script.bind(record.label.as_ref().map(|label| label.as_str()))?;
            script.bind(record.log_batch(log_batch).map(stored::log_batch_column))?;
        }
        script.require_changes(records.len())?;
    }
    let blinds: Vec<_> = records
        .iter()
        .filter_map(|record| Some((&record.reference, record.blinds.as_ref()?)))
        .collect();
    for (blinds, padded) in padded_pieces(&blinds) {
        let sql = format!(
            "INSERT INTO blinds (reference, expires_with, blinds)
            SELECT * FROM (VALUES {}) WHERE column1 IS NOT NULL ON CONFLICT (reference) DO NOTHING",
            placeholders(padded.len(), 3)
        );
        script.add(&sql, 3 * padded.len());
        for (reference, blinds) in blinds {
            script.bind(reference.as_bytes())?;
            script.bind(blinds.expires_with.get())?;
            script.bind(&blinds.encoded[..])?;
        }
        // Blinds can be large, so they are padded with nothing.
        for _ in blinds.len()..padded.len() {
            script.bind(None::<&[u8]>)?;
            script.bind(None::<i32>)?;
            script.bind(None::<&[u8]>)?;
        }
        script.require_changes(blinds.len())?;
    }
    Ok(())
}

async fn insert_payouts(connection: &mut SqliteConnection, payouts: &[PayoutState]) -> Result<(), Fault> {
    let sql = "INSERT INTO payouts (no, account, amount, destination, reference, requested_at, paid, settlement, settled_at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    for payout in payouts {
        let (paid, settlement, settled_at) = settled_columns(payout);
        let query = sqlx::query(sql)
            .bind(payout.no.get())
            .bind(payout.account.get())
            .bind(payout.amount.as_i64())
            .bind(payout.destination.as_str())
            .bind(payout.request.as_bytes())
            .bind(payout.requested.unix_micros())
            .bind(paid)
            .bind(settlement)
            .bind(settled_at);
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

async fn update_payouts(connection: &mut SqliteConnection, payouts: &[PayoutState]) -> Result<(), Fault> {
    for payout in payouts {
        let (paid, settlement, settled_at) = settled_columns(payout);
        let sql = "UPDATE payouts SET paid = ?, settlement = ?, settled_at = ? WHERE no = ? AND paid IS NULL";
        let query = sqlx::query(sql)
            .bind(paid)
            .bind(settlement)
            .bind(settled_at)
            .bind(payout.no.get());
        all_or_vanished(&query.execute(&mut *connection).await?, 1, "payouts")?;
    }
    Ok(())
}

fn settled_columns(payout: &PayoutState) -> (Option<bool>, Option<&str>, Option<i64>) {
    let settled = payout.settled.as_ref().map(|(settlement, at)| {
        let (paid, text) = match settlement {
            Settlement::Paid(reference) => (true, reference),
            Settlement::Failed(reason) => (false, reason),
        };
        (paid, text.as_str(), at.unix_micros())
    });
    (
        settled.map(|(paid, ..)| paid),
        settled.map(|(_, text, _)| text),
        settled.map(|(.., at)| at),
    )
}

/// One statement for each row, as in the next two functions, because waiting mints are rare.
async fn insert_waiting(
    connection: &mut SqliteConnection,
    rows: &[(WaitingState, Vec<u8>)],
) -> Result<(), Fault> {
    let sql = "INSERT INTO waiting_mints (reference, account, content, amount, asked_at, expires_at, blinds)
        VALUES (?, ?, ?, ?, ?, ?, ?)";
    for (row, blinds) in rows {
        let query = sqlx::query(sql)
            .bind(row.reference.as_bytes())
            .bind(row.account.get())
            .bind(&row.content.as_bytes()[..])
            .bind(row.amount.as_i64())
            .bind(row.asked.unix_micros())
            .bind(row.expires.unix_micros())
            .bind(&blinds[..]);
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

async fn extend_waiting(
    connection: &mut SqliteConnection,
    rows: &[(ReferenceKey, LedgerTime)],
) -> Result<(), Fault> {
    for (reference, expires) in rows {
        let query = sqlx::query("UPDATE waiting_mints SET expires_at = ? WHERE reference = ?")
            .bind(expires.unix_micros())
            .bind(reference.as_bytes());
        all_or_vanished(&query.execute(&mut *connection).await?, 1, "waiting_mints")?;
    }
    Ok(())
}

async fn delete_waiting(connection: &mut SqliteConnection, references: &[ReferenceKey]) -> Result<(), Fault> {
    for reference in references {
        let query = sqlx::query("DELETE FROM waiting_mints WHERE reference = ?").bind(reference.as_bytes());
        all_or_vanished(&query.execute(&mut *connection).await?, 1, "waiting_mints")?;
    }
    Ok(())
}

async fn insert_spent(
    connection: &mut SqliteConnection,
    coins: &[(MintKeyNo, SpentDigest)],
    log_batch: Option<LogBatchNo>,
) -> Result<(), Fault> {
    let log_batch = log_batch.map(stored::log_batch_column);
    for coins in pieces(coins) {
        let sql = format!(
            "INSERT INTO spent (mint_key_no, spent_digest, log_batch) VALUES {}",
            placeholders(coins.len(), 3)
        );
        let query = coins.iter().fold(sqlx::query(&sql), |query, (no, hash)| {
            query.bind(no.get()).bind(&hash.as_bytes()[..]).bind(log_batch)
        });
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// One statement for each blind, because requests of a lost time are rare.
async fn delete_claimed(
    connection: &mut SqliteConnection,
    claimed: &[(MintKeyNo, IssuedDigest, LogBatchNo)],
) -> Result<(), Fault> {
    let sql = "DELETE FROM recovered_blinds WHERE mint_key_no = ? AND issued_digest = ? AND log_batch = ?";
    for (no, digest, batch) in claimed {
        let query = sqlx::query(sql)
            .bind(no.get())
            .bind(&digest.as_bytes()[..])
            .bind(stored::log_batch_column(*batch));
        if query.execute(&mut *connection).await?.rows_affected() != 1 {
            return Err(LedgerError::corrupt(
                "table recovered_blinds",
                "a row that this transaction read is missing",
            )
            .into());
        }
    }
    Ok(())
}

/// A blind may be in the batch already, if another part of it was recovered before.
async fn insert_recovered(
    connection: &mut SqliteConnection,
    blinds: &[(MintKeyNo, IssuedDigest)],
    log_batch: Option<LogBatchNo>,
) -> Result<(), Fault> {
    let log_batch = log_batch.map(stored::log_batch_column);
    for blinds in pieces(blinds) {
        let sql = format!(
            "INSERT INTO recovered_blinds (mint_key_no, issued_digest, log_batch) VALUES {} ON CONFLICT DO NOTHING",
            placeholders(blinds.len(), 3)
        );
        let query = blinds.iter().fold(sqlx::query(&sql), |query, (no, digest)| {
            query.bind(no.get()).bind(&digest.as_bytes()[..]).bind(log_batch)
        });
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

async fn insert_recouped(connection: &mut SqliteConnection, rows: &[Recouped]) -> Result<(), Fault> {
    for row in rows {
        let query =
            sqlx::query("INSERT INTO recouped (mint_key_no, issued_digest, spent_digest) VALUES (?, ?, ?)")
                .bind(row.mint_key.get())
                .bind(&row.issued_digest.as_bytes()[..])
                .bind(&row.spent_digest.as_bytes()[..]);
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

async fn update_accounts(connection: &mut SqliteConnection, balances: &[Balance]) -> Result<(), Fault> {
    for balances in pieces(balances) {
        let sql = format!(
            "WITH new (id, balance, last_entry, seq, credits) AS (VALUES {})
            UPDATE accounts
            SET balance = new.balance, last_entry = new.last_entry, seq = new.seq, credits = new.credits
            FROM new WHERE accounts.id = new.id",
            placeholders(balances.len(), 5)
        );
        let query = balances.iter().fold(sqlx::query(&sql), |query, new| {
            let [seq, credits] = stored::key_columns(new.key);
            query
                .bind(new.account.get())
                .bind(new.balance.as_i64())
                .bind(new.last_entry.get())
                .bind(seq)
                .bind(credits)
        });
        all_or_vanished(
            &query.execute(&mut *connection).await?,
            balances.len(),
            "accounts",
        )?;
    }
    Ok(())
}

/// One statement for each account and table, because this is rare.
async fn update_statuses(
    connection: &mut SqliteConnection,
    statuses: &[(AccountId, AccountStatus)],
) -> Result<(), Fault> {
    for (account, status) in statuses {
        let query = sqlx::query("UPDATE accounts SET status = ? WHERE id = ?")
            .bind(status.code())
            .bind(account.get());
        let sql = "UPDATE accounts SET status = ?, token_hash = NULL, password_hash = NULL, listed = 0 WHERE id = ?";
        if *status != AccountStatus::Closed {
            all_or_vanished(&query.execute(&mut *connection).await?, 1, "accounts")?;
            continue;
        }
        let query = sqlx::query(sql).bind(status.code()).bind(account.get());
        all_or_vanished(&query.execute(&mut *connection).await?, 1, "accounts")?;
        for table in ["sessions", "services", "start_codes"] {
            let sql = format!("DELETE FROM {table} WHERE account = ?");
            sqlx::query(&sql)
                .bind(account.get())
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}

async fn update_mint_keys(connection: &mut SqliteConnection, keys: &[MintKeyState]) -> Result<(), Fault> {
    for key in keys {
        let sql = "UPDATE mint_keys SET issued = ?, returned = ?, recouped = ?, stopped_reason = ?, retired = ?, pruned = ?, awaits_log = ? WHERE no = ?";
        let query = sqlx::query(sql)
            .bind(counter(key.issued)?)
            .bind(counter(key.returned)?)
            .bind(counter(key.recouped)?)
            .bind(key.stopped.as_ref().map(|reason| reason.as_str()))
            .bind(key.retired)
            .bind(key.pruned)
            .bind(key.awaits_log)
            .bind(key.no.get());
        all_or_vanished(&query.execute(&mut *connection).await?, 1, "mint_keys")?;
    }
    Ok(())
}

/// Adds a statement that stores what waits for the log, if anything does.
pub(crate) fn insert_pending<'q>(
    script: &mut Script<'q>,
    pending: &'q PendingLeaves,
    at: LedgerTime,
) -> Result<(), Fault> {
    if pending.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO log_pending
            (at, coins, others, statements, accounts, paid_in, paid_out, recouped, key_accounts)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    script.add(sql, 9);
    script.bind(at.unix_micros())?;
    script.bind(&pending.coins[..])?;
    script.bind(&pending.others[..])?;
    script.bind(&pending.statements[..])?;
    for total in pending.totals.columns() {
        script.bind(total)?;
    }
    Ok(())
}

async fn open_log(connection: &mut SqliteConnection, opening: &LogOpening) -> Result<(), Fault> {
    // Key accounts need a log, so there are none yet.
    let [accounts, paid_in, paid_out, recouped, _] = opening.totals.columns();
    let sql = "INSERT INTO log_head
            (id, batch, size, root, previous, time_s, accounts, paid_in, paid_out, recouped, began_late)
        VALUES (1, ?, 0, ?, NULL, 0, ?, ?, ?, ?, ?)";
    let query = sqlx::query(sql)
        .bind(stored::log_batch_column(LogBatchNo::FIRST))
        .bind(&Hash::EMPTY_TREE.as_bytes()[..])
        .bind(accounts)
        .bind(paid_in)
        .bind(paid_out)
        .bind(recouped)
        .bind(opening.began_late);
    query.execute(&mut *connection).await?;
    for (no, issued, spent) in &opening.counts {
        let sql = "INSERT INTO log_keys (key_no, issued, spent, signing_closed, coins_closed) VALUES (?, ?, ?, 0, 0)";
        let query = sqlx::query(sql)
            .bind(no.get())
            .bind(counter(*issued)?)
            .bind(counter(*spent)?);
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

async fn update_signing(connection: &mut SqliteConnection, signing: Signing) -> Result<(), Fault> {
    let query = sqlx::query("UPDATE signing SET paused = ?, changes = ? WHERE id = 1");
    let query = query.bind(signing.paused).bind(counter(signing.changes)?);
    all_or_vanished(&query.execute(connection).await?, 1, "signing")
}

pub(crate) fn counter(value: u64) -> Result<i64, LedgerError> {
    i64::try_from(value).map_err(|error| LedgerError::corrupt("counter", error))
}

/// Fails unless all rows were changed. The transaction has read them, so a missing row is corruption.
fn all_or_vanished(result: &SqliteQueryResult, rows: usize, table: &str) -> Result<(), Fault> {
    if result.rows_affected() == rows as u64 {
        return Ok(());
    }
    Err(LedgerError::corrupt(
        format!("table {table}"),
        "a row that this transaction read is missing",
    )
    .into())
}
