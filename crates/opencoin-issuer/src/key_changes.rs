//! What operators do to the keys and certificates in the folder of a currency, in the console and by command: it is recorded
//! first, then done. A death in between leaves the record of what somebody has begun, and the next call does it.

use opencoin_keys::{CertificateLock, CheckedImport, Directory, DirectoryError, Imported, UnwantedRequest};
use opencoin_ledger::ActionKind;
use thiserror::Error;

use crate::operator::{MINT_KEYS, Operator, OperatorError};

/// What the import of certificates is about, in the record of actions.
const CERTIFICATES: &str = "certificates";

/// Why keys or certificates were not changed.
#[derive(Debug, Error)]
pub enum KeyChangeError {
    /// It cannot be recorded, so nothing was done.
    #[error(transparent)]
    Record(#[from] OperatorError),
    /// The folder cannot be written.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

impl Operator {
    /// Records who takes these certificates, and writes them. If they were taken before, nothing is recorded.
    ///
    /// # Errors
    /// When the ledger fails, or a file operation. The same import does it later.
    pub async fn take_certificates(
        &self,
        directory: &Directory,
        import: CheckedImport,
        lock: &CertificateLock,
    ) -> Result<Imported, KeyChangeError> {
        if let Some(request) = import.request() {
            let answers = format!("request {}", request.fingerprint());
            self.record_intent(ActionKind::ImportCertificates, CERTIFICATES, &answers)
                .await?;
        }
        Ok(directory.take(import, lock)?)
    }

    /// Records who gives this request up, and removes it. `says_unsigned`: they have said that the master key has never
    /// signed its description.
    ///
    /// # Errors
    /// When the ledger fails, or a file operation. The request may still wait then, and can be given up again.
    pub async fn give_up(
        &self,
        directory: &Directory,
        request: UnwantedRequest,
        says_unsigned: bool,
        lock: &CertificateLock,
    ) -> Result<(), KeyChangeError> {
        let fingerprint = request.request().fingerprint();
        let detail = if says_unsigned && request.request().cdd.is_some() {
            format!("request {fingerprint}, whose description was never signed")
        } else {
            format!("request {fingerprint}")
        };
        self.record_intent(ActionKind::GiveUpRequest, MINT_KEYS, &detail)
            .await?;
        Ok(directory.give_up(request, lock)?)
    }
}
