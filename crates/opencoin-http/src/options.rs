//! The options of a server.

use std::sync::Arc;
use std::time::Duration;

use opencoin_config::{LimitsConfig, ProxyConfig, RelayConfig, SettingEntry, Settings, WebConfig};
use opencoin_relay::{Relay, RelayLimits, RelayOptions};

/// The options of a server: the settings `[limits]`, `[proxy]`, `[web]`, `[relay]`, `shutdown_grace`, `hosts`
/// and `admin.hosts`, and all settings for operators to read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServerOptions {
    /// The limits of connections, bodies and rates.
    pub limits: LimitsConfig,
    /// The proxies whose `X-Forwarded-For` is trusted.
    pub proxy: ProxyConfig,
    /// How long the server still accepts requests after it is told to stop. Meanwhile `/health/ready` reports that it is
    /// not ready, so that a proxy sends no more requests.
    pub shutdown_grace: Duration,
    /// The host names of the listener for wallets, besides those in the currency's URLs, addresses and names without a
    /// dot.
    pub hosts: Vec<String>,
    /// The host names of the operator's listener, besides addresses and names without a dot.
    pub admin_hosts: Vec<String>,
    /// What browsers may do.
    pub web: WebConfig,
    /// The relay for live transfers.
    pub relay: RelayConfig,
    /// All settings of the process, which operators read. Empty if it has no file of settings.
    pub settings: Vec<SettingEntry>,
}

impl ServerOptions {
    /// The options of a server with these settings.
    #[must_use]
    pub fn of_settings(settings: &Settings) -> Self {
        let config = settings.config.clone();
        let shutdown_grace = config.shutdown_grace.get();
        Self {
            limits: config.limits,
            proxy: config.proxy,
            shutdown_grace: shutdown_grace.to_std().expect("a span is not negative"),
            hosts: config.hosts,
            admin_hosts: config.admin.hosts,
            web: config.web,
            relay: config.relay,
            settings: settings.entries(),
        }
    }

    /// The relay, if the server is one.
    pub(super) fn make_relay(&self) -> Option<Arc<Relay>> {
        let limits = RelayLimits {
            rooms_max: self.relay.rooms_max,
            connections_per_address: self.relay.connections_per_address,
            ..RelayLimits::default()
        };
        let options = RelayOptions {
            limits,
            trusted_proxies: self.proxy.trusted.clone(),
        };
        self.relay.enabled.then(|| Relay::new(options))
    }
}
