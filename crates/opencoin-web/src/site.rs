//! What the handlers of pages share besides the server.

use std::sync::{Arc, Mutex, PoisonError};

use opencoin_issuer::AdminTokens;
use opencoin_keys::{Clock, Randomness};
use zeroize::Zeroizing;

use crate::sessions::Sessions;

/// What the pages need besides the server.
pub struct SiteOptions {
    /// Makes idempotency keys of forms, and sessions.
    pub rng: Box<dyn Randomness>,
    /// Ends sessions of operators.
    pub clock: Arc<dyn Clock>,
    /// The tokens with which operators log in.
    pub operators: AdminTokens,
}

/// The state of the pages, as an extension of every request.
pub(crate) struct Site {
    random: Mutex<Box<dyn Randomness>>,
    pub(crate) operators: AdminTokens,
    pub(crate) sessions: Sessions,
}

impl Site {
    pub(crate) fn new(options: SiteOptions) -> Arc<Self> {
        let SiteOptions {
            rng,
            clock,
            operators,
        } = options;
        Arc::new(Self {
            random: Mutex::new(rng),
            operators,
            sessions: Sessions::new(clock),
        })
    }

    /// A fresh idempotency key, which a form carries so that sending it twice does what it says once.
    pub(crate) fn idempotency_key(&self) -> String {
        const_hex::encode(self.random_bytes::<16>())
    }

    /// A fresh secret of a session.
    pub(crate) fn session_secret(&self) -> Zeroizing<String> {
        let bytes = Zeroizing::new(self.random_bytes::<32>());
        Zeroizing::new(const_hex::encode(*bytes))
    }

    fn random_bytes<const COUNT: usize>(&self) -> [u8; COUNT] {
        let mut bytes = [0; COUNT];
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        random.fill_bytes(&mut bytes);
        bytes
    }
}
