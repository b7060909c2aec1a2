//! `opencoin witness serve`.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use opencoin_config::LogConfig;
use opencoin_keys::{Clock, SystemClock};
use opencoin_log::key::VerifierKey;
use opencoin_terminal::output::OutputArgs;
use opencoin_terminal::secret_args::WitnessSecretArgs;
use opencoin_witness::{Now, Witness, WitnessServer, WitnessServerOptions, serve};
use serde_json::json;
use tokio::net::TcpListener;

use super::WitnessDirArgs;
use crate::{log, service};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    dir: WitnessDirArgs,
    /// The address and port for logs and monitors, without TLS: all that is said there is signed.
    #[arg(long, value_name = "ADDRESS:PORT", env = "OPENCOIN_WITNESS_LISTEN")]
    listen: String,
    /// The address and port for `/metrics` and `/health`. Without it there are no metrics.
    #[arg(long, value_name = "ADDRESS:PORT", env = "OPENCOIN_WITNESS_ADMIN_LISTEN")]
    admin_listen: Option<String>,
    /// The addresses of proxies whose `X-Forwarded-For` is trusted.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "OPENCOIN_WITNESS_PROXY_TRUSTED",
        value_delimiter = ','
    )]
    proxy_trusted: Vec<IpAddr>,
    /// The requests a second that each address may send for long; 0 for no limit. Default: 20.
    #[arg(long, value_name = "N", env = "OPENCOIN_WITNESS_REQUESTS_PER_SECOND")]
    requests_per_second: Option<u32>,
    /// The most open connections. Default: 512.
    #[arg(long, value_name = "N", env = "OPENCOIN_WITNESS_CONNECTIONS_MAX")]
    connections_max: Option<NonZeroU32>,
    #[command(flatten)]
    secret: WitnessSecretArgs,
}

pub(crate) async fn run(arguments: Arguments, output: OutputArgs) -> Result<()> {
    let _log = log::start(&LogConfig::default())?;
    let folder = arguments.dir.folder();
    folder.vkeys()?;
    let keys = folder.keys(arguments.secret.passphrase()?.expose())?;
    let vkeys: Vec<String> = keys.vkeys().iter().map(VerifierKey::to_string).collect();
    let name = keys.name().to_string();
    let witness = Witness::new(keys, folder.store().await?, system_time());
    let server = WitnessServer::new(witness, options(&arguments));
    // Before the address is printed, so that every later signal stops the server properly.
    let stopped = service::stop_signal()?;
    let listener = bind(&arguments.listen, "listen").await?;
    let operators = match &arguments.admin_listen {
        Some(address) => Some(bind(address, "admin-listen").await?),
        None => None,
    };
    let url = format!("http://{}", listener.local_addr()?);
    output.show(
        json!({ "name": name, "url": url, "vkeys": vkeys }),
        [format!("serving the witness {name} on {url}")],
    )?;
    serve(listener, operators, server, stopped).await;
    Ok(())
}

fn options(arguments: &Arguments) -> WitnessServerOptions {
    let mut options = WitnessServerOptions {
        trusted_proxies: arguments.proxy_trusted.clone(),
        ..WitnessServerOptions::default()
    };
    if let Some(requests) = arguments.requests_per_second {
        options.requests_per_second = requests;
    }
    if let Some(connections) = arguments.connections_max {
        options.connections.connections_max = connections;
    }
    options
}

/// The clock of the machine; 0 before 1970.
fn system_time() -> Now {
    Arc::new(|| u64::try_from(SystemClock.now().timestamp()).unwrap_or(0))
}

async fn bind(address: &str, option: &str) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; choose another with --{option} ADDRESS:PORT"))
}
