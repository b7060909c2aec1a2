//! The tables of `issuer.toml` that say how the server behaves. Each is optional, and so is each of its keys.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::rotation::Span;

/// `[tls]`: TLS spoken by the server itself. Without it, it speaks plain HTTP: on loopback only, unless
/// `insecure_http` says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate and its chain, in PEM, relative to the folder of the currency. Read again when it
    /// changes.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
}

/// `[proxy]`: whose word is taken for where a request came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProxyConfig {
    /// Addresses of proxies. From them, and from nobody else, the last address of `X-Forwarded-For` that is
    /// not one of these is taken for the client's.
    pub trusted: Vec<IpAddr>,
}

/// `[limits]`: what one client, and all of them, may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Requests without a token that one address may send in a second, over time; 0 is no limit.
    pub requests_per_second: u32,
    /// How many of them may come at once.
    pub requests_burst: NonZeroU32,
    /// Logins that one address may try in a minute, over time; 0 is no limit.
    pub logins_per_minute: u32,
    /// The most connections at one time.
    pub connections_max: NonZeroU32,
    /// How long a head may take to arrive, and how long a kept connection may wait for the next one.
    pub head_seconds_max: NonZeroU32,
    /// How long a body may take to arrive.
    pub body_seconds_max: NonZeroU32,
    /// The longest body.
    pub body_bytes_max: NonZeroU32,
    /// The most bytes of requests that are being read, worked on or answered at one time.
    pub bodies_bytes_in_flight_max: NonZeroU32,
}

/// `[admin]`: the operator's listener: `/v1/admin`, metrics, health.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdminConfig {
    /// Address and port; without it there is no such listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// Whether it speaks plain HTTP to other machines as well: the operator's tokens then cross that network
    /// in the clear. A word of its own, because what speaks TLS in front of the listener for wallets does not do
    /// so in front of this one.
    pub insecure_http: bool,
    /// Names with a dot under which it is asked. Under any other it refuses, but not under an address or a name
    /// without a dot.
    pub hosts: Vec<String>,
}

/// `[accounts]`: how holders use their accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountsConfig {
    /// How long a session lasts after a login with a password.
    pub session_lifetime: Span,
    /// How long a session lasts after a login with the key of a service.
    pub service_session_lifetime: Span,
    /// What becomes of a mint that its account cannot pay.
    pub when_short: WhenShort,
    /// How long such a mint waits for money.
    pub wait: Span,
}

/// What becomes of a mint that its account cannot pay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenShort {
    /// It is refused.
    #[default]
    Refuse,
    /// It waits, with nothing taken, and is answered with a `response delay`.
    Delay,
}

/// `[log]`: what the server says on stderr.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// In what form.
    pub format: LogFormat,
    /// Which of it: `LEVEL` and `TARGET=LEVEL` with commas between, as in `info,opencoin_issuer=debug`.
    pub filter: String,
}

/// The form of a log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        let positive = |number| NonZeroU32::new(number).expect("a positive number");
        Self {
            requests_per_second: 50,
            requests_burst: positive(200),
            logins_per_minute: 10,
            connections_max: positive(4096),
            head_seconds_max: positive(10),
            body_seconds_max: positive(10),
            body_bytes_max: positive(4 * 1024 * 1024),
            bodies_bytes_in_flight_max: positive(26 * 1024 * 1024),
        }
    }
}

impl Default for AccountsConfig {
    fn default() -> Self {
        let span = |text: &str| text.parse().expect("a span");
        Self {
            session_lifetime: span("12h"),
            service_session_lifetime: span("1h"),
            when_short: WhenShort::default(),
            wait: span("7days"),
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            format: LogFormat::default(),
            filter: "info,sqlx=warn".to_owned(),
        }
    }
}
