//! The master key: in a folder of its own, best on a machine without network.
//!
//! | file | what |
//! | --- | --- |
//! | `master.pem` | the private master key, encrypted |
//! | `signed/NUMBER.json` | everything that it has signed, in order |
//!
//! A master key signs for one currency. What it has signed is kept beside it, so that the next request can be compared with what
//! this machine itself knows, and not with what the request says of the past.

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
    /// There is one already, or the folder cannot be written.
    pub fn create(&self, bits: usize, passphrase: &Passphrase, rng: &mut dyn Randomness) -> Result<PublicKey, VaultError> {
        if self.has_key() {
            return Err(VaultError::Occupied(self.key_file()));
        }
        private_files::make_private_folder(&self.folder)?;
        let key = PrivateKey::generate(bits.max(MASTER_KEY_BITS_MIN), rng)?;
        let pem = key.to_encrypted_pkcs8_pem(passphrase.expose(), rng);
        private_files::write(&self.key_file(), pem.as_bytes())?;
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
        let past = self.past()?;
        check(request, &past)?;
        if !self.has_key() {
            return Err(VaultError::Missing(self.key_file()));
        }
        let key = read_key(&self.key_file(), passphrase)?;
        let current = request.current.as_ref().map(verify_cddc).transpose()?;
        if current.as_ref().is_some_and(|current| current.master_key() != key.public_key()) {
            return Err(VaultError::Request("the currency has another master key than this one".to_owned()));
        }
        let next = request.cdd.clone().map(|draft| sign_cddc(draft.with_master_key(key.public_key()), &key, rng)).transpose()?;
        let of_serial = |serial: u64| {
            let cddc = [&next, &current].into_iter().flatten().find(|cddc| cddc.cdd().cdd_serial == serial);
            cddc.ok_or_else(|| {
                VaultError::Request(format!("a mint key names the CDD with serial {serial}, which is not the current one"))
            })
        };
        let mut mkcs = Vec::with_capacity(request.mint_keys.len());
        for draft in &request.mint_keys {
            let cddc = of_serial(draft.cdd_serial)?;
            mkcs.push(sign_mint_key_certificate(draft.clone().with_issuer(cddc), cddc, &key, rng)?.mkc().clone());
        }
        let answer = SignedCertificates::new(next.as_ref().map(VerifiedCddc::cddc).cloned(), mkcs);
        assert!(request.is_answered_by(&answer), "what was asked for was signed");
        self.keep(&answer, past.len())?;
        Ok(answer)
    }

    /// What is about to be signed, in plain words, one line each; lines that begin with `WARNING` ask for a second look.
    ///
    /// # Errors
    /// When what was signed before cannot be read.
    pub fn describe(&self, request: &SigningRequest, now: DateTime<Utc>) -> Result<Vec<String>, VaultError> {
        let past = self.past()?;
        let mut lines = Vec::new();
        match last_cdd(&past) {
            Some(cdd) => {
                lines.push(format!("Currency {}, for which this machine has signed {} times.", cdd.currency_name, past.len()))
            }
            None => lines.push("The first documents that this machine signs with this key.".to_owned()),
        }
        match &request.cdd {
            Some(cdd) => lines.extend(describe_cdd(cdd, last_cdd(&past).as_ref())),
            None => lines.push("The description of the currency (CDD) stays as it is.".to_owned()),
        }
        if request.mint_keys.is_empty() {
            lines.push("No mint keys.".to_owned());
        }
        for draft in &request.mint_keys {
            lines.extend(describe_mint_key(draft, &past, now));
        }
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
        private_files::list(&folder)?.into_iter().map(read).collect()
    }

    fn keep(&self, answer: &SignedCertificates, past: usize) -> Result<(), VaultError> {
        let folder = self.folder.join(LOG_FOLDER);
        private_files::make_private_folder(&folder)?;
        private_files::write(&folder.join(format!("{:06}.json", past + 1)), text::compact(answer).as_bytes())?;
        Ok(private_files::sync_folder(&self.folder)?)
    }
}

/// Whether the request fits what was signed before.
fn check(request: &SigningRequest, past: &[SignedCertificates]) -> Result<(), VaultError> {
    let refuse = |reason: String| Err(VaultError::Request(reason));
    let last = last_cdd(past);
    if let (Some(last), Some(next)) = (&last, &request.cdd) {
        if *next != *last && next.cdd_serial != last.cdd_serial + 1 {
            return refuse(format!(
                "the serial of the CDD is {}, after {} it must be {}",
                next.cdd_serial,
                last.cdd_serial,
                last.cdd_serial + 1
            ));
        }
        let is_same = next.currency_name == last.currency_name
            && next.currency_divisor == last.currency_divisor
            && next.issuer_cipher_suite == last.issuer_cipher_suite;
        if !is_same {
            return refuse(
                "name, divisor and cipher suite of a currency never change; a new currency needs a master key of its own"
                    .to_owned(),
            );
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

fn last_cdd(past: &[SignedCertificates]) -> Option<CddDraft> {
    past.iter().rev().find_map(|signed| signed.cddc.as_ref()).map(|cddc: &Cddc| CddDraft::of(&cddc.cdd))
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
        lines.push(format!("  {name}: {value}{change}"));
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
