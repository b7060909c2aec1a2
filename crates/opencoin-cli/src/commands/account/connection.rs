//! From the command line to a client that the issuer knows: a session of the wallet's folder, or a token.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use opencoin_keys::{Clock, SystemClock};
use opencoin_wallet::account::{AccountClient, AccountError, Holder, StoredSession};
use opencoin_wallet::{Authorities, Secret};

use crate::network_args::NetworkArgs;
use crate::token_args;

/// Who asks whom.
#[derive(Debug, Clone, Args)]
pub(crate) struct HolderArgs {
    /// The folder of the wallet, where the session and unanswered payments are kept; a new one is made.
    #[arg(long, value_name = "W", env = "OPENCOIN_WALLET_DIR", global = true)]
    dir: Option<PathBuf>,
    /// Where the issuer is, for example `https://issuer.example`. Default: where the session is.
    #[arg(long, value_name = "URL", env = "OPENCOIN_URL", global = true)]
    url: Option<String>,
    /// A file that holds the account's own token, in place of a session; or the token in `OPENCOIN_TOKEN`.
    #[arg(long, value_name = "FILE", global = true)]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    network: NetworkArgs,
}

/// A client with a token.
pub(crate) struct Connection {
    pub(crate) client: AccountClient,
    pub(crate) url: String,
    /// Where the token is from; `None` for the account's own.
    session: Option<StoredSession>,
}

impl HolderArgs {
    /// The folder of the wallet.
    pub(crate) fn dir(&self) -> Result<&Path> {
        self.dir
            .as_deref()
            .context("say which wallet: --dir W, or OPENCOIN_WALLET_DIR in the environment")
    }

    /// The session in the folder, whoever it is with; `None` without a folder.
    pub(crate) fn stored_session(&self) -> Result<Option<StoredSession>> {
        match &self.dir {
            Some(dir) => Ok(StoredSession::read(dir)?),
            None => Ok(None),
        }
    }

    /// Where the issuer is: as was said, or where the session is.
    pub(crate) fn url(&self) -> Result<String> {
        match (&self.url, self.stored_session()?) {
            (Some(url), _) => Ok(url.trim_end_matches('/').to_owned()),
            (None, Some(session)) => Ok(session.url),
            (None, None) => bail!("say where the issuer is: --url URL, or OPENCOIN_URL in the environment"),
        }
    }

    /// A client of the issuer at this URL, without a token.
    pub(crate) fn stranger(&self, url: &str) -> Result<AccountClient> {
        Ok(AccountClient::new(url, &self.network.authorities()?)?)
    }

    /// A client with the token that was given, or that of the session.
    pub(crate) fn connect(&self) -> Result<Connection> {
        let authorities = self.network.authorities()?;
        if let Some(token) = token_args::given(None, self.token_file.as_deref())? {
            let url = self.url()?;
            let client = AccountClient::new(&url, &authorities)?.with_token(token);
            return Ok(Connection {
                client,
                url,
                session: None,
            });
        }
        let session = self.stored_session()?.with_context(|| {
            format!(
                "nobody is logged in here: `opencoin account login{}`, or {}",
                self.shown(" --url URL NAME"),
                token_args::SOURCES
            )
        })?;
        if self.url.as_deref().is_some_and(|url| !session.is_with(url)) {
            bail!(
                "the session in this folder is with {}; log in at the other issuer, or leave out --url",
                session.url
            );
        }
        Connection::of_session(session, &authorities, SystemClock.now())
    }

    /// How to say this again, for people.
    fn shown(&self, rest: &str) -> String {
        let dir = self.dir.as_ref().map(|dir| format!(" --dir {}", dir.display()));
        format!("{rest}{}", dir.unwrap_or_default())
    }
}

impl Connection {
    fn of_session(
        session: StoredSession,
        authorities: &Authorities,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<Self> {
        if session.is_over(now) {
            bail!("{}", is_over(&session));
        }
        let client = AccountClient::new(&session.url, authorities)?.with_token(session.token.clone());
        Ok(Self {
            client,
            url: session.url.clone(),
            session: Some(session),
        })
    }

    /// The name of the account, under which payments are kept.
    pub(crate) async fn account_name(&self) -> Result<String> {
        match self.session.as_ref().map(|session| &session.holder) {
            Some(Holder::Account(name)) => Ok(name.clone()),
            Some(Holder::Service(_)) => {
                bail!("this takes the holder's own session: a service neither pays nor asks for payouts")
            }
            None => Ok(self.explain(self.client.summary().await)?.name),
        }
    }

    /// What the issuer has said, with what to do where the session has ended.
    pub(crate) fn explain<T>(&self, result: Result<T, AccountError>) -> Result<T> {
        result.map_err(|error| match &self.session {
            Some(session) if error.is_unauthorized() => anyhow!("{error}\n({})", log_in_again(session)),
            Some(_) | None => error.into(),
        })
    }
}

/// A session that has ended by itself, and what to do.
pub(crate) fn is_over(session: &StoredSession) -> String {
    format!(
        "the session has ended ({}); {}",
        session.expires_at.format("%Y-%m-%d %H:%M:%S UTC"),
        log_in_again(session)
    )
}

fn log_in_again(session: &StoredSession) -> String {
    match &session.holder {
        Holder::Account(name) => format!(
            "log in again: `opencoin account login --url {} {name}`",
            session.url
        ),
        Holder::Service(id) => format!(
            "log in again: `opencoin service login --store --url {} {id}`",
            session.url
        ),
    }
}

/// The token of this folder's session with the issuer at `url`, for a wallet: a clear error where there is
/// none that helps.
pub(crate) fn session_for_wallet(dir: &Path, url: &str) -> Result<StoredSession> {
    let Some(session) = StoredSession::read(dir)? else {
        bail!(
            "this needs an account: log in with `opencoin account login --url {url} NAME --dir {}`, or give {}\n\
             (the operator makes accounts with `opencoin issuer account create NAME --dir D`)",
            dir.display(),
            token_args::SOURCES
        );
    };
    if !session.is_with(url) {
        bail!(
            "the session in {} is with {}, and the issuer of this currency is {url}: log in there",
            dir.display(),
            session.url
        );
    }
    if session.is_over(SystemClock.now()) {
        bail!("{}", is_over(&session));
    }
    Ok(session)
}

/// As the wallet keeps secrets.
pub(crate) fn secret(text: &opencoin_api::Secret) -> Secret {
    Secret::new(text.expose())
}
