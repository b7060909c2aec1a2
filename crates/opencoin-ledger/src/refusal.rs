//! Why a command cannot be: wrong input, a key or coin whose time is over, money that is not there.

use crate::{Amount, MintKeyId, WAITING_MINTS_PER_ACCOUNT_MAX};

/// Why a command was refused. The books are as before, with one exception: [`Refusal::OverRedemption`] stops
/// the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No account has this number.
    #[error("there is no such account")]
    UnknownAccount,
    /// The name is taken, by an account with another token.
    #[error("an account of this name exists already")]
    AccountExists,
    /// The token is that of an account with another name.
    #[error("the token belongs to another account")]
    TokenExists,
    /// A transfer from an account to itself.
    #[error("the money would move from an account to itself")]
    SameAccount,
    /// The account holds too little.
    #[error("the account holds {balance}, needed are {needed}")]
    InsufficientFunds {
        /// What it holds.
        balance: Amount,
        /// What the command takes.
        needed: Amount,
    },
    /// The account holds too little, and has as many waiting mints as it may.
    #[error(
        "the account holds too little, and no more than {WAITING_MINTS_PER_ACCOUNT_MAX} of its mints wait for money"
    )]
    TooManyWaitingMints,
    /// The reference stands for something else already; for a mint key: it is registered with other terms.
    #[error("the reference was used before, with other content")]
    ReferenceConflict,
    /// No key with this id was registered.
    #[error("{mint_key:?} is unknown")]
    UnknownMintKey {
        /// Which.
        mint_key: MintKeyId,
    },
    /// The key does not sign yet, or not any more, or it was retired or pruned.
    #[error("{mint_key:?} is outside its signing window")]
    SigningWindowClosed {
        /// Which.
        mint_key: MintKeyId,
    },
    /// The key may sign still, so its private half is needed.
    #[error("the signing window of {mint_key:?} has not ended yet")]
    SigningWindowOpen {
        /// Which.
        mint_key: MintKeyId,
    },
    /// The key's coins do not come back any more: their time is over, or the key was pruned.
    #[error("the coins of {mint_key:?} have expired")]
    CoinsExpired {
        /// Which.
        mint_key: MintKeyId,
    },
    /// The key's coins still come back, so its spent coins must stay known.
    #[error("the coins of {mint_key:?} have not expired yet")]
    CoinsNotExpired {
        /// Which.
        mint_key: MintKeyId,
    },
    /// The key was ended for good.
    #[error("{mint_key:?} was stopped")]
    MintKeyStopped {
        /// Which.
        mint_key: MintKeyId,
    },
    /// The key's coins come back as ever: they are renewed and not recouped.
    #[error("{mint_key:?} was not stopped")]
    MintKeyNotStopped {
        /// Which.
        mint_key: MintKeyId,
    },
    /// Coins came back before.
    #[error("coins were spent before: {indices:?}")]
    DoubleSpend {
        /// Which of the command's coins or revoked blinds, from 0, ascending.
        indices: Vec<usize>,
    },
    /// Blinds, or the coins that they are said to have become, were recouped before.
    #[error("blinds were recouped before: {indices:?}")]
    RecoupedBefore {
        /// Which of the command's revoked blinds, from 0, ascending.
        indices: Vec<usize>,
    },
    /// The same blind or the same coin twice in one recoup.
    #[error("revoked blind {index} repeats an earlier one")]
    RepeatedRevokedBlind {
        /// The second of the two, from 0.
        index: usize,
    },
    /// The same coin twice in one command.
    #[error("coin {index} repeats an earlier one")]
    RepeatedCoin {
        /// The second of the two, from 0.
        index: usize,
    },
    /// The same blind reference twice in one command.
    #[error("blind {index} repeats the reference of an earlier one")]
    RepeatedBlindReference {
        /// The second of the two, from 0.
        index: usize,
    },
    /// No coins, or no blinds.
    #[error("there are no coins or no blinds")]
    Empty,
    /// A renew or recoup whose coins are not worth what its blinds would be.
    #[error("the coins are worth {coins}, the blinds {blinds}")]
    ValueMismatch {
        /// The sum of the coins.
        coins: Amount,
        /// The sum of the blinds.
        blinds: Amount,
    },
    /// A sum or balance would be above [`Amount::MAX`].
    #[error("the sum is too large")]
    Overflow,
    /// More coins of the key would have come back than it signed: forged coins or a stolen key. The key is
    /// stopped.
    #[error("more coins of {mint_key:?} would come back than it signed; the key is stopped")]
    OverRedemption {
        /// Which.
        mint_key: MintKeyId,
    },
    /// More blinds of the key would be recouped than it was ever given: not all of them can have been
    /// accepted.
    #[error("more blinds of {mint_key:?} would be recouped than it signed")]
    OverRecoup {
        /// Which.
        mint_key: MintKeyId,
    },
    /// No payout has this number.
    #[error("there is no such payout")]
    UnknownPayout,
    /// A payment, transfer or payout of nothing.
    #[error("the amount is zero")]
    ZeroAmount,
}

impl Refusal {
    /// The mint key whose coins are not taken, where the refusal is about a mint key as a whole.
    #[must_use]
    pub fn mint_key_of_coins(&self) -> Option<MintKeyId> {
        match self {
            Self::CoinsExpired { mint_key }
            | Self::MintKeyStopped { mint_key }
            | Self::OverRedemption { mint_key } => Some(*mint_key),
            _ => None,
        }
    }
}
