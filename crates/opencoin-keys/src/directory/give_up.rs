//! A request to the master key is given up: its certificates came too late, or nobody wants them any more.
//!
//! A description that the master key has signed is never given up, because another one would have the same serial, and two of
//! them prove a fraud that was none. Mint keys can be: nobody takes their certificates any more, and whoever has these
//! destroys them.

use opencoin_private_files as private_files;
use opencoin_schema::Cddc;
use thiserror::Error;

use super::{CertificateLock, Directory, DirectoryError};
use crate::signing_request::{CddDraft, SigningRequest};
use crate::vault::{HeldVault, Vault, VaultError};

/// A request that can be given up. Nobody signs it meanwhile on this machine.
#[derive(Debug)]
pub struct UnwantedRequest {
    request: SigningRequest,
    /// `None` if the master key is on another machine.
    _vault: Option<HeldVault>,
}

impl UnwantedRequest {
    /// The request.
    #[must_use]
    pub const fn request(&self) -> &SigningRequest {
        &self.request
    }
}

/// Why a request was not given up. Nothing has changed.
#[derive(Debug, Error)]
pub enum GiveUpError {
    /// Another request waits than the one that was meant.
    #[error("not given up: the request that waits has the fingerprint {0}")]
    OtherRequest(String),
    /// The master key has signed its description.
    #[error(
        "not given up: the master key has signed the description in this request, and another one would have the same serial; \
         finish it with `opencoin issuer keys rotate`"
    )]
    DescriptionSigned,
    /// The master key is on another machine and may have signed its description.
    #[error(
        "not given up: the master key may have signed the description in this request, and another one would have the same \
         serial. Where the master key is, sign it again: what was signed in time is signed in time again, and its file can be \
         imported. If nothing was signed, say so, and it is given up"
    )]
    DescriptionMayBeSigned,
    /// The currency has no certificates yet.
    #[error("not given up: the currency begins with this request; remove its folder to give the currency up")]
    FirstRequest,
    /// The folder cannot be read.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The record of the master key cannot be read.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl Directory {
    /// Whether the request with this fingerprint can be given up; `None` if nothing waits for the master key. Of a master
    /// key on another machine, only the operator knows that it has signed nothing: `is_never_signed`.
    ///
    /// # Errors
    /// See [`GiveUpError`].
    pub fn check_give_up(
        &self,
        fingerprint: &str,
        is_never_signed: bool,
        _lock: &CertificateLock,
    ) -> Result<Option<UnwantedRequest>, GiveUpError> {
        let Some(request) = self.pending()? else {
            return Ok(None);
        };
        let waits = request.fingerprint();
        if waits != fingerprint {
            return Err(GiveUpError::OtherRequest(waits));
        }
        if request.is_for_new_currency() {
            return Err(GiveUpError::FirstRequest);
        }
        let vault = Vault::new(self.master_folder());
        let held = if vault.has_key() {
            Some(vault.hold()?)
        } else {
            None
        };
        if let Some(description) = &request.cdd {
            // An import may have been cut off after it stored the description, and the record of the master key may be here
            // although the key is not here any more.
            let is_stored = |stored: &Cddc| CddDraft::of(&stored.cdd) == *description;
            if self.cddcs()?.iter().any(is_stored) || vault.has_signed(description)? {
                return Err(GiveUpError::DescriptionSigned);
            }
            if held.is_none() && !is_never_signed {
                return Err(GiveUpError::DescriptionMayBeSigned);
            }
        }
        Ok(Some(UnwantedRequest {
            request,
            _vault: held,
        }))
    }

    /// Removes the request that [`Self::check_give_up`] has found under the same lock. The private keys that were made for it
    /// stay until they are destroyed with those that have no certificate.
    ///
    /// # Errors
    /// When a file operation fails. The same call does it later.
    pub fn give_up(&self, _request: UnwantedRequest, _lock: &CertificateLock) -> Result<(), DirectoryError> {
        private_files::remove(&self.pending_file())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use opencoin_crypto::sign_cddc;
    use opencoin_schema::{Timestamp, text};
    use opencoin_testkit::keys::private_key;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::super::{CDDC_FOLDER, MKC_FOLDER};
    use super::*;
    use crate::signing_request::cdd_draft;

    fn description(serial: u64) -> CddDraft {
        let expiry = Timestamp::from_utc("2030-01-01T00:00:00Z".parse().unwrap());
        cdd_draft(serial, vec![1], expiry)
    }

    fn signed(description: CddDraft) -> Cddc {
        let key = private_key("master");
        let cdd = description.with_master_key(key.public_key());
        let signed = sign_cddc(cdd, &key, &mut StdRng::seed_from_u64(1)).unwrap();
        signed.cddc().clone()
    }

    /// An import stores the description first, so it is there after an import that was cut off.
    #[test]
    fn a_request_whose_description_is_stored_is_not_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::new(folder.path());
        let lock = directory.lock().unwrap();
        let first = signed(description(1));
        let request = SigningRequest::new(Some(first.clone()), Some(description(2)), Vec::new());
        fs::write(directory.pending_file(), text::compact(&request)).unwrap();
        fs::create_dir(folder.path().join(CDDC_FOLDER)).unwrap();
        fs::create_dir(folder.path().join(MKC_FOLDER)).unwrap();
        let give_up = || directory.check_give_up(&request.fingerprint(), true, &lock);
        directory.restore_documents(&[first], &[], &lock).unwrap();
        assert!(give_up().unwrap().is_some());
        directory
            .restore_documents(&[signed(description(2))], &[], &lock)
            .unwrap();
        assert!(matches!(give_up(), Err(GiveUpError::DescriptionSigned)));
    }

    #[test]
    fn the_request_that_begins_a_currency_is_not_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::new(folder.path());
        let lock = directory.lock().unwrap();
        assert!(directory.check_give_up("", false, &lock).unwrap().is_none());
        let request = SigningRequest::new(None, Some(description(1)), Vec::new());
        fs::write(directory.pending_file(), text::compact(&request)).unwrap();
        let give_up = |fingerprint: &str| directory.check_give_up(fingerprint, true, &lock).unwrap_err();
        assert!(matches!(give_up("0"), GiveUpError::OtherRequest(_)));
        assert!(matches!(
            give_up(&request.fingerprint()),
            GiveUpError::FirstRequest
        ));
    }
}
