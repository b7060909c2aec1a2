//! Writes the changes of a batch: one statement for each table, with rows as arrays.

use std::collections::HashMap;

use opencoin_ledger::journal::{IssuedCounts, Record, RecordedBlinds, ReferenceKey, waiting_since};
use opencoin_ledger::log::PendingLeaves;
use opencoin_ledger::view::{
    Balance, Changes, LogOpening, MintKeyNo, MintKeyState, Opened, PayoutState, Recouped, Signing,
    WaitingState,
};
use opencoin_ledger::{
    AccountId, AccountStatus, Action, ActionDetail, Amount, EntryNo, IssuedDigest, LedgerError, LedgerTime,
    LogBatchNo, Settlement, SpentDigest, stored,
};
use opencoin_log::hash::Hash;
use sqlx::postgres::{PgArguments, PgQueryResult};
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres};

use crate::columns::{column, counter, counters};
use crate::fault::Fault;
use crate::layout::Layout;
use crate::slots::{self, LockedCounts, OwnSlots};
use crate::sql::Sql;

/// The most bytes of blinds in one statement. PostgreSQL limits a parameter to 1 GiB; a full batch can hold
/// more.
pub(crate) const BLINDS_BYTES_PER_STATEMENT_MAX: usize = 64 << 20;

/// Writes the changes. New counts of mint keys go to the slots of this process.
pub(crate) async fn changes(
    connection: &mut PgConnection,
    changes: Changes,
    counts: &LockedCounts,
    own: OwnSlots,
) -> Result<(), Fault> {
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
    if !opened.is_empty() {
        release_tokens(connection, &statuses).await?;
        insert_accounts(connection, &opened).await?;
    }
    if !registered.is_empty() {
        insert_mint_keys(connection, &registered).await?;
        slots::save(connection, counts, own, &registered).await?;
    }
    insert_transactions(
        connection,
        &journal,
        log_batch,
        &EntriesBefore::new(),
        OnConflict::LeaveOut,
    )
    .await?;
    let blinds = recorded_blinds(&journal);
    for blinds in statements(&blinds, |(_, blinds)| blinds.encoded.len()) {
        insert_blinds(connection, blinds).await?;
    }
    if !requested.is_empty() {
        insert_payouts(connection, &requested).await?;
    }
    if !settled.is_empty() {
        update_payouts(connection, &settled).await?;
    }
    // These tables are never distributed.
    let mut sql = Sql(connection, Layout::OneServer);
    opencoin_sql::save_proposals(&mut sql, &proposed, &decided).await?;
    for waiting in statements(&waiting, |(_, blinds)| blinds.len()) {
        insert_waiting(connection, waiting).await?;
    }
    if !extended.is_empty() {
        extend_waiting(connection, &extended).await?;
    }
    if !waited.is_empty() {
        delete_waiting(connection, &waited).await?;
    }
    if !spent.is_empty() {
        insert_spent(connection, &spent, log_batch, OnConflict::LeaveOut).await?;
    }
    if !recouped.is_empty() {
        insert_recouped(connection, &recouped).await?;
    }
    if !recovered.is_empty() {
        insert_recovered(connection, &recovered, log_batch).await?;
    }
    delete_claimed(connection, &claimed).await?;
    if !balances.is_empty() {
        update_accounts(connection, &balances).await?;
    }
    if !statuses.is_empty() {
        update_statuses(connection, &statuses).await?;
    }
    if !mint_keys.is_empty() {
        update_mint_keys(connection, &mint_keys).await?;
        slots::save(connection, counts, own, &mint_keys).await?;
    }
    if let Some(signing) = signing {
        update_signing(connection, signing).await?;
    }
    insert_pending(connection, &pending, waiting_since(&journal)).await?;
    if !actions.is_empty() {
        insert_actions(connection, &actions).await?;
    }
    Ok(())
}

/// Takes their tokens from accounts that this batch closes, because it may open others with them.
async fn release_tokens(
    connection: &mut PgConnection,
    statuses: &[(AccountId, AccountStatus)],
) -> Result<(), Fault> {
    let closed = closed(statuses);
    if !closed.is_empty() {
        let sql = "UPDATE accounts SET token_hash = NULL WHERE id = ANY($1)";
        sqlx::query(sql).bind(closed).execute(connection).await?;
    }
    Ok(())
}

fn closed(statuses: &[(AccountId, AccountStatus)]) -> Vec<i64> {
    let closed = statuses
        .iter()
        .filter(|(_, status)| *status == AccountStatus::Closed);
    closed.map(|(account, _)| account.get()).collect()
}

async fn insert_accounts(connection: &mut PgConnection, opened: &[Opened]) -> Result<(), Fault> {
    let sql = "INSERT INTO accounts (id, name, token_hash, balance, last_entry, password_hash, seq, credits)
        SELECT * FROM unnest($1::int8[], $2::text[], $3::bytea[], $4::int8[], $5::int8[], $6::text[], $7::int8[], $8::int8[])";
    let counts = column(opened, |opened| stored::key_columns(opened.account.key()));
    let query = sqlx::query(sql)
        .bind(column(opened, |opened| opened.account.id.get()))
        .bind(column(opened, |opened| opened.account.name.as_str()))
        .bind(column(opened, |opened| {
            opened.account.token_hash().map(|hash| hash.as_bytes().to_vec())
        }))
        .bind(column(opened, |opened| opened.account.balance.as_i64()))
        .bind(column(opened, |opened| opened.account.last_entry.get()))
        .bind(column(opened, |opened| {
            opened.password.as_ref().map(|password| password.as_str())
        }))
        .bind(column(&counts, |[seq, _]| *seq))
        .bind(column(&counts, |[_, credits]| *credits));
    query.execute(connection).await?;
    Ok(())
}

async fn insert_mint_keys(connection: &mut PgConnection, keys: &[MintKeyState]) -> Result<(), Fault> {
    let sql = "INSERT INTO mint_keys
            (no, id, denomination, sign_not_before, sign_not_after, coins_expiry, recouped, stopped_reason, retired, pruned,
            fingerprint, modulus_bytes, awaits_log)
        SELECT * FROM unnest($1::int4[], $2::bytea[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::text[],
            $9::bool[], $10::bool[], $11::bytea[], $12::int4[], $13::bool[])";
    let query = sqlx::query(sql)
        .bind(column(keys, |key| key.no.get()))
        .bind(column(keys, |key| &key.id.as_bytes()[..]))
        .bind(column(keys, |key| key.terms.denomination().as_i64()))
        .bind(column(keys, |key| key.terms.sign_not_before().unix_micros()))
        .bind(column(keys, |key| key.terms.sign_not_after().unix_micros()))
        .bind(column(keys, |key| key.terms.coins_expiry().unix_micros()))
        .bind(counters(keys, |key| key.recouped)?)
        .bind(column(keys, |key| {
            key.stopped.as_ref().map(|reason| reason.as_str())
        }))
        .bind(column(keys, |key| key.retired))
        .bind(column(keys, |key| key.pruned))
        .bind(column(keys, |key| &key.identity.fingerprint().as_bytes()[..]))
        .bind(column(keys, |key| i32::from(key.identity.modulus_bytes())))
        .bind(column(keys, |key| key.awaits_log));
    query.execute(connection).await?;
    Ok(())
}

/// The numbers of accounts' newest entries, to which the numbers of a batch's entries are added.
pub(crate) type EntriesBefore = HashMap<AccountId, i64>;

/// A record that already exists was written by another process after this transaction looked for it.
pub(crate) async fn insert_transactions(
    connection: &mut PgConnection,
    records: &[Record],
    log_batch: Option<LogBatchNo>,
    before: &EntriesBefore,
    conflict: OnConflict,
) -> Result<(), Fault> {
    let number = |account: Option<AccountId>, entry: Option<EntryNo>| {
        let (account, entry) = account.zip(entry)?;
        Some(before.get(&account).unwrap_or(&0) + entry.get())
    };
    let sql = format!(
        "INSERT INTO transactions (reference, id, kind, content, debit_account, debit_entry, credit_account, credit_entry,
            amount, applied_at, issued, label, log_batch)
        SELECT reference, nextval('transaction_numbers'), kind, content, debit_account, debit_entry, credit_account,
            credit_entry, amount, applied_at, issued, label, log_batch
        FROM unnest($1::bytea[], $2::int2[], $3::bytea[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int8[],
            $9::int8[], $10::bytea[], $11::text[], $12::int4[])
            AS record (reference, kind, content, debit_account, debit_entry, credit_account, credit_entry, amount,
                applied_at, issued, label, log_batch)
        {}",
        conflict.clause("reference")
    );
    let query = sqlx::query(&sql)
        .bind(column(records, |record| record.reference.as_bytes()))
        .bind(column(records, |record| record.kind.code()))
        .bind(column(records, |record| &record.content.as_bytes()[..]))
        .bind(column(records, |record| record.debit.map(AccountId::get)))
        .bind(column(records, |record| number(record.debit, record.debit_entry)))
        .bind(column(records, |record| record.credit.map(AccountId::get)))
        .bind(column(records, |record| {
            number(record.credit, record.credit_entry)
        }))
        .bind(column(records, |record| record.amount.as_i64()))
        .bind(column(records, |record| record.at.unix_micros()))
        .bind(column(records, issued))
        .bind(column(records, |record| {
            record.label.as_ref().map(|label| label.as_str())
        }))
        .bind(column(records, |record| {
            record.log_batch(log_batch).map(stored::log_batch_column)
        }));
    conflict.insert(connection, query, records.len()).await
}

/// How an insert behaves if one of its rows is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnConflict {
    /// The row is left out, and so not among the rows that are returned. Citus counts it as affected.
    LeaveOut,
    /// The insert fails. For distributed tables: the fastest way, but the error does not say what it is.
    Fail,
}

impl OnConflict {
    /// The end of the statement.
    fn clause(self, key: &str) -> String {
        match self {
            Self::LeaveOut => format!("ON CONFLICT ({key}) DO NOTHING RETURNING 1"),
            Self::Fail => String::new(),
        }
    }

    /// Runs the statement, which inserts this many rows.
    async fn insert(
        self,
        connection: &mut PgConnection,
        query: Query<'_, Postgres, PgArguments>,
        rows: usize,
    ) -> Result<(), Fault> {
        let inserted = match self {
            Self::LeaveOut => query.fetch_all(connection).await?.len() as u64,
            Self::Fail => match query.execute(connection).await.map_err(Fault::from) {
                Ok(done) => done.rows_affected(),
                // Decided again, the batch finds what is there, or fails again and says why.
                Err(Fault::Failed(LedgerError::Database(_))) => return Err(Fault::LostRace),
                Err(fault) => return Err(fault),
            },
        };
        if inserted == rows as u64 {
            Ok(())
        } else {
            Err(Fault::LostRace)
        }
    }
}

/// The column `issued` of a record.
pub(crate) fn issued(record: &Record) -> Option<Vec<u8>> {
    record.issued.as_ref().map(IssuedCounts::to_bytes)
}

/// The rows of `blinds` that belong to these records.
pub(crate) fn recorded_blinds(journal: &[Record]) -> Vec<(&ReferenceKey, &RecordedBlinds)> {
    journal
        .iter()
        .filter_map(|record| Some((&record.reference, record.blinds.as_ref()?)))
        .collect()
}

/// Their records are new, so blinds that already exist do not belong to a record.
pub(crate) async fn insert_blinds(
    connection: &mut PgConnection,
    blinds: &[(&ReferenceKey, &RecordedBlinds)],
) -> Result<(), Fault> {
    let sql = "INSERT INTO blinds (reference, expires_with, blinds)
        SELECT * FROM unnest($1::bytea[], $2::int4[], $3::bytea[])";
    let query = sqlx::query(sql)
        .bind(column(blinds, |(reference, _)| reference.as_bytes()))
        .bind(column(blinds, |(_, blinds)| blinds.expires_with.get()))
        .bind(column(blinds, |(_, blinds)| &blinds.encoded[..]));
    query.execute(connection).await?;
    Ok(())
}

/// If another process used one of the numbers meanwhile, the insert violates the primary key and the batch is
/// retried.
async fn insert_payouts(connection: &mut PgConnection, payouts: &[PayoutState]) -> Result<(), Fault> {
    let sql = "INSERT INTO payouts (no, account, amount, destination, reference, requested_at, paid, settlement, settled_at)
        SELECT * FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::text[], $5::bytea[], $6::int8[], $7::bool[], $8::text[],
            $9::int8[])";
    let query = sqlx::query(sql)
        .bind(column(payouts, |payout| payout.no.get()))
        .bind(column(payouts, |payout| payout.account.get()))
        .bind(column(payouts, |payout| payout.amount.as_i64()))
        .bind(column(payouts, |payout| payout.destination.as_str()))
        .bind(column(payouts, |payout| payout.request.as_bytes()))
        .bind(column(payouts, |payout| payout.requested.unix_micros()))
        .bind(column(payouts, paid))
        .bind(column(payouts, settlement))
        .bind(column(payouts, settled_at));
    query.execute(connection).await?;
    Ok(())
}

async fn update_payouts(connection: &mut PgConnection, payouts: &[PayoutState]) -> Result<(), Fault> {
    let sql = "UPDATE payouts SET paid = new.paid, settlement = new.settlement, settled_at = new.settled_at
        FROM unnest($1::int8[], $2::bool[], $3::text[], $4::int8[]) AS new (no, paid, settlement, settled_at)
        WHERE payouts.no = new.no AND payouts.paid IS NULL";
    let query = sqlx::query(sql)
        .bind(column(payouts, |payout| payout.no.get()))
        .bind(column(payouts, paid))
        .bind(column(payouts, settlement))
        .bind(column(payouts, settled_at));
    all_or_vanished(&query.execute(connection).await?, payouts.len(), "payouts")
}

fn paid(payout: &PayoutState) -> Option<bool> {
    payout
        .settled
        .as_ref()
        .map(|(settlement, _)| matches!(settlement, Settlement::Paid(_)))
}

fn settlement(payout: &PayoutState) -> Option<&str> {
    payout.settled.as_ref().map(|(settlement, _)| match settlement {
        Settlement::Paid(text) | Settlement::Failed(text) => text.as_str(),
    })
}

fn settled_at(payout: &PayoutState) -> Option<i64> {
    payout.settled.as_ref().map(|(_, at)| at.unix_micros())
}

/// A reference that already exists was stored for another account, by another process, after this transaction
/// looked for it.
async fn insert_waiting(
    connection: &mut PgConnection,
    rows: &[(WaitingState, Vec<u8>)],
) -> Result<(), Fault> {
    let sql = "INSERT INTO waiting_mints (reference, account, content, amount, asked_at, expires_at, blinds)
        SELECT * FROM unnest($1::bytea[], $2::int8[], $3::bytea[], $4::int8[], $5::int8[], $6::int8[], $7::bytea[])
        ON CONFLICT (reference) DO NOTHING";
    let query = sqlx::query(sql)
        .bind(column(rows, |(row, _)| row.reference.as_bytes()))
        .bind(column(rows, |(row, _)| row.account.get()))
        .bind(column(rows, |(row, _)| &row.content.as_bytes()[..]))
        .bind(column(rows, |(row, _)| row.amount.as_i64()))
        .bind(column(rows, |(row, _)| row.asked.unix_micros()))
        .bind(column(rows, |(row, _)| row.expires.unix_micros()))
        .bind(column(rows, |(_, blinds)| &blinds[..]));
    all_or_lost(&query.execute(connection).await?, rows.len())
}

async fn extend_waiting(
    connection: &mut PgConnection,
    rows: &[(ReferenceKey, LedgerTime)],
) -> Result<(), Fault> {
    let sql = "UPDATE waiting_mints SET expires_at = new.expires_at
        FROM unnest($1::bytea[], $2::int8[]) AS new (reference, expires_at)
        WHERE waiting_mints.reference = new.reference";
    let query = sqlx::query(sql)
        .bind(column(rows, |(reference, _)| reference.as_bytes()))
        .bind(column(rows, |(_, expires)| expires.unix_micros()));
    all_or_vanished(&query.execute(connection).await?, rows.len(), "waiting_mints")
}

async fn delete_waiting(connection: &mut PgConnection, references: &[ReferenceKey]) -> Result<(), Fault> {
    let query = sqlx::query("DELETE FROM waiting_mints WHERE reference = ANY($1)")
        .bind(column(references, ReferenceKey::as_bytes));
    all_or_vanished(
        &query.execute(connection).await?,
        references.len(),
        "waiting_mints",
    )
}

/// A coin that already exists was spent by another process after this transaction looked for it.
pub(crate) async fn insert_spent(
    connection: &mut PgConnection,
    coins: &[(MintKeyNo, SpentDigest)],
    log_batch: Option<LogBatchNo>,
    conflict: OnConflict,
) -> Result<(), Fault> {
    let sql = format!(
        "INSERT INTO spent (mint_key_no, spent_digest, log_batch)
        SELECT mint_key_no, spent_digest, $3 FROM unnest($1::int4[], $2::bytea[]) AS coin (mint_key_no, spent_digest) {}",
        conflict.clause("mint_key_no, spent_digest")
    );
    let query = sqlx::query(&sql)
        .bind(column(coins, |(no, _)| no.get()))
        .bind(column(coins, |(_, digest)| &digest.as_bytes()[..]))
        .bind(log_batch.map(stored::log_batch_column));
    conflict.insert(connection, query, coins.len()).await
}

/// One statement for each blind, because requests of a lost time are rare.
async fn delete_claimed(
    connection: &mut PgConnection,
    claimed: &[(MintKeyNo, IssuedDigest, LogBatchNo)],
) -> Result<(), Fault> {
    let sql = "DELETE FROM recovered_blinds WHERE mint_key_no = $1 AND issued_digest = $2 AND log_batch = $3";
    for (no, digest, batch) in claimed {
        let query = sqlx::query(sql)
            .bind(no.get())
            .bind(&digest.as_bytes()[..])
            .bind(stored::log_batch_column(*batch));
        if query.execute(&mut *connection).await?.rows_affected() != 1 {
            return Err(Fault::LostRace);
        }
    }
    Ok(())
}

/// A blind may be in the batch already, if another part of it was recovered before.
async fn insert_recovered(
    connection: &mut PgConnection,
    blinds: &[(MintKeyNo, IssuedDigest)],
    log_batch: Option<LogBatchNo>,
) -> Result<(), Fault> {
    let sql = "INSERT INTO recovered_blinds (mint_key_no, issued_digest, log_batch)
        SELECT mint_key_no, issued_digest, $3 FROM unnest($1::int4[], $2::bytea[]) AS blind (mint_key_no, issued_digest)
        ON CONFLICT DO NOTHING";
    let query = sqlx::query(sql)
        .bind(column(blinds, |(no, _)| no.get()))
        .bind(column(blinds, |(_, digest)| &digest.as_bytes()[..]))
        .bind(log_batch.map(stored::log_batch_column));
    query.execute(connection).await?;
    Ok(())
}

/// The transaction holds the lock of the mint key's row, so no other process can have inserted these rows.
async fn insert_recouped(connection: &mut PgConnection, rows: &[Recouped]) -> Result<(), Fault> {
    let sql = "INSERT INTO recouped (mint_key_no, issued_digest, spent_digest)
        SELECT * FROM unnest($1::int4[], $2::bytea[], $3::bytea[])";
    let query = sqlx::query(sql)
        .bind(column(rows, |row| row.mint_key.get()))
        .bind(column(rows, |row| &row.issued_digest.as_bytes()[..]))
        .bind(column(rows, |row| &row.spent_digest.as_bytes()[..]));
    query.execute(connection).await?;
    Ok(())
}

async fn update_accounts(connection: &mut PgConnection, balances: &[Balance]) -> Result<(), Fault> {
    let sql =
        "UPDATE accounts SET balance = new.balance, last_entry = new.last_entry, seq = new.seq, credits = new.credits
        FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[], $5::int8[])
            AS new (id, balance, last_entry, seq, credits)
        WHERE accounts.id = new.id";
    let counts = column(balances, |new| stored::key_columns(new.key));
    let query = sqlx::query(sql)
        .bind(column(balances, |new| new.account.get()))
        .bind(column(balances, |new| new.balance.as_i64()))
        .bind(column(balances, |new| new.last_entry.get()))
        .bind(column(&counts, |[seq, _]| *seq))
        .bind(column(&counts, |[_, credits]| *credits));
    all_or_vanished(&query.execute(connection).await?, balances.len(), "accounts")
}

async fn update_statuses(
    connection: &mut PgConnection,
    statuses: &[(AccountId, AccountStatus)],
) -> Result<(), Fault> {
    let sql = "UPDATE accounts SET status = new.status,
            token_hash = CASE WHEN new.status = $3 THEN NULL ELSE token_hash END,
            password_hash = CASE WHEN new.status = $3 THEN NULL ELSE password_hash END,
            listed = listed AND new.status <> $3
        FROM unnest($1::int8[], $2::int2[]) AS new (id, status)
        WHERE accounts.id = new.id";
    let query = sqlx::query(sql)
        .bind(column(statuses, |(account, _)| account.get()))
        .bind(column(statuses, |(_, status)| status.code()))
        .bind(AccountStatus::Closed.code());
    all_or_vanished(
        &query.execute(&mut *connection).await?,
        statuses.len(),
        "accounts",
    )?;
    let closed = closed(statuses);
    for table in ["sessions", "services", "start_codes"] {
        let sql = format!("DELETE FROM {table} WHERE account = ANY($1)");
        sqlx::query(&sql).bind(&closed).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn update_mint_keys(connection: &mut PgConnection, keys: &[MintKeyState]) -> Result<(), Fault> {
    let sql = "UPDATE mint_keys SET recouped = new.recouped, stopped_reason = new.stopped_reason, retired = new.retired,
            pruned = new.pruned, awaits_log = new.awaits_log
        FROM unnest($1::int4[], $2::int8[], $3::text[], $4::bool[], $5::bool[], $6::bool[])
            AS new (no, recouped, stopped_reason, retired, pruned, awaits_log)
        WHERE mint_keys.no = new.no";
    let query = sqlx::query(sql)
        .bind(column(keys, |key| key.no.get()))
        .bind(counters(keys, |key| key.recouped)?)
        .bind(column(keys, |key| {
            key.stopped.as_ref().map(|reason| reason.as_str())
        }))
        .bind(column(keys, |key| key.retired))
        .bind(column(keys, |key| key.pruned))
        .bind(column(keys, |key| key.awaits_log));
    all_or_vanished(&query.execute(connection).await?, keys.len(), "mint_keys")
}

pub(crate) async fn insert_pending(
    connection: &mut PgConnection,
    pending: &PendingLeaves,
    at: LedgerTime,
) -> Result<(), Fault> {
    if pending.is_empty() {
        return Ok(());
    }
    let [accounts, paid_in, paid_out, recouped, key_accounts] = pending.totals.columns();
    let sql = "INSERT INTO log_pending
            (at, coins, others, statements, accounts, paid_in, paid_out, recouped, key_accounts)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let query = sqlx::query(sql)
        .bind(at.unix_micros())
        .bind(&pending.coins[..])
        .bind(&pending.others[..])
        .bind(&pending.statements[..])
        .bind(accounts)
        .bind(paid_in)
        .bind(paid_out)
        .bind(recouped)
        .bind(key_accounts);
    query.execute(connection).await?;
    Ok(())
}

/// If another process appends actions at the same time, this violates the primary key and the batch is retried.
async fn insert_actions(connection: &mut PgConnection, actions: &[Action]) -> Result<(), Fault> {
    let sql = "INSERT INTO operator_actions (no, at, operator, kind, subject, amount, detail)
        SELECT (SELECT coalesce(max(no), 0) FROM operator_actions) + place, at, operator, kind, subject, amount, detail
        FROM unnest($1::int8[], $2::text[], $3::text[], $4::text[], $5::int8[], $6::text[]) WITH ORDINALITY
            AS action (at, operator, kind, subject, amount, detail, place)";
    let query = sqlx::query(sql)
        .bind(column(actions, |action| action.at.unix_micros()))
        .bind(column(actions, |action| action.operator.as_str()))
        .bind(column(actions, |action| action.kind.word()))
        .bind(column(actions, |action| action.subject.as_str()))
        .bind(column(actions, |action| action.amount.map(Amount::as_i64)))
        .bind(column(actions, |action| {
            action.detail.as_ref().map(ActionDetail::as_str)
        }));
    query.execute(connection).await?;
    Ok(())
}

async fn open_log(connection: &mut PgConnection, opening: &LogOpening) -> Result<(), Fault> {
    // Key accounts need a log, so there are none yet.
    let [accounts, paid_in, paid_out, recouped, _] = opening.totals.columns();
    let sql = "INSERT INTO log_head
            (id, batch, size, root, previous, time_s, accounts, paid_in, paid_out, recouped, began_late)
        VALUES (1, $1, 0, $2, NULL, 0, $3, $4, $5, $6, $7)";
    let query = sqlx::query(sql)
        .bind(stored::log_batch_column(LogBatchNo::FIRST))
        .bind(&Hash::EMPTY_TREE.as_bytes()[..])
        .bind(accounts)
        .bind(paid_in)
        .bind(paid_out)
        .bind(recouped)
        .bind(opening.began_late);
    query.execute(&mut *connection).await?;
    let sql = "INSERT INTO log_keys (key_no, issued, spent, signing_closed, coins_closed)
        SELECT key_no, issued, spent, false, false
        FROM unnest($1::int4[], $2::int8[], $3::int8[]) AS key (key_no, issued, spent)";
    let query = sqlx::query(sql)
        .bind(column(&opening.counts, |(no, ..)| no.get()))
        .bind(counters(&opening.counts, |(_, issued, _)| *issued)?)
        .bind(counters(&opening.counts, |(_, _, spent)| *spent)?);
    query.execute(connection).await?;
    Ok(())
}

async fn update_signing(connection: &mut PgConnection, signing: Signing) -> Result<(), Fault> {
    let query = sqlx::query("UPDATE signing SET paused = $1, changes = $2 WHERE id = 1");
    let query = query.bind(signing.paused).bind(counter(signing.changes)?);
    all_or_vanished(&query.execute(connection).await?, 1, "signing")
}

/// Splits rows so that no statement exceeds [`BLINDS_BYTES_PER_STATEMENT_MAX`], unless one row alone does.
pub(crate) fn statements<T>(
    mut rows: &[T],
    blinds_bytes: impl Fn(&T) -> usize,
) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let mut bytes = 0_usize;
        let mut fits = |row: &T| {
            bytes += blinds_bytes(row);
            bytes <= BLINDS_BYTES_PER_STATEMENT_MAX
        };
        let count = rows
            .iter()
            .take_while(|row| fits(row))
            .count()
            .max(1)
            .min(rows.len());
        let (now, later) = rows.split_at(count);
        rows = later;
        (!now.is_empty()).then_some(now)
    })
}

/// Fails with [`Fault::LostRace`] unless all rows were written.
fn all_or_lost(result: &PgQueryResult, rows: usize) -> Result<(), Fault> {
    if result.rows_affected() == rows as u64 {
        Ok(())
    } else {
        Err(Fault::LostRace)
    }
}

/// Fails unless all rows were changed. The transaction holds their locks, so a missing row is corruption.
fn all_or_vanished(result: &PgQueryResult, rows: usize, table: &str) -> Result<(), Fault> {
    if result.rows_affected() == rows as u64 {
        return Ok(());
    }
    Err(LedgerError::corrupt(
        format!("table {table}"),
        "a row that this transaction locked is missing",
    )
    .into())
}
