//! Certificates come back from the master key: they are checked, written, and end the request that they answer.

use chrono::{DateTime, Utc};
use opencoin_log::log_block::LogBlock;
use opencoin_private_files as private_files;
use opencoin_schema::{BigInt, Cddc, Mkc};

use super::{CDDC_FOLDER, CertificateLock, Directory, DirectoryError, MKC_FOLDER};
use crate::currency::Currency;
use crate::log_deadline::log_deadline;
use crate::signing_request::{CddDraft, MintKeyDraft, SignedCertificates, SigningRequest};

/// What an import has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The certificates that are in the folder now.
    pub certificates: SignedCertificates,
    /// Mint keys that came too late for the public log, and were left out. Their certificates must be destroyed.
    pub late: Vec<BigInt>,
    /// Whether the call took them; otherwise an earlier one had.
    pub is_new: bool,
}

/// Certificates that were checked and are not written yet.
#[derive(Debug, Clone)]
pub struct CheckedImport {
    /// The new description of the currency, if it is not in the folder.
    cddc: Option<Cddc>,
    /// The certificates that are not in the folder.
    mkcs: Vec<Mkc>,
    /// The request that they answer; `None` if they were taken before.
    request: Option<SigningRequest>,
    imported: Imported,
}

impl CheckedImport {
    /// The request that the certificates answer; `None` if they were taken before.
    #[must_use]
    pub const fn request(&self) -> Option<&SigningRequest> {
        self.request.as_ref()
    }
}

impl Imported {
    fn has_certificates(&self) -> bool {
        self.certificates.cddc.is_some() || !self.certificates.mkcs.is_empty()
    }
}

impl Directory {
    /// Imports certificates that were requested. Mint keys that come too late for the public log are left out: a
    /// description that was signed with them must be taken, because another one would have the same serial.
    ///
    /// # Errors
    /// When they were not requested, do not verify, have another master key, or are of mint keys that all come too late;
    /// then nothing is written. Or when a file operation fails; then the same call finishes the import later.
    pub fn import(
        &self,
        answer: &SignedCertificates,
        now: DateTime<Utc>,
        lock: &CertificateLock,
    ) -> Result<Imported, DirectoryError> {
        let import = self.check_import(answer, now, lock)?;
        self.take(import, lock)
    }

    /// What [`Self::import`] does before it writes.
    ///
    /// # Errors
    /// As those of [`Self::import`] after which nothing is written.
    pub fn check_import(
        &self,
        answer: &SignedCertificates,
        now: DateTime<Utc>,
        _lock: &CertificateLock,
    ) -> Result<CheckedImport, DirectoryError> {
        let (mut cddcs, mut mkcs) = (self.cddcs()?, self.mkcs()?);
        let has_cddc = |cddc: &Cddc| {
            let draft = CddDraft::of(&cddc.cdd);
            cddcs.iter().any(|known| CddDraft::of(&known.cdd) == draft)
        };
        let has_mkc = |mkc: &Mkc| {
            let draft = MintKeyDraft::of(&mkc.mint_key);
            mkcs.iter()
                .any(|known| MintKeyDraft::of(&known.mint_key) == draft)
        };
        let new_cddc = answer.cddc.as_ref().filter(|cddc| !has_cddc(cddc));
        let new_mkcs: Vec<&Mkc> = answer.mkcs.iter().filter(|mkc| !has_mkc(mkc)).collect();
        let pending = self.pending()?;
        let log = self.log_with_keys(pending.as_ref())?;
        let deadline = |mkc: &Mkc| Some(log_deadline(mkc.mint_key.sign_coins_not_before, log.as_ref()?));
        let is_late = |mkc: &&Mkc| deadline(mkc).is_some_and(|deadline| deadline < now);
        let (late, timely): (Vec<&Mkc>, Vec<&Mkc>) = new_mkcs.into_iter().partition(is_late);
        let mut imported = Imported {
            certificates: answer.without(&late),
            late: late.iter().map(|mkc| mkc.mint_key.id.clone()).collect(),
            is_new: false,
        };
        let Some(request) = pending else {
            let is_known = new_cddc.is_none() && timely.is_empty() && imported.has_certificates();
            if !is_known {
                let reason = "nothing here waits for certificates".to_owned();
                return Err(DirectoryError::Import(reason));
            }
            return Ok(CheckedImport {
                cddc: None,
                mkcs: Vec::new(),
                request: None,
                imported,
            });
        };
        if !request.is_answered_by(answer) {
            let fingerprint = request.fingerprint();
            let reason = format!(
                "these are not the certificates of the request that waits, which has the fingerprint {fingerprint}"
            );
            return Err(DirectoryError::Import(reason));
        }
        cddcs.extend(new_cddc.cloned());
        mkcs.extend(timely.iter().chain(&late).map(|mkc| (*mkc).clone()));
        Currency::new(cddcs, mkcs).map_err(|error| DirectoryError::Import(error.to_string()))?;
        if let Some(late) = late.first().filter(|_| !imported.has_certificates()) {
            return Err(self.too_late(late, deadline(late).unwrap_or(now)));
        }
        imported.is_new = true;
        Ok(CheckedImport {
            cddc: new_cddc.cloned(),
            mkcs: timely.into_iter().cloned().collect(),
            request: Some(request),
            imported,
        })
    }

    /// Writes what [`Self::check_import`] has checked under the same lock.
    ///
    /// # Errors
    /// When a file operation fails. The same import finishes it later.
    pub fn take(&self, import: CheckedImport, _lock: &CertificateLock) -> Result<Imported, DirectoryError> {
        let CheckedImport {
            cddc,
            mkcs,
            request,
            imported,
        } = import;
        // Before the mint keys that name it.
        if let Some(cddc) = cddc {
            self.write_document(CDDC_FOLDER, &cddc.cdd.cdd_serial, &cddc)?;
        }
        for mkc in mkcs {
            self.write_document(MKC_FOLDER, &mkc.mint_key.id, &mkc)?;
        }
        if request.is_some() {
            private_files::remove(&self.pending_file())?;
        }
        Ok(imported)
    }

    /// The public log, if it has mint keys already. That of a new currency begins with its first keys, whenever they come.
    fn log_with_keys(&self, pending: Option<&SigningRequest>) -> Result<Option<LogBlock>, DirectoryError> {
        if pending.is_some_and(SigningRequest::is_for_new_currency) {
            return Ok(None);
        }
        match self.currency() {
            Ok(currency) => Ok(currency.log().cloned()),
            Err(DirectoryError::NoCertificates(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Until when the certificates of a request must be imported, if the currency has a public log.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn import_deadline(&self, request: &SigningRequest) -> Result<Option<DateTime<Utc>>, DirectoryError> {
        Ok(self.currency()?.import_deadline(request))
    }

    fn too_late(&self, late: &Mkc, deadline: DateTime<Utc>) -> DirectoryError {
        DirectoryError::Import(format!(
            "the certificates of the mint key {} had to be here by {}, to be in the public log when they sign: destroy them, \
             give the request up (`opencoin issuer keys give-up`), make the keys again, and bring their certificates sooner, \
             or set rotation.offline_time to a longer time before",
            late.mint_key.id,
            deadline.format("%F %T UTC"),
        ))
    }
}
