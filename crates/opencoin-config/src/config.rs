//! The content of `issuer.toml`. Every setting can also be given in the environment and on the command line; see
//! [`Settings`](crate::Settings).

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use opencoin_crypto::KeyPrimes;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::bank::{BankConfig, BankCsvConfig};
use crate::database::{ADDRESS_FORMS, is_address};
use crate::rotation::{RotationPolicy, Span};
use crate::sections::{
    AccountsConfig, AdminConfig, LimitsConfig, LogConfig, ProxyConfig, PublicLogConfig, RelayConfig,
    TlsConfig, WebConfig,
};
use crate::signer::SignerConfig;

/// The default listener: loopback only, behind a proxy that provides TLS.
pub const LISTEN_DEFAULT: &str = "127.0.0.1:8080";
/// The default database: a file in the folder of the currency.
pub const DATABASE_DEFAULT: &str = "sqlite:ledger.sqlite";
/// The default folder of private mint keys, relative to the folder of the currency.
const KEY_FOLDER_DEFAULT: &str = "keys";

/// The settings of an issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `sqlite:PATH` (relative to the folder of the currency) or `postgres://...`.
    pub database: String,
    /// Address and port for wallets.
    #[serde(default = "listen_default")]
    pub listen: String,
    /// The file in which a server records the newest entry of the books, relative to the folder of the currency. By
    /// default a file in that folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high_water_mark: Option<PathBuf>,
    /// How long a stopping server still serves while it reports that it is not ready, so that a proxy in front has
    /// time to notice.
    #[serde(default)]
    pub shutdown_grace: Span,
    /// Where the private mint keys are.
    #[serde(default)]
    pub keys: KeyConfig,
    /// How blinds are signed.
    #[serde(default)]
    pub signer: SignerConfig,
    /// When keys are generated, and how long they last.
    #[serde(default)]
    pub rotation: RotationPolicy,
    /// Allows plain HTTP on other addresses than loopback: a proxy in front provides TLS.
    #[serde(default)]
    pub insecure_http: bool,
    /// The host names with a dot that the listener for wallets answers to, besides those in the URLs of the currency's
    /// descriptions. It always answers to addresses and names without a dot.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// TLS without a proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsConfig>,
    /// Trusted proxies.
    #[serde(default)]
    pub proxy: ProxyConfig,
    /// Limits for clients.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// The operator's listener.
    #[serde(default)]
    pub admin: AdminConfig,
    /// The operator's account at a bank.
    #[serde(default)]
    pub bank: BankConfig,
    /// The columns of the bank's tables.
    #[serde(default)]
    pub bank_csv: BankCsvConfig,
    /// Browsers.
    #[serde(default)]
    pub web: WebConfig,
    /// Rooms for live transfers.
    #[serde(default)]
    pub relay: RelayConfig,
    /// Sessions and waiting mints.
    #[serde(default)]
    pub accounts: AccountsConfig,
    /// The rhythm of the public log.
    #[serde(default)]
    pub public_log: PublicLogConfig,
    /// The log on stderr.
    #[serde(default)]
    pub log: LogConfig,
}

/// Where the private mint keys are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "store", rename_all = "lowercase", deny_unknown_fields)]
pub enum KeyConfig {
    /// Encrypted files.
    Files {
        /// The folder of the files, relative to the folder of the currency.
        #[serde(default = "key_folder_default")]
        folder: PathBuf,
    },
    /// A PKCS#11 token, which generates the keys and never exports them.
    Token {
        /// The PKCS#11 library of the token.
        module: PathBuf,
        /// The label of the token.
        label: String,
        /// The most concurrent operations of the token; by default one for each core of this machine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sessions: Option<NonZeroUsize>,
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
    /// Settings with this database and this listener, and defaults for everything else.
    #[must_use]
    pub fn new(database: impl Into<String>, listen: impl Into<String>) -> Self {
        Self {
            database: database.into(),
            listen: listen.into(),
            high_water_mark: None,
            shutdown_grace: Span::default(),
            keys: KeyConfig::default(),
            signer: SignerConfig::default(),
            rotation: RotationPolicy::default(),
            insecure_http: false,
            hosts: Vec::new(),
            tls: None,
            proxy: ProxyConfig::default(),
            limits: LimitsConfig::default(),
            admin: AdminConfig::default(),
            bank: BankConfig::default(),
            bank_csv: BankCsvConfig::default(),
            web: WebConfig::default(),
            relay: RelayConfig::default(),
            accounts: AccountsConfig::default(),
            public_log: PublicLogConfig::default(),
            log: LogConfig::default(),
        }
    }

    /// Checks values that depend on each other or have no type of their own.
    ///
    /// # Errors
    /// The path of the first wrong setting, and the reason.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        self.rotation.check().map_err(|reason| ("rotation", reason))?;
        self.public_log.check().map_err(|reason| ("public_log", reason))?;
        self.check_key_primes()
            .map_err(|reason| ("rotation.key_primes", reason))?;
        self.check_bank()?;
        let admin = self.admin.check();
        admin.map_err(|reason| ("admin.second_person_above", reason))?;
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
            let reason = "bodies_bytes_in_flight_max must be at least body_bytes_max, or the longest request is never accepted";
            return Err(("limits.bodies_bytes_in_flight_max", reason.to_owned()));
        }
        Ok(())
    }

    fn check_bank(&self) -> Result<(), (&'static str, String)> {
        self.bank.check().map_err(|(key, reason)| match key {
            "bic" => ("bank.bic", reason),
            "currency" => ("bank.currency", reason),
            _ => ("bank.iban", reason),
        })?;
        self.bank_csv.map().map_err(|(key, reason)| match key {
            "delimiter" => ("bank_csv.delimiter", reason),
            "decimal" => ("bank_csv.decimal", reason),
            "encoding" => ("bank_csv.encoding", reason),
            _ => ("bank_csv.date_format", reason),
        })?;
        Ok(())
    }

    /// Checks that mint keys with this number of primes can be made where they are kept.
    ///
    /// # Errors
    /// The keys are in a token and have three primes.
    pub fn check_key_primes(&self) -> Result<(), String> {
        match (&self.keys, self.rotation.key_primes) {
            (KeyConfig::Token { .. }, KeyPrimes::Three) => Err(KeyPrimes::NOT_IN_TOKENS.to_owned()),
            (KeyConfig::Files { .. }, _) | (KeyConfig::Token { .. }, KeyPrimes::Two) => Ok(()),
        }
    }

    /// The text of a new `issuer.toml`: the settings that a currency keeps even if later versions have other defaults
    /// (`FILE_KEYS`), and the settings that differ from the defaults.
    #[must_use]
    pub fn file_text(&self) -> String {
        let mut table = Table::try_from(self).expect("settings can be written as TOML");
        let default = Self::new(DATABASE_DEFAULT, LISTEN_DEFAULT);
        let default = Table::try_from(&default).expect("settings can be written as TOML");
        table.retain(|name, value| FILE_KEYS.contains(&name) || default.get(name) != Some(value));
        toml::to_string(&table).expect("settings can be written as TOML")
    }
}

/// The settings that [`Config::file_text`] always writes.
const FILE_KEYS: [&str; 4] = ["database", "listen", "keys", "rotation"];

/// All values by path, such as `limits.requests_burst`.
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
    use crate::signer::SignerProcess;

    #[test]
    fn a_written_file_is_read_back() {
        let read = |config: &Config| {
            toml::from_str::<Config>(&config.file_text()).map_err(|error| error.to_string())
        };
        let mut config = Config::new("sqlite:ledger.sqlite", "127.0.0.1:8080");
        assert_eq!(read(&config), Ok(config.clone()));
        assert!(
            !config.file_text().contains("limits"),
            "settings with default values follow the defaults of later versions"
        );
        config.keys = KeyConfig::Token {
            module: "/usr/lib/p11.so".into(),
            label: "mint".to_owned(),
            sessions: NonZeroUsize::new(4),
        };
        config.signer.process = Some(SignerProcess::Socket {
            path: "signer.sock".into(),
        });
        config.limits.requests_per_second = 3;
        config.admin.listen = Some("127.0.0.1:9090".to_owned());
        assert_eq!(read(&config), Ok(config));
    }
}
