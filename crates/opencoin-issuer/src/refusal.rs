//! Why a request is refused: a fixed word for programs and a description for people.

use std::fmt;
use std::time::Instant;

use opencoin_ledger::{LedgerError, Refusal as LedgerRefusal};
use opencoin_log::LogThrottle;

static LEDGER_FAILURES: LogThrottle = LogThrottle::new();

/// The fixed words of the HTTP API. A client may rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Not JSON, unknown or missing field, wrong type, or a `type` that does not fit the path.
    Malformed,
    /// No token, or an unknown one.
    Unauthorized,
    /// The token is known and does not reach that far: a service outside its scopes, a holder at the
    /// operator API.
    Forbidden,
    /// The account has too little.
    InsufficientFunds,
    /// Unknown CDD serial, unknown transaction reference, unknown path.
    NotFound,
    /// A coin was spent before.
    DoubleSpend,
    /// The transaction reference was used for other content.
    ReferenceConflict,
    /// The name is taken.
    Exists,
    /// A mint key outside its signing window, or coins past their expiry.
    KeyExpired,
    /// A mint key was revoked: it signs nothing, and none of its coins are taken.
    KeyRevoked,
    /// The request *was accepted*, and a mint key of it was revoked since: what it was to sign is honoured by
    /// a recoup.
    Recoup,
    /// Too many blinds or coins, or too long a body.
    TooLarge,
    /// Well formed, but it cannot be right: signatures, mint keys, values.
    Invalid,
    /// More than the limits of one address allow, or too many guesses at a password: again after a while.
    TooManyRequests,
    /// Not now: the server is shutting down, or its database is away. Nothing is known to have been done; the
    /// same request may be sent again.
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
            Self::KeyExpired => "key-expired",
            Self::KeyRevoked => "key-revoked",
            Self::Recoup => "recoup",
            Self::TooLarge => "too-large",
            Self::Invalid => "invalid",
            Self::TooManyRequests => "too-many-requests",
            Self::Unavailable => "unavailable",
        }
    }
}

/// A request that was refused. Nothing has changed because of it, unless the reason is
/// [`Reason::Unavailable`], where it is not known and the same request must be sent again, or
/// [`Reason::Recoup`], where it was carried out before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The fixed word.
    pub reason: Reason,
    /// What is wrong, for the client. Never a secret, never what the server knows about itself.
    pub description: String,
    /// After how many seconds the client may ask again, where that is not the usual time.
    pub retry_after_s: Option<u32>,
    /// The coins of the request that the refusal is about, by their indices, ascending; empty where it is not
    /// about coins. There may be others that would be refused as well.
    pub coins: Vec<usize>,
}

impl Refusal {
    /// A refusal with a description for the client.
    pub fn new(reason: Reason, description: impl Into<String>) -> Self {
        Self {
            reason,
            description: description.into(),
            retry_after_s: None,
            coins: Vec::new(),
        }
    }

    /// The same refusal, about these coins of the request.
    #[must_use]
    pub fn about_coins(mut self, coins: Vec<usize>) -> Self {
        self.coins = coins;
        self
    }

    /// A refusal that holds for so many seconds, at least one.
    pub fn too_many_requests(retry_after_s: u32, description: impl Into<String>) -> Self {
        let mut refusal = Self::new(Reason::TooManyRequests, description);
        refusal.retry_after_s = Some(retry_after_s.max(1));
        refusal
    }

    /// The fixed text for anything that is the server's own trouble.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::new(
            Reason::Unavailable,
            "the issuer cannot answer now; send the same request again",
        )
    }
}

impl fmt::Display for Refusal {
    /// The text of `status_description`: it begins with the fixed word.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.reason.word(), self.description)
    }
}

impl std::error::Error for Refusal {}

impl From<LedgerRefusal> for Refusal {
    fn from(refusal: LedgerRefusal) -> Self {
        let reason = match refusal {
            LedgerRefusal::UnknownAccount => Reason::Unauthorized,
            LedgerRefusal::UnknownPayout => Reason::NotFound,
            LedgerRefusal::InsufficientFunds { .. } | LedgerRefusal::TooManyWaitingMints => {
                Reason::InsufficientFunds
            }
            LedgerRefusal::DoubleSpend { .. } | LedgerRefusal::RecoupedBefore { .. } => Reason::DoubleSpend,
            LedgerRefusal::ReferenceConflict => Reason::ReferenceConflict,
            LedgerRefusal::AccountExists | LedgerRefusal::TokenExists => Reason::Exists,
            LedgerRefusal::SigningWindowClosed { .. } | LedgerRefusal::CoinsExpired { .. } => {
                Reason::KeyExpired
            }
            LedgerRefusal::MintKeyStopped { .. } | LedgerRefusal::OverRedemption { .. } => Reason::KeyRevoked,
            LedgerRefusal::UnknownMintKey { .. }
            | LedgerRefusal::SigningWindowOpen { .. }
            | LedgerRefusal::CoinsNotExpired { .. }
            | LedgerRefusal::MintKeyNotStopped { .. }
            | LedgerRefusal::OverRecoup { .. }
            | LedgerRefusal::RepeatedRevokedBlind { .. }
            | LedgerRefusal::SameAccount
            | LedgerRefusal::RepeatedCoin { .. }
            | LedgerRefusal::RepeatedBlindReference { .. }
            | LedgerRefusal::Empty
            | LedgerRefusal::ValueMismatch { .. }
            | LedgerRefusal::Overflow
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
            // About the whole request, or about a mint key: whoever has the request finds its coins.
            _ => described,
        }
    }
}

/// The client learns that it should ask again, the log learns why.
pub fn unavailable(error: LedgerError) -> Refusal {
    if let Some(requests) = LEDGER_FAILURES.count(Instant::now()) {
        tracing::error!(%error, requests, "the ledger failed");
    }
    Refusal::unavailable()
}
