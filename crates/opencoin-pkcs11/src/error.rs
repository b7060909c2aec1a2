//! Errors of tokens. Their texts tell operators what to do.

use std::path::PathBuf;

use cryptoki::error::{Error, RvError};
use opencoin_crypto::{KeyError, KeyStoreError};
use thiserror::Error;

/// A token cannot be used. The texts hold no secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TokenError {
    /// The file does not exist.
    #[error("there is no PKCS#11 module {}: install the token's driver, or correct the path", .0.display())]
    ModuleMissing(PathBuf),
    /// The file is not a PKCS#11 module.
    #[error("{} is not a PKCS#11 module for this machine ({reason}): the path must name the library of the token's driver", path.display())]
    NotAModule {
        /// The file.
        path: PathBuf,
        /// The error of loading it.
        reason: String,
    },
    /// No token has this label. It may be connected later.
    #[error("there is no token \"{label}\"; {}", others(found, *blank))]
    NoToken {
        /// The configured label.
        label: String,
        /// The labels of the tokens that were found.
        found: Vec<String>,
        /// Whether an uninitialised token was found.
        blank: bool,
    },
    /// The label is not unique.
    #[error("{count} tokens have the label \"{label}\": give each its own label, or remove the others")]
    SeveralTokens {
        /// The label.
        label: String,
        /// The number of tokens with this label.
        count: usize,
    },
    /// The token's user has no PIN.
    #[error(
        "the token \"{0}\" has no PIN for its user: its security officer must set one (pkcs11-tool --init-pin)"
    )]
    PinMissing(String),
    /// The token does not accept the PIN, which is not tried again.
    #[error("the token \"{label}\" {refusal}")]
    PinRefused {
        /// The token.
        label: String,
        /// The reason.
        refusal: PinRefusal,
    },
    /// The token lacks a mechanism that mint keys need.
    #[error(
        "the token \"{label}\" does not do {mechanism}, without which it cannot keep mint keys: use another one"
    )]
    MechanismMissing {
        /// The token.
        label: String,
        /// The mechanism, by its name in PKCS#11.
        mechanism: &'static str,
    },
    /// The token allows fewer sessions.
    #[error(
        "the token \"{label}\" allows {sessions_max} sessions; {sessions} signing sessions and a few others are too many: set fewer"
    )]
    TooManySessions {
        /// The token.
        label: String,
        /// The configured number.
        sessions: usize,
        /// The token's limit.
        sessions_max: u64,
    },
    /// Mint keys cannot have this size in any store.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The token makes no keys of this size.
    #[error(
        "the token makes RSA keys of {bits_min} to {bits_max} bits, none of {bits}: ask for another size"
    )]
    KeySize {
        /// The requested size.
        bits: usize,
        /// The smallest size.
        bits_min: usize,
        /// The largest size.
        bits_max: usize,
    },
    /// The token refuses to make the key for another reason.
    #[error(
        "the token makes no key of {bits} bits ({code}): it may be full, or its settings may forbid such keys"
    )]
    KeyRefused {
        /// The requested size.
        bits: usize,
        /// The reason, by its name in PKCS#11.
        code: String,
    },
    /// The token made an unsuitable key, which was destroyed.
    #[error(
        "the token made a key {0}; the key was destroyed, and this token cannot keep mint keys with its current settings"
    )]
    KeyUnfit(String),
    /// The token made an unsuitable key and does not destroy it.
    #[error(
        "the token made a key {reason}, and does not destroy it ({code}): destroy it with the token's own tool"
    )]
    KeyUnfitAndKept {
        /// What is wrong with it.
        reason: String,
        /// The reason, by its name in PKCS#11.
        code: String,
    },
    /// A call failed for an unknown reason.
    #[error("the token answers with an error ({function}: {code}); its own log may say more")]
    Call {
        /// The function, by its name in PKCS#11.
        function: String,
        /// The reason, by its name in PKCS#11.
        code: String,
    },
    /// The module does not follow PKCS#11.
    #[error("the PKCS#11 module does not follow PKCS#11: {0}")]
    Module(String),
    /// The connection was lost during a call. Try again.
    #[error("the token is not reachable; the next request tries again")]
    Lost,
    /// The system cannot start the threads.
    #[error("the system cannot start the signing threads: {0}")]
    Threads(String),
}

/// The reason why a token does not accept a PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PinRefusal {
    /// The PIN is wrong.
    #[error(
        "refuses the PIN: correct it and start again; it is not tried a second time, because a token locks itself after a few \
         wrong ones"
    )]
    Incorrect,
    /// There were too many wrong PINs.
    #[error("is locked after too many wrong PINs: its security officer must set a new one")]
    Locked,
    /// One more wrong PIN would lock the token.
    #[error(
        "locks itself after one more wrong PIN, so it is not tried: log in once with another tool (pkcs11-tool --login \
         --list-objects) and start again"
    )]
    LastTry,
    /// The PIN must be changed.
    #[error("requires a new PIN first (pkcs11-tool --login --change-pin)")]
    Expired,
    /// The PIN is too short or too long for this token, or has invalid characters.
    #[error("cannot have this PIN: its length or its characters are wrong")]
    Impossible,
}

impl PinRefusal {
    /// The refusal that an answer to a login means, if any.
    pub(crate) fn of(error: RvError) -> Option<Self> {
        match error {
            RvError::PinIncorrect => Some(Self::Incorrect),
            RvError::PinLocked => Some(Self::Locked),
            RvError::PinExpired => Some(Self::Expired),
            RvError::PinInvalid | RvError::PinLenRange => Some(Self::Impossible),
            _ => None,
        }
    }
}

impl From<Error> for TokenError {
    fn from(error: Error) -> Self {
        match error {
            Error::Pkcs11(error, function) => Self::Call {
                function: format!("C_{function:?}"),
                code: code_name(error),
            },
            other => Self::Module(other.to_string()),
        }
    }
}

impl From<TokenError> for KeyStoreError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Key(error) => Self::Key(error),
            TokenError::Lost
            | TokenError::Call { .. }
            | TokenError::NoToken { .. }
            | TokenError::Threads(_) => Self::Away(error.to_string()),
            TokenError::ModuleMissing(_)
            | TokenError::NotAModule { .. }
            | TokenError::SeveralTokens { .. }
            | TokenError::PinMissing(_)
            | TokenError::PinRefused { .. }
            | TokenError::MechanismMissing { .. }
            | TokenError::TooManySessions { .. }
            | TokenError::KeySize { .. }
            | TokenError::KeyRefused { .. }
            | TokenError::KeyUnfit(_)
            | TokenError::KeyUnfitAndKept { .. }
            | TokenError::Module(_) => Self::Unusable(error.to_string()),
        }
    }
}

/// The name of a code as in PKCS#11 and vendors' manuals.
pub(crate) fn code_name(error: RvError) -> String {
    if let RvError::VendorDefined(code) | RvError::UnknownErrorCode(code) = error {
        return format!("{code:#010x}");
    }
    let mut name = "CKR".to_owned();
    for letter in format!("{error:?}").chars() {
        if letter.is_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

fn others(found: &[String], blank: bool) -> String {
    let mut text = match found {
        [] => "no other token was found: connect it, or check that its driver finds it".to_owned(),
        found => {
            let found: Vec<_> = found.iter().map(|label| format!("\"{label}\"")).collect();
            format!("there are {}: correct the label, or connect it", found.join(", "))
        }
    };
    if blank {
        text.push_str(
            "; there is an uninitialised token: initialise it (softhsm2-util or pkcs11-tool --init-token)",
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_names_in_pkcs11() {
        assert_eq!(code_name(RvError::GeneralError), "CKR_GENERAL_ERROR");
        assert_eq!(code_name(RvError::UserNotLoggedIn), "CKR_USER_NOT_LOGGED_IN");
        assert_eq!(code_name(RvError::VendorDefined(0x8000_0001)), "0x80000001");
    }

    #[test]
    fn temporary_errors_are_away_and_others_unusable() {
        let lost = KeyStoreError::from(TokenError::Lost);
        assert!(matches!(lost, KeyStoreError::Away(_)), "{lost:?}");
        let refused = TokenError::PinRefused {
            label: "mint".to_owned(),
            refusal: PinRefusal::Locked,
        };
        let refused = KeyStoreError::from(refused);
        assert!(
            matches!(&refused, KeyStoreError::Unusable(text) if text.starts_with("the token \"mint\" is locked")),
            "{refused:?}"
        );
    }
}
