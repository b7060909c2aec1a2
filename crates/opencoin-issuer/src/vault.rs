//! The master key: in a folder of its own, best on a machine without network.
//!
//! | file | what |
//! | --- | --- |
//! | `master.pem` | the private master key, encrypted |
//! | `signed/NUMBER.json` | everything that it has signed, in order |
//!
//! A master key signs for one currency. What it has signed is kept beside it, so that the next request can be compared with what
//! this machine itself knows, and not with what the request says of the past.

use std::fs::{File, TryLockError};
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use opencoin_crypto::{
    CertificateError, KeyError, KeyStoreError, PrivateKey, PublicKey, VerifiedCddc, sign_cddc, sign_mint_key_certificate,
    verify_cddc,
};
use opencoin_schema::{Cddc, DecodeError, MintKey, WeightedUrl, from_json, text};
use thiserror::Error;

use crate::key_files::{Randomness, read_key};
use crate::passphrase::Passphrase;
use crate::private_files::{self, FileError};
use crate::signing_request::{CddDraft, MintKeyDraft, SignedCertificates, SigningRequest, fingerprint};

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
        Self { folder: folder.into() }
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
    pub fn create(&self, bits: usize, passphrase: &Passphrase, rng: &mut dyn Randomness) -> Result<PublicKey, VaultError> {
        private_files::make_private_folder(&self.folder)?;
        let _lock = self.lock()?;
        if self.has_key() {
            return Err(VaultError::Occupied(self.key_file()));
        }
        let key = PrivateKey::generate(bits.max(MASTER_KEY_BITS_MIN), rng)?;
        let pem = key.to_encrypted_pkcs8_pem(passphrase.expose(), rng);
        private_files::write(&self.key_file(), pem.as_bytes())?;
        if let Some(parent) = self.folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            private_files::sync_folder(parent)?;
        }
        Ok(key.public_key().clone())
    }

    /// Signs what the request asks for, and keeps a record of it. Asked again, it signs the same documents again.
    ///
    /// # Errors
    /// When the request is of another currency, contradicts what was signed before, or makes no valid certificates; then
    /// nothing was signed.
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
        if current.as_ref().is_some_and(|current| current.master_key() != key.public_key()) {
            return Err(VaultError::Request("the currency has another master key than this one".to_owned()));
        }
        check(request, &self.past()?)?;
        let next = request.cdd.clone().map(|draft| sign_cddc(draft.with_master_key(key.public_key()), &key, rng)).transpose()?;
        let in_force = next.as_ref().or(current.as_ref());
        let mut mkcs = Vec::with_capacity(request.mint_keys.len());
        for draft in &request.mint_keys {
            let cddc = in_force.filter(|cddc| cddc.cdd().cdd_serial == draft.cdd_serial).ok_or_else(|| {
                VaultError::Request(format!("a mint key names the CDD with serial {}, which is not in force", draft.cdd_serial))
            })?;
            mkcs.push(sign_mint_key_certificate(draft.clone().with_issuer(cddc), cddc, &key, rng)?.mkc().clone());
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
        let file = private_files::open_lock(&path).map_err(FileError::of(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(VaultError::InUse(self.folder.clone())),
            Err(TryLockError::Error(error)) => Err(FileError::of(&path)(error).into()),
        }
    }

    /// What is about to be signed, in plain words, one line each; lines that begin with `WARNING` ask for a second look. Nothing that
    /// the request says can move a cursor or make a line of its own.
    ///
    /// # Errors
    /// When what was signed before cannot be read.
    pub fn describe(&self, request: &SigningRequest, now: DateTime<Utc>) -> Result<Vec<String>, VaultError> {
        let past = self.past()?;
        let mut lines = Vec::new();
        match last_cdd(&past) {
            Some(cdd) => {
                let name = plain(&cdd.currency_name);
                lines.push(format!("Currency {name}, for which this machine has signed {} times.", past.len()));
            }
            None => lines.push("The first documents that this machine signs with this key.".to_owned()),
        }
        match (&request.cdd, &request.current) {
            (Some(cdd), current) => {
                let before = current.as_ref().map(|cddc| CddDraft::of(&cddc.cdd)).or_else(|| last_cdd(&past));
                lines.extend(describe_cdd(cdd, before.as_ref()));
            }
            (None, Some(current)) => {
                lines.push(format!("The description of the currency (CDD), serial {}, stays as it is.", current.cdd.cdd_serial));
            }
            (None, None) => {}
        }
        if request.mint_keys.is_empty() {
            lines.push("No mint keys.".to_owned());
        }
        for draft in &request.mint_keys {
            lines.extend(describe_mint_key(draft, &past, now));
        }
        lines.extend(disagreements(request, &past).into_iter().map(|warning| format!("WARNING: {warning}")));
        if let Err(error) = check(request, &past) {
            lines.push(format!("WARNING: it cannot be signed: {error}"));
        }
        lines.push(format!("Fingerprint of the request: {}", request.fingerprint()));
        Ok(lines)
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
        private_files::list(&folder, RECORD_SUFFIX)?.into_iter().map(read).collect()
    }

    /// Under the number after the highest, so that a record that is missing is not written over another.
    fn keep(&self, answer: &SignedCertificates) -> Result<(), VaultError> {
        let folder = self.folder.join(LOG_FOLDER);
        private_files::make_private_folder(&folder)?;
        let number = |path: &PathBuf| path.file_stem()?.to_str()?.parse::<u64>().ok();
        let last = private_files::list(&folder, RECORD_SUFFIX)?.iter().filter_map(number).max().unwrap_or(0);
        private_files::write(&folder.join(format!("{:06}{RECORD_SUFFIX}", last + 1)), text::compact(answer).as_bytes())?;
        Ok(private_files::sync_folder(&self.folder)?)
    }
}

/// Whether the request may be signed. `request.current`, where there is one, is this master key's own document; whether it is the
/// one that is in force only the issuer can know, so what the record says besides is a warning ([`disagreements`]).
fn check(request: &SigningRequest, past: &[SignedCertificates]) -> Result<(), VaultError> {
    let refuse = |reason: String| Err(VaultError::Request(reason));
    let current = request.current.as_ref().map(|cddc| CddDraft::of(&cddc.cdd));
    if let Some(next) = &request.cdd {
        let is_repeated = cdds(past).any(|signed| signed == *next);
        let serial = current.as_ref().map_or(1, |current| current.cdd_serial + 1);
        if next.cdd_serial != serial {
            return refuse(format!("the serial of the CDD is {}, and must be {serial}", next.cdd_serial));
        }
        let Some(before) = current.or_else(|| last_cdd(past)) else { return Ok(()) };
        let is_same = next.currency_name == before.currency_name
            && next.currency_divisor == before.currency_divisor
            && next.issuer_cipher_suite == before.issuer_cipher_suite;
        if !is_same || (request.current.is_none() && !is_repeated) {
            let rule =
                "name, divisor and cipher suite of a currency never change, and a new currency needs a master key of its own";
            return refuse(rule.to_owned());
        }
    }
    let signed_before = |draft: &MintKeyDraft| signed_mint_keys(past).find(|mint_key| mint_key.id == draft.id());
    for draft in &request.mint_keys {
        if signed_before(draft).is_some_and(|before| MintKeyDraft::of(before) != *draft) {
            return refuse(format!("mint key {} was signed before with other terms", draft.id()));
        }
    }
    Ok(())
}

/// What the record of this machine says otherwise than the request.
fn disagreements(request: &SigningRequest, past: &[SignedCertificates]) -> Vec<String> {
    let mut warnings = Vec::new();
    let Some(last) = last_cdd(past) else {
        if request.current.is_some() {
            warnings
                .push("this machine has no record of what was signed before; is this the newest copy of the vault?".to_owned());
        }
        return warnings;
    };
    let current = request.current.as_ref().map_or(0, |cddc| cddc.cdd.cdd_serial);
    if current > last.cdd_serial {
        warnings.push(format!(
            "the description in force has serial {current}, and this machine knows {} as the last; is this the newest copy of the vault?",
            last.cdd_serial
        ));
    }
    let is_repeated = request.cdd.as_ref().is_some_and(|next| cdds(past).any(|signed| signed == *next));
    if current < last.cdd_serial && !is_repeated {
        warnings.push(format!(
            "this machine has signed a description with serial {}, and the request says that {current} is in force. Sign this only if that \
             one was given up and never published",
            last.cdd_serial
        ));
    }
    warnings
}

fn cdds(past: &[SignedCertificates]) -> impl Iterator<Item = CddDraft> {
    past.iter().filter_map(|signed| signed.cddc.as_ref()).map(|cddc: &Cddc| CddDraft::of(&cddc.cdd))
}

/// The one with the highest serial; of several with one serial the last that was signed.
fn last_cdd(past: &[SignedCertificates]) -> Option<CddDraft> {
    cdds(past).max_by_key(|cdd| cdd.cdd_serial)
}

/// A text of the request without anything that could deceive whoever reads it.
fn plain(text: &str) -> String {
    let deceives = |character: char| {
        character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars().map(|c| if deceives(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

fn signed_mint_keys(past: &[SignedCertificates]) -> impl Iterator<Item = &MintKey> {
    past.iter().flat_map(|signed| &signed.mkcs).map(|mkc| &mkc.mint_key)
}

fn describe_cdd(next: &CddDraft, last: Option<&CddDraft>) -> Vec<String> {
    let mut lines = vec!["A description of the currency (CDD):".to_owned()];
    let before = last.map(rows);
    for (index, (name, value)) in rows(next).into_iter().enumerate() {
        let was = before.as_ref().map(|before| &before[index].1).filter(|was| **was != value);
        let change = was.map_or_else(String::new, |was| format!("   (CHANGED, was {was})"));
        lines.push(plain(&format!("  {name}: {value}{change}")));
    }
    lines
}

/// Everything that a CDD says, by name.
fn rows(cdd: &CddDraft) -> Vec<(&'static str, String)> {
    let urls = |services: &[WeightedUrl]| services.iter().map(|service| service.1.as_str()).collect::<Vec<_>>().join(", ");
    vec![
        ("name", cdd.currency_name.clone()),
        ("serial", cdd.cdd_serial.to_string()),
        ("divisor", cdd.currency_divisor.to_string()),
        ("denominations", format!("{:?}", cdd.denominations)),
        ("cipher suite", cdd.issuer_cipher_suite.clone()),
        ("signing date", date(cdd.cdd_signing_date.to_utc())),
        ("valid until", date(cdd.cdd_expiry_date.to_utc())),
        ("location", cdd.cdd_location.clone()),
        ("info service", urls(&cdd.info_service)),
        ("mint service", urls(&cdd.mint_service)),
        ("renew service", urls(&cdd.renew_service)),
        ("redeem service", urls(&cdd.redeem_service)),
        ("additional info", cdd.additional_info.clone()),
        ("protocol version", cdd.protocol_version.clone()),
    ]
}

fn describe_mint_key(draft: &MintKeyDraft, past: &[SignedCertificates], now: DateTime<Utc>) -> Vec<String> {
    let [begins, ends, expires] =
        [draft.sign_coins_not_before, draft.sign_coins_not_after, draft.coins_expiry_date].map(|moment| moment.to_utc());
    let bits = draft.public_mint_key.modulus.bits();
    let mut lines = vec![
        format!("Mint key for coins of {}, {bits} bits, id {}:", draft.denomination, draft.id()),
        format!("  signs from {} to {}, coins are taken until {}", date(begins), date(ends), date(expires)),
        format!("  fingerprint {}", fingerprint(&text::compact(&draft.public_mint_key))),
    ];
    let same_denomination = signed_mint_keys(past).filter(|mint_key| mint_key.denomination == draft.denomination);
    match same_denomination.map(|mint_key| mint_key.sign_coins_not_after.to_utc()).max() {
        Some(end) => lines.push(format!("  the last one of this denomination signs until {}", date(end))),
        None => lines.push("  the first one of this denomination".to_owned()),
    }
    if ends < now {
        lines.push("WARNING: its time is over already; is the clock of this machine right?".to_owned());
    }
    if signed_mint_keys(past).any(|mint_key| mint_key.id == draft.id()) {
        lines.push("  signed before, with the same terms".to_owned());
    }
    lines
}

fn date(moment: DateTime<Utc>) -> String {
    moment.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
