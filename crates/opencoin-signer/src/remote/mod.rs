//! The issuer's side: a [`Signer`] whose keys are in another process.
//!
//! A request goes over one of a few connections, which many share; its number tells the answers apart. Each
//! connection is kept up by a task of its own ([`link`]), which connects again after a pause. While none is
//! up, requests are refused at once as [`SignError::Unavailable`], and beyond a number of blinds as
//! [`SignError::Busy`]; one that is not answered in time is `Unavailable`, too. Nothing of that harms the
//! blinds: they were accepted, and are asked for again.
//!
//! The other process is not believed: each signature must give its blind when it is raised to the key's
//! public exponent, or it is [`SignError::Failed`].

mod endpoint;
mod link;

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use opencoin_crypto::{
    AcceptedBlinds, BlindToSign, LocalSignerOptions, PublicKey, SignError, Signer, blind_in_range,
};
use opencoin_ledger::TransactionReference;
use opencoin_schema::BigInt;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub use endpoint::Endpoint;

use crate::PublicKeys;
use crate::message::{BLINDS_MAX, count_of};
use link::{Link, Patience};

/// Signatures that are checked in one go: about a tenth of a millisecond with keys of 2,048 bits.
const SIGNATURES_PER_TURN: usize = 8;

/// How a [`RemoteSigner`] uses its signer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteSignerOptions {
    /// How many connections. One can carry everything; with two a large answer does not hold up all others.
    pub connections: NonZeroUsize,
    /// How many blinds may be under way; a request that would make them more is refused as
    /// [`SignError::Busy`].
    pub blinds_in_flight_max: usize,
    /// How long a request may take before it is [`SignError::Unavailable`].
    pub request_duration_max: Duration,
    /// How long a signer may say nothing, though it is asked to, before its connection is given up and made
    /// anew.
    pub silence_duration_max: Duration,
    /// How long to wait before connecting again.
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

/// Asks a signer process. Dropping it ends its connections.
pub struct RemoteSigner {
    links: Vec<Arc<Link>>,
    public_keys: PublicKeys,
    room: Arc<Semaphore>,
    request_duration_max: Duration,
    _tasks: JoinSet<()>,
}

impl RemoteSigner {
    /// Begins to connect, and goes on for as long as this lives. Must be called in a runtime.
    ///
    /// # Panics
    /// When fewer than [`BLINDS_MAX`] blinds may be under way: the largest request would never be signed.
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

    /// Waits until a connection is up, for example when a process starts.
    pub async fn connected(&self) {
        let mut ups = JoinSet::new();
        for link in &self.links {
            let link = Arc::clone(link);
            ups.spawn(async move { link.up().await });
        }
        ups.join_next().await;
    }

    /// Whether a connection is up, for a health check.
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

    /// The answer of the least busy connection.
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

/// Checks that these are the signatures of these blinds; after a few of them other requests have their turn.
async fn check(keys: &[PublicKey], blinds: &[BlindToSign], signatures: &[BigInt]) -> Result<(), SignError> {
    if signatures.len() != blinds.len() {
        tracing::error!(
            asked = blinds.len(),
            given = signatures.len(),
            "the signer gave another number of signatures"
        );
        return Err(SignError::Failed);
    }
    for (index, ((key, blind), signature)) in keys.iter().zip(blinds).zip(signatures).enumerate() {
        if index > 0 && index % SIGNATURES_PER_TURN == 0 {
            tokio::task::yield_now().await;
        }
        if key.signed_number(signature).as_ref() != Some(&blind.blinded) {
            tracing::error!(mint_key = %blind.mint_key_id, "the signer gave a wrong signature, or the books hold another blind");
            return Err(SignError::Failed);
        }
    }
    Ok(())
}
