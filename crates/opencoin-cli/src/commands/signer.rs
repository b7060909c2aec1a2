//! `opencoin signer`: the process that holds the private mint keys, so that the network-facing server has none.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use opencoin_config::SignerProcess;
use opencoin_crypto::Signer;
use opencoin_issuer::{StoreMode, open_ledger};
use opencoin_keys::Directory;
use opencoin_ledger::{Ledger, MintKeyStatus};
use opencoin_schema::BigInt;
use opencoin_signer::{
    CountsMode, Listener, SOCKET_MODE, ServerTls, SignedCounts, SignerServer, SignerServerOptions,
};
use opencoin_terminal::output::OutputArgs;
use opencoin_terminal::secret_args::KeySecretArgs;
use opencoin_text::printable;

use crate::dir_args::DirArgs;
use crate::lanes;
use crate::signer_link::{public_keys, tls_files};
use crate::{key_store, log, service};

/// The folder of the signer's own state, in the folder of the currency.
const STATE_FOLDER: &str = "signer";
const COUNTS_FILE: &str = "signed.sqlite";
/// The interval at which the signer drops destroyed keys.
const REFRESH_INTERVAL: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    dir: DirArgs,
    /// The books, for which a read-only role is enough. Default: `database` in issuer.toml.
    #[arg(
        long,
        value_name = "URL",
        env = "OPENCOIN_SIGNER_DATABASE",
        hide_env_values = true
    )]
    database: Option<String>,
    /// The folder of the signer's own counts. Default: `signer` in the currency's folder.
    #[arg(long, value_name = "D")]
    state: Option<PathBuf>,
    /// Begin with new counts although the books have counted signatures: if the old counts are lost, or belong to
    /// another signer.
    #[arg(long)]
    new_counts: bool,
    /// Accept the counts of the books where they are lower than those of this signer, and exit: after a backup of the
    /// books was restored on purpose.
    #[arg(long)]
    accept_books: bool,
    #[command(flatten)]
    secrets: KeySecretArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let directory = arguments.dir.directory()?;
    let config = directory.config()?;
    let _log = log::start(&config.log)?;
    lanes::choose(&config);
    let currency = directory.currency()?;
    let database = arguments.database.as_deref().unwrap_or(&config.database);
    let ledger = open_ledger(database, directory.root(), StoreMode::Reading)
        .await
        .context("cannot open the books")?;
    let counts = open_counts(&arguments, &directory, &ledger).await?;
    if arguments.accept_books {
        return accept_books(&counts, ledger.as_ref(), arguments.output).await;
    }
    let Some(address) = &config.signer.process else {
        bail!(
            "issuer.toml has no signer.by, so no server would use this signer; docs/KEYS.md explains the setup"
        );
    };
    let store = key_store::open(&directory, &config, &arguments.secrets)?;
    let there = store.ids()?;
    let is_there = |key: &MintKeyStatus| there.contains(&BigInt::from_be_bytes(key.id.as_bytes()));
    for destroyed in ledger
        .mint_keys()
        .await?
        .iter()
        .filter(|key| key.retired && !is_there(key))
    {
        counts.forget(destroyed.id).await?;
    }
    let engine: Arc<dyn Signer> = store.signer()?;
    let listener = listen(&directory, address).await?;
    let stopped = service::stop_signal()?;
    let name = &currency.current().cdd().currency_name;
    let address = listener.address().to_string();
    let said = format!("signing for {} at {address}", printable(name));
    let value = serde_json::json!({ "currency": name, "address": address });
    arguments.output.show(value, [said])?;
    let keys = public_keys(&directory, &currency);
    let server = SignerServer::new(
        ledger,
        Arc::clone(&engine),
        keys,
        Arc::new(counts),
        SignerServerOptions::default(),
    );
    tokio::select! {
        ended = server.serve(listener, stopped) => ended?,
        () = drop_destroyed_keys(engine) => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Periodically drops keys whose private halves were destroyed. The engine loads new keys by itself, on first use.
async fn drop_destroyed_keys(engine: Arc<dyn Signer>) {
    loop {
        tokio::time::sleep(REFRESH_INTERVAL).await;
        let engine = Arc::clone(&engine);
        let refreshed = tokio::task::spawn_blocking(move || engine.refresh()).await;
        if let Ok(Err(error)) = refreshed {
            tracing::error!(%error, "the private mint keys cannot be read");
        }
    }
}

/// Opens the signer's counts. A signer without counts cannot detect rolled-back books, so it creates new ones only if
/// nothing was signed yet or the operator demands it.
async fn open_counts(
    arguments: &Arguments,
    directory: &Directory,
    ledger: &Arc<dyn Ledger>,
) -> Result<SignedCounts> {
    let state = arguments
        .state
        .clone()
        .unwrap_or_else(|| directory.root().join(STATE_FOLDER));
    let is_first = ledger.mint_keys().await?.iter().all(|key| key.issued == 0);
    let path = state.join(COUNTS_FILE);
    let mode = if arguments.new_counts || (is_first && !path.exists()) {
        CountsMode::Create
    } else {
        CountsMode::Existing
    };
    opencoin_private_files::make_private_folder(&state)?;
    let opened = SignedCounts::open(&path, mode, Arc::clone(ledger)).await;
    opened
        .context("the signer's counts cannot be opened; if they are lost, --new-counts begins with new ones")
}

async fn accept_books(counts: &SignedCounts, ledger: &dyn Ledger, output: OutputArgs) -> Result<ExitCode> {
    let (mut values, mut lines) = (Vec::new(), Vec::new());
    for key in ledger.mint_keys().await? {
        let count = counts.accept_ledger(key.id).await?;
        values.push(serde_json::json!({ "mint_key": key.id.to_string(), "signed": count }));
        lines.push(format!("{}: {count} signed, as the books say", key.id));
    }
    output.show(values.into(), lines)?;
    Ok(ExitCode::SUCCESS)
}

async fn listen(directory: &Directory, address: &SignerProcess) -> Result<Listener> {
    Ok(match address {
        SignerProcess::Socket { path } => Listener::unix(&directory.root().join(path), SOCKET_MODE)?,
        SignerProcess::Tls {
            address,
            certificate,
            key,
            authority,
            ..
        } => {
            let files = tls_files(directory.root(), certificate, key, authority);
            Listener::tls(address, ServerTls::load(&files)?).await?
        }
    })
}
