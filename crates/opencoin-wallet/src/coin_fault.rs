//! Why a coin of a stack was not taken.

use chrono::{DateTime, Utc};
use thiserror::Error;

/// Why a coin of a stack was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CoinFault {
    /// The wallet does not know the currency.
    #[error(
        "it is of a currency that this wallet does not know ({issuer}); the coin says that its issuer is at \
         {hint:?}"
    )]
    UnknownCurrency {
        /// The currency's id.
        issuer: String,
        /// The issuer's URL according to the coin. It is not verified.
        hint: String,
    },
    /// The coin is of another known currency. One receive takes coins of one currency.
    #[error("it is of another currency ({0}); receive the stack once more for those")]
    OtherCurrency(String),
    /// The issuer does not know the coin's mint key.
    #[error("it names a mint key that the issuer does not know")]
    UnknownMintKey,
    /// The signature is not valid.
    #[error("it is not valid: its mint key did not sign it")]
    NotSigned,
    /// The coin has expired.
    #[error("it expired on {0}")]
    Expired(DateTime<Utc>),
    /// The mint key was revoked. The wallet that minted the coin can exchange it with a recoup.
    #[error("its mint key was revoked ({0}); the wallet that minted the coin can exchange it")]
    Revoked(String),
    /// The stack has the coin more than once.
    #[error("it is in the stack twice")]
    Repeated,
    /// The wallet has received the coin or is receiving it.
    #[error("it was received before")]
    ReceivedBefore,
    /// The coin was spent.
    #[error("it was spent before")]
    Spent,
    /// The issuer refused the coin for a temporary reason. The wallet keeps it and tries again.
    #[error("the issuer does not accept it now; the wallet keeps it and tries again")]
    Refused,
}

/// A coin of a stack that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("coins[{index}], which says that it is worth {denomination}: {fault}")]
pub struct LeftOut {
    /// The index in the stack, from 0.
    pub index: usize,
    /// The denomination according to the coin. It is not verified.
    pub denomination: u64,
    /// The reason.
    pub fault: CoinFault,
}
