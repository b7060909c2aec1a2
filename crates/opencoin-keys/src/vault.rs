//! The master key: in a folder of its own, best on a machine without network.
//!
//! | file | what |
//! | --- | --- |
//! | `master.pem` | the private master key, encrypted |
//! | `signed/NUMBER.json` | everything that it has signed, in order |
//!
//! A master key signs for one currency. What it has signed is kept beside it, so that the next request can be
//! compared with what this machine itself knows, and not with what the request says of the past.

mod describe;

use std::fs::{File, TryLockError};
use std::path::PathBuf;

use opencoin_crypto::{
    CertificateError, KeyError, KeyStoreError, PrivateKey, PublicKey, VerifiedCddc, sign_cddc,
    sign_mint_key_certificate, verify_cddc,
};
use opencoin_private_files::{self as private_files, FileError};
use opencoin_schema::{Cddc, DecodeError, MintKey, from_json, text};
use thiserror::Error;

use crate::key_files::read_key;
use crate::passphrase::Passphrase;
use crate::randomness::Randomness;
use crate::signing_request::{CddDraft, MintKeyDraft, SignedCertificates, SigningRequest};

const MASTER_KEY_FILE: &str = "master.pem";
const LOG_FOLDER: &str = "signed";
const RECORD_SUFFIX: &str = ".json";
const LOCK_FILE: &str = "lock";
/// The master key signs few documents and lives long, so it is never smaller than this.
pub(crate) const MASTER_KEY_BITS_MIN: usize = 3072;

/// The folder of a master key.
#[derive(Debug, Clone)]
pub struct Vault {
    folder: PathBuf,
}

/// Why nothing was signed, or no master key made.
#[derive(Debug, Error)]
pub enum VaultError {
    /// There is a master key in the folder.
    #[error("{0} is there already; a master key is made once")]
    Occupied(PathBuf),
    /// There is no master key in the folder.
    #[error("{0} is not there; make a master key with `opencoin master create`")]
    Missing(PathBuf),
    /// The master key cannot be read.
    #[error(transparent)]
    Key(#[from] KeyStoreError),
    /// Somebody else makes or uses the key at this moment.
    #[error("{0} is in use by another process; try again when it is done")]
    InUse(PathBuf),
    /// The key cannot be made.
    #[error(transparent)]
    Generate(#[from] KeyError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A record of what was signed cannot be read.
    #[error("{path}: {error}")]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: DecodeError,
    },
    /// The request is of another currency, or contradicts what was signed before.
    #[error("not signed: {0}")]
    Request(String),
    /// A document cannot be signed.
    #[error("not signed: {0}")]
    Certificate(#[from] CertificateError),
}

impl Vault {
    /// The master key in this folder, whether or not it is there.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Whether there is a master key.
    #[must_use]
    pub fn has_key(&self) -> bool {
        self.key_file().is_file()
    }

    /// The file of the private key.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.folder.join(MASTER_KEY_FILE)
    }

    /// Makes a master key of `bits`, at least 3072.
    ///
    /// # Errors
    /// There is one already, or the folder cannot be written or is open to others.
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
        if let Some(parent) = self
            .folder
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            private_files::sync_folder(parent)?;
        }
        Ok(key.public_key().clone())
    }

    /// Signs what the request asks for, and keeps a record of it. Asked again, it signs the same documents
    /// again.
    ///
    /// # Errors
    /// When the request is of another currency, contradicts what was signed before, or makes no valid
    /// certificates; then nothing was signed.
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
        if current
            .as_ref()
            .is_some_and(|current| current.master_key() != key.public_key())
        {
            return Err(VaultError::Request(
                "the currency has another master key than this one".to_owned(),
            ));
        }
        check(request, &self.past()?)?;
        let next = request
            .cdd
            .clone()
            .map(|draft| sign_cddc(draft.with_master_key(key.public_key()), &key, rng))
            .transpose()?;
        let in_force = next.as_ref().or(current.as_ref());
        let mut mkcs = Vec::with_capacity(request.mint_keys.len());
        for draft in &request.mint_keys {
            let cddc = in_force
                .filter(|cddc| cddc.cdd().cdd_serial == draft.cdd_serial)
                .ok_or_else(|| {
                    VaultError::Request(format!(
                        "a mint key names the CDD with serial {}, which is not in force",
                        draft.cdd_serial
                    ))
                })?;
            mkcs.push(
                sign_mint_key_certificate(draft.clone().with_issuer(cddc), cddc, &key, rng)?
                    .mkc()
                    .clone(),
            );
        }
        let answer = SignedCertificates::new(next.as_ref().map(VerifiedCddc::cddc).cloned(), mkcs);
        assert!(request.is_answered_by(&answer), "what was asked for was signed");
        self.keep(&answer)?;
        Ok(answer)
    }

    /// One at a time, in a folder that is closed to others.
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

    /// Under the number after the highest, so that a record that is missing is not written over another.
    fn keep(&self, answer: &SignedCertificates) -> Result<(), VaultError> {
        let folder = self.folder.join(LOG_FOLDER);
        private_files::make_private_folder(&folder)?;
        let number = |path: &PathBuf| path.file_stem()?.to_str()?.parse::<u64>().ok();
        let last = private_files::list(&folder, RECORD_SUFFIX)?
            .iter()
            .filter_map(number)
            .max()
            .unwrap_or(0);
        private_files::write(
            &folder.join(format!("{:06}{RECORD_SUFFIX}", last + 1)),
            text::compact(answer).as_bytes(),
        )?;
        Ok(private_files::sync_folder(&self.folder)?)
    }
}

/// Whether the request may be signed. `request.current`, where there is one, is this master key's own
/// document; whether it is the one that is in force only the issuer can know, so what the record says besides
/// is a warning ([`disagreements`]).
fn check(request: &SigningRequest, past: &[SignedCertificates]) -> Result<(), VaultError> {
    let refuse = |reason: String| Err(VaultError::Request(reason));
    let current = request.current.as_ref().map(|cddc| CddDraft::of(&cddc.cdd));
    if let Some(next) = &request.cdd {
        let is_repeated = cdds(past).any(|signed| signed == *next);
        let serial = current.as_ref().map_or(1, |current| current.cdd_serial + 1);
        if next.cdd_serial != serial {
            return refuse(format!(
                "the serial of the CDD is {}, and must be {serial}",
                next.cdd_serial
            ));
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
            return refuse(format!(
                "mint key {} was signed before with other terms",
                draft.id()
            ));
        }
    }
    Ok(())
}

fn cdds(past: &[SignedCertificates]) -> impl Iterator<Item = CddDraft> {
    past.iter()
        .filter_map(|signed| signed.cddc.as_ref())
        .map(|cddc: &Cddc| CddDraft::of(&cddc.cdd))
}

/// The one with the highest serial; of several with one serial the last that was signed.
fn last_cdd(past: &[SignedCertificates]) -> Option<CddDraft> {
    cdds(past).max_by_key(|cdd| cdd.cdd_serial)
}

fn signed_mint_keys(past: &[SignedCertificates]) -> impl Iterator<Item = &MintKey> {
    past.iter()
        .flat_map(|signed| &signed.mkcs)
        .map(|mkc| &mkc.mint_key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use chrono::{DateTime, Utc};
    use opencoin_schema::{PROTOCOL_VERSION, Timestamp};
    use opencoin_testkit::keys::private_key;
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use tempfile::TempDir;
    use zeroize::Zeroizing;

    use super::*;

    fn passphrase() -> Passphrase {
        Passphrase::new(Zeroizing::new("p".to_owned())).unwrap()
    }

    fn now() -> DateTime<Utc> {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    /// A vault with a key. Keys of that size take long to make, so there is one for all tests, copied.
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
        let end = Timestamp::from_utc("2030-01-01T00:00:00Z".parse().unwrap());
        CddDraft {
            additional_info: info.to_owned(),
            cdd_expiry_date: end,
            cdd_location: String::new(),
            cdd_serial: serial,
            cdd_signing_date: end,
            currency_divisor: 100,
            currency_name: "OpenCent".to_owned(),
            denominations: vec![1],
            info_service: Vec::new(),
            issuer_cipher_suite: "RSA-SHA384-PSS-RFC9474".to_owned(),
            mint_service: Vec::new(),
            protocol_version: PROTOCOL_VERSION.to_owned(),
            redeem_service: Vec::new(),
            renew_service: Vec::new(),
        }
    }

    fn sign(vault: &Vault, current: Option<&Cddc>, cdd: CddDraft) -> Result<Cddc, VaultError> {
        let request = SigningRequest::new(current.cloned(), Some(cdd), Vec::new());
        Ok(vault
            .sign(&request, &passphrase(), &mut StdRng::seed_from_u64(7))?
            .cddc
            .unwrap())
    }

    fn warnings(vault: &Vault, current: Option<&Cddc>, cdd: CddDraft) -> Vec<String> {
        let lines = vault
            .describe(
                &SigningRequest::new(current.cloned(), Some(cdd), Vec::new()),
                now(),
            )
            .unwrap();
        lines
            .into_iter()
            .filter(|line| line.starts_with("WARNING"))
            .collect()
    }

    #[test]
    fn serials_go_up_by_one_from_the_description_in_force() {
        let (_folder, vault) = vault();
        assert!(sign(&vault, None, draft(2, "")).is_err(), "the first is 1");
        let first = sign(&vault, None, draft(1, "")).unwrap();
        assert!(sign(&vault, None, draft(1, "")).is_ok(), "the same again");
        assert!(sign(&vault, None, draft(1, "another currency")).is_err());
        assert!(sign(&vault, Some(&first), draft(3, "")).is_err());
        let mut renamed = draft(2, "");
        renamed.currency_name = "OpenEuro".to_owned();
        assert!(sign(&vault, Some(&first), renamed).is_err());
        assert_eq!(
            warnings(&vault, Some(&first), draft(2, "b")),
            Vec::<String>::new()
        );
        assert!(sign(&vault, Some(&first), draft(2, "b")).is_ok());
    }

    #[test]
    fn a_description_that_was_given_up_is_replaced_with_a_warning() {
        let (_folder, vault) = vault();
        let first = sign(&vault, None, draft(1, "")).unwrap();
        let _given_up = sign(&vault, Some(&first), draft(2, "wrong")).unwrap();
        let said = warnings(&vault, Some(&first), draft(2, "right"));
        assert!(said.len() == 1 && said[0].contains("never published"), "{said:?}");
        assert!(sign(&vault, Some(&first), draft(2, "right")).is_ok());
    }

    #[test]
    fn a_description_that_no_wallet_can_use_is_shown_with_a_warning() {
        let (_folder, vault) = vault();
        let past = Timestamp::from_utc("2020-01-01T00:00:00Z".parse().unwrap());
        type Spoil = fn(&mut CddDraft, Timestamp);
        let spoils: [(Spoil, &str); 6] = [
            (|draft, _| draft.currency_divisor = 0, "the divisor"),
            (|draft, _| draft.denominations = vec![0, 1], "the denominations"),
            (|draft, _| draft.denominations = vec![1, 1], "the denominations"),
            (|draft, _| draft.currency_name = String::new(), "the name"),
            (
                |draft, _| draft.currency_name = "a\u{202e}b".to_owned(),
                "the name",
            ),
            (|draft, past| draft.cdd_expiry_date = past, "expired already"),
        ];
        for (spoil, word) in spoils {
            let mut draft = draft(1, "");
            spoil(&mut draft, past);
            let said = warnings(&vault, None, draft);
            assert!(said.len() == 1 && said[0].contains(word), "{word}: {said:?}");
        }
    }

    #[test]
    fn an_older_copy_of_the_vault_signs_with_a_warning() {
        let (_folder, older) = vault();
        let (_other, newer) = vault();
        let first = sign(&older, None, draft(1, "")).unwrap();
        let second = sign(&newer, Some(&first), draft(2, "")).unwrap();
        let said = warnings(&older, Some(&second), draft(3, ""));
        assert!(said.len() == 1 && said[0].contains("newest copy"), "{said:?}");
        assert!(sign(&older, Some(&second), draft(3, "")).is_ok());
    }

    #[test]
    fn nothing_in_a_request_makes_a_line_or_moves_a_cursor() {
        let (_folder, vault) = vault();
        let deceit = "fine\nNo mint keys.\nFingerprint of the request: 00000000\u{1b}[2K\u{202e}";
        let lines = vault
            .describe(
                &SigningRequest::new(None, Some(draft(1, deceit)), Vec::new()),
                now(),
            )
            .unwrap();
        assert!(
            lines
                .iter()
                .all(|line| !line.contains(['\n', '\u{1b}', '\u{202e}'])),
            "{lines:?}"
        );
        assert_eq!(
            lines
                .iter()
                .filter(|line| line.starts_with("Fingerprint"))
                .count(),
            1
        );
    }

    #[test]
    fn a_folder_that_is_open_to_others_and_a_second_key_are_refused() {
        let (folder, vault) = vault();
        let again = vault.create(3072, &passphrase(), &mut StdRng::seed_from_u64(1));
        assert!(matches!(again, Err(VaultError::Occupied(_))), "{again:?}");
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let refused = sign(&vault, None, draft(1, "")).unwrap_err().to_string();
        assert!(refused.contains("chmod 700"), "{refused}");
    }
}
