//! Why a token cannot be used, in words that say what to do about it.

use std::path::PathBuf;

use cryptoki::error::{Error, RvError};
use opencoin_crypto::{KeyError, KeyStoreError};
use thiserror::Error;

/// Why a token cannot be used. No text here holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TokenError {
    /// There is no such file.
    #[error("there is no PKCS#11 module {}: install the token's driver, or correct the path", .0.display())]
    ModuleMissing(PathBuf),
    /// The file is something else.
    #[error("{} is not a PKCS#11 module for this machine ({reason}): the path must name the library of the token's driver", path.display())]
    NotAModule {
        /// The file.
        path: PathBuf,
        /// What loading it said.
        reason: String,
    },
    /// No token has this label. It may be plugged in later.
    #[error("there is no token \"{label}\"; {}", others(found, *blank))]
    NoToken {
        /// The label that was looked for.
        label: String,
        /// Those of the tokens that are there.
        found: Vec<String>,
        /// Whether a token is there that was never initialised.
        blank: bool,
    },
    /// The label does not say which token is meant.
    #[error("{count} tokens are called \"{label}\": give each a label of its own, or take the others away")]
    SeveralTokens {
        /// The label.
        label: String,
        /// How many have it.
        count: usize,
    },
    /// The token's user has no PIN.
    #[error(
        "the token \"{0}\" has no PIN for its user: its security officer must set one (pkcs11-tool --init-pin)"
    )]
    PinMissing(String),
    /// The token does not take the PIN. It is not tried again.
    #[error("the token \"{label}\" {refusal}")]
    PinRefused {
        /// The token.
        label: String,
        /// What it said.
        refusal: PinRefusal,
    },
    /// The token cannot do what mint keys need.
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
        "the token \"{label}\" gives {sessions_max} sessions; {sessions} are set, and a few are needed besides: set fewer"
    )]
    TooManySessions {
        /// The token.
        label: String,
        /// How many were asked for.
        sessions: usize,
        /// How many there are.
        sessions_max: u64,
    },
    /// No mint key can have this size, in any store.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The token makes no keys of this size.
    #[error(
        "the token makes RSA keys of {bits_min} to {bits_max} bits, none of {bits}: ask for another size"
    )]
    KeySize {
        /// What was asked for.
        bits: usize,
        /// Its shortest.
        bits_min: usize,
        /// Its longest.
        bits_max: usize,
    },
    /// The token makes no such key, for another reason.
    #[error("the token makes no key of {bits} bits ({code}): it may be full, or set up to refuse such keys")]
    KeyRefused {
        /// What was asked for.
        bits: usize,
        /// The reason, by its name in PKCS#11.
        code: String,
    },
    /// The token made a key that is not as it must be.
    #[error(
        "the token made a key {0}; the key was destroyed, and this token cannot keep mint keys as it is set up"
    )]
    KeyUnfit(String),
    /// The token made a key that is not as it must be, and keeps it.
    #[error(
        "the token made a key {reason}, and does not destroy it ({code}): destroy it with the token's own tool"
    )]
    KeyUnfitAndKept {
        /// What is wrong with it.
        reason: String,
        /// The reason, by its name in PKCS#11.
        code: String,
    },
    /// A call failed, of which nothing more is known.
    #[error("the token does not answer as it should ({function}: {code}); its own log may say more")]
    Call {
        /// The function, by its name in PKCS#11.
        function: String,
        /// The reason, by its name in PKCS#11.
        code: String,
    },
    /// The module does not follow PKCS#11.
    #[error("the PKCS#11 module does not answer as PKCS#11 demands: {0}")]
    Module(String),
    /// The token was lost during a call. Try again.
    #[error("the token went away; it is looked for again soon")]
    Lost,
    /// The system gives no more threads.
    #[error("the system gives no more threads to sign with: {0}")]
    Threads(String),
}

/// What a token has against a PIN. It is not asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PinRefusal {
    /// It is another one.
    #[error(
        "refuses the PIN: correct it and start again; it is not tried a second time, because a token locks itself after a few \
         wrong ones"
    )]
    Incorrect,
    /// It was wrong too often.
    #[error("is locked after too many wrong PINs: its security officer must set a new one")]
    Locked,
    /// One more mistake would lock the token.
    #[error(
        "locks itself after one more wrong PIN, so it is not tried: log in once with another tool (pkcs11-tool --login \
         --list-objects) and start again"
    )]
    LastTry,
    /// It must be changed.
    #[error("wants its PIN changed first (pkcs11-tool --login --change-pin)")]
    Expired,
    /// It cannot be a PIN of this token: too short, too long, or with other characters.
    #[error("cannot have this PIN: its length or its characters are wrong")]
    Impossible,
}

impl PinRefusal {
    /// What an answer to a login means for the PIN, if anything.
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

/// The name of a code as PKCS#11 and the vendors' manuals write it.
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
        [] => "no other is there: plug it in, or see that its driver finds it".to_owned(),
        found => {
            let found: Vec<_> = found.iter().map(|label| format!("\"{label}\"")).collect();
            format!("there are {}: correct the label, or plug it in", found.join(", "))
        }
    };
    if blank {
        text.push_str(
            "; an uninitialised one is there: initialise it (softhsm2-util or pkcs11-tool --init-token)",
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_named_as_in_manuals() {
        assert_eq!(code_name(RvError::GeneralError), "CKR_GENERAL_ERROR");
        assert_eq!(code_name(RvError::UserNotLoggedIn), "CKR_USER_NOT_LOGGED_IN");
        assert_eq!(code_name(RvError::VendorDefined(0x8000_0001)), "0x80000001");
    }

    #[test]
    fn what_may_pass_is_away_and_the_rest_waits_for_somebody() {
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
