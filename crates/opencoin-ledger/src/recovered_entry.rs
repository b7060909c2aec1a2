//! The entries of recovered money: what a lost time has changed in accounts, and which accounts have got or given it.

use crate::journal::{IssuedCounts, Kind};
use crate::mint_key_no::MintKeyNo;
use crate::{AccountId, LedgerError, LedgerTime};

/// An entry of [`AccountId::RECOVERED`](crate::AccountId::RECOVERED).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveredEntry {
    /// What it is.
    pub kind: Kind,
    /// The holder's account; `None` if money of the lost time was booked.
    pub account: Option<AccountId>,
    /// What the system account received; below zero if it gave. In the smallest unit.
    pub received: i64,
    /// The signatures that were given again; empty for other kinds.
    pub signed_again: Vec<(MintKeyNo, u32)>,
    /// The issuer's time.
    pub at: LedgerTime,
}

impl RecoveredEntry {
    /// Reads the columns of a record: its kind, debit account, credit account, amount, signatures and time.
    ///
    /// # Errors
    /// They make no sense.
    pub fn from_columns(
        kind: i16,
        [debit, credit]: [i64; 2],
        amount: i64,
        issued: Option<&[u8]>,
        at: i64,
    ) -> Result<Self, LedgerError> {
        let corrupt = |reason: &str| LedgerError::corrupt("entry of recovered money", reason);
        let kind = Kind::from_code(kind).ok_or_else(|| corrupt("an unknown kind"))?;
        let issued = issued.filter(|_| kind.is_again());
        let issued = issued.map(IssuedCounts::from_bytes).transpose();
        let issued = issued.map_err(|error| corrupt(&error.to_string()))?;
        let accounts = [debit, credit].map(AccountId::new);
        let holders = accounts
            .into_iter()
            .filter(|account| *account >= AccountId::FIRST_HOLDER);
        Ok(Self {
            kind,
            account: holders.max(),
            received: if accounts[1] == AccountId::RECOVERED {
                amount
            } else {
                -amount
            },
            signed_again: issued.iter().flat_map(IssuedCounts::iter).collect(),
            at: LedgerTime::from_unix_micros(at),
        })
    }
}
