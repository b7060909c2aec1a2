//! Refusals of requests: a fixed word for programs and a description for people.

use std::fmt;
use std::time::Instant;

use opencoin_ledger::{LedgerError, Refusal as LedgerRefusal};
use opencoin_log::key_account::PaymentFault;
use opencoin_logging::LogThrottle;

static LEDGER_FAILURES: LogThrottle = LogThrottle::new();

/// The fixed words of the HTTP API. A client may rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Not JSON, unknown or missing field, wrong type, or a `type` that does not fit the path.
    Malformed,
    /// The token is missing or unknown.
    Unauthorized,
    /// The token is known and does not permit this: a service outside its scopes, a holder at the operator API.
    Forbidden,
    /// The balance of the account is too low.
    InsufficientFunds,
    /// Unknown CDD serial, transaction reference or path.
    NotFound,
    /// A coin was spent before.
    DoubleSpend,
    /// The transaction reference was used for other content.
    ReferenceConflict,
    /// The name is taken.
    Exists,
    /// Booking a statement would do something else than the preview that the operator has seen.
    PreviewChanged,
    /// It was decided before in another way.
    Decided,
    /// Another operator must do it.
    SecondPerson,
    /// A mint key is outside its signing window, or coins have expired.
    KeyExpired,
    /// A mint key was revoked: it signs nothing, and its coins are refused.
    KeyRevoked,
    /// The request *was accepted*, but a mint key was revoked since: its blinds are honoured by a recoup.
    Recoup,
    /// Too many blinds or coins, or the body is too long.
    TooLarge,
    /// Well formed but wrong: signatures, mint keys, values.
    Invalid,
    /// No key account has this key.
    UnknownKey,
    /// The number of a payment by key is not the next one of its payer.
    WrongSequence,
    /// A payment by key came after its end.
    PaymentExpired,
    /// A payment by key is for another log.
    WrongDomain,
    /// The amount of a payment by key is 0, too large, no whole number, or not the value of the coins to mint.
    WrongAmount,
    /// Payer and payee of a payment by key are the same.
    PaymentToItself,
    /// The memo of a payment by key is too long or has control characters.
    WrongMemo,
    /// A key is not one that an account can have.
    WeakKey,
    /// A payment or redeem by key is not signed by its key.
    WrongSignature,
    /// The details of a payment by key do not commit to this mint or account, or its payee does not fit the request.
    WrongDetails,
    /// A challenge is not one of this issuer for this key.
    WrongChallenge,
    /// The time of a challenge is over.
    ChallengeExpired,
    /// An introduction of a key lacks the proof of work.
    NoProofOfWork,
    /// Above the rate limit of one address, or too many wrong passwords. Retry later.
    TooManyRequests,
    /// The server is shutting down, overloaded or without its database. The request may or may not have been carried
    /// out; retry it.
    Unavailable,
}

impl Reason {
    /// The fixed word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::InsufficientFunds => "insufficient-funds",
            Self::NotFound => "not-found",
            Self::DoubleSpend => "double-spend",
            Self::ReferenceConflict => "reference-conflict",
            Self::Exists => "exists",
            Self::PreviewChanged => "preview-changed",
            Self::Decided => "decided",
            Self::SecondPerson => "second-person",
            Self::KeyExpired => "key-expired",
            Self::KeyRevoked => "key-revoked",
            Self::Recoup => "recoup",
            Self::TooLarge => "too-large",
            Self::Invalid => "invalid",
            Self::UnknownKey => "unknown-key",
            Self::WrongSequence => "wrong-sequence",
            Self::PaymentExpired => "payment-expired",
            Self::WrongDomain => "wrong-domain",
            Self::WrongAmount => "wrong-amount",
            Self::PaymentToItself => "payment-to-itself",
            Self::WrongMemo => "wrong-memo",
            Self::WeakKey => "weak-key",
            Self::WrongSignature => "wrong-signature",
            Self::WrongDetails => "wrong-details",
            Self::WrongChallenge => "wrong-challenge",
            Self::ChallengeExpired => "challenge-expired",
            Self::NoProofOfWork => "no-proof-of-work",
            Self::TooManyRequests => "too-many-requests",
            Self::Unavailable => "unavailable",
        }
    }
}

/// A refused request. It has changed nothing, with two exceptions: after [`Reason::Unavailable`] the outcome is
/// unknown and the same request must be retried, and with [`Reason::Recoup`] it was carried out before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The fixed word.
    pub reason: Reason,
    /// The error, for the client. Contains no secret and no internals of the server.
    pub description: String,
    /// The seconds after which the client may retry, if they differ from the default.
    pub retry_after_s: Option<u32>,
    /// The indices of the refused coins in the request, ascending; empty if the refusal is not about coins. Other
    /// coins may be wrong as well.
    pub coins: Vec<usize>,
    /// Where the public log has the first of these coins, if they were spent before.
    pub log_index: Option<u64>,
    /// The next number of the payer, with [`Reason::WrongSequence`].
    pub expected_seq: Option<u64>,
}

impl Refusal {
    /// A refusal with a description for the client.
    pub fn new(reason: Reason, description: impl Into<String>) -> Self {
        Self {
            reason,
            description: description.into(),
            retry_after_s: None,
            coins: Vec::new(),
            log_index: None,
            expected_seq: None,
        }
    }

    /// The same refusal, about these coins of the request.
    #[must_use]
    pub fn about_coins(mut self, coins: Vec<usize>) -> Self {
        self.coins = coins;
        self
    }

    /// A refusal after which the client may retry in this number of seconds, at least 1.
    pub fn too_many_requests(retry_after_s: u32, description: impl Into<String>) -> Self {
        let mut refusal = Self::new(Reason::TooManyRequests, description);
        refusal.retry_after_s = Some(retry_after_s.max(1));
        refusal
    }

    /// The refusal of a payment by key that does not have the next number of its payer.
    #[must_use]
    pub fn wrong_sequence(expected: u64) -> Self {
        let description = format!(
            "payment.seq: the next payment of this key has the number {expected}; sign it with that one"
        );
        let mut refusal = Self::new(Reason::WrongSequence, description);
        refusal.expected_seq = Some(expected);
        refusal
    }

    /// The refusal with a fixed text for every internal error.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::new(
            Reason::Unavailable,
            "the issuer cannot answer now; send the same request again",
        )
    }
}

impl fmt::Display for Refusal {
    /// Writes the text of `status_description`, which begins with the fixed word.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.reason.word(), self.description)
    }
}

impl std::error::Error for Refusal {}

impl From<LedgerRefusal> for Refusal {
    fn from(refusal: LedgerRefusal) -> Self {
        let reason = match refusal {
            LedgerRefusal::UnknownAccount => Reason::Unauthorized,
            LedgerRefusal::WrongSeq { expected } => return Self::wrong_sequence(expected),
            LedgerRefusal::Payment(fault) => return fault.into(),
            LedgerRefusal::UnknownPayout | LedgerRefusal::UnknownProposal | LedgerRefusal::PayeeClosed => {
                Reason::NotFound
            }
            LedgerRefusal::AccountFrozen | LedgerRefusal::AccountClosed => Reason::Forbidden,
            LedgerRefusal::OwnProposal => Reason::SecondPerson,
            LedgerRefusal::ProposalDeclined => Reason::Decided,
            LedgerRefusal::UnknownKey => Reason::UnknownKey,
            LedgerRefusal::WeakKey => Reason::WeakKey,
            LedgerRefusal::ChallengeExpired => Reason::ChallengeExpired,
            LedgerRefusal::WrongDomain => Reason::WrongDomain,
            LedgerRefusal::PaymentExpired => Reason::PaymentExpired,
            LedgerRefusal::WrongDetails | LedgerRefusal::WrongPayee => Reason::WrongDetails,
            LedgerRefusal::PaymentMismatch { .. } => Reason::WrongAmount,
            LedgerRefusal::InsufficientFunds { .. } | LedgerRefusal::TooManyWaitingMints => {
                Reason::InsufficientFunds
            }
            LedgerRefusal::DoubleSpend { .. } | LedgerRefusal::RecoupedBefore { .. } => Reason::DoubleSpend,
            LedgerRefusal::ReferenceConflict | LedgerRefusal::OtherProposal { .. } => {
                Reason::ReferenceConflict
            }
            LedgerRefusal::AccountExists | LedgerRefusal::TokenExists => Reason::Exists,
            LedgerRefusal::SigningWindowClosed { .. } | LedgerRefusal::CoinsExpired { .. } => {
                Reason::KeyExpired
            }
            LedgerRefusal::MintKeyStopped { .. } | LedgerRefusal::OverRedemption { .. } => Reason::KeyRevoked,
            // The log catches up in a moment, or the operator is alarmed.
            LedgerRefusal::MintKeyNotLogged { .. }
            | LedgerRefusal::LogHalted
            | LedgerRefusal::NotRecovered => Reason::Unavailable,
            LedgerRefusal::UnknownMintKey { .. }
            | LedgerRefusal::SigningWindowOpen { .. }
            | LedgerRefusal::CoinsNotExpired { .. }
            | LedgerRefusal::MintKeyNotStopped { .. }
            | LedgerRefusal::OverRecoup { .. }
            | LedgerRefusal::RepeatedRevokedBlind { .. }
            | LedgerRefusal::SameAccount
            | LedgerRefusal::ReservedAccountName
            | LedgerRefusal::KeyAccount
            | LedgerRefusal::AccountNotEmpty { .. }
            | LedgerRefusal::AccountHasPayouts
            | LedgerRefusal::AccountHasWaitingMints
            | LedgerRefusal::RepeatedCoin { .. }
            | LedgerRefusal::RepeatedBlindReference { .. }
            | LedgerRefusal::Empty
            | LedgerRefusal::ValueMismatch { .. }
            | LedgerRefusal::Overflow
            | LedgerRefusal::NoLog
            | LedgerRefusal::LogAfterMoney
            | LedgerRefusal::BooksChanged
            | LedgerRefusal::OtherLogBatch
            | LedgerRefusal::MoreThanRecovered
            | LedgerRefusal::CertificateMissing
            | LedgerRefusal::DocumentTooLong
            | LedgerRefusal::ZeroAmount => Reason::Invalid,
        };
        let described = Self::new(reason, refusal.to_string());
        match refusal {
            LedgerRefusal::DoubleSpend { indices } | LedgerRefusal::RecoupedBefore { indices } => {
                described.about_coins(indices)
            }
            LedgerRefusal::RepeatedCoin { index } | LedgerRefusal::RepeatedRevokedBlind { index } => {
                described.about_coins(vec![index])
            }
            // About the whole request or a mint key. `apply_to_coins` finds the coins of a mint key.
            _ => described,
        }
    }
}

impl From<PaymentFault> for Refusal {
    fn from(fault: PaymentFault) -> Self {
        let (field, reason) = match fault {
            PaymentFault::Amount => ("amount", Reason::WrongAmount),
            PaymentFault::Memo => ("memo", Reason::WrongMemo),
            PaymentFault::Seq => ("seq", Reason::WrongSequence),
            PaymentFault::ToItself => ("to", Reason::PaymentToItself),
        };
        Self::new(reason, format!("payment.{field}: {fault}"))
    }
}

/// Logs the error and returns the refusal that makes the client retry.
pub fn unavailable(error: LedgerError) -> Refusal {
    if let Some(requests) = LEDGER_FAILURES.count(Instant::now()) {
        tracing::error!(%error, requests, "the ledger failed");
    }
    Refusal::unavailable()
}
/// The refusal of a transaction whose signatures are of no use any more.
pub(crate) fn coins_expired() -> Refusal {
    Refusal::new(
        Reason::KeyExpired,
        "this transaction was carried out, but all of its coins have expired, and the issuer has deleted their blinds",
    )
}
