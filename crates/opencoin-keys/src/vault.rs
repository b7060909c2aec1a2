//! The master key, in a folder of its own, preferably on a machine without network.
//!
//! | file | content |
//! | --- | --- |
//! | `master.pem` | the private master key, encrypted |
//! | `signed/NUMBER.json` | all signed documents, in order |
//!
//! A master key signs for one currency. This machine keeps a record of all signed documents, so that it can compare
//! the next request with its own record and need not trust what the request says about the past. No document is signed
//! twice, because a signature is random: a repeated request gets the certificates of the record.

mod describe;

use std::fs::{File, TryLockError};
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use opencoin_crypto::{
    CertificateError, KeyError, KeyStoreError, PrivateKey, PublicKey, VerifiedCddc, sign_cddc,
    sign_mint_key_certificate, verify_cddc, verify_mint_key_certificate,
};
use opencoin_log::log_block::LogBlock;
use opencoin_private_files::{self as private_files, FileError};
use opencoin_schema::{Cddc, DecodeError, Mkc, from_json, text};
use thiserror::Error;

use crate::key_files::{opens_key, read_key};
use crate::log_deadline::import_deadline;
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
    /// The certificates of the requested mint keys could not be used any more.
    #[error(
        "not signed: the certificates of these mint keys had to be imported by {}, to be in the public log when they sign. Give \
         the request up where the currency is, with `opencoin issuer keys give-up`, and make a new one there, with \
         `opencoin issuer keys rotate` or by repeating the change of the description. If the way to the master key takes longer, set rotation.offline_time to \
         a longer time before. (Is the clock of this machine right?)",
        .deadline.format("%F %T UTC")
    )]
    Late {
        /// Until when they had to be imported.
        deadline: DateTime<Utc>,
    },
}

/// A master key that nobody can sign with meanwhile.
#[derive(Debug)]
pub struct HeldVault(#[expect(dead_code, reason = "the lock ends with the file")] File);

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

    /// Whether this passphrase opens the master key.
    ///
    /// # Errors
    /// When there is no key, or it cannot be read.
    pub fn opens_with(&self, passphrase: &Passphrase) -> Result<bool, VaultError> {
        if !self.has_key() {
            return Err(VaultError::Missing(self.key_file()));
        }
        Ok(opens_key(&self.key_file(), passphrase)?)
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

    /// Signs the requested documents and keeps a record of them. What was signed before is not signed again: the answer
    /// has the certificate of the record.
    ///
    /// # Errors
    /// When the request is for another currency, contradicts signed documents, comes too late at this time, or does not
    /// result in valid certificates. Then nothing is signed.
    pub fn sign(
        &self,
        request: &SigningRequest,
        passphrase: &Passphrase,
        now: DateTime<Utc>,
        rng: &mut dyn Randomness,
    ) -> Result<SignedCertificates, VaultError> {
        if !self.has_key() {
            return Err(VaultError::Missing(self.key_file()));
        }
        let _lock = self.lock()?;
        let key = read_key(&self.key_file(), passphrase)?;
        let current = request.current.as_ref().map(verify_cddc).transpose()?;
        let has_other_key = |cddc: &VerifiedCddc| cddc.master_key() != key.public_key();
        if current.as_ref().is_some_and(has_other_key) {
            let reason = "the currency has another master key than this one";
            return Err(VaultError::Request(reason.to_owned()));
        }
        let past = self.past()?;
        check(request, &past, now)?;
        let next = request
            .cdd
            .as_ref()
            .map(|draft| match signed_cddc(&past, draft) {
                Some(cddc) => verify_cddc(cddc),
                None => sign_cddc(draft.clone().with_master_key(key.public_key()), &key, rng),
            })
            .transpose()?;
        if next.as_ref().is_some_and(has_other_key) {
            let reason = "the record of this vault is of another master key";
            return Err(VaultError::Request(reason.to_owned()));
        }
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
            let signed = match signed_mkc(&past, draft) {
                Some(mkc) => verify_mint_key_certificate(mkc, cddc)?,
                None => sign_mint_key_certificate(draft.clone().with_issuer(cddc), cddc, &key, rng)?,
            };
            mkcs.push(signed.mkc().clone());
        }
        let answer = SignedCertificates::new(next.as_ref().map(VerifiedCddc::cddc).cloned(), mkcs);
        assert!(
            request.is_answered_by(&answer),
            "exactly the requested documents were signed"
        );
        if !past.contains(&answer) {
            self.keep(&answer)?;
        }
        Ok(answer)
    }

    /// Whether the record of this vault has a certificate of this description.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn has_signed(&self, description: &CddDraft) -> Result<bool, VaultError> {
        Ok(signed_cddc(&self.past()?, description).is_some())
    }

    /// Keeps others from signing as long as this is held.
    ///
    /// # Errors
    /// When another process makes or uses the key, or the folder cannot be used.
    pub fn hold(&self) -> Result<HeldVault, VaultError> {
        self.lock().map(HeldVault)
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
fn check(
    request: &SigningRequest,
    past: &[SignedCertificates],
    now: DateTime<Utc>,
) -> Result<(), VaultError> {
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
    let signed_before = |draft: &MintKeyDraft| mkcs(past).find(|mkc| mkc.mint_key.id == draft.id());
    for draft in &request.mint_keys {
        if signed_before(draft).is_some_and(|before| MintKeyDraft::of(&before.mint_key) != *draft) {
            let id = draft.id();
            return refuse(format!("mint key {id} was signed before with other terms"));
        }
    }
    check_deadline(request, past, now)
}

/// Refuses mint keys that cannot be used any more. A description that was signed with such keys is answered again: an
/// import takes it without the keys, and another one in its place would have the same serial.
fn check_deadline(
    request: &SigningRequest,
    past: &[SignedCertificates],
    now: DateTime<Utc>,
) -> Result<(), VaultError> {
    let info = request.current.as_ref().map(|cddc| &cddc.cdd.additional_info);
    let log = info
        .map(|info| LogBlock::find(info))
        .transpose()
        .map_err(|error| {
            VaultError::Request(format!(
                "the current description describes its log in a form that nobody can read: {error}"
            ))
        })?;
    let has_signed = |cdd| signed_cddc(past, cdd).is_some();
    let is_repeated = request.cdd.as_ref().is_some_and(has_signed)
        && request
            .mint_keys
            .iter()
            .all(|draft| signed_mkc(past, draft).is_some());
    match import_deadline(request, log.flatten().as_ref()) {
        Some(deadline) if deadline < now && !is_repeated => Err(VaultError::Late { deadline }),
        _ => Ok(()),
    }
}

/// The certificate of this CDD, if it was signed before.
fn signed_cddc<'a>(past: &'a [SignedCertificates], draft: &CddDraft) -> Option<&'a Cddc> {
    let mut cddcs = past.iter().filter_map(|signed| signed.cddc.as_ref());
    cddcs.find(|cddc| CddDraft::of(&cddc.cdd) == *draft)
}

/// The certificate of this mint key, if it was signed before.
fn signed_mkc<'a>(past: &'a [SignedCertificates], draft: &MintKeyDraft) -> Option<&'a Mkc> {
    mkcs(past).find(|mkc| MintKeyDraft::of(&mkc.mint_key) == *draft)
}

fn cdds(past: &[SignedCertificates]) -> impl Iterator<Item = CddDraft> {
    let cddcs = past.iter().filter_map(|signed| signed.cddc.as_ref());
    cddcs.map(|cddc| CddDraft::of(&cddc.cdd))
}

/// The CDD with the highest serial; of several, the one signed last.
fn last_cdd(past: &[SignedCertificates]) -> Option<CddDraft> {
    cdds(past).max_by_key(|cdd| cdd.cdd_serial)
}

fn mkcs(past: &[SignedCertificates]) -> impl Iterator<Item = &Mkc> {
    past.iter().flat_map(|signed| &signed.mkcs)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::atomic::{AtomicU64, Ordering};

    use chrono::TimeDelta;
    use opencoin_config::Window;
    use opencoin_schema::Timestamp;
    use opencoin_testkit::keys::private_key;
    use opencoin_testkit::log_builder::LogCurrency;
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
        let answer = answer(vault, &request(current, cdd), now())?;
        Ok(answer.cddc.unwrap())
    }

    /// Signs at this time. Each call has other random bytes, so a document that is signed twice has two signatures.
    fn answer(
        vault: &Vault,
        request: &SigningRequest,
        now: DateTime<Utc>,
    ) -> Result<SignedCertificates, VaultError> {
        static CALLS: AtomicU64 = AtomicU64::new(0);
        let mut rng = StdRng::seed_from_u64(CALLS.fetch_add(1, Ordering::Relaxed));
        vault.sign(request, &passphrase(), now, &mut rng)
    }

    /// A mint key that signs from now on.
    fn mint_key(seed: &str, cdd_serial: u64) -> MintKeyDraft {
        let window = Window {
            sign_not_before: now(),
            sign_not_after: now() + TimeDelta::days(1),
            coins_expiry: now() + TimeDelta::days(2),
        };
        MintKeyDraft::new(private_key(seed).public_key(), 1, cdd_serial, window)
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
        assert!(sign(&vault, None, draft(1, "another currency")).is_err());
        assert!(sign(&vault, Some(&first), draft(3, "")).is_err());
        let mut renamed = draft(2, "");
        renamed.currency_name = "OpenEuro".to_owned();
        assert!(sign(&vault, Some(&first), renamed).is_err());
        assert!(warnings(&vault, Some(&first), draft(2, "b")).is_empty());
        assert!(sign(&vault, Some(&first), draft(2, "b")).is_ok());
    }

    /// Whoever gives a request up holds the key until the request is gone.
    #[test]
    fn nobody_signs_while_the_key_is_held() {
        let (_folder, vault) = vault();
        let held = vault.hold().unwrap();
        let refused = sign(&vault, None, draft(1, ""));
        assert!(matches!(refused, Err(VaultError::InUse(_))), "{refused:?}");
        assert!(!vault.has_signed(&draft(1, "")).unwrap());
        drop(held);
        sign(&vault, None, draft(1, "")).unwrap();
        assert!(vault.has_signed(&draft(1, "")).unwrap());
    }

    #[test]
    fn no_document_is_signed_twice() {
        let (folder, vault) = vault();
        let keys = vec![mint_key("mint 1", 1)];
        let begins = SigningRequest::new(None, Some(draft(1, "")), keys.clone());
        let first = answer(&vault, &begins, now()).unwrap();
        assert_eq!(answer(&vault, &begins, now()).unwrap(), first);
        let records = std::fs::read_dir(folder.path().join(LOG_FOLDER)).unwrap();
        assert_eq!(records.count(), 1, "a repetition is no new record");
        // The same documents in another request.
        let more = [keys, vec![mint_key("mint 2", 1)]].concat();
        let more = SigningRequest::new(first.cddc.clone(), None, more);
        let second = answer(&vault, &more, now()).unwrap();
        assert_eq!(second.mkcs[0], first.mkcs[0]);
        assert_eq!(sign(&vault, None, draft(1, "")).unwrap(), first.cddc.unwrap());
    }

    #[test]
    fn mint_keys_that_could_not_be_imported_in_time_are_not_signed() {
        let (_folder, vault) = vault();
        let currency = LogCurrency::new("issuer.test", "http://issuer.test");
        let log = &currency.cddc().cdd().additional_info;
        let first = sign(&vault, None, draft(1, log)).unwrap();
        let deadline = now() + TimeDelta::minutes(30);
        let late = deadline + TimeDelta::seconds(1);
        let keys = |name| SigningRequest::new(Some(first.clone()), None, vec![mint_key(name, 1)]);
        assert!(answer(&vault, &keys("mint 1"), deadline).is_ok());
        for request in [keys("mint 1"), keys("mint 2")] {
            let refused = answer(&vault, &request, late).unwrap_err().to_string();
            let says = ["2026-01-01 00:30:00 UTC", "opencoin issuer keys rotate"];
            assert!(says.iter().all(|word| refused.contains(word)), "{refused}");
            let described = vault.describe(&request, late).unwrap();
            assert!(
                described.iter().any(|line| line.contains(says[0])),
                "{described:?}"
            );
        }
        // A description that was signed is answered, because one in its place would have the same serial.
        let change = SigningRequest::new(
            Some(first.clone()),
            Some(draft(2, log)),
            vec![mint_key("mint 3", 2)],
        );
        assert!(answer(&vault, &change, late).is_err());
        let signed = answer(&vault, &change, deadline).unwrap();
        assert_eq!(answer(&vault, &change, late).unwrap(), signed);
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
