//! Handles a request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use opencoin_crypto::{AcceptedBlinds, BlindToSign, SignError, blind_in_range};
use opencoin_ledger::{Accepted, Blind, LedgerError, TransactionReference};
use opencoin_schema::BigInt;

use super::SignerServer;
use crate::counts::key_parts;
use opencoin_logging::LogThrottle;

/// The time limit for reading accepted blinds from the books.
const BOOKS_DURATION_MAX: Duration = Duration::from_secs(10);

/// The shortest pause between two reloads of the engine's keys.
const REFRESH_PAUSE: Duration = Duration::from_millis(100);

static BOOKS_AWAY: LogThrottle = LogThrottle::new();

impl SignerServer {
    /// Signs what was accepted under a reference, which must have this number of blinds. Dropping the future drops
    /// blinds that are not signed yet.
    pub(super) async fn sign(
        &self,
        reference: &TransactionReference,
        blinds: u32,
    ) -> Result<Vec<BigInt>, SignError> {
        let accepted = self.accepted(reference).await?;
        let to_sign = to_sign(&accepted)?;
        if to_sign.len() != blinds as usize {
            let is_stopped = !accepted.stopped.is_empty();
            let reason = if is_stopped {
                "a mint key of it was stopped"
            } else {
                "the books hold another number of blinds"
            };
            return Err(SignError::NotAccepted(reason.to_owned()));
        }
        self.check(&to_sign)?;
        let parts =
            key_parts(reference, &to_sign).map_err(|error| SignError::NotAccepted(error.to_string()))?;
        self.counts.record(parts).await?;
        let accepted = AcceptedBlinds {
            transaction_reference: reference.as_bytes().to_vec(),
            blinds: to_sign.into(),
        };
        match self.engine.sign(accepted.clone()).await {
            // Another process may have made the key a moment ago.
            Err(SignError::UnknownKey(id)) if self.refreshed().await => {
                tracing::info!(mint_key = %id, "the keys were reloaded because of a new mint key");
                self.engine.sign(accepted).await
            }
            signed => signed,
        }
    }

    /// Makes the engine reload its keys, at most ten times a second. Returns whether it succeeded.
    async fn refreshed(&self) -> bool {
        let mut refreshed = self.refreshed.lock().await;
        if refreshed.is_some_and(|at| at.elapsed() < REFRESH_PAUSE) {
            return true; // another request has done it a moment ago
        }
        let engine = Arc::clone(&self.engine);
        let result = tokio::task::spawn_blocking(move || engine.refresh()).await;
        *refreshed = Some(Instant::now());
        matches!(result, Ok(Ok(())))
    }

    async fn accepted(&self, reference: &TransactionReference) -> Result<Accepted, SignError> {
        let reading = async {
            let _turn = self.reads.acquire().await.expect("the semaphore is never closed");
            self.ledger.accepted(reference).await
        };
        let read = tokio::time::timeout(BOOKS_DURATION_MAX, reading).await;
        match read.unwrap_or_else(|_| Err(LedgerError::Unavailable("it does not answer".to_owned()))) {
            Ok(Some(accepted)) => Ok(accepted),
            Ok(None) => Err(SignError::NotAccepted(
                "the books do not have the transaction".to_owned(),
            )),
            Err(error @ (LedgerError::Unavailable(_) | LedgerError::Contended { .. })) => {
                if let Some(requests) = BOOKS_AWAY.count(Instant::now()) {
                    tracing::warn!(%error, requests, "the signer cannot read the books");
                }
                Err(SignError::Unavailable)
            }
            Err(
                error @ (LedgerError::BatchTooLarge(_)
                | LedgerError::Database(_)
                | LedgerError::Corrupt { .. }
                | LedgerError::SchemaUnknown(_)
                | LedgerError::SchemaOlder { .. }
                | LedgerError::InUse(_)
                | LedgerError::Migration(_)
                | LedgerError::Address(_)),
            ) => {
                if let Some(requests) = BOOKS_AWAY.count(Instant::now()) {
                    tracing::error!(%error, requests, "the signer cannot use the books");
                }
                Err(SignError::Failed)
            }
        }
    }

    /// Checks that every blind is in the range of its key.
    fn check(&self, blinds: &[BlindToSign]) -> Result<(), SignError> {
        for (index, blind) in blinds.iter().enumerate() {
            let id = &blind.mint_key_id;
            let key = (self.public_keys)(id).ok_or_else(|| SignError::UnknownKey(id.clone()))?;
            if !blind_in_range(&key, &blind.blinded) {
                return Err(SignError::OutOfRange { index });
            }
        }
        Ok(())
    }
}

/// The blinds to sign, in their order: without those whose signatures the books have and those of stopped keys.
fn to_sign(accepted: &Accepted) -> Result<Vec<BlindToSign>, SignError> {
    if accepted.signing_paused {
        return Err(SignError::Unavailable);
    }
    let number = BigInt::from_be_bytes;
    let blind = |blind: &Blind| BlindToSign {
        mint_key_id: number(blind.mint_key.as_bytes()),
        blinded: number(&blind.blinded),
    };
    Ok(accepted.to_sign().iter().map(blind).collect())
}
