//! `opencoin auditor serve`.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use opencoin_auditor::{AuditorOptions, AuditorServer, AuditorServerOptions, serve};
use opencoin_config::LogConfig;
use opencoin_log::key::{KeyName, VerifierKey};
use opencoin_terminal::output::OutputArgs;
use opencoin_terminal::secret_args::AuditorSecretArgs;
use rand::rngs::OsRng;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::currencies::{FOLLOWS_NONE, MasterKeyArgs, added_json, added_lines, advised};
use super::server_url::server_url;
use super::{AuditorDirArgs, bytes, init, now_s};
use crate::failure::refused;
use crate::{log, service};

/// Each look is a request to the issuer.
const PAUSE_MIN: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    dir: AuditorDirArgs,
    /// The URLs of issuers to follow, besides those that are followed already.
    #[arg(value_name = "URL", value_parser = server_url)]
    urls: Vec<String>,
    #[command(flatten)]
    master_keys: MasterKeyArgs,
    /// The address and port for everybody, without TLS: what matters there is signed.
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        env = "OPENCOIN_AUDITOR_LISTEN",
        default_value = "127.0.0.1:8096"
    )]
    listen: String,
    /// The address and port for `/metrics` and `/health`. Without it there are no metrics.
    #[arg(long, value_name = "ADDRESS:PORT", env = "OPENCOIN_AUDITOR_ADMIN_LISTEN")]
    admin_listen: Option<String>,
    /// Follow checkpoints and take samples only, without a copy of the logs. A light auditor cosigns nothing.
    #[arg(long, env = "OPENCOIN_AUDITOR_LIGHT")]
    light: bool,
    /// The URL of another auditor, to exchange checkpoints and evidence with, and to copy logs from. Once for each.
    #[arg(
        long = "peer",
        value_name = "URL",
        env = "OPENCOIN_AUDITOR_PEERS",
        value_delimiter = ',',
        value_parser = server_url
    )]
    peers: Vec<String>,
    /// The pause between two looks at a log, at least 100ms. Default: 1s.
    #[arg(long, value_name = "DURATION", env = "OPENCOIN_AUDITOR_EVERY", value_parser = pause)]
    every: Option<Duration>,
    /// The name of the auditor, if it is made now: a URL without scheme, such as auditor.example/a1.
    #[arg(long, value_name = "NAME")]
    name: Option<KeyName>,
    /// The addresses of proxies whose `X-Forwarded-For` is trusted.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "OPENCOIN_AUDITOR_PROXY_TRUSTED",
        value_delimiter = ','
    )]
    proxy_trusted: Vec<IpAddr>,
    /// The requests a second that each address may send for long; 0 for no limit. Default: 100.
    #[arg(long, value_name = "N", env = "OPENCOIN_AUDITOR_REQUESTS_PER_SECOND")]
    requests_per_second: Option<u32>,
    /// The most open connections. Default: 512.
    #[arg(long, value_name = "N", env = "OPENCOIN_AUDITOR_CONNECTIONS_MAX")]
    connections_max: Option<NonZeroU32>,
    #[command(flatten)]
    secret: AuditorSecretArgs,
}

pub(crate) async fn run(arguments: Arguments, output: OutputArgs) -> Result<()> {
    let _log = log::start(&LogConfig::default())?;
    let passphrase = arguments.secret.given()?;
    let passphrase = bytes(passphrase.as_ref());
    let folder = arguments.dir.folder();
    // Nothing is made if the address is in use, and one process runs an auditor.
    let mut lock = match folder.vkeys()? {
        Some(_) => Some(folder.lock()?),
        None => None,
    };
    let listener = bind(&arguments.listen, "listen").await?;
    let operators = match &arguments.admin_listen {
        Some(address) => Some(bind(address, "admin-listen").await?),
        None => None,
    };
    let mut lines = Vec::new();
    if lock.is_none() {
        init::make(&folder, arguments.name.clone(), passphrase)?;
        lock = Some(folder.lock()?);
        lines.push(format!("made an auditor in {}", arguments.dir.dir.display()));
    }
    let keys = folder.keys(passphrase)?;
    check_name(&arguments, keys.name())?;
    let vkeys: Vec<String> = keys.vkeys().iter().map(VerifierKey::to_string).collect();
    let name = keys.name().to_string();
    let options = options(&arguments);
    let auditor = Arc::new(folder.auditor(keys, Arc::new(now_s), options).await?);
    let mut values = Vec::<Value>::new();
    for url in &arguments.urls {
        let known = auditor.store().currencies().await?;
        let is_followed = known
            .iter()
            .any(|currency| currency.is_followed && currency.url == *url);
        match arguments.master_keys.add(auditor.store(), url).await {
            Ok(added) => {
                values.push(added_json(url, &added));
                lines.extend(added_lines(url, &added));
            }
            // An issuer that is away now is followed when it is back.
            Err(error) if is_followed => tracing::warn!(url, "{error:#}"),
            Err(error) => return Err(advised(error)),
        }
    }
    if !auditor
        .store()
        .currencies()
        .await?
        .iter()
        .any(|currency| currency.is_followed)
    {
        lines.push(FOLLOWS_NONE.to_owned());
    }
    let server = AuditorServer::new(auditor, server_options(&arguments));
    // Before the address is printed, so that every later signal stops the server properly.
    let stopped = service::stop_signal()?;
    let url = format!("http://{}", listener.local_addr()?);
    lines.push(format!("its key is {}", vkeys[0]));
    lines.push(format!("serving the auditor {name} on {url}"));
    output.show(
        json!({ "name": name, "url": url, "vkey": vkeys[0], "added": values }),
        lines,
    )?;
    serve(listener, operators, server, Box::new(|| Box::new(OsRng)), stopped).await;
    drop(lock);
    Ok(())
}

/// An auditor that exists keeps its name.
fn check_name(arguments: &Arguments, name: &KeyName) -> Result<()> {
    match &arguments.name {
        Some(wanted) if wanted != name => Err(refused(format!(
            "the auditor in {} has the name {name}, which cannot change: leave --name out, or name a new folder with --dir",
            arguments.dir.dir.display()
        ))),
        _ => Ok(()),
    }
}

fn pause(text: &str) -> Result<Duration, String> {
    let pause = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if pause < PAUSE_MIN {
        return Err(format!("at least {}", humantime::format_duration(PAUSE_MIN)));
    }
    Ok(pause)
}

fn options(arguments: &Arguments) -> AuditorOptions {
    let default = AuditorOptions::default();
    AuditorOptions {
        look_every: arguments.every.unwrap_or(default.look_every),
        is_light: arguments.light,
        peers: arguments.peers.clone(),
    }
}

fn server_options(arguments: &Arguments) -> AuditorServerOptions {
    let mut options = AuditorServerOptions {
        trusted_proxies: arguments.proxy_trusted.clone(),
        ..AuditorServerOptions::default()
    };
    if let Some(requests) = arguments.requests_per_second {
        options.requests_per_second = requests;
    }
    if let Some(connections) = arguments.connections_max {
        options.connections.connections_max = connections;
    }
    options
}

async fn bind(address: &str, option: &str) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; choose another with --{option} ADDRESS:PORT"))
}
