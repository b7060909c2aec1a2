//! The master key, in a folder of its own, preferably on a machine without network.
//!
//! | file | content |
//! | --- | --- |
//! | `master.pem` | the private master key, encrypted |
//! | `signed/NUMBER.json` | all signed documents, in order |
//!
//! A master key signs for one currency. This machine keeps a record of all signed documents, so that it can compare
//! the next request with its own record and need not trust what the request says about the past.

mod describe;

use std::fs::{File, TryLockError};
use std::path::PathBuf;

use opencoin_crypto::{
    CertificateError, KeyError, KeyStoreError, PrivateKey, PublicKey, VerifiedCddc, sign_cddc,
    sign_mint_key_certificate, verify_cddc,
};
use opencoin_private_files::{self as private_files, FileError};
use opencoin_schema::{DecodeError, MintKey, from_json, text};
use thiserror::Error;

use crate::key_files::read_key;
use crate::passphrase::Passphrase;
use crate::randomness::Randomness;
use crate::signing_request::{CddDraft, MintKeyDraft, SignedCertificates, SigningRequest};

const MASTER_KEY_FILE: &str = "master.pem";
const LOG_FOLDER: &str = "signed";
const RECORD_SUFFIX: &str = ".json";
const LOCK_FILE: &str = "lock";
/// The smallest master key. It signs few documents and is used for a long time.
pub(crate) const MASTER_KEY_BITS_MIN: usize = 3072;

/// The folder of a master key.
#[derive(Debug, Clone)]
pub struct Vault {
    folder: PathBuf,
}

/// Nothing was signed, or no master key was made.
#[derive(Debug, Error)]
pub enum VaultError {
    /// The folder already has a master key.
    #[error("{0} exists already; a master key is made only once")]
    Occupied(PathBuf),
    /// The folder has no master key.
    #[error("{0} does not exist; make a master key with `opencoin master create`")]
    Missing(PathBuf),
    /// The master key cannot be read.
    #[error(transparent)]
    Key(#[from] KeyStoreError),
    /// Another process makes or uses the key at this moment.
    #[error("{0} is in use by another process; try again when it is done")]
    InUse(PathBuf),
    /// The key cannot be made.
    #[error(transparent)]
    Generate(#[from] KeyError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A record of signed documents cannot be read.
    #[error("{path}: {error}")]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: DecodeError,
    },
    /// The request is for another currency or contradicts signed documents.
    #[error("not signed: {0}")]
    Request(String),
    /// A document cannot be signed.
    #[error("not signed: {0}")]
    Certificate(#[from] CertificateError),
}

impl Vault {
    /// The vault in this folder, which need not exist.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        Self { folder }
    }

    /// Whether the folder has a master key.
    #[must_use]
    pub fn has_key(&self) -> bool {
        self.key_file().is_file()
    }

    /// The file of the private key.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.folder.join(MASTER_KEY_FILE)
    }

    /// Makes a master key of `bits`, but at least 3072 bits.
    ///
    /// # Errors
    /// When the folder already has a key, cannot be written, or is accessible to others.
    pub fn create(
        &self,
        bits: usize,
        passphrase: &Passphrase,
        rng: &mut dyn Randomness,
    ) -> Result<PublicKey, VaultError> {
        private_files::make_private_folder(&self.folder)?;
        let _lock = self.lock()?;
        if self.has_key() {
            return Err(VaultError::Occupied(self.key_file()));
        }
        let key = PrivateKey::generate(bits.max(MASTER_KEY_BITS_MIN))?;
        let pem = key.to_encrypted_pkcs8_pem(passphrase.expose(), rng);
        private_files::write(&self.key_file(), pem.as_bytes())?;
        let parent = self.folder.parent();
        if let Some(parent) = parent.filter(|parent| !parent.as_os_str().is_empty()) {
            private_files::sync_folder(parent)?;
        }
        Ok(key.public_key().clone())
    }

    /// Signs the requested documents and keeps a record of them. A repeated request is signed again.
    ///
    /// # Errors
    /// When the request is for another currency, contradicts signed documents, or does not result in valid
    /// certificates. Then nothing is signed.
    pub fn sign(
        &self,
        request: &SigningRequest,
        passphrase: &Passphrase,
        rng: &mut dyn Randomness,
    ) -> Result<SignedCertificates, VaultError> {
        if !self.has_key() {
            return Err(VaultError::Missing(self.key_file()));
        }
        let _lock = self.lock()?;
        let key = read_key(&self.key_file(), passphrase)?;
        let current = request.current.as_ref().map(verify_cddc).transpose()?;
        let has_other_key = |current: &VerifiedCddc| current.master_key() != key.public_key();
        if current.as_ref().is_some_and(has_other_key) {
            let reason = "the currency has another master key than this one";
            return Err(VaultError::Request(reason.to_owned()));
        }
        check(request, &self.past()?)?;
        let next = request
            .cdd
            .clone()
            .map(|draft| sign_cddc(draft.with_master_key(key.public_key()), &key, rng))
            .transpose()?;
        let signed_for = next.as_ref().or(current.as_ref());
        let mut mkcs = Vec::with_capacity(request.mint_keys.len());
        for draft in &request.mint_keys {
            let serial = draft.cdd_serial;
            let cddc = signed_for
                .filter(|cddc| cddc.cdd().cdd_serial == serial)
                .ok_or_else(|| {
                    VaultError::Request(format!(
                        "a mint key names the CDD with serial {serial}, which is not the current one"
                    ))
                })?;
            let signed = sign_mint_key_certificate(draft.clone().with_issuer(cddc), cddc, &key, rng)?;
            mkcs.push(signed.mkc().clone());
        }
        let answer = SignedCertificates::new(next.as_ref().map(VerifiedCddc::cddc).cloned(), mkcs);
        assert!(
            request.is_answered_by(&answer),
            "exactly the requested documents were signed"
        );
        self.keep(&answer)?;
        Ok(answer)
    }

    /// Locks the folder against other processes, after a check that only its owner has access.
    fn lock(&self) -> Result<File, VaultError> {
        if let Some(exposure) = private_files::exposure(&self.folder)? {
            return Err(KeyStoreError::Unusable(exposure).into());
        }
        let path = self.folder.join(LOCK_FILE);
        let file = private_files::open_or_make(&path).map_err(FileError::of(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(VaultError::InUse(self.folder.clone())),
            Err(TryLockError::Error(error)) => Err(FileError::of(&path)(error).into()),
        }
    }

    fn past(&self) -> Result<Vec<SignedCertificates>, VaultError> {
        let folder = self.folder.join(LOG_FOLDER);
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let read = |path: PathBuf| {
            let json = std::fs::read(&path).map_err(FileError::of(&path))?;
            from_json(&json).map_err(|error| VaultError::Record { path, error })
        };
        private_files::list(&folder, RECORD_SUFFIX)?
            .into_iter()
            .map(read)
            .collect()
    }

    /// Stores a record under the number after the highest one, so that it never overwrites another.
    fn keep(&self, answer: &SignedCertificates) -> Result<(), VaultError> {
        let folder = self.folder.join(LOG_FOLDER);
        private_files::make_private_folder(&folder)?;
        let number = |path: &PathBuf| path.file_stem()?.to_str()?.parse::<u64>().ok();
        let records = private_files::list(&folder, RECORD_SUFFIX)?;
        let last = records.iter().filter_map(number).max().unwrap_or(0);
        let path = folder.join(format!("{:06}{RECORD_SUFFIX}", last + 1));
        private_files::write(&path, text::compact(answer).as_bytes())?;
        Ok(private_files::sync_folder(&self.folder)?)
    }
}

/// Checks that the request may be signed. `request.current`, if there is one, was signed by this master key. Only the
/// issuer knows whether it is the current one, so differences from the record are only warnings
/// (`disagreements` in `describe.rs`).
fn check(request: &SigningRequest, past: &[SignedCertificates]) -> Result<(), VaultError> {
    let refuse = |reason: String| Err(VaultError::Request(reason));
    let current = request.current.as_ref().map(|cddc| CddDraft::of(&cddc.cdd));
    if let Some(next) = &request.cdd {
        let is_repeated = cdds(past).any(|signed| signed == *next);
        let serial = current.as_ref().map_or(1, |current| current.cdd_serial + 1);
        if next.cdd_serial != serial {
            let wrong = next.cdd_serial;
            return refuse(format!("the serial of the CDD is {wrong}, and must be {serial}"));
        }
        let Some(before) = current.or_else(|| last_cdd(past)) else {
            return Ok(());
        };
        let is_same = next.currency_name == before.currency_name
            && next.currency_divisor == before.currency_divisor
            && next.issuer_cipher_suite == before.issuer_cipher_suite;
        if !is_same || (request.current.is_none() && !is_repeated) {
            let rule = "name, divisor and cipher suite of a currency never change, and a new currency needs a master key of its own";
            return refuse(rule.to_owned());
        }
    }
    let signed_before =
        |draft: &MintKeyDraft| signed_mint_keys(past).find(|mint_key| mint_key.id == draft.id());
    for draft in &request.mint_keys {
        if signed_before(draft).is_some_and(|before| MintKeyDraft::of(before) != *draft) {
            let id = draft.id();
            return refuse(format!("mint key {id} was signed before with other terms"));
        }
    }
    Ok(())
}

fn cdds(past: &[SignedCertificates]) -> impl Iterator<Item = CddDraft> {
    let cddcs = past.iter().filter_map(|signed| signed.cddc.as_ref());
    cddcs.map(|cddc| CddDraft::of(&cddc.cdd))
}

/// The CDD with the highest serial; of several, the one signed last.
fn last_cdd(past: &[SignedCertificates]) -> Option<CddDraft> {
    cdds(past).max_by_key(|cdd| cdd.cdd_serial)
}

fn signed_mint_keys(past: &[SignedCertificates]) -> impl Iterator<Item = &MintKey> {
    let mkcs = past.iter().flat_map(|signed| &signed.mkcs);
    mkcs.map(|mkc| &mkc.mint_key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use chrono::{DateTime, Utc};
    use opencoin_schema::{Cddc, Timestamp};
    use opencoin_testkit::keys::private_key;
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use tempfile::TempDir;
    use zeroize::Zeroizing;

    use super::*;
    use crate::signing_request::cdd_draft;

    fn passphrase() -> Passphrase {
        Passphrase::new(Zeroizing::new("p".to_owned())).unwrap()
    }

    fn now() -> DateTime<Utc> {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    /// A vault with a key. All tests share the key, because making one takes long.
    fn vault() -> (TempDir, Vault) {
        static KEY: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
            let key = private_key("vault");
            key.to_encrypted_pkcs8_pem(passphrase().expose(), &mut StdRng::seed_from_u64(6))
                .to_string()
        });
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let vault = Vault::new(folder.path());
        private_files::write(&vault.key_file(), KEY.as_bytes()).unwrap();
        (folder, vault)
    }

    fn draft(serial: u64, info: &str) -> CddDraft {
        let expiry = Timestamp::from_utc("2030-01-01T00:00:00Z".parse().unwrap());
        CddDraft {
            additional_info: info.to_owned(),
            ..cdd_draft(serial, vec![1], expiry)
        }
    }

    fn request(current: Option<&Cddc>, cdd: CddDraft) -> SigningRequest {
        SigningRequest::new(current.cloned(), Some(cdd), Vec::new())
    }

    fn sign(vault: &Vault, current: Option<&Cddc>, cdd: CddDraft) -> Result<Cddc, VaultError> {
        let answer = vault.sign(
            &request(current, cdd),
            &passphrase(),
            &mut StdRng::seed_from_u64(7),
        )?;
        Ok(answer.cddc.unwrap())
    }

    fn warnings(vault: &Vault, current: Option<&Cddc>, cdd: CddDraft) -> Vec<String> {
        let mut lines = vault.describe(&request(current, cdd), now()).unwrap();
        lines.retain(|line| line.starts_with("WARNING"));
        lines
    }

    #[test]
    fn the_serial_of_the_next_cdd_is_one_higher() {
        let (_folder, vault) = vault();
        assert!(sign(&vault, None, draft(2, "")).is_err(), "the first is 1");
        let first = sign(&vault, None, draft(1, "")).unwrap();
        assert!(sign(&vault, None, draft(1, "")).is_ok(), "the same again");
        assert!(sign(&vault, None, draft(1, "another currency")).is_err());
        assert!(sign(&vault, Some(&first), draft(3, "")).is_err());
        let mut renamed = draft(2, "");
        renamed.currency_name = "OpenEuro".to_owned();
        assert!(sign(&vault, Some(&first), renamed).is_err());
        assert!(warnings(&vault, Some(&first), draft(2, "b")).is_empty());
        assert!(sign(&vault, Some(&first), draft(2, "b")).is_ok());
    }

    #[test]
    fn replacing_an_unpublished_cdd_causes_a_warning() {
        let (_folder, vault) = vault();
        let first = sign(&vault, None, draft(1, "")).unwrap();
        let _given_up = sign(&vault, Some(&first), draft(2, "wrong")).unwrap();
        let said = warnings(&vault, Some(&first), draft(2, "right"));
        assert!(said.len() == 1 && said[0].contains("never published"), "{said:?}");
        assert!(sign(&vault, Some(&first), draft(2, "right")).is_ok());
    }

    #[test]
    fn an_unusable_cdd_causes_a_warning() {
        type Change = fn(&mut CddDraft);
        let (_folder, vault) = vault();
        let invisible: Change = |draft| draft.currency_name = "a\u{202e}b".to_owned();
        let expired: Change = |draft| {
            draft.cdd_expiry_date = Timestamp::from_utc("2020-01-01T00:00:00Z".parse().unwrap());
        };
        let changes: [(Change, &str); 6] = [
            (|draft| draft.currency_divisor = 0, "the divisor"),
            (|draft| draft.denominations = vec![0, 1], "the denominations"),
            (|draft| draft.denominations = vec![1, 1], "the denominations"),
            (|draft| draft.currency_name = String::new(), "the name"),
            (invisible, "the name"),
            (expired, "expired already"),
        ];
        for (change, word) in changes {
            let mut draft = draft(1, "");
            change(&mut draft);
            let said = warnings(&vault, None, draft);
            assert!(said.len() == 1 && said[0].contains(word), "{word}: {said:?}");
        }
    }

    #[test]
    fn an_outdated_copy_of_the_vault_causes_a_warning() {
        let (_folder, older) = vault();
        let (_other, newer) = vault();
        let first = sign(&older, None, draft(1, "")).unwrap();
        let second = sign(&newer, Some(&first), draft(2, "")).unwrap();
        let said = warnings(&older, Some(&second), draft(3, ""));
        assert!(said.len() == 1 && said[0].contains("newest copy"), "{said:?}");
        assert!(sign(&older, Some(&second), draft(3, "")).is_ok());
    }

    #[test]
    fn a_request_cannot_add_lines_or_control_characters() {
        let (_folder, vault) = vault();
        let deceit = "fine\nNo mint keys.\nFingerprint of the request: 00000000\u{1b}[2K\u{202e}";
        let lines = vault.describe(&request(None, draft(1, deceit)), now()).unwrap();
        let is_clean = |line: &String| !line.contains(['\n', '\u{1b}', '\u{202e}']);
        assert!(lines.iter().all(is_clean), "{lines:?}");
        let fingerprints = lines.iter().filter(|line| line.starts_with("Fingerprint"));
        assert_eq!(fingerprints.count(), 1);
    }

    #[test]
    fn an_exposed_folder_and_a_second_key_are_refused() {
        let (folder, vault) = vault();
        let again = vault.create(3072, &passphrase(), &mut StdRng::seed_from_u64(1));
        assert!(matches!(again, Err(VaultError::Occupied(_))), "{again:?}");
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let refused = sign(&vault, None, draft(1, "")).unwrap_err().to_string();
        assert!(refused.contains("chmod 700"), "{refused}");
    }
}
