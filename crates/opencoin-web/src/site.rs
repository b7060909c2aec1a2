//! What the handlers of pages share besides the server.

use std::sync::{Arc, Mutex, PoisonError};

use opencoin_keys::Randomness;

/// What the pages need besides the server.
pub struct SiteOptions {
    /// Makes idempotency keys of forms.
    pub rng: Box<dyn Randomness>,
}

/// The state of the pages, as an extension of every request.
pub(crate) struct Site {
    random: Mutex<Box<dyn Randomness>>,
}

impl Site {
    pub(crate) fn new(options: SiteOptions) -> Arc<Self> {
        Arc::new(Self {
            random: Mutex::new(options.rng),
        })
    }

    /// A fresh idempotency key, which a form carries so that sending it twice does what it says once.
    pub(crate) fn idempotency_key(&self) -> String {
        let mut bytes = [0; 16];
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        random.fill_bytes(&mut bytes);
        const_hex::encode(bytes)
    }
}
