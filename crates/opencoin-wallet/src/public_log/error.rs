//! What can be wrong with a public log, in words for the user.

use opencoin_log_reader::LogReadError;
use thiserror::Error;

/// Why the wallet does not believe the public log, or cannot read it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LogError {
    /// The log cannot be read, or its files and signatures are not as they must be.
    #[error(transparent)]
    Read(#[from] LogReadError),
    /// The currency's description names a log in a form that cannot be read.
    #[error("the currency's description names its public log in a form that cannot be read: {0}")]
    Block(String),
    /// The currency had a log before, and its newest description names none.
    #[error("the currency's description no longer names a public log, as it did before")]
    Dropped,
    /// The currency's description does not say where the log is.
    #[error("the currency's description does not say where its public log is")]
    NoUrl,
    /// The issuer's list of key accounts, or an account, is not what the log has.
    #[error("what the issuer says of key accounts is not what its public log has: {0}")]
    WrongAccounts(&'static str),
    /// The issuer and the log, or the copy that was read, do not have the same newest batch.
    #[error("the issuer and the public log do not show the same newest batch yet")]
    OtherMoment,
    /// Reading takes longer than the wallet waits.
    #[error("the public log cannot be read in time: it has taken more than {0} seconds")]
    TooSlow(u64),
    /// The log has signed two different histories.
    #[error(
        "the public log has shown this wallet two different histories. Each is signed by the log, which proves \
         that the issuer has shown different logs to different people"
    )]
    SplitView,
    /// The log is smaller than before.
    #[error("the public log shows {now} entries, but it has shown {before} before")]
    Smaller {
        /// The size that the wallet has seen.
        before: u64,
        /// The size that is shown now.
        now: u64,
    },
    /// The log does not have a mint key that the issuer uses.
    #[error(
        "mint key {0} is not in the public log. An issuer could give a single wallet a key of its own and recognise \
         its coins by it"
    )]
    KeyNotInLog(String),
    /// The log has another certificate under the mint key's place.
    #[error("the public log has another mint key, or another certificate, in the place of mint key {0}")]
    OtherKey(String),
    /// The answer to an accepted request had no promise.
    #[error(
        "the issuer has carried out request number {0} but has not promised that it will be in the public log. The \
         coins are safe; the fault is noted"
    )]
    NoPromise(u64),
    /// The promise is not for the request, or not by the promise key.
    #[error(
        "the issuer has carried out request number {operation}, but its promise for the public log is not valid: \
         {reason}. The coins are safe; the fault is noted"
    )]
    WrongPromise {
        /// The number of the request.
        operation: u64,
        /// What is wrong.
        reason: String,
    },
}

impl LogError {
    /// Whether another attempt or another copy of the log may succeed, and nothing is wrong with the issuer.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        match self {
            Self::Read(error) => error.is_temporary(),
            error => matches!(error, Self::TooSlow(_) | Self::NoUrl),
        }
    }
}
