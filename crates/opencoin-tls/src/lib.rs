//! Reads certificates and private keys for TLS from PEM files: for the server that wallets connect to, and
//! for the connection between that server and its signer.
//!
//! AWS-LC does the cryptography. An error names the file that cannot be used and says what to do. No error
//! text contains anything from inside a file.

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

/// Who may have permission to read a private key file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyReaders {
    /// Only its owner.
    Owner,
    /// Its owner and its group. Tools that renew certificates often make the keys readable for a group.
    OwnerAndGroup,
}

/// Why a file cannot be used.
#[derive(Debug, Error)]
pub enum PemError {
    /// The file is missing or cannot be read.
    #[error("cannot read {}: {reason}; the file must exist and be readable by the user of this process", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        reason: io::Error,
    },
    /// The permissions of the private key allow too much.
    #[error(
        "other users can access the private key {0} (mode {mode:04o}): run `chmod {tight:o} {0}`; if they may have read it, make a new key",
        path.display()
    )]
    KeyExposed {
        /// The file of the private key.
        path: PathBuf,
        /// Its mode bits now.
        mode: u32,
        /// The widest mode bits that are allowed.
        tight: u32,
    },
    /// The file does not contain a usable certificate or private key.
    #[error("{} contains no usable {what} in PEM: copy the file again, or make a new one", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The missing item: "certificate" or "private key".
        what: &'static str,
    },
    /// The private key belongs to another certificate.
    #[error(
        "{} is not the private key of the certificate {}: use a key and a certificate that belong together",
        key.display(), certificate.display()
    )]
    KeyMismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the private key.
        key: PathBuf,
    },
}

/// The validity period of a certificate. Both ends are included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first moment at which the certificate is valid.
    pub not_before: SystemTime,
    /// The last moment at which the certificate is valid.
    pub not_after: SystemTime,
}

impl KeyReaders {
    /// The mode bits that a key file must not have.
    const fn forbidden(self) -> u32 {
        match self {
            Self::Owner => 0o077,
            // The group may read, but not write.
            Self::OwnerAndGroup => 0o027,
        }
    }

    /// The mode to recommend for a key file.
    const fn tight(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::OwnerAndGroup => 0o640,
        }
    }
}

/// The cryptographic provider of every TLS connection of the server and its signer.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Reads all certificates in a file, at least one.
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

/// Reads a certificate with its chain, and its private key.
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

/// The validity period of a certificate, or `None` when the certificate cannot be parsed.
#[must_use]
pub fn validity(certificate: &CertificateDer<'_>) -> Option<Validity> {
    let mut signed = fields(AnyRef::from_der(certificate).ok()?)?;
    let mut certificate = fields(AnyRef::decode(&mut signed).ok()?)?;
    // RFC 5280, section 4.1: optional version, serial number, signature algorithm, issuer, validity.
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

/// A reader of the elements of a SEQUENCE.
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

/// Whether a certificate is valid for this host name or IP address.
#[must_use]
pub fn is_for_host(certificate: &CertificateDer<'_>, host: &str) -> bool {
    let name = ServerName::try_from(host.trim_start_matches('[').trim_end_matches(']'));
    match (ParsedCertificate::try_from(certificate), name) {
        (Ok(parsed), Ok(name)) => verify_server_name(&parsed, &name).is_ok(),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

/// The error for a file that contains no usable certificate.
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
