//! The client in the issuer process: a [`Signer`] whose keys are in another process.
//!
//! Requests share a few connections; a number matches each answer with its request. A task for each connection
//! ([`link`]) connects again after a failure. A request fails at once with [`SignError::Unavailable`] if no
//! connection is up, and with [`SignError::Busy`] above a limit of blinds. If it is not answered in time, it is
//! `Unavailable` too. No failure loses accepted blinds; they are requested again.
//!
//! The other process is not trusted: each signature is verified with the public key, and a wrong one is
//! [`SignError::Failed`].

mod endpoint;
mod link;

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use opencoin_crypto::{
    AcceptedBlinds, BlindToSign, LocalSignerOptions, PublicKey, SignError, Signer, are_signed, blind_in_range,
};
use opencoin_ledger::TransactionReference;
use opencoin_schema::BigInt;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub use endpoint::Endpoint;

use crate::PublicKeys;
use crate::message::{BLINDS_MAX, count_of};
use link::{Link, Patience};

/// Signatures that are verified before other tasks get a turn: some tenths of a millisecond with keys of 2,048 bits, or
/// half a tenth in lanes.
const SIGNATURES_PER_TURN: usize = 16;

/// Options of a [`RemoteSigner`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteSignerOptions {
    /// The number of connections. With two a large answer does not delay all others.
    pub connections: NonZeroUsize,
    /// The most blinds of all running requests. A request above the limit is [`SignError::Busy`].
    pub blinds_in_flight_max: usize,
    /// The time limit of a request, after which it is [`SignError::Unavailable`].
    pub request_duration_max: Duration,
    /// A connection on which the signer sends nothing for this time, in spite of pings, is replaced.
    pub silence_duration_max: Duration,
    /// The pause before the next attempt to connect.
    pub reconnect_pause: Duration,
}

impl Default for RemoteSignerOptions {
    fn default() -> Self {
        Self {
            connections: NonZeroUsize::new(2).expect("2 is not 0"),
            blinds_in_flight_max: LocalSignerOptions::BLINDS_QUEUED_MAX,
            request_duration_max: Duration::from_secs(10),
            silence_duration_max: Duration::from_secs(10),
            reconnect_pause: Duration::from_millis(200),
        }
    }
}

/// The client of a signer process. Dropping it closes its connections.
pub struct RemoteSigner {
    links: Vec<Arc<Link>>,
    public_keys: PublicKeys,
    room: Arc<Semaphore>,
    request_duration_max: Duration,
    _tasks: JoinSet<()>,
}

impl RemoteSigner {
    /// Starts to connect in the background. Must be called in a runtime.
    ///
    /// # Panics
    /// When `blinds_in_flight_max` is below [`BLINDS_MAX`]: the largest request would never be signed.
    #[must_use]
    pub fn start(endpoint: Endpoint, public_keys: PublicKeys, options: RemoteSignerOptions) -> Self {
        assert!(
            options.blinds_in_flight_max >= BLINDS_MAX,
            "the largest request must fit"
        );
        let endpoint = Arc::new(endpoint);
        let patience = Patience {
            silence: options.silence_duration_max,
            pause: options.reconnect_pause,
        };
        let mut tasks = JoinSet::new();
        let links: Vec<_> = (0..options.connections.get())
            .map(|_| Arc::new(Link::new()))
            .collect();
        for link in &links {
            tasks.spawn(Arc::clone(link).run(Arc::clone(&endpoint), patience));
        }
        Self {
            links,
            public_keys,
            room: Arc::new(Semaphore::new(options.blinds_in_flight_max)),
            request_duration_max: options.request_duration_max,
            _tasks: tasks,
        }
    }

    /// Waits until a connection is up.
    pub async fn connected(&self) {
        let mut ups = JoinSet::new();
        for link in &self.links {
            let link = Arc::clone(link);
            ups.spawn(async move { link.up().await });
        }
        ups.join_next().await;
    }

    /// Whether a connection is up.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.links.iter().any(|link| link.is_up())
    }

    fn keys_of(&self, blinds: &[BlindToSign]) -> Result<Vec<PublicKey>, SignError> {
        let key_of = |(index, blind): (usize, &BlindToSign)| {
            let key = (self.public_keys)(&blind.mint_key_id)
                .ok_or_else(|| SignError::UnknownKey(blind.mint_key_id.clone()))?;
            if blind_in_range(&key, &blind.blinded) {
                Ok(key)
            } else {
                Err(SignError::OutOfRange { index })
            }
        };
        blinds.iter().enumerate().map(key_of).collect()
    }

    /// Sends a request over the least busy connection and waits for the answer.
    async fn ask(&self, reference: TransactionReference, count: usize) -> Result<Vec<BigInt>, SignError> {
        let blinds = count_of(count);
        let room = Arc::clone(&self.room)
            .try_acquire_many_owned(blinds)
            .map_err(|_| SignError::Busy)?;
        let link = self
            .links
            .iter()
            .filter(|link| link.is_up())
            .min_by_key(|link| link.pending())
            .ok_or(SignError::Unavailable)?;
        let question = link
            .submit(reference, blinds, room)
            .ok_or(SignError::Unavailable)?;
        tokio::time::timeout(self.request_duration_max, question.answered())
            .await
            .unwrap_or(Err(SignError::Unavailable))
    }
}

#[async_trait]
impl Signer for RemoteSigner {
    async fn sign(&self, accepted: AcceptedBlinds) -> Result<Vec<BigInt>, SignError> {
        let AcceptedBlinds {
            transaction_reference,
            blinds,
        } = accepted;
        if blinds.is_empty() {
            return Ok(Vec::new());
        }
        if blinds.len() > BLINDS_MAX {
            return Err(SignError::NotAccepted(format!(
                "a request has at most {BLINDS_MAX} blinds"
            )));
        }
        let reference = TransactionReference::new(transaction_reference)
            .map_err(|error| SignError::NotAccepted(error.to_string()))?;
        let keys = self.keys_of(&blinds)?;
        let signatures = self.ask(reference, blinds.len()).await?;
        check(&keys, &blinds, &signatures).await?;
        Ok(signatures)
    }
}

impl fmt::Debug for RemoteSigner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RemoteSigner").finish_non_exhaustive()
    }
}

/// Verifies the signatures of these blinds. Yields to other tasks after every few of them.
async fn check(keys: &[PublicKey], blinds: &[BlindToSign], signatures: &[BigInt]) -> Result<(), SignError> {
    if signatures.len() != blinds.len() {
        tracing::error!(
            asked = blinds.len(),
            given = signatures.len(),
            "the signer returned a wrong number of signatures"
        );
        return Err(SignError::Failed);
    }
    // Signatures of one key together.
    let mut by_key: Vec<usize> = (0..blinds.len()).collect();
    by_key.sort_by_key(|place| &blinds[*place].mint_key_id);
    for (turn, places) in by_key.chunks(SIGNATURES_PER_TURN).enumerate() {
        if turn > 0 {
            tokio::task::yield_now().await;
        }
        let signed: Vec<_> = places
            .iter()
            .map(|place| (&keys[*place], &signatures[*place], &blinds[*place].blinded))
            .collect();
        for (place, is_signed) in places.iter().zip(are_signed(&signed)) {
            if !is_signed {
                tracing::error!(mint_key = %blinds[*place].mint_key_id, "the signer returned a wrong signature, or the books have another blind");
                return Err(SignError::Failed);
            }
        }
    }
    Ok(())
}
