//! What the public log has of a time that the books have lost.
//!
//! Books that were restored from a backup lack what was accepted since. The log has the coins and blinds of that time,
//! but not the accounts. So the money goes through the system account [`AccountId::RECOVERED`]: for each part of a batch
//! one record, as if this account had paid for all blinds, and had received all coins and payments. What it holds in the
//! end is what the lost time has changed in the accounts of holders, and the operator assigns it to them.
//!
//! [`AccountId::RECOVERED`]: crate::AccountId::RECOVERED

use opencoin_log::digest::IssuedDigest;

use crate::journal::{IssuedCounts, Kind};
use crate::log::LogBatchNo;
use crate::mint_key_no::MintKeyNo;
use crate::{AccountId, Amount, CoinIn, LedgerError, LedgerTime, MintKeyId, RevokedBlind};

/// A part of a batch that the books lack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The batch, which is open.
    pub batch: LogBatchNo,
    /// What it is.
    pub part: RecoveredPart,
}

/// The kinds of [`Recovered`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecoveredPart {
    /// Blinds that were accepted; not empty. Their mint keys sign.
    Issued(Vec<RecoveredBlind>),
    /// Coins that came back; not empty.
    Spent(Vec<CoinIn>),
    /// Recouped blinds and coins; not empty. The log does not say which coin came from which blind, so the pairs mean
    /// nothing.
    Recouped(Vec<RevokedBlind>),
    /// Money that was paid in; not zero.
    PaidIn(Amount),
    /// Money that was paid out; not zero.
    PaidOut(Amount),
}

/// A blind that was accepted in a lost time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecoveredBlind {
    /// The key that signs it.
    pub mint_key: MintKeyId,
    /// Its digest, as in the log.
    pub issued_digest: IssuedDigest,
}

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

/// The way of [`Command::AssignRecovered`](crate::Command::AssignRecovered).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssignmentWay {
    /// The account receives money.
    ToAccount,
    /// The account gives money.
    FromAccount,
}
