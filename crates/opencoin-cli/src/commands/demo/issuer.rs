//! The issuer of a demo: its server on loopback, with or without the pages of the operator.

use std::sync::Arc;

use anyhow::{Context, Result};
use opencoin_config::DATABASE_DEFAULT;
use opencoin_crypto::KeyStore;
use opencoin_http::{Server, ServerOptions, TaskEnded, serve, serve_admin};
use opencoin_issuer::{AdminTokens, Books, Issuer, IssuerOptions, audit_opener};
use opencoin_keys::{Directory, KeyFiles, Passphrase, SystemClock};
use opencoin_ledger::HistoryId;
use opencoin_web::SiteOptions;
use rand::rngs::OsRng;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::public_log;
use crate::commands::issuer::bank_settings;
use crate::currency_unit::CurrencyUnit;

/// An issuer that serves.
pub(super) struct RunningIssuer {
    server: Arc<Server>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<(), TaskEnded>>,
    operators: Option<JoinHandle<()>>,
}

/// Starts the issuer on a listener.
pub(super) async fn start_issuer(
    directory: &Directory,
    (keys, passphrase): (&Arc<KeyFiles>, &Passphrase),
    (books, history): (Books, HistoryId),
    listener: TcpListener,
) -> Result<RunningIssuer> {
    let currency = directory.currency()?;
    let log = public_log::open(directory, &currency, passphrase, Arc::clone(&books.log), history)?;
    let settings = directory.settings()?;
    let bank = bank_settings(&settings.config, &CurrencyUnit::of(currency.current().cdd()))?;
    let issuer = Issuer::open(
        currency,
        books,
        keys.signer()?,
        Arc::new(SystemClock),
        IssuerOptions::default(),
    )
    .await?
    .in_folder(directory.clone())
    .with_audits(audit_opener(DATABASE_DEFAULT, directory.root()))
    .with_key_making(
        settings.config.clone(),
        Some(Arc::<KeyFiles>::clone(keys)),
        Box::new(OsRng),
    )
    .with_bank(bank)
    .with_log(log);
    issuer.begin_log().await?;
    let (stop, stopped) = oneshot::channel();
    let shutdown = async move { drop(stopped.await) };
    let options = ServerOptions::of_settings(&settings);
    let pages = opencoin_web::pages(SiteOptions {
        rng: Box::new(OsRng),
        clock: Arc::new(SystemClock),
        operators: AdminTokens::in_folder(directory.root()),
    });
    let server = Server::with_pages(issuer, options, Some(pages));
    let served = tokio::spawn(serve(listener, Arc::clone(&server), shutdown));
    Ok(RunningIssuer {
        server,
        stop,
        served,
        operators: None,
    })
}

impl RunningIssuer {
    /// Serves the operator too, on a listener of their own.
    pub(super) fn with_operators(mut self, listener: TcpListener, tokens: AdminTokens) -> Self {
        let server = Arc::clone(&self.server);
        self.operators = Some(tokio::spawn(serve_admin(listener, server, tokens)));
        self
    }

    /// The server.
    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    /// Waits until the server ends by itself, which it only does when something is broken.
    pub(super) async fn broken(&mut self) -> Result<()> {
        (&mut self.served).await??;
        anyhow::bail!("the server has ended")
    }

    /// Stops the server and waits for its end.
    pub(super) async fn stop(self) -> Result<()> {
        drop(self.stop);
        self.served.await??;
        if let Some(operators) = self.operators {
            operators
                .await
                .context("the operator's listener ended in a panic")?;
        }
        Ok(())
    }
}
