//! Metrics of a signer.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use opencoin_crypto::{AcceptedBlinds, KeyStoreError, SignError, Signer};
use opencoin_schema::BigInt;
use tracing::Instrument;

use super::Metrics;
use opencoin_logging::spans;

/// Measures the durations and failures of another signer.
pub(crate) struct MeteredSigner {
    signer: Arc<dyn Signer>,
    metrics: Arc<Metrics>,
}

impl MeteredSigner {
    pub(crate) fn new(signer: Arc<dyn Signer>, metrics: Arc<Metrics>) -> Self {
        Self { signer, metrics }
    }
}

#[async_trait]
impl Signer for MeteredSigner {
    async fn sign(&self, accepted: AcceptedBlinds) -> Result<Vec<BigInt>, SignError> {
        let begun = Instant::now();
        let signed = self.signer.sign(accepted).instrument(spans::sign()).await;
        match &signed {
            Ok(_) => self.metrics.signed(begun.elapsed()),
            // Overload shows as requests with the outcome `delay`.
            Err(SignError::Busy) => {}
            Err(
                SignError::Unavailable
                | SignError::UnknownKey(_)
                | SignError::OutOfRange { .. }
                | SignError::NotAccepted(_)
                | SignError::Failed,
            ) => self.metrics.signer_failed(),
        }
        signed
    }

    fn refresh(&self) -> Result<(), KeyStoreError> {
        self.signer.refresh()
    }
}
