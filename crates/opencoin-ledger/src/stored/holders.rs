//! Rows of sessions, services, entries, payouts and waiting mints, and rules that all stores share.

use sha2::{Digest, Sha256};

use crate::accounts::FAILED_LOGINS_KEPT_HOURS;
use crate::journal::{CONTENT_DIGEST_BYTES, ContentDigest, Kind, ReferenceKey};
use crate::view::{AccountState, PayoutState, WaitingState};
use crate::{
    Account, AccountEntry, AccountId, AccountName, AccountStatus, Amount, Bearer, Blind, Credential, DueMint,
    EntryNo, FailedLogins, LedgerError, LedgerTime, PasswordHash, Payout, PayoutNo, Profile, Reference,
    Scope, Service, ServiceId, Settlement, StoredBlind, TokenHash, WaitingMint, decode_blinds,
};

/// A row of `services`.
#[derive(Debug)]
pub struct StoredService {
    /// `id`
    pub id: String,
    /// `account`
    pub account: i64,
    /// `name`
    pub name: String,
    /// `scopes`
    pub scopes: i16,
    /// `key_hash`
    pub key: Vec<u8>,
    /// `key_at`
    pub key_at: i64,
    /// `last_seen`
    pub last_seen: Option<i64>,
}

impl TryFrom<StoredService> for Service {
    type Error = LedgerError;

    fn try_from(row: StoredService) -> Result<Self, LedgerError> {
        let corrupt =
            |reason: &dyn ToString| LedgerError::corrupt(format!("service {}", row.id), reason.to_string());
        Ok(Self {
            id: ServiceId::new(&*row.id).map_err(|error| corrupt(&error))?,
            account: AccountId::new(row.account),
            name: row.name.parse().map_err(|error| corrupt(&error))?,
            scopes: Scope::from_bits(row.scopes).ok_or_else(|| corrupt(&"it has unknown scopes"))?,
            key: TokenHash::new(
                row.key
                    .as_slice()
                    .try_into()
                    .map_err(|_| corrupt(&"the key's hash does not have 32 bytes"))?,
            ),
            key_at: LedgerTime::from_unix_micros(row.key_at),
            last_seen: row.last_seen.map(LedgerTime::from_unix_micros),
        })
    }
}

/// The owner of a token: a row of `accounts`, or a row of `sessions` with its row of `services`, if any.
#[derive(Debug)]
pub struct StoredBearer {
    /// `id` of the account, or `account` of the session.
    pub account: i64,
    /// Whether the token is a session's.
    pub is_session: bool,
    /// `service` of the session.
    pub service: Option<String>,
    /// `scopes` of the service.
    pub scopes: Option<i16>,
    /// `last_seen` of the service.
    pub last_seen: Option<i64>,
}

impl TryFrom<StoredBearer> for Bearer {
    type Error = LedgerError;

    fn try_from(row: StoredBearer) -> Result<Self, LedgerError> {
        let StoredBearer {
            account,
            is_session,
            service,
            scopes,
            last_seen,
        } = row;
        let corrupt = |reason: &str| LedgerError::corrupt(format!("session of account {account}"), reason);
        let credential = match (is_session, service) {
            (false, _) => Credential::AccountToken,
            (true, None) => Credential::PasswordSession,
            (true, Some(service)) => Credential::ServiceSession {
                service: ServiceId::new(service)
                    .map_err(|_| corrupt("the id of its service is not valid"))?,
                scopes: scopes
                    .and_then(Scope::from_bits)
                    .ok_or_else(|| corrupt("its service has no known scopes"))?,
                last_seen: last_seen.map(LedgerTime::from_unix_micros),
            },
        };
        Ok(Self {
            account: AccountId::new(account),
            credential,
        })
    }
}

/// A row of `transactions` for one of its accounts.
#[derive(Debug)]
pub struct StoredEntry {
    /// `id`
    pub id: i64,
    /// `debit_entry` or `credit_entry`, whichever is of the account
    pub no: Option<i64>,
    /// `kind`
    pub kind: i16,
    /// `reference`
    pub reference: Vec<u8>,
    /// `debit_account`
    pub debit: Option<i64>,
    /// `amount`
    pub amount: i64,
    /// `applied_at`
    pub at: i64,
    /// `label`
    pub label: Option<String>,
    /// `name` of the other account, if that is a holder's.
    pub counterparty: Option<String>,
}

impl StoredEntry {
    /// The row as an entry of this account.
    ///
    /// # Errors
    /// The kind is unknown, the amount is negative, or the name is not valid.
    pub fn of(self, account: AccountId) -> Result<AccountEntry, LedgerError> {
        let id = self.id;
        let corrupt =
            |reason: &dyn ToString| LedgerError::corrupt(format!("transaction {id}"), reason.to_string());
        let kind =
            Kind::from_code(self.kind).ok_or_else(|| corrupt(&format!("unknown kind {}", self.kind)))?;
        let counterparty = self
            .counterparty
            .map(|name| name.parse())
            .transpose()
            .map_err(|error| corrupt(&error))?;
        let payment = || {
            ReferenceKey::from_bytes(self.reference)
                .payment()
                .map(str::to_owned)
        };
        Ok(AccountEntry {
            no: EntryNo::new(self.no.ok_or_else(|| corrupt(&"the entry has no number"))?),
            at: LedgerTime::from_unix_micros(self.at),
            kind,
            amount: Amount::try_from(self.amount).map_err(|error| corrupt(&error))?,
            received: self.debit != Some(account.get()),
            counterparty,
            label: self.label.or_else(payment),
        })
    }
}

/// A row of `payouts`.
#[derive(Debug)]
pub struct StoredPayout {
    /// `no`
    pub no: i64,
    /// `account`
    pub account: i64,
    /// `amount`
    pub amount: i64,
    /// `destination`
    pub destination: String,
    /// `reference`
    pub reference: Vec<u8>,
    /// `requested_at`
    pub requested_at: i64,
    /// `paid`, `settlement` and `settled_at`: all of them or none.
    pub settled: (Option<bool>, Option<String>, Option<i64>),
}

impl TryFrom<StoredPayout> for PayoutState {
    type Error = LedgerError;

    fn try_from(row: StoredPayout) -> Result<Self, LedgerError> {
        let corrupt =
            |reason: &dyn ToString| LedgerError::corrupt(format!("payout {}", row.no), reason.to_string());
        let text = |text: String| Reference::new(text).map_err(|error| corrupt(&error));
        let settled = match row.settled {
            (None, None, None) => None,
            (Some(paid), Some(settlement), Some(at)) => {
                let settlement = text(settlement)?;
                let settlement = if paid {
                    Settlement::Paid(settlement)
                } else {
                    Settlement::Failed(settlement)
                };
                Some((settlement, LedgerTime::from_unix_micros(at)))
            }
            _ => return Err(corrupt(&"only a part of its settlement is set")),
        };
        Ok(Self {
            no: PayoutNo::new(row.no),
            account: AccountId::new(row.account),
            amount: Amount::try_from(row.amount).map_err(|error| corrupt(&error))?,
            destination: text(row.destination)?,
            request: ReferenceKey::from_bytes(row.reference),
            requested: LedgerTime::from_unix_micros(row.requested_at),
            settled,
        })
    }
}

impl PayoutState {
    /// Adds what a payout says of its account.
    #[must_use]
    pub fn of_account(self, name: AccountName, status: AccountStatus) -> Payout {
        let Self {
            no,
            account,
            amount,
            destination,
            request: _,
            requested,
            settled,
        } = self;
        Payout {
            no,
            account,
            name,
            is_frozen: status == AccountStatus::Frozen,
            amount,
            destination,
            requested,
            settled,
        }
    }
}

/// Converts a row of `payouts` with `name` and `status` from `accounts`.
///
/// # Errors
/// A column makes no sense.
pub fn payout(row: StoredPayout, name: &str, status: i16) -> Result<Payout, LedgerError> {
    let place = || format!("account {}", row.account);
    let name = name
        .parse()
        .map_err(|error| LedgerError::corrupt(place(), error))?;
    let status = AccountStatus::from_code(status);
    let status = status.ok_or_else(|| LedgerError::corrupt(place(), "the status is unknown"))?;
    Ok(PayoutState::try_from(row)?.of_account(name, status))
}

/// A row of `waiting_mints` without its blinds.
#[derive(Debug)]
pub struct StoredWaiting {
    /// `reference`
    pub reference: Vec<u8>,
    /// `account`
    pub account: i64,
    /// `content`
    pub content: Vec<u8>,
    /// `amount`
    pub amount: i64,
    /// `asked_at`
    pub asked_at: i64,
    /// `expires_at`
    pub expires_at: i64,
}

impl StoredWaiting {
    /// Names the account and not the reference, which is secret and must not be logged.
    fn corrupt(&self, reason: impl ToString) -> LedgerError {
        LedgerError::corrupt(format!("waiting mint of account {}", self.account), reason)
    }

    /// Converts the row, with the column `blinds`.
    ///
    /// # Errors
    /// The row makes no sense.
    pub fn mint(self, blinds: &[u8]) -> Result<WaitingMint, LedgerError> {
        let blinds = decode_blinds(blinds).map_err(|error| self.corrupt(error))?;
        let blinds: Option<Vec<Blind>> = blinds.into_iter().map(StoredBlind::blinded).collect();
        let blinds = blinds.ok_or_else(|| self.corrupt("it has signatures"))?;
        let state = waiting_state(self)?;
        let due = due_mint(state.reference.as_bytes(), state.asked.unix_micros())?;
        Ok(WaitingMint {
            account: state.account,
            transaction_reference: due.reference,
            blinds,
            amount: state.amount,
            asked: state.asked,
            expires: state.expires,
        })
    }
}

/// Converts the columns `reference` and `asked_at` of `waiting_mints`.
///
/// # Errors
/// The reference is not a transaction reference.
pub fn due_mint(reference: &[u8], asked_at: i64) -> Result<DueMint, LedgerError> {
    let missing = || LedgerError::corrupt("waiting mint", "it has no transaction reference");
    let reference = ReferenceKey::from_bytes(reference).transaction();
    Ok(DueMint {
        asked: LedgerTime::from_unix_micros(asked_at),
        reference: reference.ok_or_else(missing)?,
    })
}

/// Converts the columns of `waiting_mints` that a decision needs.
///
/// # Errors
/// The row makes no sense.
pub fn waiting_state(row: StoredWaiting) -> Result<WaitingState, LedgerError> {
    let content = <[u8; CONTENT_DIGEST_BYTES]>::try_from(&row.content[..])
        .map_err(|_| row.corrupt("the digest does not have 32 bytes"))?;
    Ok(WaitingState {
        account: AccountId::new(row.account),
        content: ContentDigest::new(content),
        amount: Amount::try_from(row.amount).map_err(|error| row.corrupt(error))?,
        asked: LedgerTime::from_unix_micros(row.asked_at),
        expires: LedgerTime::from_unix_micros(row.expires_at),
        reference: ReferenceKey::from_bytes(row.reference),
    })
}

/// The profile of an account, with the columns `password_hash` and `listed`.
#[must_use]
pub fn profile(account: AccountState, password: Option<String>, listed: bool) -> Profile {
    Profile {
        account: Account::from(account),
        password: password.map(PasswordHash::new),
        listed,
    }
}

/// Converts a row of `failed_logins`.
///
/// # Errors
/// The count is negative.
pub fn failed_logins(count: i32, last: i64) -> Result<FailedLogins, LedgerError> {
    let count = u32::try_from(count).map_err(|error| LedgerError::corrupt("row of failed_logins", error))?;
    Ok(FailedLogins {
        count,
        last: Some(LedgerTime::from_unix_micros(last)),
    })
}

/// The time limit for failed logins: they are forgotten if the last one was at this time or before.
#[must_use]
pub fn failed_logins_over(now: LedgerTime) -> LedgerTime {
    const HOUR_MICROS: i64 = 3_600_000_000;
    LedgerTime::from_unix_micros(
        now.unix_micros()
            .saturating_sub(FAILED_LOGINS_KEPT_HOURS * HOUR_MICROS),
    )
}

/// The key of a row of `failed_logins`. It is a hash because unknown names are counted as well, and people
/// may type a password there by mistake.
#[must_use]
pub fn login_key(name: &AccountName) -> [u8; 32] {
    Sha256::digest(name.as_str()).into()
}

/// The error for an account that is not stored. Accounts are never deleted, so its row was lost.
#[must_use]
pub fn missing_account(account: AccountId) -> LedgerError {
    LedgerError::corrupt(format!("{account:?}"), "its row is missing")
}

/// Checks that an account can have a token, a password, sessions and services. Callers have refused others before.
///
/// # Errors
/// It belongs to a key.
pub fn require_holder(account: AccountId) -> Result<(), LedgerError> {
    if account.is_key_account() {
        let reason = "it belongs to a key, and has no token, password or service";
        return Err(LedgerError::corrupt(format!("{account:?}"), reason));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_makes_no_sense_is_named() {
        let payout = |amount, settled| {
            let (destination, reference) = ("x".into(), vec![10]);
            StoredPayout {
                no: 7,
                account: 3,
                amount,
                destination,
                reference,
                requested_at: 0,
                settled,
            }
        };
        assert!(PayoutState::try_from(payout(5, (None, None, None))).is_ok());
        assert!(PayoutState::try_from(payout(5, (Some(true), Some("y".into()), Some(1)))).is_ok());
        for row in [
            payout(-1, (None, None, None)),
            payout(5, (Some(true), None, Some(1))),
        ] {
            assert!(
                matches!(PayoutState::try_from(row), Err(LedgerError::Corrupt { row, .. }) if row == "payout 7")
            );
        }
        let bearer = |scopes| StoredBearer {
            account: 3,
            is_session: true,
            service: Some("0".repeat(32)),
            scopes,
            last_seen: None,
        };
        assert!(Bearer::try_from(bearer(Some(7))).is_ok());
        for scopes in [None, Some(8), Some(-1)] {
            assert!(
                Bearer::try_from(bearer(scopes)).is_err(),
                "a session without the scopes of its service is of no use"
            );
        }
    }
}
