//! Why a wallet did not do what it was asked.

use chrono::{DateTime, Utc};
use opencoin_crypto::CertificateError;
use thiserror::Error;

use crate::client::ExchangeError;
use crate::coin_fault::LeftOut;
use crate::journal::JournalError;
use crate::tokenizing::NotRepresentable;
use crate::transport::NoAnswer;

/// Why a wallet did not do what it was asked. In every case the money is where it was, or the request is kept
/// and [`crate::Wallet::resume`] finishes it.
#[derive(Debug, Error)]
pub enum WalletError {
    /// The wallet's memory cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal contradicts itself.
    #[error("the wallet's journal makes no sense: {0}")]
    Inconsistent(String),
    /// The issuer refused, delayed, or did not answer.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// There is no way to the network.
    #[error(transparent)]
    Network(#[from] NoAnswer),
    /// Documents of the issuer do not verify.
    #[error("the issuer's documents do not verify: {0}")]
    Certificate(#[from] CertificateError),
    /// The issuer at this URL is not the one that was added.
    #[error("the issuer's master key has changed: this is another currency, {0}; nothing was taken from it")]
    MasterKeyChanged(String),
    /// No currency was added yet.
    #[error("this wallet knows no currency")]
    NoCurrency,
    /// The currency that was named is not among those of the wallet.
    #[error("the wallet holds no currency {wanted:?}; it holds {known}")]
    UnknownCurrencyName {
        /// What was named.
        wanted: String,
        /// What the wallet holds.
        known: String,
    },
    /// Several currencies, and none was named.
    #[error("this wallet holds several currencies; choose one: {0}")]
    WhichCurrency(String),
    /// Coins of a currency that was not added.
    #[error(
        "these are coins of a currency that this wallet does not know ({issuer}); they say that its issuer is at {hint:?}"
    )]
    UnknownCurrency {
        /// Its id.
        issuer: String,
        /// What the coins say about where it is. Anybody can write that.
        hint: String,
    },
    /// No send has this number.
    #[error("there is no send number {0}")]
    UnknownSend(u64),
    /// No request has this number.
    #[error("there is no request number {0}")]
    UnknownOperation(u64),
    /// The request, or the send, has ended.
    #[error("number {0} is not pending: it has ended")]
    NotPending(u64),
    /// The wallet holds too little.
    #[error("the wallet holds {balance}, needed are {needed}")]
    InsufficientFunds {
        /// What can be paid with.
        balance: u64,
        /// What was asked.
        needed: u64,
    },
    /// The account holds too little.
    #[error("the account holds {balance}, needed are {needed}; nothing was done")]
    AccountTooLow {
        /// What it holds.
        balance: u64,
        /// What was asked.
        needed: u64,
    },
    /// Coins of this wallet were spent elsewhere. They are dropped; the others are free.
    #[error(
        "coins of this wallet worth {0} were spent before, by a copy of the wallet perhaps. They were dropped, \
         and nothing else was done: with the coins that are left the same can be done again"
    )]
    SpentElsewhere(u64),
    /// No choice of coins makes the amount, and they cannot be changed now.
    #[error("the coins at hand do not make {0} exactly, and could not be changed into others")]
    NoExactCoins(u64),
    /// No coins make the amount.
    #[error(transparent)]
    NotRepresentable(#[from] NotRepresentable),
    /// So many coins that making them would take hours and gigabytes.
    #[error("this takes {coins} coins, more than {coins_max}; do it in smaller amounts")]
    TooManyCoins {
        /// How many it takes.
        coins: u64,
        /// How many are made at a time.
        coins_max: u64,
    },
    /// No coin of a stack can be taken: the first of them, and why.
    #[error("no coin of this stack can be taken: {0}")]
    NoGoodCoin(LeftOut),
    /// Nothing in it.
    #[error("the stack holds no coins")]
    EmptyStack,
    /// The stack was received before.
    #[error("this stack was received before")]
    ReceivedBefore,
    /// No key signs this denomination now.
    #[error("the issuer has no mint key that signs coins of {0} now")]
    NoMintKey(u64),
    /// No key signs now by this clock, which is not the issuer's.
    #[error(
        "by the clock of this machine it is {ours}, and by the issuer's {issuers}: no key signs at both. Set the \
         clock right"
    )]
    WrongClock {
        /// The time here.
        ours: DateTime<Utc>,
        /// The time there.
        issuers: DateTime<Utc>,
    },
    /// The issuer signed something else.
    #[error("the issuer has sent a signature that does not verify; the request is kept, tell the operator")]
    WrongSignature,
    /// A secret in the journal cannot be read, or a blind cannot be made.
    #[error("blinding failed: {0}")]
    Blinding(String),
    /// More money than a sum can hold.
    #[error("the amount is too large")]
    Overflow,
}
