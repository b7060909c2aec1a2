//! Why a coin of a stack was not taken.

use chrono::{DateTime, Utc};
use thiserror::Error;

/// Why a coin of a stack was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CoinFault {
    /// It is of a currency that the wallet does not know.
    #[error(
        "it is of a currency that this wallet does not know ({issuer}); the coin says that its issuer is at {hint:?}"
    )]
    UnknownCurrency {
        /// The currency's id.
        issuer: String,
        /// What the coin says about where it is. Anybody can write that.
        hint: String,
    },
    /// It is of another currency that the wallet knows, which is taken by itself.
    #[error("it is of another currency ({0}); receive the stack once more for those")]
    OtherCurrency(String),
    /// The issuer does not know the mint key that it names.
    #[error("it names a mint key that the issuer does not know")]
    UnknownMintKey,
    /// The mint key that it names did not sign it.
    #[error("it is not valid: its mint key did not sign it")]
    NotSigned,
    /// No issuer takes it any more.
    #[error("it expired on {0}")]
    Expired(DateTime<Utc>),
    /// Its mint key was revoked. Whoever made it gets a fresh one by a recoup.
    #[error("its mint key was revoked ({0}); whoever made the coin gets a fresh one for it")]
    Revoked(String),
    /// It is in the stack more than once.
    #[error("it is in the stack twice")]
    Repeated,
    /// The wallet has it, or is receiving it.
    #[error("it was received before")]
    ReceivedBefore,
    /// Somebody has spent it.
    #[error("it was spent before")]
    Spent,
    /// The issuer does not take it now. The wallet holds it and tries again.
    #[error("the issuer does not take it now; the wallet keeps it and tries again")]
    Refused,
}

/// A coin of a stack that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("coins[{index}], which says that it is worth {denomination}: {fault}")]
pub struct LeftOut {
    /// Its place in the stack, from 0.
    pub index: usize,
    /// What it says that it is worth.
    pub denomination: u64,
    /// Why it was left out.
    pub fault: CoinFault,
}
