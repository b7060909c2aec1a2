//! Why a transfer could not go on for now.

use opencoin_transfer::relay::CloseCode;
use opencoin_wallet::{NoAnswer, WalletError};
use thiserror::Error;

/// Why a transfer cannot go on. Nothing is lost: the record says where it stands.
#[derive(Debug, Error)]
pub enum TransferError {
    /// The wallet cannot be read or written.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// The relay cannot be used.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// A stored record cannot be read.
    #[error("the record of transfer {0} cannot be read; a newer program may have written it")]
    Record(String),
    /// The library refuses a key.
    #[error("the cryptographic library refuses the key of this transfer")]
    Key,
}

/// Why a relay cannot be used.
#[derive(Debug, Error)]
pub enum RelayError {
    /// It does not answer.
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    /// There is no relay at this URL.
    #[error("there is no relay at {0}")]
    NoRelay(String),
    /// It answers with this text.
    #[error("the relay refuses: {0}")]
    Refused(String),
    /// It ends the connection.
    #[error("{}", .0.text())]
    Closed(CloseCode),
    /// It does not follow the protocol.
    #[error("the relay at {0} does not speak the protocol of relays")]
    Protocol(String),
}

impl RelayError {
    /// Whether trying again may help.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        match self {
            Self::NoAnswer(_) | Self::Refused(_) => true,
            Self::NoRelay(_) | Self::Protocol(_) => false,
            Self::Closed(code) => code.is_temporary(),
        }
    }
}
