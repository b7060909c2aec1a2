//! The options of a token.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use cryptoki::types::AuthPin;
use opencoin_crypto::LocalSignerOptions;
use zeroize::Zeroizing;

/// The token to use, and how to use it.
#[derive(Debug, Clone)]
pub struct TokenOptions {
    /// The file of the PKCS#11 module, such as `/usr/lib/softhsm/libsofthsm2.so`.
    pub module: PathBuf,
    /// The label of the token. It must be unique in this module.
    pub token_label: String,
    /// The PIN of the token's user.
    pub pin: Pin,
    /// The number of signing threads, each with its own session. Default: one per core, which suits software
    /// tokens. The manual of a hardware token says how many operations it can do at once.
    pub sessions: NonZeroUsize,
    /// The most blinds that may wait. A request that exceeds it is refused as busy, so it must be larger than the
    /// largest request. Default: [`LocalSignerOptions::BLINDS_QUEUED_MAX`].
    pub blinds_queued_max: usize,
    /// The least time between two attempts to connect to the token. Default: [`Self::RETRY_PAUSE`].
    pub retry_pause: Duration,
}

impl TokenOptions {
    /// Short for a client that waits for coins, long enough between logins.
    pub const RETRY_PAUSE: Duration = Duration::from_secs(2);

    /// The defaults, for this token.
    #[must_use]
    pub fn new(module: PathBuf, token_label: String, pin: Pin) -> Self {
        Self {
            module,
            token_label,
            pin,
            sessions: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            blinds_queued_max: LocalSignerOptions::BLINDS_QUEUED_MAX,
            retry_pause: Self::RETRY_PAUSE,
        }
    }
}

/// A token's PIN. Erased from memory when dropped and hidden in `Debug`.
#[derive(Clone)]
pub struct Pin(AuthPin);

impl Pin {
    /// The PIN with this text.
    #[must_use]
    pub fn new(pin: &Zeroizing<String>) -> Self {
        Self(AuthPin::new(pin.as_str().into()))
    }

    pub(crate) fn expose(&self) -> &AuthPin {
        &self.0
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Pin(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_options_without_the_pin() {
        let pin = Pin::new(&Zeroizing::new("918273".to_owned()));
        let shown = format!(
            "{:?}",
            TokenOptions::new(PathBuf::from("module.so"), "mint".to_owned(), pin)
        );
        assert!(
            shown.contains("module.so") && shown.contains("Pin(secret)"),
            "{shown}"
        );
    }
}
