//! Loads the rows that a batch touches. The transaction holds the write lock, so they do not change
//! meanwhile.

use opencoin_ledger::journal::ReferenceKey;
use opencoin_ledger::log::BooksBeforeLog;
use opencoin_ledger::view::{AccountState, LastNumbers, MintKeyNo, MintKeyState, PayoutState};
use opencoin_ledger::{AccountId, PayoutNo, RevokedBlind, Touches, View, stored};
use opencoin_sql::rows::{
    ACCOUNT_COLUMNS, PAYOUT_COLUMNS, WAITING_COLUMNS, account, mint_key, mint_key_columns, payout, waiting,
};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use crate::bulk::{pieces, placeholders};
use crate::fault::Fault;
use crate::sql::{DIALECT, Sql, cells};

pub(crate) async fn view(connection: &mut SqliteConnection, touches: &Touches) -> Result<View, Fault> {
    let mut view = View::default();
    if touches.signing {
        load_signing(connection, &mut view).await?;
    }
    opencoin_sql::load_proposals(&mut Sql(connection), touches, &mut view).await?;
    load_payouts(connection, touches, &mut view).await?;
    load_accounts(connection, touches, &mut view).await?;
    load_mint_keys(connection, touches, &mut view).await?;
    if touches.last_account || touches.last_mint_key || touches.last_payout {
        load_last_numbers(connection, &mut view).await?;
    }
    load_log(connection, touches, &mut view).await?;
    load_records(connection, touches, &mut view).await?;
    load_waiting(connection, touches, &mut view).await?;
    load_unsettled(connection, touches, &mut view).await?;
    load_spent(connection, touches, &mut view).await?;
    load_recouped(connection, touches, &mut view).await?;
    load_recovered(connection, touches, &mut view).await?;
    Ok(view)
}

async fn load_signing(connection: &mut SqliteConnection, view: &mut View) -> Result<(), Fault> {
    let query = sqlx::query_as("SELECT paused, changes FROM signing WHERE id = 1");
    let (paused, changes) = query.fetch_one(connection).await?;
    view.load_signing(stored::signing(paused, changes)?);
    Ok(())
}

async fn load_log(
    connection: &mut SqliteConnection,
    touches: &Touches,
    view: &mut View,
) -> Result<(), Fault> {
    let query = sqlx::query_as("SELECT batch, halted IS NOT NULL FROM log_head WHERE id = 1");
    let row: Option<(i32, bool)> = query.fetch_optional(&mut *connection).await?;
    if touches.opens_log && row.is_none() {
        let sql = "SELECT EXISTS (SELECT 1 FROM transactions WHERE amount > 0),
            ifnull(sum(balance), 0) + (SELECT ifnull(sum(amount), 0) FROM payouts WHERE paid IS NULL),
            ifnull(sum(last_entry), 0), ifnull(max(id) >= ?, 0) FROM accounts";
        let query = sqlx::query_as(sql).bind(AccountId::FIRST_KEY_ACCOUNT.get());
        let (has_moved_money, accounts, entries, has_key_accounts): (bool, i64, i64, bool) =
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

async fn load_payouts(
    connection: &mut SqliteConnection,
    touches: &Touches,
    view: &mut View,
) -> Result<(), Fault> {
    let numbers: Vec<i64> = touches.payouts.iter().map(|no| no.get()).collect();
    for numbers in pieces(&numbers) {
        let sql = select(PAYOUT_COLUMNS, "payouts", "no", numbers.len());
        let query = numbers
            .iter()
            .fold(sqlx::query(&sql), |query, no| query.bind(*no));
        let rows: Vec<SqliteRow> = query.fetch_all(&mut *connection).await?;
        for row in rows {
            view.load_payout(PayoutState::try_from(payout(&mut cells(&row)?)?)?);
        }
    }
    Ok(())
}

/// The payouts that are not settled of accounts to close.
async fn load_unsettled(
    connection: &mut SqliteConnection,
    touches: &Touches,
    view: &mut View,
) -> Result<(), Fault> {
    for account in &touches.closing {
        let sql = format!("SELECT {PAYOUT_COLUMNS} FROM payouts WHERE account = ? AND paid IS NULL");
        let query = sqlx::query(&sql).bind(account.get());
        let rows: Vec<SqliteRow> = query.fetch_all(&mut *connection).await?;
        for row in rows {
            view.load_payout(PayoutState::try_from(payout(&mut cells(&row)?)?)?);
        }
    }
    Ok(())
}

async fn load_accounts(
    connection: &mut SqliteConnection,
    touches: &Touches,
    view: &mut View,
) -> Result<(), Fault> {
    let ids: Vec<i64> = touches
        .accounts_and_payees(view)
        .iter()
        .map(|id| id.get())
        .collect();
    for ids in pieces(&ids) {
        let sql = select(ACCOUNT_COLUMNS, "accounts", "id", ids.len());
        let query = ids.iter().fold(sqlx::query(&sql), |query, id| query.bind(*id));
        add_accounts(query.fetch_all(&mut *connection).await?, view)?;
    }
    let names: Vec<&str> = touches.names.iter().map(|name| name.as_str()).collect();
    for names in pieces(&names) {
        let sql = select(ACCOUNT_COLUMNS, "accounts", "name", names.len());
        let query = names
            .iter()
            .fold(sqlx::query(&sql), |query, name| query.bind(*name));
        add_accounts(query.fetch_all(&mut *connection).await?, view)?;
    }
    let hashes: Vec<&[u8]> = touches
        .token_hashes
        .iter()
        .map(|hash| &hash.as_bytes()[..])
        .collect();
    for hashes in pieces(&hashes) {
        let sql = select(ACCOUNT_COLUMNS, "accounts", "token_hash", hashes.len());
        let query = hashes
            .iter()
            .fold(sqlx::query(&sql), |query, hash| query.bind(*hash));
        add_accounts(query.fetch_all(&mut *connection).await?, view)?;
    }
    Ok(())
}

fn add_accounts(rows: Vec<SqliteRow>, view: &mut View) -> Result<(), Fault> {
    for row in rows {
        view.load_account(AccountState::try_from(account(&mut cells(&row)?)?)?);
    }
    Ok(())
}

async fn load_mint_keys(
    connection: &mut SqliteConnection,
    touches: &Touches,
    view: &mut View,
) -> Result<(), Fault> {
    let columns = mint_key_columns(&DIALECT);
    if touches.opens_log {
        let sql = format!("SELECT {columns} FROM mint_keys");
        let rows: Vec<SqliteRow> = sqlx::query(&sql).fetch_all(&mut *connection).await?;
        for row in rows {
            view.load_mint_key(MintKeyState::try_from(mint_key(&mut cells(&row)?)?)?);
        }
    }
    let ids: Vec<&[u8]> = touches.mint_keys.iter().map(|id| &id.as_bytes()[..]).collect();
    for ids in pieces(&ids) {
        let sql = select(&columns, "mint_keys", "id", ids.len());
        let query = ids.iter().fold(sqlx::query(&sql), |query, id| query.bind(*id));
        let rows: Vec<SqliteRow> = query.fetch_all(&mut *connection).await?;
        for row in rows {
            view.load_mint_key(MintKeyState::try_from(mint_key(&mut cells(&row)?)?)?);
        }
    }
    Ok(())
}

async fn load_last_numbers(connection: &mut SqliteConnection, view: &mut View) -> Result<(), Fault> {
    let sql =
        "SELECT (SELECT max(id) FROM accounts WHERE id < ?1), (SELECT max(id) FROM accounts WHERE id >= ?1),
            (SELECT max(no) FROM mint_keys),
            max(ifnull((SELECT max(no) FROM payouts), 0), (SELECT max(numbers_above) FROM histories))";
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

async fn load_records(
    connection: &mut SqliteConnection,
    touches: &Touches,
    view: &mut View,
) -> Result<(), Fault> {
    type Columns = (i64, i16, Vec<u8>, Vec<u8>, i64, Option<i32>);
    let references: Vec<&[u8]> = touches.references.iter().map(ReferenceKey::as_bytes).collect();
    for references in pieces(&references) {
        let sql = select(
            "id, kind, reference, content, amount, log_batch",
            "transactions",
            "reference",
            references.len(),
        );
        let query = references
            .iter()
            .fold(sqlx::query_as(&sql), |query, reference| query.bind(*reference));
        let rows: Vec<Columns> = query.fetch_all(&mut *connection).await?;
        for (id, kind, reference, content, amount, log_batch) in rows {
            view.load_record(
                ReferenceKey::from_bytes(reference),
                stored::recorded(id, kind, content, amount, log_batch)?,
            );
        }
    }
    Ok(())
}

async fn load_waiting(
    connection: &mut SqliteConnection,
    touches: &Touches,
    view: &mut View,
) -> Result<(), Fault> {
    let references: Vec<&[u8]> = touches.mints.iter().map(ReferenceKey::as_bytes).collect();
    for references in pieces(&references) {
        let sql = select(WAITING_COLUMNS, "waiting_mints", "reference", references.len());
        let query = references
            .iter()
            .fold(sqlx::query(&sql), |query, reference| query.bind(*reference));
        add_waiting(query.fetch_all(&mut *connection).await?, view)?;
    }
    let accounts: Vec<i64> = touches.minting.iter().map(|id| id.get()).collect();
    for accounts in pieces(&accounts) {
        let sql = select(WAITING_COLUMNS, "waiting_mints", "account", accounts.len());
        let query = accounts
            .iter()
            .fold(sqlx::query(&sql), |query, id| query.bind(*id));
        add_waiting(query.fetch_all(&mut *connection).await?, view)?;
    }
    Ok(())
}

fn add_waiting(rows: Vec<SqliteRow>, view: &mut View) -> Result<(), Fault> {
    for row in rows {
        view.load_waiting(stored::waiting_state(waiting(&mut cells(&row)?)?)?);
    }
    Ok(())
}

async fn load_spent(
    connection: &mut SqliteConnection,
    touches: &Touches,
    view: &mut View,
) -> Result<(), Fault> {
    let known = touches
        .coins
        .iter()
        .filter_map(|coin| Some((view.mint_key(coin.mint_key)?.no, coin.spent_digest)));
    let coins: Vec<_> = known.collect();
    for coins in pieces(&coins) {
        // CROSS JOIN fixes the join order, so that each coin is looked up and the table is never scanned.
        let sql = format!(
            "WITH coin (mint_key_no, spent_digest) AS (VALUES {})
            SELECT spent.mint_key_no, spent.spent_digest FROM coin CROSS JOIN spent
            ON spent.mint_key_no = coin.mint_key_no AND spent.spent_digest = coin.spent_digest",
            placeholders(coins.len(), 2)
        );
        let query = coins.iter().fold(sqlx::query_as(&sql), |query, (no, hash)| {
            query.bind(no.get()).bind(&hash.as_bytes()[..])
        });
        let rows: Vec<(i32, Vec<u8>)> = query.fetch_all(&mut *connection).await?;
        for (no, hash) in rows {
            let (no, hash) = stored::spent(no, hash)?;
            view.load_spent(no, hash);
        }
    }
    Ok(())
}

/// One query for each blind, because requests of a lost time are rare.
async fn load_recovered(
    connection: &mut SqliteConnection,
    touches: &Touches,
    view: &mut View,
) -> Result<(), Fault> {
    let sql = "SELECT 1 FROM recovered_blinds WHERE mint_key_no = ? AND issued_digest = ? AND log_batch = ?";
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
        let sql = "SELECT ifnull(sum(CASE WHEN credit_account = -2 THEN amount ELSE -amount END), 0)
            FROM transactions WHERE debit_account = -2 OR credit_account = -2";
        let balance: i64 = sqlx::query_scalar(sql).fetch_one(connection).await?;
        view.load_recovered_balance(balance.into());
    }
    Ok(())
}

/// One query for each blind, because recoups are rare.
async fn load_recouped(
    connection: &mut SqliteConnection,
    touches: &Touches,
    view: &mut View,
) -> Result<(), Fault> {
    let sql = "SELECT mint_key_no, issued_digest, spent_digest FROM recouped WHERE mint_key_no = ?1 AND issued_digest = ?2
        UNION SELECT mint_key_no, issued_digest, spent_digest FROM recouped WHERE mint_key_no = ?1 AND spent_digest = ?3";
    for RevokedBlind {
        mint_key,
        issued_digest,
        spent_digest,
    } in &touches.revoked
    {
        let Some(no) = view.mint_key(*mint_key).map(|key| key.no) else {
            continue;
        };
        let query = sqlx::query_as(sql)
            .bind(no.get())
            .bind(&issued_digest.as_bytes()[..])
            .bind(&spent_digest.as_bytes()[..]);
        let rows: Vec<(i32, Vec<u8>, Vec<u8>)> = query.fetch_all(&mut *connection).await?;
        for (no, digest, hash) in rows {
            view.load_recouped(stored::recouped(no, digest, hash)?);
        }
    }
    Ok(())
}

fn select(columns: &str, table: &str, key: &str, keys: usize) -> String {
    let list = vec!["?"; keys].join(",");
    format!("SELECT {columns} FROM {table} WHERE {key} IN ({list})")
}
