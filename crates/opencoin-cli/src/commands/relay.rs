//! `opencoin relay`: rooms in which wallets meet for live transfers.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use opencoin_config::LogConfig;
use opencoin_relay::{Relay, RelayLimits, RelayOptions, serve};
use opencoin_terminal::output::OutputArgs;
use serde_json::json;
use tokio::net::TcpListener;

use crate::failure::DetailArgs;
use crate::{log, open_files, service};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The address and port for wallets, without TLS: put a proxy in front of it. What wallets say to each other is
    /// encrypted in any case.
    #[arg(long, value_name = "ADDRESS:PORT", env = "OPENCOIN_RELAY_LISTEN")]
    listen: String,
    /// The address and port for `/metrics` and `/health`. Without it there are no metrics.
    #[arg(long, value_name = "ADDRESS:PORT", env = "OPENCOIN_RELAY_ADMIN_LISTEN")]
    admin_listen: Option<String>,
    /// The addresses of proxies whose `X-Forwarded-For` is trusted.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "OPENCOIN_RELAY_PROXY_TRUSTED",
        value_delimiter = ','
    )]
    proxy_trusted: Vec<IpAddr>,
    /// The most rooms at one time. Default: 1000.
    #[arg(long, value_name = "N", env = "OPENCOIN_RELAY_ROOMS_MAX")]
    rooms_max: Option<NonZeroU32>,
    /// The most connections of one address at one time; 0 for no limit. Default: 20.
    #[arg(long, value_name = "N", env = "OPENCOIN_RELAY_CONNECTIONS_PER_ADDRESS")]
    connections_per_address: Option<u32>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    _detail: DetailArgs,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let _log = log::start(&LogConfig::default())?;
    let options = options(&arguments);
    open_files::raise(options.limits.rooms_max.get().saturating_mul(2));
    let relay = Relay::new(options);
    // Before the address is printed, so that every later signal stops the server properly.
    let stopped = service::stop_signal()?;
    let listener = bind(&arguments.listen, "listen").await?;
    let operators = match &arguments.admin_listen {
        Some(address) => Some(bind(address, "admin-listen").await?),
        None => None,
    };
    let url = format!("http://{}/relay", listener.local_addr()?);
    arguments.output.show(
        json!({ "url": url }),
        [format!("relaying live transfers on {url}")],
    )?;
    serve(listener, operators, relay, stopped).await;
    Ok(ExitCode::SUCCESS)
}

fn options(arguments: &Arguments) -> RelayOptions {
    let mut limits = RelayLimits::default();
    if let Some(rooms) = arguments.rooms_max {
        limits.rooms_max = rooms;
    }
    if let Some(connections) = arguments.connections_per_address {
        limits.connections_per_address = connections;
    }
    RelayOptions {
        limits,
        trusted_proxies: arguments.proxy_trusted.clone(),
    }
}

async fn bind(address: &str, option: &str) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; choose another with --{option} ADDRESS:PORT"))
}
