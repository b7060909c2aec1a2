//! The optional tables of `issuer.toml` about the behaviour of the server. Their keys are optional too, except in
//! `[tls]`.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use chrono::TimeDelta;
use opencoin_text::{AmountError, AmountText};
use serde::{Deserialize, Serialize};

use crate::rotation::Span;

/// `[tls]`: TLS without a proxy. Without this table the server speaks plain HTTP, on loopback only unless
/// `insecure_http` is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate and its chain, in PEM, relative to the folder of the currency. Read again when the file changes.
    pub certificate: PathBuf,
    /// The private key, in PEM, relative to the folder of the currency.
    pub key: PathBuf,
}

/// `[proxy]`: the proxies that report the addresses of clients.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProxyConfig {
    /// Addresses of trusted proxies. The client's address is the last in their `X-Forwarded-For` that is not in this
    /// list. The header of other senders is ignored.
    pub trusted: Vec<IpAddr>,
}

/// `[limits]`: limits for each client and for all clients together. Each server process counts for itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Requests a second from one address without a valid token, on average, in each server process; 0 is no limit.
    pub requests_per_second: u32,
    /// The most such requests at once, in each server process.
    pub requests_burst: NonZeroU32,
    /// Login attempts a minute from one address, on average, in each server process; 0 is no limit.
    pub logins_per_minute: u32,
    /// The most connections of a server process at one time.
    pub connections_max: NonZeroU32,
    /// Time limit for a request head, a TLS handshake, or an idle connection.
    pub head_seconds_max: NonZeroU32,
    /// Time limit for a request body.
    pub body_seconds_max: NonZeroU32,
    /// The longest request body.
    pub body_bytes_max: NonZeroU32,
    /// The most bytes of requests in progress in a server process at one time.
    pub bodies_bytes_in_flight_max: NonZeroU32,
}

/// `[admin]`: the operator's listener: `/v1/admin`, metrics, health.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdminConfig {
    /// Address and port; without it there is no such listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// Allows plain HTTP on other addresses than loopback: the operator's tokens then cross the network unencrypted.
    /// Separate from the top-level `insecure_http`, because the proxy for wallets does not protect this listener.
    pub insecure_http: bool,
    /// The host names with a dot that the listener accepts. It always accepts addresses and names without a dot.
    pub hosts: Vec<String>,
    /// The amount, as the currency shows it, above which an operator cannot move money alone. Without it every operator
    /// can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second_person_above: Option<String>,
}

impl AdminConfig {
    /// The limit in smallest units of the currency with this name, of which `divisor` make one; `None` without a limit.
    ///
    /// # Errors
    /// The text is not an amount, or not a whole number of smallest units.
    pub fn second_person_above(&self, divisor: u64, name: &str) -> Result<Option<u64>, AmountError> {
        let Some(text) = &self.second_person_above else {
            return Ok(None);
        };
        text.parse::<AmountText>()?.units(divisor, name).map(Some)
    }

    /// Checks what does not depend on the currency.
    pub(crate) fn check(&self) -> Result<(), String> {
        let amount = self.second_person_above.as_deref();
        let amount = amount.map(str::parse::<AmountText>).transpose();
        amount.map(drop).map_err(|error| error.to_string())
    }
}

/// `[web]`: browsers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebConfig {
    /// Whether web pages of every origin may use the API. They have no more rights than any other program.
    pub cors: bool,
    /// What a currency without a public log shows of its coins. The figures of a log are public anyway.
    pub supply: SupplyFigures,
}

/// What a currency without a public log shows of its coins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SupplyFigures {
    /// How many there are, counted once a day.
    #[default]
    Daily,
    /// Nothing.
    Off,
}

impl Default for WebConfig {
    fn default() -> Self {
        Self {
            cors: true,
            supply: SupplyFigures::default(),
        }
    }
}

/// `[relay]`: rooms in which wallets meet for live transfers. Each server process has rooms of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RelayConfig {
    /// Whether the server is a relay too.
    pub enabled: bool,
    /// The most rooms of a server process at one time.
    pub rooms_max: NonZeroU32,
    /// The most connections of one address at one time; 0 is no limit.
    pub connections_per_address: u32,
}

impl Default for RelayConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            rooms_max: NonZeroU32::new(1000).expect("a positive number"),
            connections_per_address: 20,
        }
    }
}

/// `[accounts]`: sessions and waiting mints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountsConfig {
    /// How long a session lasts after a login with a password.
    pub session_lifetime: Span,
    /// How long a session lasts after a login with a service key.
    pub service_session_lifetime: Span,
    /// What happens to a mint that its account cannot pay.
    pub when_short: WhenShort,
    /// How long a delayed mint waits for money.
    pub wait: Span,
}

/// What happens to a mint that its account cannot pay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenShort {
    /// The issuer refuses it.
    #[default]
    Refuse,
    /// The issuer answers with a `response delay`; the mint waits and takes no money until then.
    Delay,
}

/// `[public_log]`: the rhythm of the public log of issuance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PublicLogConfig {
    /// How often a batch is sealed, if enough leaves wait; at least a second.
    pub every: Span,
    /// The least number of leaves of a batch. The coins of a batch hide each other.
    pub leaves_min: u64,
    /// How long a leaf waits at most.
    pub latest: Span,
}

/// `[log]`: the log on stderr.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// The format of the lines.
    pub format: LogFormat,
    /// What is logged: `LEVEL` and `TARGET=LEVEL`, separated by commas, as in `info,opencoin_issuer=debug`.
    pub filter: String,
}

/// The format of the log.
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

impl Default for PublicLogConfig {
    fn default() -> Self {
        let span = |text: &str| text.parse().expect("a span");
        Self {
            every: span("1m"),
            leaves_min: 32,
            latest: span("15m"),
        }
    }
}

impl PublicLogConfig {
    /// Checks the values together.
    ///
    /// # Errors
    /// The rhythm is faster than a second, or slower than what is promised to holders.
    pub fn check(&self) -> Result<(), String> {
        let (every, latest) = (self.every.get(), self.latest.get());
        if every < TimeDelta::seconds(1) {
            return Err("every: a batch takes at least a second".to_owned());
        }
        if latest < every {
            return Err("latest: must not be shorter than every".to_owned());
        }
        if latest * BATCHES_OF_A_PROMISE > TimeDelta::seconds(PROMISE_SECONDS) {
            return Err("latest: coins are promised to be in the log within an hour, and may take three batches: at most 20m".to_owned());
        }
        Ok(())
    }
}

/// The batches that can have the coins of a promise.
const BATCHES_OF_A_PROMISE: i32 = 3;
/// The time in which they are published.
const PROMISE_SECONDS: i64 = 3600;

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            format: LogFormat::default(),
            filter: "info,sqlx=warn".to_owned(),
        }
    }
}
