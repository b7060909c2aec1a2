//! `opencoin issuer serve`.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::{Args, value_parser};
use opencoin_config::Config;
use opencoin_crypto::{KeyStore, Signer};
use opencoin_http::{Listener, Server, ServerOptions, serve, serve_admin};
use opencoin_issuer::{
    AdminTokens, Guard, HighWaterMark, Issuer, IssuerOptions, OpenedBooks, StoreMode, audit_opener,
};
use opencoin_keys::{Currency, Directory, SystemClock};
use opencoin_ledger::{BATCH_COMMANDS_MAX, MintKeyStatus};
use opencoin_terminal::output::OutputArgs;
use opencoin_terminal::secret_args::{KeySecretArgs, LogSecretArgs};
use opencoin_text::printable;
use opencoin_web::SiteOptions;
use rand::rngs::OsRng;

use super::restored_state;
use crate::currency_unit::CurrencyUnit;
use crate::dir_args::DirArgs;
use crate::settings_args::SettingsArgs;
use crate::{key_store, lanes, log, open_files, public_log, service, signer_link};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    dir: DirArgs,
    /// The most requests in one database transaction.
    #[arg(long, value_name = "N", default_value_t = BATCH_COMMANDS_MAX as u64, value_parser = value_parser!(u64).range(1..=BATCH_COMMANDS_MAX as u64))]
    batch_commands_max: u64,
    /// Start although private halves of mint keys are missing. Requests for those keys are accepted but not signed.
    #[arg(long)]
    allow_missing_keys: bool,
    #[command(flatten)]
    secrets: KeySecretArgs,
    #[command(flatten)]
    log_secret: LogSecretArgs,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(crate) async fn run(arguments: Arguments, output: OutputArgs) -> Result<()> {
    let directory = arguments.dir.directory_with(&arguments.settings)?;
    let settings = directory.settings()?;
    let options = ServerOptions::of_settings(&settings);
    let config = settings.config;
    let _log = log::start(&config.log)?;
    open_files::raise(config.limits.connections_max.get());
    lanes::choose(&config);
    let currency = directory.currency()?;
    let name = currency.current().cdd().currency_name.clone();
    let mark = HighWaterMark::of_currency(directory.root(), config.high_water_mark.as_deref());
    // If books were served before and are lost, new ones must not replace them.
    let mode = if mark.read()?.is_some() {
        StoreMode::Existing
    } else {
        StoreMode::Create
    };
    let OpenedBooks { books, history } = super::open_books(&directory, &config, mode).await?;
    let guard = match Guard::begin(Arc::clone(&history), mark).await {
        Ok(guard) => guard,
        Err(error) => {
            // Closing removes the write-ahead log, which must not remain when other books are copied here.
            history.close().await;
            return Err(restored_state::explain(error, &directory));
        }
    };
    let statuses = books.ledger.mint_keys().await?;
    let Engine { signer, store } = engine(&directory, &config, &currency, &statuses, &arguments)?;
    let secrets = (&arguments.log_secret, &arguments.secrets);
    let books_history = history.position(None).await?.mark.history;
    let log = Arc::clone(&books.log);
    let public_log = public_log::open(&directory, &config, &currency, log, books_history, secrets)?;
    let issuer_options = IssuerOptions {
        batch_commands_max: usize::try_from(arguments.batch_commands_max)?,
    };
    let bank = super::bank_settings(&config, &CurrencyUnit::of(currency.current().cdd()))?;
    let issuer = Issuer::open(currency, books, signer, Arc::new(SystemClock), issuer_options)
        .await?
        .in_folder(directory.clone());
    let issuer = issuer
        .with_accounts(config.accounts.clone(), Box::new(OsRng))
        .with_bank(bank)
        .with_rotation(config.rotation.clone())
        .with_audits(audit_opener(&config.database, directory.root()))
        .with_key_making(config.clone(), store, Box::new(OsRng))
        .guarded_by(guard);
    let issuer = match public_log {
        Some(log) => {
            if log.head().await?.is_none() {
                bail!(
                    "the currency had coins or money before its public log: stop all servers, and run `opencoin log enable`"
                );
            }
            issuer.with_log(log)
        }
        None => issuer,
    };
    issuer.begin_log().await?;
    // Before the address is printed, so that every later signal stops the server properly.
    let stopped = service::stop_signal()?;
    let listener = Listener::bind(&config, directory.root()).await?;
    let admin = Listener::bind_admin(&config, directory.root()).await?;
    let url = listener.url()?;
    let said = format!("serving {} on {url}", printable(&name));
    output.show(
        serde_json::json!({ "currency": name, "url": url.to_string() }),
        [said],
    )?;
    let tokens = AdminTokens::in_folder(directory.root());
    let pages = opencoin_web::pages(SiteOptions {
        rng: Box::new(OsRng),
        clock: Arc::new(SystemClock),
        operators: tokens.clone(),
    });
    let server = Server::with_pages(issuer, options, Some(pages));
    let operators = admin.map(|admin| tokio::spawn(serve_admin(admin, Arc::clone(&server), tokens.clone())));
    let served = serve(listener, server, stopped).await;
    if let Some(operators) = operators {
        operators
            .await
            .context("the operator's listener ended in a panic")?;
    }
    history.close().await;
    Ok(served?)
}

/// What signs, and the store of its keys if they are in this process.
struct Engine {
    signer: Arc<dyn Signer>,
    store: Option<Arc<dyn KeyStore>>,
}

/// Connects to the signer process, or opens the private keys. All private keys that sign now or later must exist.
fn engine(
    directory: &Directory,
    config: &Config,
    currency: &Currency,
    statuses: &[MintKeyStatus],
    arguments: &Arguments,
) -> Result<Engine> {
    if let Some(address) = &config.signer.process {
        if arguments.secrets.is_given() && currency.log().is_none() {
            tracing::warn!(
                "this process has a passphrase or PIN but does not need it, because the signer has the keys"
            );
        }
        return Ok(Engine {
            signer: Arc::new(signer_link::remote(directory, address, currency)?),
            store: None,
        });
    }
    let store: Arc<dyn KeyStore> = Arc::from(key_store::open(directory, config, &arguments.secrets)?);
    let there = store.ids()?;
    let mut ids = currency
        .mint_keys()
        .filter(|key| key_store::is_needed(currency, key, statuses))
        .map(|key| &key.verified.mint_key().id);
    match ids.find(|id| !there.contains(id)) {
        Some(missing) if !arguments.allow_missing_keys => bail!(
            "the private half of mint key {missing} is missing, so mint requests would be paid for and never signed: restore it \
             from your backup (if it is lost, see \"When a passphrase is lost\" in docs/KEYS.md)"
        ),
        Some(missing) => {
            tracing::warn!(%missing, "private mint keys are missing: requests for them are accepted but not signed")
        }
        None => {}
    }
    Ok(Engine {
        signer: store.signer()?,
        store: Some(store),
    })
}
