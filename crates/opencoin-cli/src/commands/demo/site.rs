//! `opencoin demo --serve`: a currency with accounts, coins and payouts, whose pages a browser shows.

mod paid_in;
mod people;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use opencoin_config::DATABASE_DEFAULT;
use opencoin_crypto::CipherSuite;
use opencoin_issuer::{AdminScope, AdminTokens, OpenedBooks, StoreMode, Token, open_books};
use opencoin_keys::{Clock, Directory, Passphrase, SystemClock};
use opencoin_ledger::OperatorName;
use opencoin_terminal::output;
use rand::RngCore;
use rand::rngs::OsRng;
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use self::people::Holder;
use super::issuer::{RunningIssuer, start_issuer};
use super::public_log::{RunningWitness, StartedWitness};
use super::{make_currency, step};
use crate::service;

/// The ports of the pages, and of the operator's pages.
const PORTS: (u16, u16) = (8700, 8701);

const OPERATOR: &str = "operator";
/// A second operator, who carries out what the first one may not do alone.
const COLLEAGUE: &str = "colleague";

/// Serves until a signal arrives.
pub(super) async fn serve(folder: &Path, suite: CipherSuite, listen: Option<SocketAddr>) -> Result<()> {
    // Before anything is made, so that every signal removes it again.
    let stopped = service::stop_signal()?;
    tokio::pin!(stopped);
    let mut site = tokio::select! {
        site = Site::make(folder, suite, listen) => site?,
        () = &mut stopped => return Ok(()),
    };
    site.show()?;
    tokio::select! {
        broken = site.issuer.broken() => broken,
        () = stopped => site.stop().await,
    }
}

/// A currency whose pages are served.
struct Site {
    issuer: RunningIssuer,
    witness: StartedWitness,
    url: String,
    operators_url: String,
    holders: Vec<Holder>,
    operators_token: Token,
    passphrase: Passphrase,
    colleagues_token: Token,
}

impl Site {
    async fn make(folder: &Path, suite: CipherSuite, listen: Option<SocketAddr>) -> Result<Self> {
        let (listener, operators_listener) = listeners(listen).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let operators_url = format!("http://{}", operators_listener.local_addr()?);
        let directory = Directory::new(folder.join("currency"));
        let passphrase = Passphrase::new(Zeroizing::new(OsRng.next_u64().to_string()))?;
        let witness = RunningWitness::create(&folder.join("witness"), OsRng.next_u64().to_string()).await?;
        let (currency, keys) = make_currency(&directory, &url, suite, &passphrase, witness.log())?;
        let OpenedBooks { books, history } =
            open_books(DATABASE_DEFAULT, directory.root(), StoreMode::Create).await?;
        let history = history.position(None).await?.mark.history;
        let witness = witness.start(&currency).await?;
        let tokens = AdminTokens::in_folder(directory.root());
        let operator: OperatorName = OPERATOR.parse()?;
        let scopes = BTreeSet::from(AdminScope::ALL);
        let operators_token = tokens.create(&operator, scopes, SystemClock.now(), &mut OsRng)?;
        let scopes = BTreeSet::from([AdminScope::Cashier]);
        let colleagues_token = tokens.create(&COLLEAGUE.parse()?, scopes, SystemClock.now(), &mut OsRng)?;
        let issuer = start_issuer(&directory, (&keys, &passphrase), (books, history), listener).await?;
        let issuer = issuer.with_operators(operators_listener, tokens);
        step(
            OPERATOR,
            "opens accounts and books a statement of the bank; people get coins, pay each other, and ask for payouts",
        )?;
        let holders = people::populate(folder, &url, issuer.server().issuer(), &operator).await?;
        Ok(Self {
            issuer,
            witness,
            url,
            operators_url,
            holders,
            operators_token,
            passphrase,
            colleagues_token,
        })
    }

    /// Prints where the pages are, and how to log in.
    fn show(&self) -> Result<()> {
        output::line("\nOpen these pages in a browser:\n")?;
        output::line(&format!("  everybody  {}/", self.url))?;
        output::line(&format!("  operators  {}/console", self.operators_url))?;
        output::line(&format!(
            "             token     {}",
            self.operators_token.expose()
        ))?;
        output::line(&format!(
            "             new keys  passphrase {}",
            self.passphrase.text().as_str()
        ))?;
        output::line(&format!(
            "  {COLLEAGUE}  token     {}",
            self.colleagues_token.expose()
        ))?;
        output::line(&format!("    holders  {}/account", self.url))?;
        for holder in &self.holders {
            let (name, password) = (holder.name.as_str(), holder.password.as_str());
            output::line(&format!("             {name:<8}  password {password}"))?;
        }
        output::line(&format!("    wallets  opencoin wallet add {}", self.url))?;
        output::line("\nAll of it is forgotten when you stop it with Ctrl-C.")
    }

    async fn stop(self) -> Result<()> {
        self.issuer.stop().await?;
        self.witness.stop().await
    }
}

/// The listener of the pages, and the operator's.
async fn listeners(listen: Option<SocketAddr>) -> Result<(TcpListener, TcpListener)> {
    let Some(address) = listen else {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        return Ok((
            bind_or_free(loopback(PORTS.0)).await?,
            bind_or_free(loopback(PORTS.1)).await?,
        ));
    };
    ensure!(
        address.ip().is_loopback(),
        "{address} can be reached from other machines, and the demo has no TLS: choose an address of this machine alone, such as \
         127.0.0.1:{}",
        PORTS.0
    );
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; choose another address with --listen ADDRESS:PORT")
    })?;
    let bound = listener.local_addr()?;
    let next = SocketAddr::new(bound.ip(), bound.port().saturating_add(1));
    Ok((listener, bind_or_free(next).await?))
}

/// Listens on the address, or on a free port of it.
async fn bind_or_free(address: SocketAddr) -> Result<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind(SocketAddr::new(address.ip(), 0))
            .await
            .context("cannot listen on loopback"),
    }
}
