//! What the public log has of a time that the books have lost.
//!
//! Books that were restored from a backup lack what was accepted since. The log has the coins and blinds of that time,
//! but not the accounts. So the money goes through the system account [`AccountId::RECOVERED`]: for each part of a batch
//! one record, as if this account had paid for all blinds, and had received all coins and payments. What it holds in the
//! end is what the lost time has changed in the accounts of holders, and the operator assigns it to them.
//!
//! [`AccountId::RECOVERED`]: crate::AccountId::RECOVERED

use opencoin_log::digest::IssuedDigest;
use opencoin_log::key_account::{Credit, Introduction, Payment};

use crate::log::LogBatchNo;
use crate::mint_key_no::MintKeyNo;
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
    /// A key that got an account.
    Introduced(Box<Introduction>),
    /// Money that a key account received, but not from another one. It comes from the recovered money.
    Credited(Box<Credit>),
    /// A payment by a key. It goes to the payee's key. If it was for a mint or to a holder, it is recovered money,
    /// which has paid for the mint already, or is to be assigned to the holder.
    PaidByKey(Box<Payment>),
    /// What the accounts owe after everything was booked: more was minted in the lost time than was redeemed and paid in,
    /// and no account has paid for it. The issuer bears it; not zero.
    Shortfall(Amount),
}

/// Where the log has a request of a lost time, and no wallet has got its signatures yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveredRequest {
    /// The batch that has all blinds of the request, and all coins of a renew.
    pub batch: LogBatchNo,
    /// The blinds, in the order of the request.
    pub blinds: Vec<(MintKeyNo, IssuedDigest)>,
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
