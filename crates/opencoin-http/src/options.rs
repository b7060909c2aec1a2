//! The options of a server.

use std::time::Duration;

use opencoin_config::{LimitsConfig, ProxyConfig};

/// The options of a server: the settings `[limits]`, `[proxy]`, `shutdown_grace` and `admin.hosts`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerOptions {
    /// The limits of connections, bodies and rates.
    pub limits: LimitsConfig,
    /// The proxies whose `X-Forwarded-For` is trusted.
    pub proxy: ProxyConfig,
    /// How long the server still accepts requests after it is told to stop. Meanwhile `/health/ready` reports that it is
    /// not ready, so that a proxy sends no more requests.
    pub shutdown_grace: Duration,
    /// The host names of the operator's listener, besides addresses and names without a dot.
    pub admin_hosts: Vec<String>,
}
