//! Stored rows on their way back into the books. A store reads the columns; whether they make sense is judged here, once.
//!
//! A row that makes no sense is [`LedgerError::Corrupt`], named by table and key. It is never repaired or skipped.

use crate::journal::{ContentDigest, Kind, Recorded};
use crate::view::{AccountState, MintKeyNo, MintKeyState, Pruned, Signing};
use crate::{
    Accepted, AcceptedKind, Account, AccountId, Amount, LedgerError, LedgerTime, MintKeyId, MintKeyTerms, PayloadHash,
    StopReason, TokenHash, decode_blinds,
};

/// A row of `accounts`.
#[derive(Debug)]
pub struct StoredAccount {
    /// `id`
    pub id: i64,
    /// `name`
    pub name: String,
    /// `token_hash`
    pub token_hash: Vec<u8>,
    /// `balance`
    pub balance: i64,
}

/// A row of `mint_keys`.
#[derive(Debug)]
pub struct StoredMintKey {
    /// `no`
    pub no: i32,
    /// `id`
    pub id: Vec<u8>,
    /// `denomination`
    pub denomination: i64,
    /// `sign_not_before`, `sign_not_after`, `coins_expiry`
    pub dates: [i64; 3],
    /// `issued`
    pub issued: i64,
    /// `returned`
    pub returned: i64,
    /// `stopped_reason`
    pub stopped_reason: Option<String>,
    /// `pruned`
    pub pruned: bool,
}

impl TryFrom<StoredAccount> for AccountState {
    type Error = LedgerError;

    fn try_from(row: StoredAccount) -> Result<Self, LedgerError> {
        let corrupt = |reason: &dyn ToString| LedgerError::corrupt(format!("account {}", row.id), reason.to_string());
        let id = AccountId::new(row.id);
        if id < AccountId::FIRST_HOLDER {
            return Err(corrupt(&"the number is reserved"));
        }
        let token_hash = row.token_hash.try_into().map_err(|_| corrupt(&"the token hash has not 32 bytes"))?;
        Ok(Self {
            id,
            name: row.name.parse().map_err(|error| corrupt(&error))?,
            token_hash: TokenHash::new(token_hash),
            balance: Amount::try_from(row.balance).map_err(|error| corrupt(&error))?,
        })
    }
}

impl From<AccountState> for Account {
    fn from(state: AccountState) -> Self {
        let AccountState { id, name, token_hash: _, balance } = state;
        Self { id, name, balance }
    }
}

impl TryFrom<StoredMintKey> for MintKeyState {
    type Error = LedgerError;

    fn try_from(row: StoredMintKey) -> Result<Self, LedgerError> {
        let corrupt = |reason: &dyn ToString| LedgerError::corrupt(format!("mint key number {}", row.no), reason.to_string());
        let [not_before, not_after, expiry] = row.dates.map(LedgerTime::from_unix_micros);
        let denomination = Amount::try_from(row.denomination).map_err(|error| corrupt(&error))?;
        let id = row.id.try_into().map_err(|_| corrupt(&"the id has not 20 bytes"))?;
        let terms = MintKeyTerms::new(denomination, not_before, not_after, expiry).map_err(|error| corrupt(&error))?;
        let issued = u64::try_from(row.issued).map_err(|error| corrupt(&error))?;
        let returned = u64::try_from(row.returned).map_err(|error| corrupt(&error))?;
        if returned > issued {
            return Err(corrupt(&"more coins came back than were signed"));
        }
        let stopped = row.stopped_reason.map(StopReason::new).transpose().map_err(|error| corrupt(&error))?;
        Ok(Self { no: MintKeyNo::new(row.no), id: MintKeyId::new(id), terms, issued, returned, stopped, pruned: row.pruned })
    }
}

/// A row of `spent`.
///
/// # Errors
/// The hash has no bytes or too many.
pub fn spent(mint_key_no: i32, payload_hash: &[u8]) -> Result<(MintKeyNo, PayloadHash), LedgerError> {
    let corrupt = |error| LedgerError::corrupt(format!("spent coin of mint key number {mint_key_no}"), error);
    Ok((MintKeyNo::new(mint_key_no), PayloadHash::new(payload_hash).map_err(corrupt)?))
}

/// Judges the deletion of a pruned key's rows of `spent`.
///
/// # Errors
/// There were more or fewer than coins were counted. The deletion must be undone: it would hide that.
pub fn deleted(key: &Pruned, rows: u64) -> Result<(), LedgerError> {
    if rows == key.rows {
        return Ok(());
    }
    let reason = format!("it holds {rows} coins, counted are {}; nothing was deleted, an audit says more", key.rows);
    Err(LedgerError::corrupt(format!("table spent of mint key number {}", key.mint_key.get()), reason))
}

/// What a decision needs of a row of `transactions`.
///
/// # Errors
/// The digest has another length, or the amount is below zero.
pub fn recorded(id: i64, content: Vec<u8>, amount: i64) -> Result<Recorded, LedgerError> {
    let row = || format!("transaction {id}");
    let content = content.try_into().map_err(|_| LedgerError::corrupt(row(), "the digest has not 32 bytes"))?;
    let amount = Amount::try_from(amount).map_err(|error| LedgerError::corrupt(row(), error))?;
    Ok(Recorded { content: ContentDigest::new(content), amount })
}

/// What is to be signed, of a row of `transactions` and that of `signing`.
///
/// # Errors
/// The row is not a mint or renew, or its blinds cannot be read.
pub fn accepted(
    id: i64,
    kind: i16,
    applied_at: i64,
    blinds: Option<&[u8]>,
    signing_paused: bool,
) -> Result<Accepted, LedgerError> {
    let corrupt = |reason: &dyn ToString| LedgerError::corrupt(format!("transaction {id}"), reason.to_string());
    let kind = match Kind::from_code(kind) {
        Some(Kind::Mint) => AcceptedKind::Mint,
        Some(Kind::Renew) => AcceptedKind::Renew,
        _ => return Err(corrupt(&format!("a transaction reference with kind {kind}"))),
    };
    let blinds = blinds.ok_or_else(|| corrupt(&"it has no blinds"))?;
    let blinds = decode_blinds(blinds).map_err(|error| corrupt(&error))?;
    Ok(Accepted { kind, blinds, at: LedgerTime::from_unix_micros(applied_at), signing_paused })
}

/// The row of `signing`.
///
/// # Errors
/// The count of changes is below zero.
pub fn signing(paused: bool, changes: i64) -> Result<Signing, LedgerError> {
    let changes = u64::try_from(changes).map_err(|error| LedgerError::corrupt("row of signing", error))?;
    Ok(Signing { paused, changes })
}
