//! Certificates and private keys for TLS, from PEM files: for the server that wallets talk to, and for the
//! connection between it and its signer.
//!
//! The cryptography is AWS-LC's. A file that cannot be used is an error that names it and says what to do; no
//! text shows what is in a file.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use der::asn1::{AnyRef, GeneralizedTime, UtcTime};
use der::{Decode, Reader, SliceReader, Tag, TagNumber, Tagged};
use thiserror::Error;
use tokio_rustls::rustls;
use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

const CERTIFICATE: &str = "certificate";
const PRIVATE_KEY: &str = "private key";

/// Who may be able to read a private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyReaders {
    /// Its owner alone.
    Owner,
    /// Its group as well: where a group of the system is given the keys that a certificate's renewal writes.
    OwnerAndGroup,
}

/// Why a file cannot be used.
#[derive(Debug, Error)]
pub enum PemError {
    /// A file is missing or may not be read.
    #[error("cannot read {}: {reason}; it must be there, and the user of this process must be able to read it", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// Others have rights on the private key.
    #[error(
        "others can use the private key {0} (mode {mode:04o}): run `chmod {tight:o} {0}`, or make a new one where they may have read it",
        path.display()
    )]
    KeyExposed {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
        /// The permissions that it may have.
        tight: u32,
    },
    /// A file holds something else.
    #[error("{} holds no usable {what} in PEM: copy it again, or make it again", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// The private key is that of another certificate.
    #[error("{} is not the private key of the certificate {}: both must be made together", key.display(), certificate.display())]
    KeyMismatch {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
}

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// From this moment on.
    pub not_before: SystemTime,
    /// Until this one.
    pub not_after: SystemTime,
}

impl KeyReaders {
    /// The permissions that nobody may have.
    const fn forbidden(self) -> u32 {
        match self {
            Self::Owner => 0o077,
            // Not even the group may write.
            Self::OwnerAndGroup => 0o027,
        }
    }

    const fn tight(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::OwnerAndGroup => 0o640,
        }
    }
}

/// The cryptography of all TLS here.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The certificates of a file: at least one.
///
/// # Errors
/// See [`PemError`].
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let pem = read(path, |_| Ok(()))?;
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .unwrap_or_default();
    if certificates.is_empty() {
        Err(damaged(path, CERTIFICATE))
    } else {
        Ok(certificates)
    }
}

/// A certificate with its chain, and the private key that belongs to it.
///
/// # Errors
/// See [`PemError`].
pub fn certified_key(certificate: &Path, key: &Path, readers: KeyReaders) -> Result<CertifiedKey, PemError> {
    let chain = certificates(certificate)?;
    let pem = read(key, |file| check_private(key, file, readers))?;
    let private_key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| damaged(key, PRIVATE_KEY))?;
    CertifiedKey::from_der(chain, private_key, &aws_lc_rs::default_provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => PemError::KeyMismatch {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        },
        rustls::Error::InvalidCertificate(_) => damaged(certificate, CERTIFICATE),
        _ => damaged(key, PRIVATE_KEY),
    })
}

/// When a certificate is valid, where that can be read.
#[must_use]
pub fn validity(certificate: &CertificateDer<'_>) -> Option<Validity> {
    let mut signed = fields(AnyRef::from_der(certificate).ok()?)?;
    let mut certificate = fields(AnyRef::decode(&mut signed).ok()?)?;
    // RFC 5280, section 4.1: an optional version, serial number, signature algorithm, issuer, validity.
    let first = AnyRef::decode(&mut certificate).ok()?;
    let is_version = matches!(
        first.tag(),
        Tag::ContextSpecific {
            number: TagNumber::N0,
            ..
        }
    );
    for _ in 0..if is_version { 3 } else { 2 } {
        AnyRef::decode(&mut certificate).ok()?;
    }
    let mut validity = fields(AnyRef::decode(&mut certificate).ok()?)?;
    Some(Validity {
        not_before: time(&mut validity)?,
        not_after: time(&mut validity)?,
    })
}

/// What a SEQUENCE holds.
fn fields(sequence: AnyRef<'_>) -> Option<SliceReader<'_>> {
    (sequence.tag() == Tag::Sequence).then(|| SliceReader::new(sequence.value()).ok())?
}

fn time<'a>(reader: &mut impl Reader<'a>) -> Option<SystemTime> {
    let time = AnyRef::decode(reader).ok()?;
    match time.tag() {
        Tag::UtcTime => Some(time.decode_as::<UtcTime>().ok()?.to_system_time()),
        Tag::GeneralizedTime => Some(time.decode_as::<GeneralizedTime>().ok()?.to_system_time()),
        _ => None,
    }
}

/// Whether a certificate is for this host name or address.
#[must_use]
pub fn is_for_host(certificate: &CertificateDer<'_>, host: &str) -> bool {
    let name = ServerName::try_from(host.trim_start_matches('[').trim_end_matches(']'));
    match (ParsedCertificate::try_from(certificate), name) {
        (Ok(parsed), Ok(name)) => verify_server_name(&parsed, &name).is_ok(),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

/// The error of a file that holds something else than a certificate.
#[must_use]
pub fn damaged_certificate(path: &Path) -> PemError {
    damaged(path, CERTIFICATE)
}

fn damaged(path: &Path, what: &'static str) -> PemError {
    PemError::Damaged {
        path: path.to_owned(),
        what,
    }
}

fn check_private(path: &Path, file: &File, readers: KeyReaders) -> Result<(), PemError> {
    let metadata = file.metadata().map_err(|reason| PemError::Unreadable {
        path: path.to_owned(),
        reason,
    })?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & readers.forbidden() == 0 {
        return Ok(());
    }
    Err(PemError::KeyExposed {
        path: path.to_owned(),
        mode,
        tight: readers.tight(),
    })
}

fn read(
    path: &Path,
    check: impl FnOnce(&File) -> Result<(), PemError>,
) -> Result<Zeroizing<Vec<u8>>, PemError> {
    let unreadable = |reason| PemError::Unreadable {
        path: path.to_owned(),
        reason,
    };
    let mut file = File::open(path).map_err(unreadable)?;
    check(&file)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}
