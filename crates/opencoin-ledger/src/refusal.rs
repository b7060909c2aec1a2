//! Why a command is refused: wrong input, an expired key or coin, or too little money.

use opencoin_log::key_account::PaymentFault;

use crate::{Amount, MintKeyId, ProposalNo, WAITING_MINTS_PER_ACCOUNT_MAX};

/// Why a command was refused. A refused command changes nothing, with one exception:
/// [`Refusal::OverRedemption`] stops the mint key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No account has this number.
    #[error("there is no such account")]
    UnknownAccount,
    /// The account is frozen, and its holder moves no money.
    #[error("the account is frozen; ask the operator")]
    AccountFrozen,
    /// The account is closed for good.
    #[error("the account is closed")]
    AccountClosed,
    /// The account that would receive a transfer is closed for good.
    #[error("there is no account of this name any more")]
    PayeeClosed,
    /// The account is not closed, because it holds money.
    #[error(
        "the account holds {balance}: an account is closed when it is empty; debit it or let its holder pay"
    )]
    AccountNotEmpty {
        /// The balance of the account.
        balance: Amount,
    },
    /// The account is not closed, because one of its payouts is not settled.
    #[error("a payout of the account is not settled: settle it first")]
    AccountHasPayouts,
    /// The account is not closed, because one of its mints waits for money.
    #[error("a mint of the account waits for money: close the account when that is over")]
    AccountHasWaitingMints,
    /// The name is taken by an account with another token.
    #[error("an account with this name exists already; choose another name")]
    AccountExists,
    /// The name is one that only the account of a key has.
    #[error("a name of 64 hexadecimal digits is that of a key's account; choose another name")]
    ReservedAccountName,
    /// The account belongs to a key, and the command is not a payment of the key.
    #[error("the account belongs to a key: its money moves only by payments that the key has signed")]
    KeyAccount,
    /// The key has no account.
    #[error("the key has no account; introduce it first")]
    UnknownKey,
    /// The key is not canonical, or not one that every library verifies in the same way.
    #[error("the key cannot have an account; make another key")]
    WeakKey,
    /// The challenge of an introduction has ended.
    #[error("the challenge has expired; ask for another one")]
    ChallengeExpired,
    /// A payment is for another log.
    #[error("the payment is for another currency: its domain must be that of this log")]
    WrongDomain,
    /// The order of a payment has ended.
    #[error("the payment has expired; sign another one")]
    PaymentExpired,
    /// A payment has another number than the next one of its payer.
    #[error("the next payment of the key has the number {expected}")]
    WrongSeq {
        /// The next number.
        expected: u64,
    },
    /// The details of a payment do not commit to this mint or account.
    #[error("the details of the payment are not those of this request")]
    WrongDetails,
    /// A payment has another kind of payee than the command, or another key.
    #[error("the payment is for another payee")]
    WrongPayee,
    /// A payment that nobody can order.
    #[error("{0}")]
    Payment(PaymentFault),
    /// The payment for a mint has another amount than its blinds.
    #[error("the payment is for {payment}, but the blinds are worth {blinds}; they must be equal")]
    PaymentMismatch {
        /// The amount of the payment.
        payment: Amount,
        /// The total value of the blinds.
        blinds: Amount,
    },
    /// An account with another name has this token.
    #[error("the token belongs to another account")]
    TokenExists,
    /// A transfer names the same account twice.
    #[error("an account cannot transfer money to itself")]
    SameAccount,
    /// The account holds too little.
    #[error("the account holds {balance}, but {needed} are needed")]
    InsufficientFunds {
        /// The balance of the account.
        balance: Amount,
        /// The amount that the command takes.
        needed: Amount,
    },
    /// The account holds too little and has the maximum number of waiting mints.
    #[error(
        "the account holds too little, and {WAITING_MINTS_PER_ACCOUNT_MAX} of its mints wait for money already; try again later"
    )]
    TooManyWaitingMints,
    /// The reference was used for another command, or the mint key is registered with other terms.
    #[error("the reference was used before with other content; use a new reference")]
    ReferenceConflict,
    /// No key with this id was registered.
    #[error("{mint_key:?} is unknown")]
    UnknownMintKey {
        /// The id of the key.
        mint_key: MintKeyId,
    },
    /// The signing window has not begun or has ended, or the key was retired or pruned.
    #[error("{mint_key:?} is outside its signing window")]
    SigningWindowClosed {
        /// The id of the key.
        mint_key: MintKeyId,
    },
    /// The key can still sign, so it must not be retired.
    #[error("the signing window of {mint_key:?} has not ended yet")]
    SigningWindowOpen {
        /// The id of the key.
        mint_key: MintKeyId,
    },
    /// The key's coins are no longer taken: they have expired, or the key was pruned.
    #[error("the coins of {mint_key:?} have expired")]
    CoinsExpired {
        /// The id of the key.
        mint_key: MintKeyId,
    },
    /// The key's coins are still taken, so its spent coins must not be forgotten.
    #[error("the coins of {mint_key:?} have not expired yet")]
    CoinsNotExpired {
        /// The id of the key.
        mint_key: MintKeyId,
    },
    /// The key was stopped, by an operator or because of an over-redemption.
    #[error("{mint_key:?} was stopped")]
    MintKeyStopped {
        /// The id of the key.
        mint_key: MintKeyId,
    },
    /// A recoup names a key that was not stopped. Its coins can be renewed.
    #[error("{mint_key:?} was not stopped; renew its coins instead")]
    MintKeyNotStopped {
        /// The id of the key.
        mint_key: MintKeyId,
    },
    /// Coins were renewed or redeemed before.
    #[error("coins were spent before: {indices:?}")]
    DoubleSpend {
        /// The indices of the command's coins or revoked blinds, from 0, ascending.
        indices: Vec<usize>,
    },
    /// Blinds, or the coins named with them, were recouped before.
    #[error("blinds were recouped before: {indices:?}")]
    RecoupedBefore {
        /// The indices of the command's revoked blinds, from 0, ascending.
        indices: Vec<usize>,
    },
    /// A recoup has the same blind or the same coin twice.
    #[error("revoked blind {index} repeats an earlier one")]
    RepeatedRevokedBlind {
        /// The index of the second one, from 0.
        index: usize,
    },
    /// A command has the same coin twice.
    #[error("coin {index} repeats an earlier one")]
    RepeatedCoin {
        /// The index of the second one, from 0.
        index: usize,
    },
    /// A command has the same blind reference twice.
    #[error("blind {index} repeats the reference of an earlier one")]
    RepeatedBlindReference {
        /// The index of the second one, from 0.
        index: usize,
    },
    /// The command has no coins or no blinds.
    #[error("there are no coins or no blinds")]
    Empty,
    /// The coins of a renew or recoup and its blinds have different values.
    #[error("the coins are worth {coins}, but the blinds {blinds}; the values must be equal")]
    ValueMismatch {
        /// The total value of the coins.
        coins: Amount,
        /// The total value of the blinds.
        blinds: Amount,
    },
    /// A sum or balance would be above [`Amount::MAX`].
    #[error("the sum is too large")]
    Overflow,
    /// More coins of the key would come back than it signed, so coins were forged or the key was stolen. The
    /// key is stopped.
    #[error("more coins of {mint_key:?} would come back than it signed; the key is stopped")]
    OverRedemption {
        /// The id of the key.
        mint_key: MintKeyId,
    },
    /// More blinds of the key would be recouped than it signed, so some of them were never accepted.
    #[error("more blinds of {mint_key:?} would be recouped than it signed")]
    OverRecoup {
        /// The id of the key.
        mint_key: MintKeyId,
    },
    /// The key does not sign yet, because its leaf is not under a published checkpoint of the log.
    #[error("{mint_key:?} is not in the published log yet; try again in a moment")]
    MintKeyNotLogged {
        /// The id of the key.
        mint_key: MintKeyId,
    },
    /// A rule of the log was broken, so nothing is accepted.
    #[error("the public log was stopped because one of its rules would be broken; the operator knows more")]
    LogHalted,
    /// The currency has no log.
    #[error("the currency has no public log")]
    NoLog,
    /// A log is opened without the totals of the money that is there.
    #[error(
        "the currency had coins or money before its log: stop all servers, and run `opencoin log enable`"
    )]
    LogAfterMoney,
    /// A log is opened with other totals than those of the books.
    #[error("the books have changed since they were read: stop all servers, and try again")]
    BooksChanged,
    /// Something is recovered for a batch of the log that is not the open one.
    #[error("another batch of the public log is open; is a server running?")]
    OtherLogBatch,
    /// A request of a lost time is signed again, but the log does not have it, or somebody has got its signatures.
    #[error(
        "this was signed again under another reference a moment ago, or the public log does not have it; send it again"
    )]
    NotRecovered,
    /// More recovered money is assigned than there is.
    #[error(
        "less recovered money is left than that; `opencoin log recovered` shows it. Debit accounts first"
    )]
    MoreThanRecovered,
    /// A log is opened without the certificate of a registered mint key.
    #[error("the certificate of a registered mint key is missing")]
    CertificateMissing,
    /// A document is longer than an entry of the log can be.
    #[error("the document is too long for the public log: it has room for 65,533 bytes")]
    DocumentTooLong,
    /// No payout has this number.
    #[error("there is no such payout")]
    UnknownPayout,
    /// No proposal has this number.
    #[error("there is no such proposal")]
    UnknownProposal,
    /// An operator wants to carry out a proposal of their own.
    #[error("another operator must carry this out; whoever has proposed it can only withdraw it")]
    OwnProposal,
    /// The proposal was declined or withdrawn.
    #[error("the proposal was declined; propose it again")]
    ProposalDeclined,
    /// Something else with the same reference, payout or line of the bank waits for a second operator.
    #[error("proposal {} with the same reference and other content waits for a second person; decline it first", .no.get())]
    OtherProposal {
        /// Its number.
        no: ProposalNo,
    },
    /// The amount of a payment, transfer or payout is zero.
    #[error("the amount must be at least 1")]
    ZeroAmount,
}

impl Refusal {
    /// The mint key whose coins are refused, if all coins of the key are.
    #[must_use]
    pub fn mint_key_of_coins(&self) -> Option<MintKeyId> {
        match self {
            Self::CoinsExpired { mint_key }
            | Self::MintKeyStopped { mint_key }
            | Self::OverRedemption { mint_key } => Some(*mint_key),
            Self::UnknownAccount
            | Self::AccountFrozen
            | Self::AccountClosed
            | Self::PayeeClosed
            | Self::AccountNotEmpty { .. }
            | Self::AccountHasPayouts
            | Self::AccountHasWaitingMints
            | Self::AccountExists
            | Self::ReservedAccountName
            | Self::KeyAccount
            | Self::UnknownKey
            | Self::WeakKey
            | Self::ChallengeExpired
            | Self::WrongDomain
            | Self::PaymentExpired
            | Self::WrongSeq { .. }
            | Self::WrongDetails
            | Self::WrongPayee
            | Self::Payment(_)
            | Self::PaymentMismatch { .. }
            | Self::TokenExists
            | Self::SameAccount
            | Self::InsufficientFunds { .. }
            | Self::TooManyWaitingMints
            | Self::ReferenceConflict
            | Self::UnknownMintKey { .. }
            | Self::SigningWindowClosed { .. }
            | Self::SigningWindowOpen { .. }
            | Self::CoinsNotExpired { .. }
            | Self::MintKeyNotStopped { .. }
            | Self::DoubleSpend { .. }
            | Self::RecoupedBefore { .. }
            | Self::RepeatedRevokedBlind { .. }
            | Self::RepeatedCoin { .. }
            | Self::RepeatedBlindReference { .. }
            | Self::Empty
            | Self::ValueMismatch { .. }
            | Self::Overflow
            | Self::OverRecoup { .. }
            | Self::MintKeyNotLogged { .. }
            | Self::LogHalted
            | Self::NoLog
            | Self::LogAfterMoney
            | Self::BooksChanged
            | Self::OtherLogBatch
            | Self::NotRecovered
            | Self::MoreThanRecovered
            | Self::CertificateMissing
            | Self::DocumentTooLong
            | Self::UnknownPayout
            | Self::UnknownProposal
            | Self::OwnProposal
            | Self::ProposalDeclined
            | Self::OtherProposal { .. }
            | Self::ZeroAmount => None,
        }
    }
}
