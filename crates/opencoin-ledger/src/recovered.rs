//! What the public log has of a time that the books have lost.
//!
//! Books that were restored from a backup lack what was accepted since. The log has the coins and blinds of that time,
//! but not the accounts. So the money goes through the system account [`AccountId::RECOVERED`]: for each part of a batch
//! one record, as if this account had paid for all blinds, and had received all coins and payments. What it holds in the
//! end is what the lost time has changed in the accounts of holders, and the operator assigns it to them.
//!
//! [`AccountId::RECOVERED`]: crate::AccountId::RECOVERED

use opencoin_log::digest::IssuedDigest;

use crate::log::LogBatchNo;
use crate::{Amount, CoinIn, MintKeyId, RevokedBlind};

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

/// The way of [`Command::AssignRecovered`](crate::Command::AssignRecovered).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssignmentWay {
    /// The account receives money.
    ToAccount,
    /// The account gives money.
    FromAccount,
}
