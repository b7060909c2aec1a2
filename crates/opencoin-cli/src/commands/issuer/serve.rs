//! `opencoin issuer serve`.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::{Args, value_parser};
use opencoin_crypto::Signer;
use opencoin_issuer::http::{CONNECTIONS_MAX, Server, serve, serve_admin};
use opencoin_issuer::{
    CertifiedMintKey, Clock, Config, Currency, Directory, Issuer, IssuerOptions, StoreMode, SystemClock, open_ledger,
};
use opencoin_ledger::{BATCH_COMMANDS_MAX, MintKeyStatus};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;

use super::{DirArgs, key_store};
use crate::commands::signer;
use crate::secret_args::KeySecretArgs;
use crate::{log, output, service};

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
    /// Start although private halves of mint keys are lost; what is accepted for them is not signed.
    #[arg(long)]
    allow_missing_keys: bool,
    #[command(flatten)]
    secrets: KeySecretArgs,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let directory = Directory::new(&arguments.dir.dir);
    let config = directory.config()?;
    let _log = log::start(&config.log)?;
    raise_open_files();
    let currency = directory.currency()?;
    let name = currency.current().cdd().currency_name.clone();
    let ledger = open_ledger(&config.database, directory.root(), StoreMode::Create)
        .await
        .context("cannot open the books; `database` in issuer.toml says where they are")?;
    let statuses = ledger.mint_keys().await?;
    let signer = engine(&directory, &config, &currency, &statuses, &arguments)?;
    let options = IssuerOptions { batch_commands_max: usize::try_from(arguments.batch_commands_max)? };
    let issuer = Issuer::open(currency, ledger, signer, Arc::new(SystemClock), options).await?.in_folder(directory);
    // Before anybody is told where to come: a signal from now on is a request to stop.
    let stopped = service::stop_signal()?;
    let listen = arguments.listen.unwrap_or(config.listen);
    let listener = TcpListener::bind(&listen)
        .await
        .with_context(|| format!("cannot listen on {listen}; choose another with --listen ADDRESS:PORT"))?;
    let admin = match &config.admin.listen {
        Some(address) => Some(admin_listener(address).await?),
        None => None,
    };
    output::line(&format!("serving {name} on http://{}", listener.local_addr()?))?;
    let server = Server::new(issuer);
    let operators = admin.map(|admin| tokio::spawn(serve_admin(admin, Arc::clone(&server))));
    serve(listener, server, stopped).await;
    if let Some(operators) = operators {
        operators.await.context("the operator's listener ended in a panic")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The operator's listener. What it gives is nobody else's business, and it speaks no TLS.
async fn admin_listener(address: &str) -> Result<TcpListener> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; `listen` in [admin] of issuer.toml names it"))?;
    let bound = listener.local_addr()?;
    if !bound.ip().is_loopback() {
        bail!("`listen` in [admin] of issuer.toml is {bound}, and not loopback: operators come by way of this machine");
    }
    tracing::info!(address = %bound, "operators are served");
    Ok(listener)
}

/// What signs. Where this process does it itself, every key that signs now or later must be there.
fn engine(
    directory: &Directory,
    config: &Config,
    currency: &Currency,
    statuses: &[MintKeyStatus],
    arguments: &Arguments,
) -> Result<Arc<dyn Signer>> {
    if let Some(address) = &config.signer {
        if arguments.secrets.is_given() {
            tracing::warn!("this process is given a passphrase or PIN and does not need it: the signer has the keys");
        }
        return Ok(Arc::new(signer::remote(directory, address, currency)?));
    }
    let store = key_store::open(directory, config, &arguments.secrets)?;
    let (there, now) = (store.ids()?, SystemClock.now());
    // Of a stopped or retired key nothing is signed any more, and its private half may have been destroyed.
    let is_over = |key: &CertifiedMintKey| {
        let mut statuses = statuses.iter().filter(|status| status.id == key.ledger_id);
        statuses.any(|status| status.stopped.is_some() || status.retired)
    };
    let is_needed = |key: &&CertifiedMintKey| now <= key.verified.mint_key().sign_coins_not_after.to_utc() && !is_over(key);
    let mut ids = currency.mint_keys().filter(is_needed).map(|key| &key.verified.mint_key().id);
    match ids.find(|id| !there.contains(id)) {
        Some(missing) if !arguments.allow_missing_keys => bail!(
            "the private half of mint key {missing} is missing: mint requests would be paid for and never signed; put it back \
             from your backup (or, if it is lost for good, see \"When a passphrase is lost\" in docs/OPERATING.md)"
        ),
        Some(missing) => tracing::warn!(%missing, "private mint keys are missing: what is accepted for them is not signed"),
        None => {}
    }
    Ok(store.signer()?)
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
