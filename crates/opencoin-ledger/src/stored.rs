//! Conversion of stored rows. A store reads the columns; the checks are here, once for all stores.
//!
//! A row that makes no sense is a [`LedgerError::Corrupt`] that names its table and key. It is never repaired
//! or skipped.

mod bank;
mod holders;
mod operators;

pub use bank::{
    StoredExport, StoredKeptLine, StoredStatement, StoredStatementLine, bank_line_id, claimed_line,
    kept_line, line_state, payout_export, statement, statement_line,
};
pub use holders::{
    StoredBearer, StoredEntry, StoredPayout, StoredService, StoredWaiting, due_mint, failed_logins,
    failed_logins_over, login_key, missing_account, payout, profile, require_holder, waiting_state,
};

pub use operators::{StoredAction, StoredProposal, action, proposal};

use std::num::TryFromIntError;

use opencoin_log::digest::{IssuedDigest, KeyFingerprint, SpentDigest};
use opencoin_log::key_account::AccountKey;
use opencoin_log::key_ledger::KeyAccount;

use crate::journal::{ContentDigest, IssuedCounts, Kind, Recorded, ReferenceKey};
use crate::log::OpenLog;
use crate::view::{AccountOwner, AccountState, KeyOwner, MintKeyNo, MintKeyState, Recouped, Signing};
use crate::{
    Accepted, AcceptedKind, Account, AccountId, AccountName, AccountStatus, Amount, EntryNo,
    KeyAccountStatus, LedgerError, LedgerTime, LogBatchNo, MintKeyId, MintKeyIdentity, MintKeyTerms,
    StopReason, StoredBlind, StoredNumber, TokenHash, Transaction, TransactionNo, UnsignedPage,
    UnsignedTransaction, decode_blinds,
};

/// A row of `accounts`.
#[derive(Debug)]
pub struct StoredAccount {
    /// `id`
    pub id: i64,
    /// `name`
    pub name: String,
    /// `token_hash`
    pub token_hash: Option<Vec<u8>>,
    /// `balance`
    pub balance: i64,
    /// `last_entry`
    pub last_entry: i64,
    /// `seq` and `credits`
    pub counts: [Option<i64>; 2],
    /// `status`
    pub status: i16,
}

/// A row of `mint_keys`.
#[derive(Debug)]
pub struct StoredMintKey {
    /// `no`
    pub no: i32,
    /// `id`
    pub id: Vec<u8>,
    /// `fingerprint`
    pub fingerprint: Vec<u8>,
    /// `modulus_bytes`
    pub modulus_bytes: i32,
    /// `denomination`
    pub denomination: i64,
    /// `sign_not_before`, `sign_not_after`, `coins_expiry`
    pub dates: [i64; 3],
    /// `issued`
    pub issued: i64,
    /// `returned`
    pub returned: i64,
    /// `recouped`
    pub recouped: i64,
    /// `stopped_reason`
    pub stopped_reason: Option<String>,
    /// `retired`
    pub retired: bool,
    /// `pruned`
    pub pruned: bool,
    /// `awaits_log`
    pub awaits_log: bool,
}

impl TryFrom<StoredAccount> for AccountState {
    type Error = LedgerError;

    fn try_from(row: StoredAccount) -> Result<Self, LedgerError> {
        let corrupt =
            |reason: &dyn ToString| LedgerError::corrupt(format!("account {}", row.id), reason.to_string());
        let id = AccountId::new(row.id);
        if id < AccountId::FIRST_HOLDER {
            return Err(corrupt(&"the number is reserved for system accounts"));
        }
        let name: AccountName = row.name.parse().map_err(|error| corrupt(&error))?;
        let owner = match (id.is_key_account(), row.token_hash, row.counts) {
            (false, token_hash, [None, None]) => {
                let token_hash = token_hash
                    .map(TryInto::try_into)
                    .transpose()
                    .map_err(|_| corrupt(&"the token hash does not have 32 bytes"))?;
                AccountOwner::Holder {
                    token_hash: token_hash.map(TokenHash::new),
                }
            }
            (true, None, [Some(seq), Some(credits)]) => AccountOwner::Key(KeyOwner {
                key: name.key().ok_or_else(|| corrupt(&"its name is not a key"))?,
                seq: u64::try_from(seq).map_err(|error| corrupt(&error))?,
                credits: u64::try_from(credits).map_err(|error| corrupt(&error))?,
            }),
            _ => return Err(corrupt(&"it is neither a holder's nor a key's")),
        };
        Ok(Self {
            id,
            name,
            owner,
            balance: Amount::try_from(row.balance).map_err(|error| corrupt(&error))?,
            last_entry: EntryNo::new(row.last_entry),
            status: AccountStatus::from_code(row.status).ok_or_else(|| corrupt(&"the status is unknown"))?,
        })
    }
}

impl From<AccountState> for Account {
    fn from(state: AccountState) -> Self {
        let AccountState {
            id,
            name,
            owner: _,
            balance,
            last_entry: _,
            status,
        } = state;
        Self {
            id,
            name,
            balance,
            status,
        }
    }
}

/// The account of a key, as its owner sees it; `None` if it is a holder's.
#[must_use]
pub fn key_account(state: &AccountState) -> Option<KeyAccountStatus> {
    let owner = state.key()?;
    Some(KeyAccountStatus {
        id: state.id,
        balance: state.balance,
        seq: owner.seq,
        credits: owner.credits,
    })
}

/// The columns `seq` and `credits` of an account.
///
/// # Panics
/// A number is above 2^63, which no number that is counted becomes.
#[must_use]
pub fn key_columns(owner: Option<KeyOwner>) -> [Option<i64>; 2] {
    let column = |number| i64::try_from(number).expect("payments and credits are counted one by one");
    let counts = owner.map(|owner| [column(owner.seq), column(owner.credits)]);
    [0, 1].map(|index| counts.map(|counts| counts[index]))
}

/// Converts a row of `log_key_accounts`: key, balance, number of payments and of credits.
///
/// # Errors
/// A column makes no sense.
pub fn logged_key_account(
    key: Vec<u8>,
    balance: i64,
    seq: i64,
    credits: i64,
) -> Result<(AccountKey, KeyAccount), LedgerError> {
    let corrupt = |reason: &dyn ToString| LedgerError::corrupt("key account in the log", reason.to_string());
    let key = key
        .try_into()
        .map_err(|_| corrupt(&"the key does not have 32 bytes"))?;
    let number = |number: i64| u64::try_from(number).map_err(|error| corrupt(&error));
    let account = KeyAccount {
        balance: number(balance)?,
        seq: number(seq)?,
        credits: number(credits)?,
    };
    Ok((AccountKey::of_stored(key), account))
}

impl TryFrom<StoredMintKey> for MintKeyState {
    type Error = LedgerError;

    fn try_from(row: StoredMintKey) -> Result<Self, LedgerError> {
        let corrupt = |reason: &dyn ToString| {
            LedgerError::corrupt(format!("mint key number {}", row.no), reason.to_string())
        };
        let [not_before, not_after, expiry] = row.dates.map(LedgerTime::from_unix_micros);
        let denomination = Amount::try_from(row.denomination).map_err(|error| corrupt(&error))?;
        let id = row
            .id
            .try_into()
            .map_err(|_| corrupt(&"the id does not have 20 bytes"))?;
        let terms = MintKeyTerms::new(denomination, not_before, not_after, expiry)
            .map_err(|error| corrupt(&error))?;
        let issued = u64::try_from(row.issued).map_err(|error| corrupt(&error))?;
        let returned = u64::try_from(row.returned).map_err(|error| corrupt(&error))?;
        if returned > issued {
            return Err(corrupt(&"more coins came back than were signed"));
        }
        let recouped = u64::try_from(row.recouped).map_err(|error| corrupt(&error))?;
        if recouped > issued {
            return Err(corrupt(&"more coins were recouped than were signed"));
        }
        let stopped = row
            .stopped_reason
            .map(StopReason::new)
            .transpose()
            .map_err(|error| corrupt(&error))?;
        let fingerprint: [u8; 32] = row
            .fingerprint
            .try_into()
            .map_err(|_| corrupt(&"the fingerprint does not have 32 bytes"))?;
        let modulus_bytes = u16::try_from(row.modulus_bytes).map_err(|error| corrupt(&error))?;
        let identity = MintKeyIdentity::new(KeyFingerprint::new(fingerprint), modulus_bytes);
        let (no, id, retired, pruned, awaits_log) = (
            MintKeyNo::new(row.no),
            MintKeyId::new(id),
            row.retired,
            row.pruned,
            row.awaits_log,
        );
        Ok(Self {
            no,
            id,
            identity,
            terms,
            issued,
            returned,
            recouped,
            stopped,
            retired,
            pruned,
            awaits_log,
        })
    }
}

/// Converts a row of `spent`.
///
/// # Errors
/// The digest does not have 32 bytes.
pub fn spent(mint_key_no: i32, spent_digest: Vec<u8>) -> Result<(MintKeyNo, SpentDigest), LedgerError> {
    let row = || format!("spent coin of mint key number {mint_key_no}");
    Ok((MintKeyNo::new(mint_key_no), digest_of_coin(spent_digest, row)?))
}

fn digest_of_coin(bytes: Vec<u8>, row: impl Fn() -> String) -> Result<SpentDigest, LedgerError> {
    let bytes = bytes
        .try_into()
        .map_err(|_| LedgerError::corrupt(row(), "the digest does not have 32 bytes"))?;
    Ok(SpentDigest::new(bytes))
}

/// Converts a row of `recouped`.
///
/// # Errors
/// A digest does not have 32 bytes.
pub fn recouped(
    mint_key_no: i32,
    issued_digest: Vec<u8>,
    spent_digest: Vec<u8>,
) -> Result<Recouped, LedgerError> {
    let row = || format!("recouped coin of mint key number {mint_key_no}");
    let issued_digest = issued_digest
        .try_into()
        .map_err(|_| LedgerError::corrupt(row(), "the blind's digest does not have 32 bytes"))?;
    Ok(Recouped {
        mint_key: MintKeyNo::new(mint_key_no),
        issued_digest: IssuedDigest::new(issued_digest),
        spent_digest: digest_of_coin(spent_digest, row)?,
    })
}

/// Compares the counters of a mint key, `[returned, recouped]`, with its numbers of rows in the tables
/// `spent` and `recouped`.
///
/// # Errors
/// They differ, so the table is damaged. A prune would hide that.
pub fn check_coins(id: MintKeyId, counted: [i64; 2], rows: [i64; 2]) -> Result<(), LedgerError> {
    for (table, (counted, rows)) in ["spent", "recouped"]
        .into_iter()
        .zip(counted.into_iter().zip(rows))
    {
        if rows != counted {
            return Err(LedgerError::corrupt(
                format!("table {table} of mint key {id}"),
                format!("it has {rows} coins, not {counted} as counted; nothing was deleted; run an audit"),
            ));
        }
    }
    Ok(())
}

/// Converts the columns of `transactions` that a decision needs.
///
/// # Errors
/// The kind is unknown, the digest does not have 32 bytes, or the amount is negative.
pub fn recorded(
    id: i64,
    kind: i16,
    content: Vec<u8>,
    amount: i64,
    log_batch: Option<i32>,
) -> Result<Recorded, LedgerError> {
    let row = || format!("transaction {id}");
    let kind =
        Kind::from_code(kind).ok_or_else(|| LedgerError::corrupt(row(), format!("unknown kind {kind}")))?;
    let content = content
        .try_into()
        .map_err(|_| LedgerError::corrupt(row(), "the digest does not have 32 bytes"))?;
    let amount = Amount::try_from(amount).map_err(|error| LedgerError::corrupt(row(), error))?;
    Ok(Recorded {
        kind,
        content: ContentDigest::new(content),
        amount,
        log_batch: self::log_batch(log_batch).map_err(|error| LedgerError::corrupt(row(), error))?,
    })
}

/// The rows from which the decision on a transaction reference is known.
#[derive(Debug)]
pub struct StoredTransaction {
    /// `id` of the row of `transactions`
    pub id: i64,
    /// `kind`
    pub kind: i16,
    /// `applied_at`
    pub applied_at: i64,
    /// `issued`
    pub issued: Option<Vec<u8>>,
    /// `log_batch`
    pub log_batch: Option<i32>,
    /// `blinds` of the row of `blinds`, if there is one
    pub blinds: Option<Vec<u8>>,
    /// `paused` of the row of `signing`
    pub signing_paused: bool,
    /// `id` of the mint keys that are stopped
    pub stopped: Vec<Vec<u8>>,
    /// `no` of the mint keys that are pruned
    pub pruned: Vec<i32>,
}

/// The decision on a transaction reference.
///
/// # Errors
/// The row has a kind without a transaction reference, its blinds cannot be decoded, or they are missing
/// although none of their keys was pruned.
pub fn transaction(row: &StoredTransaction) -> Result<Transaction, LedgerError> {
    let &StoredTransaction {
        id,
        kind,
        applied_at,
        signing_paused,
        ref stopped,
        ..
    } = row;
    let corrupt =
        |reason: &dyn ToString| LedgerError::corrupt(format!("transaction {id}"), reason.to_string());
    let kind = match Kind::from_code(kind) {
        Some(Kind::Mint | Kind::MintAgain) => AcceptedKind::Mint,
        Some(Kind::Renew | Kind::RenewAgain) => AcceptedKind::Renew,
        Some(Kind::Recoup | Kind::RecoupAgain) => AcceptedKind::Recoup,
        Some(Kind::GiveUpMint) => return Ok(Transaction::GivenUp),
        _ => return Err(corrupt(&format!("kind {kind} has no transaction reference"))),
    };
    let Some(blinds) = &row.blinds else {
        let issued = row.issued.as_deref().unwrap_or_default();
        let issued = IssuedCounts::from_bytes(issued).map_err(|error| corrupt(&error))?;
        return if issued.iter().any(|(no, _)| row.pruned.contains(&no.get())) {
            Ok(Transaction::Expired)
        } else {
            Err(corrupt(
                &"its blinds are missing, although none of their mint keys was pruned",
            ))
        };
    };
    let blinds = stored_blinds(id, blinds)?;
    let is_stopped = |key: &MintKeyId| stopped.iter().any(|stopped| stopped[..] == key.as_bytes()[..]);
    let stopped = blinds
        .iter()
        .map(|blind| blind.mint_key)
        .filter(is_stopped)
        .collect();
    Ok(Transaction::Accepted(Accepted {
        kind,
        blinds,
        stopped,
        at: LedgerTime::from_unix_micros(applied_at),
        log_batch: log_batch(row.log_batch).map_err(|error| corrupt(&error))?,
        signing_paused,
    }))
}

/// The columns of `transactions` that say what a key has to sign.
#[derive(Debug)]
pub struct StoredUnsigned {
    /// `id`
    pub id: i64,
    /// `reference`
    pub reference: Vec<u8>,
    /// `blinds`
    pub blinds: Vec<u8>,
}

/// The transactions with unsigned blinds of this key. `rows` are the next rows of `transactions` in the key's
/// signing window, ascending, at most `rows_max`.
///
/// # Errors
/// A row has no transaction reference, or its blinds cannot be decoded.
pub fn unsigned(
    key: MintKeyId,
    rows_max: usize,
    rows: Vec<StoredUnsigned>,
) -> Result<UnsignedPage, LedgerError> {
    let last = rows.last().map(|row| TransactionNo::new(row.id));
    let next = last.filter(|_| rows.len() == rows_max);
    let mut transactions = Vec::new();
    for StoredUnsigned {
        id,
        reference,
        blinds,
    } in rows
    {
        let blinds = stored_blinds(id, &blinds)?;
        let waits =
            |blind: &StoredBlind| blind.mint_key == key && matches!(blind.number, StoredNumber::Blinded(_));
        if blinds.iter().any(waits) {
            let reference = ReferenceKey::from_bytes(reference).transaction();
            let missing =
                || LedgerError::corrupt(format!("transaction {id}"), "it has no transaction reference");
            transactions.push(UnsignedTransaction {
                no: TransactionNo::new(id),
                reference: reference.ok_or_else(missing)?,
                blinds,
            });
        }
    }
    Ok(UnsignedPage { transactions, next })
}

fn stored_blinds(id: i64, blinds: &[u8]) -> Result<Vec<StoredBlind>, LedgerError> {
    decode_blinds(blinds).map_err(|error| LedgerError::corrupt(format!("transaction {id}"), error))
}

/// Converts a stored number of a batch of the log.
///
/// # Errors
/// It is negative.
pub fn log_batch(number: Option<i32>) -> Result<Option<LogBatchNo>, TryFromIntError> {
    let batch = |number| u64::try_from(number).map(LogBatchNo::new);
    number.map(batch).transpose()
}

/// The number of a batch of the log as it is stored.
///
/// # Panics
/// The number is above 2^31: at one batch a second after 68 years.
#[must_use]
pub fn log_batch_column(batch: LogBatchNo) -> i32 {
    i32::try_from(batch.get()).expect("there are fewer batches")
}

/// Converts the columns of `log_head` that a decision needs: the open batch, and whether the log is halted.
///
/// # Errors
/// The number is negative.
pub fn open_log((batch, is_halted): (i32, bool)) -> Result<OpenLog, LedgerError> {
    let batch = u64::try_from(batch).map_err(|error| LedgerError::corrupt("row of log_head", error))?;
    Ok(OpenLog {
        batch: LogBatchNo::new(batch),
        is_halted,
    })
}

/// Converts the row of `signing`.
///
/// # Errors
/// The number of changes is negative.
pub fn signing(paused: bool, changes: i64) -> Result<Signing, LedgerError> {
    let changes = u64::try_from(changes).map_err(|error| LedgerError::corrupt("row of signing", error))?;
    Ok(Signing { paused, changes })
}
