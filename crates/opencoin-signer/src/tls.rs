//! Mutual TLS between an issuer and its signer: each shows a certificate of one authority that is theirs
//! alone.
//!
//! TLS 1.3 with AWS-LC and nothing else. A signer's certificate is for servers and an issuer's for clients,
//! so that neither can be used in the place of the other. Files that cannot be used are errors that name the
//! file and say what to do; they are read once, so new certificates need a restart.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use opencoin_tls::{KeyReaders, PemError};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::SingleCertAndKey;
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::frame::Stream;

/// The script that makes all of these files, as an operator finds it.
const SCRIPT: &str = "deploy/signer/certificates.sh";

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
    /// A file cannot be used.
    #[error("{0} ({SCRIPT} makes all of these files in one run)")]
    File(#[from] PemError),
    /// The signer's name cannot stand in a certificate.
    #[error(
        "{0:?} is neither a host name nor an IP address; the signer's name is the one in its certificate"
    )]
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
        let Loaded { own, authority } = files.load()?;
        let verifier =
            WebPkiClientVerifier::builder_with_provider(authority.into(), opencoin_tls::provider());
        let verifier = verifier
            .build()
            .map_err(|_| opencoin_tls::damaged_certificate(&files.authority))?;
        let mut config = ServerConfig::builder_with_provider(opencoin_tls::provider())
            .with_protocol_versions(&[&TLS13])
            .expect("the provider knows TLS 1.3")
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(own);
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
        let Loaded { own, authority } = files.load()?;
        let mut config = ClientConfig::builder_with_provider(opencoin_tls::provider())
            .with_protocol_versions(&[&TLS13])
            .expect("the provider knows TLS 1.3")
            .with_root_certificates(authority)
            .with_client_cert_resolver(own);
        config.resumption = Resumption::disabled();
        Ok(Self {
            connector: Arc::new(config).into(),
            signer_name,
        })
    }

    pub(crate) async fn connect(&self, stream: TcpStream) -> io::Result<Box<dyn Stream>> {
        Ok(Box::new(
            self.connector.connect(self.signer_name.clone(), stream).await?,
        ))
    }
}

struct Loaded {
    own: Arc<SingleCertAndKey>,
    authority: RootCertStore,
}

impl TlsFiles {
    fn load(&self) -> Result<Loaded, TlsError> {
        let own = opencoin_tls::certified_key(&self.certificate, &self.key, KeyReaders::Owner)?;
        let mut authority = RootCertStore::empty();
        for certificate in opencoin_tls::certificates(&self.authority)? {
            authority
                .add(certificate)
                .map_err(|_| opencoin_tls::damaged_certificate(&self.authority))?;
        }
        Ok(Loaded {
            own: Arc::new(SingleCertAndKey::from(own)),
            authority,
        })
    }
}
