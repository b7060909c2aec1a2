//! TLS spoken by the server itself, with a certificate that changes while it runs.
//!
//! TLS 1.2 and 1.3, and HTTP/1.1 in it. The files are looked at every few seconds; a pair that can be used
//! takes the place of the old one for connections from then on, and one that cannot is logged and changes
//! nothing. Sessions are not resumed: whoever holds the key of a ticket recognises a wallet that comes back.

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

/// How often the files are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
const HTTP_1_1: &[u8] = b"http/1.1";

/// The server's side of TLS.
pub(super) struct Tls {
    acceptor: TlsAcceptor,
    followed: Arc<Followed>,
}

/// The files, and what came of them.
struct Followed {
    files: TlsConfig,
    current: Arc<Current>,
    /// What was in the files when they were last read, whether or not it could be used.
    seen: Mutex<Seen>,
}

/// The certificate that is shown.
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
        // Before they are read for use: what changes in between is found at the next look.
        let seen = look(&files);
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

    /// Takes up new files until it is dropped.
    pub(super) async fn follow(&self) {
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            let followed = Arc::clone(&self.followed);
            if let Err(panic) = tokio::task::spawn_blocking(move || followed.take_up()).await {
                tracing::error!(%panic, "the files of TLS cannot be followed");
            }
        }
    }
}

impl Followed {
    fn take_up(&self) {
        let now = look(&self.files);
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

/// Digests of what is in the files, so that a private key lies in memory no more often than it must.
fn look(files: &TlsConfig) -> Seen {
    let digest = |path: &Path| {
        fs::read(path)
            .ok()
            .map(Zeroizing::new)
            .map(|bytes| Sha256::digest(&*bytes).into())
    };
    [digest(&files.certificate), digest(&files.key)]
}
