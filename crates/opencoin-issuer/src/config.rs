//! `issuer.toml`: where the books are and where to listen.

use serde::{Deserialize, Serialize};

/// Where an issuer listens unless told otherwise: this machine only. A proxy in front speaks TLS.
pub const LISTEN_DEFAULT: &str = "127.0.0.1:8080";
/// The books in the currency's own folder.
pub const DATABASE_DEFAULT: &str = "sqlite:ledger.sqlite";

/// The settings of an issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `sqlite:PATH` (relative to the folder of the currency) or `postgres://...`.
    pub database: String,
    /// Address and port.
    #[serde(default = "listen_default")]
    pub listen: String,
}

fn listen_default() -> String {
    LISTEN_DEFAULT.to_owned()
}
