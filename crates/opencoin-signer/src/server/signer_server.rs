//! The parts of the signer and its limits.

use std::sync::Arc;
use std::time::Instant;

use opencoin_crypto::{LocalSignerOptions, Signer};
use opencoin_ledger::Ledger;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use crate::PublicKeys;
use crate::counts::SignedCounts;
use crate::message::BLINDS_MAX;

/// The most open connections after the handshake.
const CONNECTIONS_MAX: usize = 64;
/// The most requests that read the books at the same time.
const READS_MAX: usize = 32;

/// Options of a [`SignerServer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignerServerOptions {
    /// The most blinds of all running requests. A request above the limit is answered as busy. At most the length of
    /// the engine's queue.
    pub blinds_in_hand_max: usize,
}

impl Default for SignerServerOptions {
    fn default() -> Self {
        Self {
            blinds_in_hand_max: LocalSignerOptions::BLINDS_QUEUED_MAX,
        }
    }
}

/// Signs for issuers that connect.
pub struct SignerServer {
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) engine: Arc<dyn Signer>,
    pub(super) public_keys: PublicKeys,
    pub(super) counts: Arc<SignedCounts>,
    room: Arc<Semaphore>,
    pub(super) reads: Semaphore,
    pub(super) places: Arc<Semaphore>,
    /// When the engine has last reloaded its keys.
    pub(super) refreshed: Mutex<Option<Instant>>,
}

impl SignerServer {
    /// A signer of what these books have accepted, with the keys of this engine.
    ///
    /// # Panics
    /// When `blinds_in_hand_max` is below [`BLINDS_MAX`]: the largest request would never be signed.
    #[must_use]
    pub fn new(
        ledger: Arc<dyn Ledger>,
        engine: Arc<dyn Signer>,
        public_keys: PublicKeys,
        counts: Arc<SignedCounts>,
        options: SignerServerOptions,
    ) -> Arc<Self> {
        assert!(
            options.blinds_in_hand_max >= BLINDS_MAX,
            "the largest request must fit"
        );
        Arc::new(Self {
            ledger,
            engine,
            public_keys,
            counts,
            room: Arc::new(Semaphore::new(options.blinds_in_hand_max)),
            reads: Semaphore::new(READS_MAX),
            places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            refreshed: Mutex::default(),
        })
    }

    /// Reserves room for a request, if there is enough.
    pub(super) fn room_for(&self, blinds: u32) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).try_acquire_many_owned(blinds.max(1)).ok()
    }
}
