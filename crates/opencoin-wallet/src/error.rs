//! Errors of the wallet.

use chrono::{DateTime, Utc};
use opencoin_crypto::CertificateError;
use opencoin_log::key_account::PaymentFault;
use opencoin_log_reader::LogReadError;
use thiserror::Error;

use crate::client::ExchangeError;
use crate::coin_fault::{LeftOut, faults_in_words};
use crate::key_account::PaymentProofError;
use crate::network::NoAnswer;
use crate::public_log::LogError;
use crate::storage::StorageError;
use crate::tokenizing::NotRepresentable;

/// Why an operation of the wallet failed. In every case the money is unchanged, or the request is kept and
/// [`crate::Wallet::resume`] finishes it.
#[derive(Debug, Error)]
pub enum WalletError {
    /// The wallet's rows cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The wallet's rows contradict each other.
    #[error("the wallet's file contradicts itself, so it is damaged or was changed: {0}")]
    Inconsistent(String),
    /// The issuer refused, delayed, or did not answer.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The network cannot be used.
    #[error(transparent)]
    Network(#[from] NoAnswer),
    /// The public log, or a promise about it, is not as it must be.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The issuer's documents do not verify.
    #[error("the issuer's documents are not genuine, or were changed on the way: {0}")]
    Certificate(#[from] CertificateError),
    /// Another issuer answers at the currency's URL.
    #[error("the issuer's master key has changed: this is another currency, {0}; nothing was taken from it")]
    MasterKeyChanged(String),
    /// The wallet has no currency.
    #[error("this wallet knows no currency")]
    NoCurrency,
    /// The wallet has no currency with this name or id.
    #[error("the wallet holds no currency {wanted:?}; it holds {known}")]
    UnknownCurrencyName {
        /// The name or id.
        wanted: String,
        /// The wallet's currencies.
        known: String,
    },
    /// The wallet has several currencies, and the user named none.
    #[error("this wallet holds several currencies; choose one: {0}")]
    WhichCurrency(String),
    /// The coins are of a currency that was not added.
    #[error(
        "these are coins of a currency that this wallet does not know ({issuer}); they say that its issuer \
         is at {hint:?}"
    )]
    UnknownCurrency {
        /// The currency's id.
        issuer: String,
        /// The issuer's URL according to the coins. It is not verified.
        hint: String,
    },
    /// No send has this number.
    #[error("there is no send number {0}")]
    UnknownSend(u64),
    /// No request has this number.
    #[error("there is no request number {0}")]
    UnknownOperation(u64),
    /// The request or send has ended.
    #[error("number {0} is not pending: it has ended")]
    NotPending(u64),
    /// Coins are reserved for this transfer, or on their way.
    #[error("the coins of transfer {0} are still reserved or on their way")]
    TransferHasCoins(String),
    /// The transfer has no coins for this step.
    #[error("transfer {0} has no coins that could leave, be released or come back")]
    TransferHasNoCoins(String),
    /// The issuer has not signed the coins of a code yet.
    #[error("the issuer has not signed the coins of this code yet; try again later")]
    CodeNotReady,
    /// The issuer knows no coins of a code.
    #[error("the issuer knows no coins for this code: they have expired, or the code was made up")]
    CodeWithoutCoins,
    /// The wallet was made from a phrase, and the requests of the lost wallet with this issuer were not looked for yet.
    #[error(
        "this wallet was restored from a backup phrase, and the coins of the issuer at {0} were not restored yet; that          must be done first"
    )]
    RestoreFirst(String),
    /// The currency has no public log.
    #[error("{0} has no public log, and key accounts need one")]
    NoLog(String),
    /// The wallet has no key account.
    #[error("this wallet has no key yet")]
    NoKey,
    /// The wallet has no such key.
    #[error("this wallet has no key that begins with {0}")]
    UnknownKey(String),
    /// The wallet has several keys, and the user named none.
    #[error("this wallet has several keys; choose one: {0}")]
    WhichKey(String),
    /// The key has no account yet.
    #[error("key {0} has no account yet")]
    KeyNotIntroduced(String),
    /// No such payment can be ordered.
    #[error(transparent)]
    PaymentOrder(#[from] PaymentFault),
    /// A payment was signed and may still be carried out.
    #[error("number {number} is a signed payment, which the issuer can still carry out until {until}")]
    PaymentPending {
        /// The number of the payment, or of the mint that it pays for.
        number: u64,
        /// When it ends.
        until: DateTime<Utc>,
    },
    /// There is no such payment, or this is not an id.
    #[error("there is no payment by key {0}")]
    UnknownPayment(String),
    /// The issuer's proof of a payment is wrong.
    #[error(transparent)]
    PaymentProof(#[from] PaymentProofError),
    /// The issuer's proof is of another payment.
    #[error("the issuer has sent the proof of another payment instead of {0}")]
    OtherPayment(String),
    /// Mint keys were not looked for in the log.
    #[error("a key account needs mint keys that were found in the public log")]
    KeysUnchecked,
    /// The wallet has no backup phrase.
    #[error("this wallet was made by an earlier version and has no backup phrase yet")]
    NoPhrase,
    /// The wallet has another backup phrase.
    #[error("this wallet has another backup phrase; restore into an empty folder")]
    OtherPhrase,
    /// A phrase of this number of words is not possible.
    #[error("a backup phrase has 12 or 24 words, not {0}")]
    PhraseWords(usize),
    /// The wallet's balance is too low.
    #[error("the wallet holds {balance}, but {needed} are needed")]
    InsufficientFunds {
        /// The spendable balance.
        balance: u64,
        /// The requested amount.
        needed: u64,
    },
    /// The account's balance is too low.
    #[error("the account holds {balance}, but {needed} are needed; nothing was done")]
    AccountTooLow {
        /// The account's balance.
        balance: u64,
        /// The requested amount.
        needed: u64,
    },
    /// Coins of this wallet were spent before. They are removed from the wallet; the others are free.
    #[error(
        "coins of this wallet worth {0} have already been spent, perhaps by a copy of the wallet. They were \
         removed, and nothing else was done; try again with the remaining coins"
    )]
    SpentElsewhere(u64),
    /// The wallet's coins do not make the amount exactly, and cannot be changed now.
    #[error("the wallet's coins do not make {0} exactly, and could not be changed")]
    NoExactCoins(u64),
    /// The currency's denominations do not make the amount.
    #[error(transparent)]
    NotRepresentable(#[from] NotRepresentable),
    /// The amount takes too many coins: they would take hours and gigabytes.
    #[error("this takes {coins} coins, more than {coins_max}; do it in smaller amounts")]
    TooManyCoins {
        /// The number of coins.
        coins: u64,
        /// The limit.
        coins_max: u64,
    },
    /// No coin of the stack can be received, with the reason of each.
    #[error("none of these coins can be received: {}", faults_in_words(.0, .0.len()))]
    NoGoodCoin(Vec<LeftOut>),
    /// The stack is empty.
    #[error("there are no coins in it")]
    EmptyStack,
    /// The stack was received before.
    #[error("this wallet has received these coins before")]
    ReceivedBefore,
    /// No key signs this denomination now.
    #[error("the issuer has no mint key that signs coins of {0} now")]
    NoMintKey(u64),
    /// No key signs now by the wallet's clock, which differs from the issuer's.
    #[error(
        "the clock of this machine says {ours}, the issuer's says {issuers}, so no mint key can be used. Set \
         the clock right"
    )]
    WrongClock {
        /// The wallet's time.
        ours: DateTime<Utc>,
        /// The issuer's time.
        issuers: DateTime<Utc>,
    },
    /// A signature of the issuer is wrong or missing.
    #[error(
        "the issuer has sent coins that are not valid; the wallet keeps the request, so tell the operator"
    )]
    WrongSignature,
    /// A secret of the wallet cannot be read, or blinding fails.
    #[error("coins cannot be made: {0}")]
    Blinding(String),
    /// The total would exceed [`opencoin_text::AMOUNT_MAX`].
    #[error("the amount is too large")]
    Overflow,
}

impl From<LogReadError> for WalletError {
    fn from(error: LogReadError) -> Self {
        Self::Log(error.into())
    }
}
