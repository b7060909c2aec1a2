//! `opencoin issuer figures`: figures of the last while, from a running server.
//!
//! They are in the memory of the server, so this is the one command of operators that asks it over HTTP, with an
//! operator's token.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use opencoin_api::AdminSample;
use opencoin_config::Config;
use opencoin_issuer::{SAMPLE_INTERVAL_S, SAMPLE_STEP_S_MAX, SAMPLES_AGE_MAX};
use opencoin_terminal::output::OutputArgs;
use opencoin_text::IssuerUrl;
use opencoin_wallet::account::{AccountClient, AccountError};

use crate::currency_unit::CurrencyUnit;
use crate::dates::utc;
use crate::dir_args::DirArgs;
use crate::failure;
use crate::network_args::{NetworkArgs, warn_if_exposed};
use crate::token_args;

/// Has the token of an operator.
const TOKEN_VARIABLE: &str = "OPENCOIN_ADMIN_TOKEN";
const MICROS_PER_MILLI: f64 = 1_000.0;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The minutes up to now, at most a day.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = minutes())]
    minutes: u32,
    /// The seconds that a line covers, at least 10 and at most an hour.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = steps())]
    step: u32,
    /// The URL of the server's listener for operators. Default: `[admin] listen` in the settings. Each of several servers has
    /// its own figures.
    #[arg(long, value_name = "URL")]
    url: Option<IssuerUrl>,
    /// A file that holds an operator's token, of any scope. The token can also be in `OPENCOIN_ADMIN_TOKEN`.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    dir: DirArgs,
}

fn minutes() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=SAMPLES_AGE_MAX.num_minutes())
}

fn steps() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(i64::from(SAMPLE_INTERVAL_S)..=i64::from(SAMPLE_STEP_S_MAX))
}

pub(crate) async fn run(arguments: Arguments, output: OutputArgs) -> Result<()> {
    let directory = arguments.dir.directory()?;
    let url = match arguments.url {
        Some(url) => url,
        None => listener(&directory.config()?)?,
    };
    let token = token_args::of_file_or_variable(arguments.token_file.as_deref(), TOKEN_VARIABLE)?;
    let token = token.ok_or_else(|| {
        failure::usage(format!(
            "the server wants the token of an operator: --token-file FILE, or {TOKEN_VARIABLE} in the environment \
             (`opencoin issuer admin-token create NAME --scope read` makes one)"
        ))
    })?;
    warn_if_exposed(&url, "read the operator's token");
    let client = AccountClient::new(&url, &arguments.network.network()?)?.with_token(token);
    let read = client.samples(arguments.minutes, arguments.step).await;
    let read = read.map_err(|error| explained(error, &url))?;
    let unit = super::unit(&directory)?;
    let mut lines = Vec::new();
    if read.samples.is_empty() {
        lines.push(format!(
            "the server has no figures of this time yet; it takes them every {SAMPLE_INTERVAL_S} seconds"
        ));
    } else {
        let circulation = format!("in circulation ({})", unit.name);
        lines.push(line("until", "requests", "refusals", "signing", &circulation));
        lines.extend(read.samples.iter().rev().map(|sample| row(sample, &unit)));
    }
    output.show(serde_json::to_value(read)?, lines)
}

/// Where the settings say that a server on this machine answers operators.
fn listener(config: &Config) -> Result<IssuerUrl> {
    let listen = config.admin.listen.as_deref().ok_or_else(|| {
        failure::usage(
            "the settings name no listener for operators (`[admin] listen`): give its URL with --url",
        )
    })?;
    let url = |scheme: &str, address: &str| {
        let url = format!("{scheme}://{address}").parse::<IssuerUrl>();
        url.with_context(|| format!("`[admin] listen` is {listen}: give the URL of the listener with --url"))
    };
    let plain = url("http", listen)?;
    if plain.is_loopback() {
        return Ok(plain); // the listener uses TLS on other addresses only
    }
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    match listen.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_unspecified() => {
            let here: IpAddr = if address.is_ipv4() {
                Ipv4Addr::LOCALHOST.into()
            } else {
                Ipv6Addr::LOCALHOST.into()
            };
            url(scheme, &SocketAddr::new(here, address.port()).to_string())
        }
        Ok(_) | Err(_) => url(scheme, listen),
    }
}

fn explained(error: AccountError, url: &IssuerUrl) -> anyhow::Error {
    if error.is_unauthorized() {
        let text = format!("{url} does not take this token");
        let advice = "`opencoin issuer admin-token list` shows which operators have one";
        return failure::explained(failure::reworded(&error.into(), text), advice);
    }
    match error {
        AccountError::Open(_) => {
            let advice = "--url names the listener for operators of a running server";
            failure::explained(error.into(), advice)
        }
        AccountError::Refused { .. } | AccountError::TooSoon { .. } | AccountError::File(_) => error.into(),
    }
}

fn row(sample: &AdminSample, unit: &CurrencyUnit) -> String {
    let signing = sample.signing_us.map_or("-".to_owned(), |mean| {
        format!("{:.1} ms", mean as f64 / MICROS_PER_MILLI)
    });
    let outstanding = sample
        .outstanding
        .map_or("?".to_owned(), |units| unit.number(units));
    let (requests, refusals) = (sample.requests.to_string(), sample.refusals.to_string());
    line(&utc(sample.at), &requests, &refusals, &signing, &outstanding)
}

fn line(until: &str, requests: &str, refusals: &str, signing: &str, outstanding: &str) -> String {
    format!("{until:<23}  {requests:>9}  {refusals:>9}  {signing:>9}  {outstanding}")
}

#[cfg(test)]
mod tests {
    use opencoin_config::TlsConfig;

    use super::*;

    #[test]
    fn the_settings_say_where_operators_are_answered() {
        let asked = |listen: &str, has_tls: bool| {
            let mut config = Config::new("sqlite:ledger.sqlite", "127.0.0.1:8080");
            config.admin.listen = Some(listen.to_owned());
            config.tls = has_tls.then(|| TlsConfig {
                certificate: "tls.pem".into(),
                key: "tls.key".into(),
            });
            listener(&config).unwrap().to_string()
        };
        for (listen, has_tls, url) in [
            ("127.0.0.1:9464", true, "http://127.0.0.1:9464"),
            ("localhost:9464", true, "http://localhost:9464"),
            ("0.0.0.0:9464", false, "http://127.0.0.1:9464"),
            ("[::]:9464", true, "https://[::1]:9464"),
            ("10.0.0.7:9464", true, "https://10.0.0.7:9464"),
            ("10.0.0.7:9464", false, "http://10.0.0.7:9464"),
        ] {
            assert_eq!(asked(listen, has_tls), url);
        }
    }
}
