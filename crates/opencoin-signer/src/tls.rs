//! Mutual TLS between an issuer and its signer: each shows a certificate of one authority that is theirs alone.
//!
//! TLS 1.3 with AWS-LC and nothing else. A signer's certificate is for servers and an issuer's for clients, so that neither can
//! be used in the place of the other. Files that cannot be used are errors that name the file and say what to do; they are
//! read once, so new certificates need a restart.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use zeroize::Zeroizing;

use crate::frame::Stream;

/// The script that makes all of these files, as an operator finds it.
const SCRIPT: &str = "deploy/signer/certificates.sh";

/// The permissions that others than a key's owner may have: none.
const OTHERS: u32 = 0o077;

/// The PEM files of one side. `deploy/signer/certificates.sh` makes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Its own certificate.
    pub certificate: PathBuf,
    /// The private key of that, for its owner alone to read.
    pub key: PathBuf,
    /// The certificate of the authority that has signed both sides' certificates.
    pub authority: PathBuf,
}

/// Why TLS cannot be used. No text here shows what is in a file.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file is missing or may not be read.
    #[error("cannot read {}: {reason}; {SCRIPT} makes it, and the user of this process must be able to read it", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// Others than its owner have rights on the private key.
    #[error("others can use the private key {0} (mode {mode:04o}): run `chmod 600 {0}`, or make a new one where they may have read it", path.display())]
    KeyExposed {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A file holds something else.
    #[error("{} holds no usable {what} in PEM: copy it again, or make it again with {SCRIPT}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// The private key is that of another certificate.
    #[error("{} is not the private key of the certificate {}: both must come from one run of {SCRIPT}", key.display(), certificate.display())]
    KeyMismatch {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// The signer's name cannot stand in a certificate.
    #[error("{0:?} is neither a host name nor an IP address; the signer's name is the one in its certificate")]
    SignerName(String),
}

/// How a signer proves itself, and knows its issuer.
#[derive(Clone)]
pub struct ServerTls(TlsAcceptor);

/// How an issuer proves itself, and knows its signer.
#[derive(Clone)]
pub struct ClientTls {
    connector: TlsConnector,
    signer_name: ServerName<'static>,
}

impl ServerTls {
    /// Reads a signer's files.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        let Loaded { provider, chain, key, authority } = files.load()?;
        let verifier = WebPkiClientVerifier::builder_with_provider(authority.into(), Arc::clone(&provider));
        let verifier = verifier.build().map_err(|_| damaged(&files.authority, CERTIFICATE))?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .expect("the provider knows TLS 1.3")
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(|error| files.unusable(&error))?;
        // Connections last; each new one proves itself anew.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self(Arc::new(config).into()))
    }

    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<Box<dyn Stream>> {
        Ok(Box::new(self.0.accept(stream).await?))
    }
}

impl ClientTls {
    /// Reads an issuer's files. `signer_name` is the host name or address in the signer's certificate.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn load(files: &TlsFiles, signer_name: &str) -> Result<Self, TlsError> {
        let refuse = |_| TlsError::SignerName(signer_name.to_owned());
        let signer_name = ServerName::try_from(signer_name.to_owned()).map_err(refuse)?;
        let Loaded { provider, chain, key, authority } = files.load()?;
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .expect("the provider knows TLS 1.3")
            .with_root_certificates(authority)
            .with_client_auth_cert(chain, key)
            .map_err(|error| files.unusable(&error))?;
        config.resumption = Resumption::disabled();
        Ok(Self { connector: Arc::new(config).into(), signer_name })
    }

    pub(crate) async fn connect(&self, stream: TcpStream) -> io::Result<Box<dyn Stream>> {
        Ok(Box::new(self.connector.connect(self.signer_name.clone(), stream).await?))
    }
}

const CERTIFICATE: &str = "certificate";
const PRIVATE_KEY: &str = "private key";

struct Loaded {
    provider: Arc<CryptoProvider>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    authority: RootCertStore,
}

impl TlsFiles {
    fn load(&self) -> Result<Loaded, TlsError> {
        let chain = certificates(&self.certificate)?;
        let mut authority = RootCertStore::empty();
        for certificate in certificates(&self.authority)? {
            authority.add(certificate).map_err(|_| damaged(&self.authority, CERTIFICATE))?;
        }
        let pem = read(&self.key, check_private)?;
        let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| damaged(&self.key, PRIVATE_KEY))?;
        Ok(Loaded { provider: Arc::new(aws_lc_rs::default_provider()), chain, key, authority })
    }

    fn unusable(&self, error: &rustls::Error) -> TlsError {
        match error {
            rustls::Error::InconsistentKeys(_) => {
                TlsError::KeyMismatch { certificate: self.certificate.clone(), key: self.key.clone() }
            }
            rustls::Error::InvalidCertificate(_) => damaged(&self.certificate, CERTIFICATE),
            _ => damaged(&self.key, PRIVATE_KEY),
        }
    }
}

fn damaged(path: &Path, what: &'static str) -> TlsError {
    TlsError::Damaged { path: path.to_owned(), what }
}

/// At least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(path, |_, _| Ok(()))?;
    let certificates = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>().unwrap_or_default();
    if certificates.is_empty() { Err(damaged(path, CERTIFICATE)) } else { Ok(certificates) }
}

fn check_private(path: &Path, file: &File) -> Result<(), TlsError> {
    let metadata = file.metadata().map_err(|reason| TlsError::Unreadable { path: path.to_owned(), reason })?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & OTHERS == 0 { Ok(()) } else { Err(TlsError::KeyExposed { path: path.to_owned(), mode }) }
}

fn read(path: &Path, check: impl FnOnce(&Path, &File) -> Result<(), TlsError>) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let unreadable = |reason| TlsError::Unreadable { path: path.to_owned(), reason };
    let mut file = File::open(path).map_err(unreadable)?;
    check(path, &file)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}
