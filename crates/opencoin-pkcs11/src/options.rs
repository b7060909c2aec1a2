//! What an operator says about a token.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use cryptoki::types::AuthPin;
use opencoin_crypto::LocalSignerOptions;
use zeroize::Zeroizing;

/// Which token to use, and how.
#[derive(Debug, Clone)]
pub struct TokenOptions {
    /// The file of the PKCS#11 module, such as `/usr/lib/softhsm/libsofthsm2.so`.
    pub module: PathBuf,
    /// The token's label. No other token of this module may have it.
    pub token_label: String,
    /// The PIN of the token's user.
    pub pin: Pin,
    /// How many threads sign, each with a session of its own. Default: one for each core, right for a token
    /// that is software; a hardware token's manual says how many operations it does at the same time.
    pub sessions: NonZeroUsize,
    /// How many blinds may wait; a request that would make them more is refused as busy, so it must be larger
    /// than the largest request. Default: [`LocalSignerOptions::BLINDS_QUEUED_MAX`].
    pub blinds_queued_max: usize,
    /// How long at least to wait after one attempt to reach the token before the next. Default:
    /// [`Self::RETRY_PAUSE`].
    pub retry_pause: Duration,
}

impl TokenOptions {
    /// Short for whoever waits for coins, long for a token that is asked to log somebody in.
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

/// A token's PIN. Erased from memory when dropped, never shown.
#[derive(Clone)]
pub struct Pin(AuthPin);

impl Pin {
    /// Takes over the PIN.
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
    fn options_can_be_shown_and_the_pin_cannot() {
        let pin = Pin::new(&Zeroizing::new("918273".to_owned()));
        let shown = format!(
            "{:?}",
            TokenOptions::new(PathBuf::from("module.so"), "mint".to_owned(), pin)
        );
        assert!(
            shown.contains("module.so") && shown.contains("Pin(secret)"),
            "{shown}"
        );
        assert!(!shown.contains("918273"), "{shown}");
    }
}
