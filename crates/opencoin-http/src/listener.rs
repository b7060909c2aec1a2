//! Listeners: an address and port, with or without TLS.
//!
//! Without TLS, tokens are sent in clear text. So a listener without TLS must be on loopback, unless the operator
//! confirms in the settings that a proxy provides TLS.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use opencoin_config::Config;
use opencoin_tls::PemError;
use thiserror::Error;
use tokio::net::{TcpListener, lookup_host};

use super::tls::Tls;

/// A listener of the server.
pub struct Listener {
    pub(super) tcp: TcpListener,
    pub(super) tls: Option<Tls>,
}

/// The settings of one listener.
struct ListenerSettings<'config> {
    address: &'config str,
    /// The command-line option for the address.
    option: &'static str,
    /// On loopback it has no TLS, even if there is a `[tls]`.
    is_plain_on_loopback: bool,
    /// The setting that allows other addresses without TLS, and its value.
    insecure: (&'static str, bool),
}

/// Why the server cannot listen.
#[derive(Debug, Error)]
pub enum ListenError {
    /// The files of `[tls]` cannot be used.
    #[error("TLS: {0}")]
    Tls(#[from] PemError),
    /// Other machines could connect without TLS.
    #[error(
        "{address} can be reached from other machines, and without TLS tokens would be sent in clear text: name a \
         certificate and key in [tls] (--tls-certificate FILE --tls-key FILE); or listen on 127.0.0.1 behind a proxy on this machine \
         that provides TLS; or, if something in front provides TLS already, set {setting} = true (--{})",
        setting.replace(['.', '_'], "-")
    )]
    Insecure {
        /// The address to listen on.
        address: String,
        /// The setting that would allow it.
        setting: &'static str,
    },
    /// The system refused the address.
    #[error("cannot listen on {address}: {reason}; choose another with --{option} ADDRESS:PORT")]
    System {
        /// The address to listen on.
        address: String,
        /// The command-line option for the address.
        option: &'static str,
        /// The error of the system.
        reason: io::Error,
    },
}

impl Listener {
    /// Listens on the address for wallets. Paths in the settings are relative to `root`.
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

    /// Listens on the address for operators, if the settings name one. It needs no TLS on loopback.
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

    /// The URL of the listener: `https://127.0.0.1:8443`.
    ///
    /// # Errors
    /// The system does not report the local address.
    pub fn url(&self) -> io::Result<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{}", self.tcp.local_addr()?))
    }
}

impl From<TcpListener> for Listener {
    /// A listener without TLS on any address: for tests, and for listeners of other kinds.
    fn from(tcp: TcpListener) -> Self {
        Self { tcp, tls: None }
    }
}
