//! TLS 1.2 and 1.3 for HTTP/1.1, with certificates that can be replaced while the server runs.
//!
//! The files are checked every few seconds. A valid new pair is used for new connections; an invalid one is logged and
//! ignored. Sessions are not resumed, because a session ticket would let the server recognise a returning wallet.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use opencoin_config::TlsConfig;
use opencoin_tls::{KeyReaders, PemError};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use zeroize::Zeroizing;

/// The time between two checks of the files.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);
const HTTP_1_1: &[u8] = b"http/1.1";

/// The server's side of TLS.
pub(super) struct Tls {
    acceptor: TlsAcceptor,
    followed: Arc<Followed>,
}

/// The files, and the certificate that was read from them.
struct Followed {
    files: TlsConfig,
    current: Arc<Current>,
    /// Digests of the files at the last check, valid or not.
    seen: Mutex<Seen>,
}

/// The certificate in use.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

type Seen = [Option<[u8; 32]>; 2];

impl Tls {
    /// Reads the files; paths are relative to `root`.
    pub(super) fn load(files: &TlsConfig, root: &Path) -> Result<Self, PemError> {
        let files = TlsConfig {
            certificate: root.join(&files.certificate),
            key: root.join(&files.key),
        };
        // Digests come first, so that the next check finds a change that happens in between.
        let seen = digests(&files);
        let current = Arc::new(Current(RwLock::new(Arc::new(read(&files)?))));
        let mut config = ServerConfig::builder_with_provider(opencoin_tls::provider())
            .with_protocol_versions(&[&TLS13, &TLS12])
            .expect("the provider knows TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        let followed = Followed {
            files,
            current,
            seen: Mutex::new(seen),
        };
        Ok(Self {
            acceptor: Arc::new(config).into(),
            followed: Arc::new(followed),
        })
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// Picks up new files until it is dropped.
    pub(super) async fn follow(&self) {
        loop {
            tokio::time::sleep(CHECK_INTERVAL).await;
            let followed = Arc::clone(&self.followed);
            if let Err(panic) = tokio::task::spawn_blocking(move || followed.reload()).await {
                tracing::error!(%panic, "checking the TLS files has failed");
            }
        }
    }
}

impl Followed {
    fn reload(&self) {
        let now = digests(&self.files);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if now == *seen {
            return;
        }
        *seen = now;
        match read(&self.files) {
            Ok(key) => {
                *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
                tracing::info!("a new TLS certificate is in use");
            }
            Err(error) => {
                tracing::error!(%error, "the new TLS certificate cannot be used; the old one stays in use")
            }
        }
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn read(files: &TlsConfig) -> Result<CertifiedKey, PemError> {
    opencoin_tls::certified_key(&files.certificate, &files.key, KeyReaders::OwnerAndGroup)
}

/// Digests of the files. Keeping digests avoids further copies of the private key in memory.
fn digests(files: &TlsConfig) -> Seen {
    let digest = |path: &Path| {
        fs::read(path)
            .ok()
            .map(Zeroizing::new)
            .map(|bytes| Sha256::digest(&*bytes).into())
    };
    [digest(&files.certificate), digest(&files.key)]
}
