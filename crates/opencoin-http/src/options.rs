//! How a server treats its clients.

use std::time::Duration;

use opencoin_config::{LimitsConfig, ProxyConfig};

/// How a server treats its clients: the settings `[limits]`, `[proxy]` and `shutdown_grace`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerOptions {
    /// What clients may take.
    pub limits: LimitsConfig,
    /// Whose word is taken for where a request came from.
    pub proxy: ProxyConfig,
    /// When the server is told to stop, it says for this long that it is not ready and answers as before, so
    /// that a proxy in front notices and sends no more.
    pub shutdown_grace: Duration,
    /// The names under which operators reach their listener, beside addresses and names without a dot.
    pub admin_hosts: Vec<String>,
}
