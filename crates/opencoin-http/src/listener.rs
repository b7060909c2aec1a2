//! Where wallets reach the server: an address and port, with TLS or without.
//!
//! Without TLS a token crosses the network in the clear, so such a listener is for this machine alone, unless
//! the operator has said that something in front speaks TLS.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use opencoin_config::Config;
use opencoin_tls::PemError;
use thiserror::Error;
use tokio::net::{TcpListener, lookup_host};

use super::tls::Tls;

/// A listener for wallets.
pub struct Listener {
    pub(super) tcp: TcpListener,
    pub(super) tls: Option<Tls>,
}

/// Whose listener it is, and what the settings say of it.
struct ListenerSettings<'config> {
    address: &'config str,
    /// What names the address on the command line.
    option: &'static str,
    /// Without TLS on this machine, whether or not there is a `[tls]`.
    is_plain_on_loopback: bool,
    /// The setting that lets it be on other addresses without TLS, and whether it does.
    insecure: (&'static str, bool),
}

/// Why the server cannot listen.
#[derive(Debug, Error)]
pub enum ListenError {
    /// The files of `[tls]` cannot be used.
    #[error("TLS: {0}")]
    Tls(#[from] PemError),
    /// Others than this machine would talk to it in the clear.
    #[error(
        "{address} can be reached from other machines, and without TLS tokens would cross the network in the clear: name a \
         certificate and key in [tls] (--tls-certificate FILE --tls-key FILE); or listen on 127.0.0.1 behind a proxy on this machine \
         that speaks TLS; or, where something in front speaks TLS already, say {setting} = true (--{})",
        setting.replace(['.', '_'], "-")
    )]
    Insecure {
        /// Where it would listen.
        address: String,
        /// What would let it.
        setting: &'static str,
    },
    /// The system refuses.
    #[error("cannot listen on {address}: {reason}; choose another with --{option} ADDRESS:PORT")]
    System {
        /// Where it would listen.
        address: String,
        /// What names the address on the command line.
        option: &'static str,
        /// What it says.
        reason: io::Error,
    },
}

impl Listener {
    /// Listens where the settings say. Paths in them are relative to `root`.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub async fn bind(config: &Config, root: &Path) -> Result<Self, ListenError> {
        let insecure = ("insecure_http", config.insecure_http);
        let settings = ListenerSettings {
            address: &config.listen,
            option: "listen",
            is_plain_on_loopback: false,
            insecure,
        };
        Self::bind_to(&settings, config, root).await
    }

    /// Listens where the settings say for operators, if they do. Programs of this machine need no TLS there.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub async fn bind_admin(config: &Config, root: &Path) -> Result<Option<Self>, ListenError> {
        let Some(address) = &config.admin.listen else {
            return Ok(None);
        };
        let insecure = ("admin.insecure_http", config.admin.insecure_http);
        let settings = ListenerSettings {
            address,
            option: "admin-listen",
            is_plain_on_loopback: true,
            insecure,
        };
        Self::bind_to(&settings, config, root).await.map(Some)
    }

    async fn bind_to(
        settings: &ListenerSettings<'_>,
        config: &Config,
        root: &Path,
    ) -> Result<Self, ListenError> {
        let &ListenerSettings {
            address,
            option,
            is_plain_on_loopback,
            insecure: (setting, may_be_insecure),
        } = settings;
        let refused = |reason| ListenError::System {
            address: address.to_owned(),
            option,
            reason,
        };
        let addresses: Vec<SocketAddr> = lookup_host(address).await.map_err(refused)?.collect();
        let is_for_others = addresses
            .iter()
            .any(|address| !address.ip().to_canonical().is_loopback());
        let files = config
            .tls
            .as_ref()
            .filter(|_| is_for_others || !is_plain_on_loopback);
        let tls = files.map(|files| Tls::load(files, root)).transpose()?;
        if is_for_others && tls.is_none() && !may_be_insecure {
            return Err(ListenError::Insecure {
                address: address.to_owned(),
                setting,
            });
        }
        let tcp = TcpListener::bind(&addresses[..]).await.map_err(refused)?;
        Ok(Self { tcp, tls })
    }

    /// Where it can be reached: `https://127.0.0.1:8443`.
    ///
    /// # Errors
    /// The system does not say.
    pub fn url(&self) -> io::Result<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{}", self.tcp.local_addr()?))
    }
}

impl From<TcpListener> for Listener {
    /// Without TLS, whatever the address is: for tests, and for listeners of other kinds.
    fn from(tcp: TcpListener) -> Self {
        Self { tcp, tls: None }
    }
}
