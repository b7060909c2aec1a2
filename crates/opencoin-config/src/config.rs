//! `issuer.toml`: where the books and the private mint keys are, where to listen, how keys rotate. Every
//! setting can also be given in the environment and on the command line; see [`Settings`](crate::Settings).

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::database::{ADDRESS_FORMS, is_address};
use crate::rotation::{RotationPolicy, Span};
use crate::sections::{AccountsConfig, AdminConfig, LimitsConfig, LogConfig, ProxyConfig, TlsConfig};

/// Where an issuer listens unless told otherwise: this machine only. A proxy in front speaks TLS.
pub const LISTEN_DEFAULT: &str = "127.0.0.1:8080";
/// The books in the currency's own folder.
pub const DATABASE_DEFAULT: &str = "sqlite:ledger.sqlite";
/// The private keys in the currency's own folder.
const KEY_FOLDER_DEFAULT: &str = "keys";

/// The settings of an issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `sqlite:PATH` (relative to the folder of the currency) or `postgres://...`.
    pub database: String,
    /// Address and port.
    #[serde(default = "listen_default")]
    pub listen: String,
    /// Where a server keeps how far the books have come, relative to the folder of the currency; by default
    /// in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high_water_mark: Option<PathBuf>,
    /// How long a server that was told to stop says that it is not ready and serves on, so that a proxy in
    /// front has time to notice.
    #[serde(default)]
    pub shutdown_grace: Span,
    /// Where the private mint keys are.
    #[serde(default)]
    pub keys: KeyConfig,
    /// The process that signs; without it `serve` itself has the keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<SignerConfig>,
    /// When keys are made, and how long they last.
    #[serde(default)]
    pub rotation: RotationPolicy,
    /// Listen on other addresses than loopback without TLS: something in front speaks it.
    #[serde(default)]
    pub insecure_http: bool,
    /// TLS spoken by the server itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsConfig>,
    /// Proxies in front.
    #[serde(default)]
    pub proxy: ProxyConfig,
    /// What clients may take.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// The operator's listener.
    #[serde(default)]
    pub admin: AdminConfig,
    /// How holders use their accounts.
    #[serde(default)]
    pub accounts: AccountsConfig,
    /// What the server says on stderr.
    #[serde(default)]
    pub log: LogConfig,
}

/// Where the private mint keys are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "store", rename_all = "lowercase", deny_unknown_fields)]
pub enum KeyConfig {
    /// Encrypted files.
    Files {
        /// Their folder, relative to that of the currency.
        #[serde(default = "key_folder_default")]
        folder: PathBuf,
    },
    /// A PKCS#11 token, which makes them and never gives them away.
    Token {
        /// The token's PKCS#11 library.
        module: PathBuf,
        /// The token's label.
        label: String,
        /// How many operations the token is asked to do at a time; by default one for each core of this
        /// machine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sessions: Option<NonZeroUsize>,
    },
}

/// Where the process that signs is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "lowercase", deny_unknown_fields)]
pub enum SignerConfig {
    /// A Unix socket on this machine.
    Socket {
        /// Its path, relative to the folder of the currency.
        path: PathBuf,
    },
    /// TCP with mutual TLS. Paths are relative to the folder of the currency.
    Tls {
        /// Address and port where the signer listens.
        address: String,
        /// The name in the signer's certificate.
        name: String,
        /// This side's own certificate, in PEM.
        certificate: PathBuf,
        /// Its private key, in PEM.
        key: PathBuf,
        /// The authority that has signed both certificates, in PEM.
        authority: PathBuf,
    },
}

impl Default for KeyConfig {
    fn default() -> Self {
        Self::Files {
            folder: key_folder_default(),
        }
    }
}

impl Config {
    /// The settings of an issuer with its books there, that listens here; the rest as usual.
    #[must_use]
    pub fn new(database: impl Into<String>, listen: impl Into<String>) -> Self {
        Self {
            database: database.into(),
            listen: listen.into(),
            high_water_mark: None,
            shutdown_grace: Span::default(),
            keys: KeyConfig::default(),
            signer: None,
            rotation: RotationPolicy::default(),
            insecure_http: false,
            tls: None,
            proxy: ProxyConfig::default(),
            limits: LimitsConfig::default(),
            admin: AdminConfig::default(),
            accounts: AccountsConfig::default(),
            log: LogConfig::default(),
        }
    }

    /// Whether what was read fits together.
    ///
    /// # Errors
    /// The path of a setting that does not, and why.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        if !is_address(&self.database) {
            return Err(("database", ADDRESS_FORMS.to_owned()));
        }
        let listeners = [
            ("listen", Some(&self.listen)),
            ("admin.listen", self.admin.listen.as_ref()),
        ];
        for (path, address) in listeners {
            let is_listener = |text: &String| {
                text.rsplit_once(':')
                    .is_some_and(|(_, port)| port.parse::<u16>().is_ok())
            };
            if let Some(address) = address.filter(|address| !is_listener(address)) {
                return Err((
                    path,
                    format!("{address:?} is not ADDRESS:PORT, like 127.0.0.1:8080 or [::1]:8080"),
                ));
            }
        }
        if self.limits.body_bytes_max > self.limits.bodies_bytes_in_flight_max {
            let reason = "bodies_bytes_in_flight_max must be at least body_bytes_max, or the longest request is never taken";
            return Err(("limits.bodies_bytes_in_flight_max", reason.to_owned()));
        }
        Ok(())
    }

    /// The text of a new `issuer.toml`: what a currency should keep whatever the defaults of later versions
    /// are, and what differs from the defaults.
    #[must_use]
    pub fn file_text(&self) -> String {
        let mut table = Table::try_from(self).expect("settings can be written as TOML");
        let default = Self::new(DATABASE_DEFAULT, LISTEN_DEFAULT);
        let default = Table::try_from(&default).expect("settings can be written as TOML");
        table.retain(|name, value| FILE_KEYS.contains(&name) || default.get(name) != Some(value));
        toml::to_string(&table).expect("settings can be written as TOML")
    }
}

/// What every `issuer.toml` says in full.
const FILE_KEYS: [&str; 4] = ["database", "listen", "keys", "rotation"];

/// All values by their paths: `limits.requests_burst`.
pub(crate) fn values(config: &Config) -> BTreeMap<String, Value> {
    let mut values = BTreeMap::new();
    for (name, value) in Table::try_from(config).expect("settings can be written as TOML") {
        match value {
            Value::Table(inner) => values.extend(
                inner
                    .into_iter()
                    .map(|(key, value)| (format!("{name}.{key}"), value)),
            ),
            value => drop(values.insert(name, value)),
        }
    }
    values
}

fn listen_default() -> String {
    LISTEN_DEFAULT.to_owned()
}

fn key_folder_default() -> PathBuf {
    PathBuf::from(KEY_FOLDER_DEFAULT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let read = |config: &Config| {
            toml::from_str::<Config>(&config.file_text()).map_err(|error| error.to_string())
        };
        let mut config = Config::new("sqlite:ledger.sqlite", "127.0.0.1:8080");
        assert_eq!(read(&config), Ok(config.clone()));
        assert!(
            !config.file_text().contains("limits"),
            "defaults of later versions count where nobody decided otherwise"
        );
        config.keys = KeyConfig::Token {
            module: "/usr/lib/p11.so".into(),
            label: "mint".to_owned(),
            sessions: NonZeroUsize::new(4),
        };
        config.signer = Some(SignerConfig::Socket {
            path: "signer.sock".into(),
        });
        config.limits.requests_per_second = 3;
        config.admin.listen = Some("127.0.0.1:9090".to_owned());
        assert_eq!(read(&config), Ok(config));
    }
}
