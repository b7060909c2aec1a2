//! `opencoin issuer serve`.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{Args, value_parser};
use opencoin_crypto::{LocalSigner, LocalSignerOptions};
use opencoin_issuer::http::{CONNECTIONS_MAX, Server, serve};
use opencoin_issuer::{Clock, Directory, Issuer, IssuerOptions, StoreMode, SystemClock, open_ledger};
use opencoin_ledger::BATCH_COMMANDS_MAX;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::DirArgs;
use crate::output;

/// What is logged unless `OPENCOIN_LOG` says otherwise (the syntax is tracing's: `info`, `opencoin_issuer=debug`, ...).
const LOG_FILTER_DEFAULT: &str = "info,sqlx=warn";

/// Files that are open beside the connections of clients: the books, connections to a database, the log.
const OPEN_FILES_BESIDE_CONNECTIONS: usize = 128;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    dir: DirArgs,
    /// Address and port; port 0 takes a free one. Default: `listen` in issuer.toml.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// The most requests that share one transaction of the database; 1 shows what sharing is worth.
    #[arg(long, value_name = "N", default_value_t = BATCH_COMMANDS_MAX as u64, value_parser = value_parser!(u64).range(1..=BATCH_COMMANDS_MAX as u64))]
    batch_commands_max: u64,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    start_log();
    raise_open_files();
    let directory = Directory::new(arguments.dir.dir);
    let config = directory.config()?;
    let currency = directory.currency()?;
    let name = currency.current().cdd().currency_name.clone();
    let ledger = open_ledger(&config.database, directory.root(), StoreMode::Create)
        .await
        .context("cannot open the books; `database` in issuer.toml says where they are")?;
    let signer = LocalSigner::start(directory.mint_keys(&currency, SystemClock.now())?, LocalSignerOptions::default())?;
    let options = IssuerOptions { batch_commands_max: usize::try_from(arguments.batch_commands_max)? };
    let issuer = Issuer::open(currency, ledger, Arc::new(signer), Arc::new(SystemClock), options).await?;
    // Before anybody is told where to come: a signal from now on is a request to stop.
    let stopped = stop_signal()?;
    let listen = arguments.listen.unwrap_or(config.listen);
    let listener = TcpListener::bind(&listen)
        .await
        .with_context(|| format!("cannot listen on {listen}; choose another with --listen ADDRESS:PORT"))?;
    output::line(&format!("serving {name} on http://{}", listener.local_addr()?))?;
    serve(listener, Server::new(issuer), stopped).await;
    Ok(ExitCode::SUCCESS)
}

fn start_log() {
    let filter = EnvFilter::try_from_env("OPENCOIN_LOG").unwrap_or_else(|_| EnvFilter::new(LOG_FILTER_DEFAULT));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(io::stderr().is_terminal()).with_writer(io::stderr).init();
}

/// Takes all the open files that the system lets this process have, and says so when that is too few.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
    let wanted = (CONNECTIONS_MAX + OPEN_FILES_BESIDE_CONNECTIONS) as u64;
    if let Some(open_files) = getrlimit(Resource::Nofile).current.filter(|open_files| *open_files < wanted) {
        tracing::warn!(open_files, wanted, "too few open files for all connections; raise LimitNOFILE or `ulimit -n`");
    }
}

fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
