//! Locks and loads the rows that a batch touches.
//!
//! Rows are locked first, and always in the same order, to avoid deadlocks: proposals, the state of signing, payouts by
//! number, accounts by number, mint keys by id, counts of mint keys by key and slot. Coins and references are read after that, by statements that
//! see what was committed while the transaction waited for the locks.

use opencoin_ledger::journal::ReferenceKey;
use opencoin_ledger::log::BooksBeforeLog;
use opencoin_ledger::view::{AccountState, LastNumbers, MintKeyNo, MintKeyState, PayoutState};
use opencoin_ledger::{AccountId, LedgerError, PayoutNo, RevokedBlind, Touches, View, stored};
use opencoin_sql::rows::{
    ACCOUNT_COLUMNS, PAYOUT_COLUMNS, WAITING_COLUMNS, account, mint_key, payout, waiting,
};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use crate::fault::Fault;
use crate::in_doubt;
use crate::layout::Layout;
use crate::slots::{self, LockedCounts};
use crate::sql::{Sql, cells};

/// Returns the view, and the counts of its mint keys in all slots.
pub(crate) async fn view(
    connection: &mut PgConnection,
    touches: &Touches,
    layout: Layout,
) -> Result<(View, LockedCounts), Fault> {
    let mut view = View::default();
    let mut counts = LockedCounts::new();
    opencoin_sql::load_proposals(&mut Sql(connection, layout), touches, &mut view).await?;
    if touches.signing {
        load_signing(connection, touches, &mut view).await?;
    }
    if !touches.names.is_empty() {
        load_accounts_by_name(connection, touches, &mut view).await?;
    }
    if !touches.payouts.is_empty() {
        lock_payouts(connection, touches, &mut view).await?;
    }
    lock_accounts(connection, touches, &mut view).await?;
    if !touches.mint_keys.is_empty() || touches.opens_log {
        counts = lock_mint_keys(connection, touches, &mut view).await?;
    }
    load_log(connection, touches, &mut view).await?;
    if touches.last_account || touches.last_mint_key || touches.last_payout {
        load_last_numbers(connection, &mut view).await?;
    }
    if !touches.references.is_empty() {
        if layout.is_distributed() {
            let references: Vec<ReferenceKey> = touches.references.iter().cloned().collect();
            in_doubt::wait(connection, &references).await?;
        }
        let has_records = load_records(connection, touches, &mut view).await?;
        // The account of an introduction that another process has committed meanwhile.
        if has_records && !touches.names.is_empty() {
            load_accounts_by_name(connection, touches, &mut view).await?;
        }
    }
    if !touches.mints.is_empty() || !touches.minting.is_empty() {
        load_waiting(connection, touches, &mut view).await?;
    }
    if !touches.closing.is_empty() {
        load_unsettled(connection, touches, &mut view).await?;
    }
    if !touches.coins.is_empty() {
        load_spent(connection, touches, layout, &mut view).await?;
    }
    if !touches.revoked.is_empty() {
        load_recouped(connection, touches, &mut view).await?;
    }
    load_recovered(connection, touches, &mut view).await?;
    Ok((view, counts))
}

/// A batch that only reads the state takes no lock: a mint concurrent to a pause may count as before or after
/// it.
async fn load_signing(
    connection: &mut PgConnection,
    touches: &Touches,
    view: &mut View,
) -> Result<(), Fault> {
    let read = "SELECT paused, changes FROM signing WHERE id = 1";
    let lock = "SELECT paused, changes FROM signing WHERE id = 1 FOR UPDATE";
    let query = sqlx::query_as(if touches.changes_signing { lock } else { read });
    let (paused, changes) = query.fetch_one(connection).await?;
    view.load_signing(stored::signing(paused, changes)?);
    Ok(())
}

/// The sealer does not wait for transactions that have read the open batch: see
/// [`SEAL_PAUSE_MIN`](opencoin_ledger::SEAL_PAUSE_MIN).
async fn load_log(connection: &mut PgConnection, touches: &Touches, view: &mut View) -> Result<(), Fault> {
    let query = sqlx::query_as("SELECT batch, halted IS NOT NULL FROM log_head WHERE id = 1");
    let row: Option<(i32, bool)> = query.fetch_optional(&mut *connection).await?;
    if touches.opens_log && row.is_none() {
        // Whatever accepts something reads this table first and keeps it until its end. So all of them are over now, and
        // those that come find the log open.
        sqlx::query("LOCK TABLE log_head IN ACCESS EXCLUSIVE MODE")
            .execute(&mut *connection)
            .await?;
        let query = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM transactions WHERE amount > 0)");
        let has_moved_money = query.fetch_one(&mut *connection).await?;
        let sql = "SELECT (coalesce(sum(balance), 0) + (SELECT coalesce(sum(amount), 0) FROM payouts WHERE paid IS NULL))::int8,
            coalesce(sum(last_entry), 0)::int8, coalesce(max(id) >= $1, false) FROM accounts";
        let query = sqlx::query_as(sql).bind(AccountId::FIRST_KEY_ACCOUNT.get());
        let (accounts, entries, has_key_accounts): (i64, i64, bool) =
            query.fetch_one(&mut *connection).await?;
        view.load_before_log(BooksBeforeLog {
            has_moved_money,
            has_key_accounts,
            accounts: accounts.into(),
            entries: entries.into(),
        });
    }
    view.load_log(row.map(stored::open_log).transpose()?);
    Ok(())
}

/// Accounts to open, and key accounts that a recovery changes. These rows need no lock. Names do not change, and nothing
/// else uses the books during a recovery. If another process opens an account of this name or sets one of these tokens
/// meanwhile, the insert violates a unique index, and the next attempt finds that account.
async fn load_accounts_by_name(
    connection: &mut PgConnection,
    touches: &Touches,
    view: &mut View,
) -> Result<(), Fault> {
    let names: Vec<&str> = touches.names.iter().map(|name| name.as_str()).collect();
    let tokens: Vec<&[u8]> = touches
        .token_hashes
        .iter()
        .map(|hash| &hash.as_bytes()[..])
        .collect();
    let sql = format!("SELECT {ACCOUNT_COLUMNS} FROM accounts WHERE name = ANY($1) OR token_hash = ANY($2)");
    let rows: Vec<PgRow> = sqlx::query(&sql)
        .bind(names)
        .bind(tokens)
        .fetch_all(connection)
        .await?;
    load_accounts(rows, view)
}

async fn lock_payouts(
    connection: &mut PgConnection,
    touches: &Touches,
    view: &mut View,
) -> Result<(), Fault> {
    let numbers: Vec<i64> = touches.payouts.iter().map(|no| no.get()).collect();
    let sql = format!("SELECT {PAYOUT_COLUMNS} FROM payouts WHERE no = ANY($1) ORDER BY no FOR UPDATE");
    let rows: Vec<PgRow> = sqlx::query(&sql).bind(numbers).fetch_all(connection).await?;
    for row in rows {
        view.load_payout(PayoutState::try_from(payout(&mut cells(&row)?)?)?);
    }
    Ok(())
}

/// The payouts that are not settled of accounts to close. The rows of the accounts are locked, so no payout is requested
/// meanwhile. One that is settled meanwhile counts as not settled.
async fn load_unsettled(
    connection: &mut PgConnection,
    touches: &Touches,
    view: &mut View,
) -> Result<(), Fault> {
    let accounts: Vec<i64> = touches.closing.iter().map(|id| id.get()).collect();
    let sql = format!("SELECT {PAYOUT_COLUMNS} FROM payouts WHERE account = ANY($1) AND paid IS NULL");
    let rows: Vec<PgRow> = sqlx::query(&sql).bind(accounts).fetch_all(connection).await?;
    for row in rows {
        view.load_payout(PayoutState::try_from(payout(&mut cells(&row)?)?)?);
    }
    Ok(())
}

async fn lock_accounts(
    connection: &mut PgConnection,
    touches: &Touches,
    view: &mut View,
) -> Result<(), Fault> {
    let ids: Vec<i64> = touches
        .accounts_and_payees(view)
        .iter()
        .map(|id| id.get())
        .collect();
    if ids.is_empty() {
        return Ok(());
    }
    let sql = format!("SELECT {ACCOUNT_COLUMNS} FROM accounts WHERE id = ANY($1) ORDER BY id FOR UPDATE");
    let rows: Vec<PgRow> = sqlx::query(&sql).bind(ids).fetch_all(connection).await?;
    load_accounts(rows, view)
}

fn load_accounts(rows: Vec<PgRow>, view: &mut View) -> Result<(), Fault> {
    for row in rows {
        view.load_account(AccountState::try_from(account(&mut cells(&row)?)?)?);
    }
    Ok(())
}

async fn lock_mint_keys(
    connection: &mut PgConnection,
    touches: &Touches,
    view: &mut View,
) -> Result<LockedCounts, Fault> {
    let ids: Vec<&[u8]> = touches.mint_keys.iter().map(|id| &id.as_bytes()[..]).collect();
    // The counts are not read yet: until their rows are locked, other processes change them.
    let sql = "SELECT no, id, fingerprint, modulus_bytes, denomination, sign_not_before, sign_not_after, coins_expiry,
            0::int8, 0::int8, recouped, stopped_reason, retired, pruned, awaits_log
        FROM mint_keys WHERE id = ANY($1) OR $2 ORDER BY id FOR UPDATE";
    let rows: Vec<PgRow> = sqlx::query(sql)
        .bind(ids)
        .bind(touches.opens_log)
        .fetch_all(&mut *connection)
        .await?;
    let mut keys = Vec::with_capacity(rows.len());
    for row in rows {
        keys.push(mint_key(&mut cells(&row)?)?);
    }
    let numbers: Vec<_> = keys.iter().map(|key| MintKeyNo::new(key.no)).collect();
    let counts = slots::lock(connection, &numbers).await?;
    for mut key in keys {
        (key.issued, key.returned) = slots::sums(&counts, MintKeyNo::new(key.no))?;
        view.load_mint_key(MintKeyState::try_from(key)?);
    }
    Ok(counts)
}

async fn load_last_numbers(connection: &mut PgConnection, view: &mut View) -> Result<(), Fault> {
    let sql =
        "SELECT (SELECT max(id) FROM accounts WHERE id < $1), (SELECT max(id) FROM accounts WHERE id >= $1),
            (SELECT max(no) FROM mint_keys),
            greatest(coalesce((SELECT max(no) FROM payouts), 0), (SELECT max(numbers_above) FROM histories))";
    type Columns = (Option<i64>, Option<i64>, Option<i32>, Option<i64>);
    let query = sqlx::query_as(sql).bind(AccountId::FIRST_KEY_ACCOUNT.get());
    let (account, key_account, mint_key, payout): Columns = query.fetch_one(connection).await?;
    view.load_last_numbers(LastNumbers {
        account: account.map(AccountId::new),
        key_account: key_account.map(AccountId::new),
        mint_key: mint_key.map(MintKeyNo::new),
        payout: payout.map(PayoutNo::new),
    });
    Ok(())
}

/// Returns whether there are any.
async fn load_records(
    connection: &mut PgConnection,
    touches: &Touches,
    view: &mut View,
) -> Result<bool, Fault> {
    type Columns = (i64, i16, Vec<u8>, Vec<u8>, i64, Option<i32>);
    let references: Vec<&[u8]> = touches.references.iter().map(ReferenceKey::as_bytes).collect();
    let sql =
        "SELECT id, kind, reference, content, amount, log_batch FROM transactions WHERE reference = ANY($1)";
    let rows: Vec<Columns> = sqlx::query_as(sql).bind(references).fetch_all(connection).await?;
    let has_records = !rows.is_empty();
    for (id, kind, reference, content, amount, log_batch) in rows {
        view.load_record(
            ReferenceKey::from_bytes(reference),
            stored::recorded(id, kind, content, amount, log_batch)?,
        );
    }
    Ok(has_records)
}

/// Waiting mints change only under the lock of their account's row. Those of other accounts are only
/// compared.
async fn load_waiting(
    connection: &mut PgConnection,
    touches: &Touches,
    view: &mut View,
) -> Result<(), Fault> {
    let references: Vec<&[u8]> = touches.mints.iter().map(ReferenceKey::as_bytes).collect();
    let accounts: Vec<i64> = touches.minting.iter().map(|id| id.get()).collect();
    let sql = format!(
        "SELECT {WAITING_COLUMNS} FROM waiting_mints WHERE reference = ANY($1)
        UNION SELECT {WAITING_COLUMNS} FROM waiting_mints WHERE account = ANY($2)"
    );
    let query = sqlx::query(&sql).bind(references).bind(accounts);
    let rows: Vec<PgRow> = query.fetch_all(connection).await?;
    for row in rows {
        view.load_waiting(stored::waiting_state(waiting(&mut cells(&row)?)?)?);
    }
    Ok(())
}

async fn load_spent(
    connection: &mut PgConnection,
    touches: &Touches,
    layout: Layout,
    view: &mut View,
) -> Result<(), Fault> {
    let known = touches.coins.iter().filter_map(|coin| {
        Some((
            view.mint_key(coin.mint_key)?.no.get(),
            &coin.spent_digest.as_bytes()[..],
        ))
    });
    let (keys, hashes): (Vec<i32>, Vec<&[u8]>) = known.unzip();
    // Forces one index look-up for each coin, even if the planner's statistics are those of an empty table.
    let sql = "SELECT coin.mint_key_no, coin.spent_digest
        FROM unnest($1::int4[], $2::bytea[]) AS coin (mint_key_no, spent_digest)
        CROSS JOIN LATERAL (
            SELECT 1 FROM spent
            WHERE spent.mint_key_no = coin.mint_key_no AND spent.spent_digest = coin.spent_digest OFFSET 0
        ) AS found";
    let sql = match layout {
        Layout::OneServer => sql,
        Layout::Distributed { .. } => {
            "SELECT mint_key_no, spent_digest FROM spent WHERE mint_key_no = ANY($1) AND spent_digest = ANY($2)"
        }
    };
    let rows: Vec<(i32, Vec<u8>)> = sqlx::query_as(sql)
        .bind(keys)
        .bind(hashes)
        .fetch_all(connection)
        .await?;
    let spent: Result<Vec<_>, LedgerError> = rows
        .into_iter()
        .map(|(no, digest)| stored::spent(no, digest))
        .collect();
    spent?
        .into_iter()
        .for_each(|(no, digest)| view.load_spent(no, digest));
    Ok(())
}

/// The rows stay locked, so that two requests do not take the same blinds.
async fn load_recovered(
    connection: &mut PgConnection,
    touches: &Touches,
    view: &mut View,
) -> Result<(), Fault> {
    let sql = "SELECT 1 FROM recovered_blinds WHERE mint_key_no = $1 AND issued_digest = $2 AND log_batch = $3 FOR UPDATE";
    for (no, digest, batch) in &touches.claims {
        let query = sqlx::query(sql)
            .bind(no.get())
            .bind(&digest.as_bytes()[..])
            .bind(stored::log_batch_column(*batch));
        if query.fetch_optional(&mut *connection).await?.is_some() {
            view.load_recovered_blind(*no, *digest, *batch);
        }
    }
    if touches.assigns_recovered {
        // Assignments wait for each other, so that together they assign no more than there is.
        sqlx::query("SELECT 1 FROM log_head WHERE id = 1 FOR UPDATE")
            .execute(&mut *connection)
            .await?;
        let sql = "SELECT coalesce(sum(CASE WHEN credit_account = -2 THEN amount ELSE -amount END), 0)::int8
            FROM transactions WHERE debit_account = -2 OR credit_account = -2";
        let balance: i64 = sqlx::query_scalar(sql).fetch_one(connection).await?;
        view.load_recovered_balance(balance.into());
    }
    Ok(())
}

async fn load_recouped(
    connection: &mut PgConnection,
    touches: &Touches,
    view: &mut View,
) -> Result<(), Fault> {
    let known = touches
        .revoked
        .iter()
        .filter_map(|revoked| Some((view.mint_key(revoked.mint_key)?.no.get(), revoked)));
    let (keys, revoked): (Vec<i32>, Vec<&RevokedBlind>) = known.unzip();
    let blinds: Vec<&[u8]> = revoked
        .iter()
        .map(|revoked| &revoked.issued_digest.as_bytes()[..])
        .collect();
    let hashes: Vec<&[u8]> = revoked
        .iter()
        .map(|revoked| &revoked.spent_digest.as_bytes()[..])
        .collect();
    // Two index look-ups for each: by blind and by coin.
    let sql = "SELECT found.mint_key_no, found.issued_digest, found.spent_digest
        FROM unnest($1::int4[], $2::bytea[], $3::bytea[]) AS revoked (mint_key_no, issued_digest, spent_digest)
        CROSS JOIN LATERAL (
            SELECT * FROM recouped
            WHERE recouped.mint_key_no = revoked.mint_key_no AND recouped.issued_digest = revoked.issued_digest
            UNION SELECT * FROM recouped
            WHERE recouped.mint_key_no = revoked.mint_key_no AND recouped.spent_digest = revoked.spent_digest
        ) AS found";
    let query = sqlx::query_as(sql).bind(keys).bind(blinds).bind(hashes);
    let rows: Vec<(i32, Vec<u8>, Vec<u8>)> = query.fetch_all(connection).await?;
    for (no, digest, hash) in rows {
        view.load_recouped(stored::recouped(no, digest, hash)?);
    }
    Ok(())
}
