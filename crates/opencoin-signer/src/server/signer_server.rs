//! What the signer is made of, and how much it takes at a time.

use std::sync::Arc;
use std::time::Instant;

use opencoin_crypto::{LocalSignerOptions, Signer};
use opencoin_ledger::Ledger;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use crate::PublicKeys;
use crate::counts::SignedCounts;
use crate::message::BLINDS_MAX;

/// How many connections may be open, from issuers that are known.
const CONNECTIONS_MAX: usize = 64;
/// How many requests read the books at one time.
const READS_MAX: usize = 32;

/// How a [`SignerServer`] uses the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignerServerOptions {
    /// How many blinds may be under way; a request that would make them more is answered as busy. At most
    /// what the engine takes into its own queue.
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
    /// When the engine was last asked to take up new keys.
    pub(super) refreshed: Mutex<Option<Instant>>,
}

impl SignerServer {
    /// A signer of what these books have accepted, with the keys of this engine.
    ///
    /// # Panics
    /// When fewer than [`BLINDS_MAX`] blinds may be under way: the largest request would never be signed.
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

    /// Room for so many blinds, if there is any.
    pub(super) fn room_for(&self, blinds: u32) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).try_acquire_many_owned(blinds.max(1)).ok()
    }
}
