//! What can be wrong with a public log, in words for the user.

use thiserror::Error;

/// Why the wallet does not believe the public log, or cannot read it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LogError {
    /// The currency's description names a log in a form that cannot be read.
    #[error("the currency's description names its public log in a form that cannot be read: {0}")]
    Block(String),
    /// The currency had a log before, and its newest description names none.
    #[error("the currency's description no longer names a public log, as it did before")]
    Dropped,
    /// The currency's description does not say where the log is.
    #[error("the currency's description does not say where its public log is")]
    NoUrl,
    /// The log does not answer, or not with what was asked for.
    #[error("the public log cannot be read: {url}: {reason}")]
    Unreachable {
        /// The URL of the request.
        url: String,
        /// The cause.
        reason: String,
    },
    /// Reading takes longer than the wallet waits.
    #[error("the public log cannot be read in time: it has taken more than {0} seconds")]
    TooSlow(u64),
    /// Reading takes more requests or bytes than the wallet spends on it.
    #[error("the public log cannot be read: a check takes more files or bytes than it should")]
    TooMuch,
    /// The log's key did not sign the checkpoint.
    #[error("the checkpoint of the public log is not signed by the log: {0}")]
    NotSigned(String),
    /// Too few witnesses have cosigned the checkpoint.
    #[error("the checkpoint of the public log is not cosigned by the witnesses that the currency names: {0}")]
    NoQuorum(String),
    /// The files do not belong to the checkpoint.
    #[error("the files of the public log do not belong to its checkpoint; another copy of it may be good")]
    OtherFiles,
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
    /// The batches of the log are not as they must be.
    #[error("the public log is in disorder: {0}")]
    Disorder(&'static str),
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
        matches!(
            self,
            Self::Unreachable { .. } | Self::TooSlow(_) | Self::TooMuch | Self::OtherFiles | Self::NoUrl
        )
    }
}
