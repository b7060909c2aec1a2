//! `issuer.toml`: where the books and the private mint keys are, where to listen, how keys rotate.

mod sections;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::rotation::{RotationPolicy, Span};

pub use sections::{AccountsConfig, AdminConfig, LimitsConfig, LogConfig, LogFormat, ProxyConfig, TlsConfig, WhenShort};

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
    /// Where a server keeps how far the books have come, relative to the folder of the currency; by default in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high_water_mark: Option<PathBuf>,
    /// How long a server that was told to stop says that it is not ready and serves on, so that a proxy in front has time to notice.
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
        /// How many operations the token is asked to do at a time; by default one for each core of this machine.
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
        Self::Files { folder: key_folder_default() }
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

    fn read(text: &str) -> Result<Config, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_written_is_read() {
        let mut config = Config::new("sqlite:ledger.sqlite", "127.0.0.1:8080");
        assert_eq!(read(&toml::to_string(&config).unwrap()), Ok(config.clone()));
        config.keys =
            KeyConfig::Token { module: "/usr/lib/p11.so".into(), label: "mint".to_owned(), sessions: NonZeroUsize::new(4) };
        config.signer = Some(SignerConfig::Socket { path: "signer.sock".into() });
        assert_eq!(read(&toml::to_string(&config).unwrap()), Ok(config));
    }

    #[test]
    fn a_short_file_means_the_defaults_and_unknown_words_are_errors() {
        assert_eq!(read("database = 'sqlite:x'"), Ok(Config::new("sqlite:x", LISTEN_DEFAULT)));
        for (text, word) in [
            ("database = 'sqlite:x'\ndatabse = 1", "databse"),
            ("database = 'sqlite:x'\n[keys]\nstore = 'files'\nfoldr = 'k'", "foldr"),
            ("database = 'sqlite:x'\n[keys]\nstore = 'tokn'", "tokn"),
            ("database = 'sqlite:x'\n[rotation]\noverlap = 'soon'", "overlap"),
            ("database = 'sqlite:x'\n[rotation]\nsigning_window = '10 days'\noverlap = '10 days'", "overlap"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
