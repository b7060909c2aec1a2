//! Connects to an issuer with the session in the wallet's folder, or with a token.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use opencoin_keys::{Clock, SystemClock};
use opencoin_terminal::output::OutputArgs;
use opencoin_text::IssuerUrl;
use opencoin_wallet::account::{AccountClient, AccountError, Holder, SessionCurrency, StoredSession};

use crate::currency_unit::CurrencyUnit;
use crate::dates::utc;
use crate::failure::DetailArgs;
use crate::network_args::{NetworkArgs, warn_if_exposed};
use crate::wallet_dir_args::WalletDirArgs;
use crate::{failure, token_args};

/// The options for an account and its issuer.
#[derive(Debug, Clone, Args)]
pub(crate) struct HolderArgs {
    #[command(flatten)]
    dir: WalletDirArgs,
    /// The URL of the issuer, for example `https://issuer.example`. Default: the URL of the session.
    #[arg(long, value_name = "URL", env = "OPENCOIN_URL", global = true)]
    url: Option<IssuerUrl>,
    /// A file that holds the account's own token, instead of a session. The token can also be in `OPENCOIN_TOKEN`.
    #[arg(long, value_name = "FILE", global = true)]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    _detail: DetailArgs,
}

/// A client with a token.
pub(crate) struct Connection {
    pub(crate) client: AccountClient,
    pub(crate) url: IssuerUrl,
    /// See [`WalletDirArgs::flag`].
    flag: String,
    /// The session of the token; `None` for the account's own token.
    session: Option<StoredSession>,
}

impl HolderArgs {
    /// The folder of the wallet.
    pub(crate) fn dir(&self) -> Result<PathBuf> {
        self.dir.path()
    }

    /// The session in the folder, with any issuer.
    pub(crate) fn stored_session(&self) -> Result<Option<StoredSession>> {
        read_session(&self.dir()?, &self.dir.flag())
    }

    /// The given URL, or that of the session.
    pub(crate) fn url(&self) -> Result<IssuerUrl> {
        if let Some(url) = &self.url {
            return Ok(url.clone());
        }
        match self.stored_session()? {
            Some(session) => url_of(&session),
            None => Err(failure::usage(
                "give the URL of the issuer: --url URL, or OPENCOIN_URL in the environment",
            )),
        }
    }

    /// A client without a token.
    pub(crate) fn anonymous_client(&self, url: &IssuerUrl) -> Result<AccountClient> {
        Ok(AccountClient::new(url, &self.network.network()?)?)
    }

    /// Connects with the given token, or with that of the session.
    pub(crate) fn connect(&self) -> Result<Connection> {
        let flag = self.dir.flag();
        if let Some(token) = token_args::given(None, self.token_file.as_deref())? {
            let url = self.url()?;
            warn_if_exposed(&url, "read the account's token");
            return Ok(Connection {
                client: self.anonymous_client(&url)?.with_token(token),
                url,
                flag,
                session: None,
            });
        }
        let session = self.stored_session()?.ok_or_else(|| {
            failure::needs_login(format!(
                "nobody is logged in here: `opencoin account login --url URL NAME{flag}`, or {}",
                token_args::SOURCES
            ))
        })?;
        let url = url_of(&session)?;
        if self.url.as_ref().is_some_and(|given| *given != url) {
            bail!("the session in this folder is with {url}; log in at the other issuer, or leave out --url");
        }
        if session.is_over(SystemClock.now()) {
            return Err(failure::needs_login(is_over(&session, &flag)));
        }
        warn_if_exposed(&url, "read the session's token");
        Ok(Connection {
            client: self.anonymous_client(&url)?.with_token(session.token.clone()),
            url,
            flag,
            session: Some(session),
        })
    }
}

fn read_session(dir: &Path, flag: &str) -> Result<Option<StoredSession>> {
    StoredSession::read(dir).map_err(|error| {
        let help = format!("`opencoin account login --url URL NAME{flag}` replaces it");
        failure::explained(error.into(), &help)
    })
}

fn url_of(session: &StoredSession) -> Result<IssuerUrl> {
    let url = session.url.parse();
    url.context("the session in this folder has no valid URL; log in again with --url URL")
}

impl Connection {
    /// The currency in which amounts are read and shown.
    pub(crate) async fn unit(&self) -> Result<CurrencyUnit> {
        match self.session.as_ref().and_then(|session| session.currency.clone()) {
            Some(SessionCurrency { name, divisor }) => Ok(CurrencyUnit { name, divisor }),
            None => Ok(CurrencyUnit::of(&self.client.description().await?)),
        }
    }

    /// The currency for text output; `None` for JSON, which shows amounts in the smallest unit.
    pub(crate) async fn unit_for(&self, output: OutputArgs) -> Result<Option<CurrencyUnit>> {
        if output.json {
            return Ok(None);
        }
        self.unit().await.map(Some)
    }

    /// The name of the account, under which pending payments are stored.
    pub(crate) async fn account_name(&self) -> Result<String> {
        match self.session.as_ref().map(|session| &session.holder) {
            Some(Holder::Account(name)) => Ok(name.clone()),
            Some(Holder::Service(_)) => {
                bail!("this needs the holder's own session: a service cannot pay or request payouts")
            }
            None => Ok(self.explain(self.client.summary().await)?.name),
        }
    }

    /// Adds advice to an error about an ended session.
    pub(crate) fn explain<T>(&self, result: Result<T, AccountError>) -> Result<T> {
        result.map_err(|error| match &self.session {
            Some(session) if error.is_unauthorized() => {
                failure::explained(error.into(), &log_in_again(session, &self.flag))
            }
            Some(_) | None if error.is_too_little_money() => {
                let advice = format!("`opencoin account balance{}` shows what it holds", self.flag);
                failure::explained(error.into(), &advice)
            }
            Some(_) | None => error.into(),
        })
    }
}

/// The error text for an expired session.
fn is_over(session: &StoredSession, flag: &str) -> String {
    format!(
        "the session has ended ({}); {}",
        utc(session.expires_at),
        log_in_again(session, flag)
    )
}

fn log_in_again(session: &StoredSession, flag: &str) -> String {
    match &session.holder {
        Holder::Account(name) => format!(
            "log in again: `opencoin account login --url {} {name}{flag}`",
            session.url
        ),
        Holder::Service(id) => format!(
            "log in again: `opencoin service login --store --url {} {id}{flag}`",
            session.url
        ),
    }
}

/// The valid session of a wallet's folder with the issuer at `url`.
pub(crate) fn session_for_wallet(dir: &Path, flag: &str, url: &str) -> Result<StoredSession> {
    let Some(session) = read_session(dir, flag)? else {
        return Err(failure::needs_login(format!(
            "this needs an account: log in with `opencoin account login --url {url} NAME{flag}`, or give {}\n\
             (the operator creates accounts with `opencoin issuer account create NAME --dir D`)",
            token_args::SOURCES
        )));
    };
    if !session.is_with(url) {
        return Err(failure::needs_login(format!(
            "the session in {} is with {}, but the issuer of this currency is {url}: log in there",
            dir.display(),
            session.url
        )));
    }
    if session.is_over(SystemClock.now()) {
        return Err(failure::needs_login(is_over(&session, flag)));
    }
    Ok(session)
}

/// The currency of an issuer, for a new session. `None` if the issuer does not answer.
pub(crate) async fn currency_of(client: &AccountClient) -> Option<SessionCurrency> {
    let cdd = client.description().await.ok()?;
    Some(SessionCurrency {
        name: cdd.currency_name,
        divisor: cdd.currency_divisor,
    })
}
