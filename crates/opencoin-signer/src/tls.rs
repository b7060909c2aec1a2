//! Mutual TLS between an issuer and its signer. An authority that serves only the two signs both certificates.
//!
//! Only TLS 1.3 with AWS-LC is used. The signer's certificate is for servers and the issuer's for clients, so that
//! neither can replace the other. Files are read once, so new certificates need a restart. An error names the file
//! and says what to do.

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

/// The script that creates all of these files.
const SCRIPT: &str = "deploy/signer/certificates.sh";

/// The PEM files of one side. `deploy/signer/certificates.sh` creates them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate of this side.
    pub certificate: PathBuf,
    /// The private key of the certificate, readable by its owner only.
    pub key: PathBuf,
    /// The certificate of the authority of both sides.
    pub authority: PathBuf,
}

/// TLS cannot be used. No text reveals the content of a file.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be used.
    #[error("{0} ({SCRIPT} creates all of these files)")]
    File(#[from] PemError),
    /// The signer's name is not a valid name in a certificate.
    #[error(
        "{0:?} is neither a host name nor an IP address; the signer's name is the one in its certificate"
    )]
    SignerName(String),
}

/// The TLS configuration of a signer.
#[derive(Clone)]
pub struct ServerTls(TlsAcceptor);

/// The TLS configuration of an issuer.
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
        // Connections are long-lived, so none is resumed.
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
