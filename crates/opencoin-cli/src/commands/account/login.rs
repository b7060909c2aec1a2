//! Logging in and out, and the password.

use anyhow::{Context, Result};
use clap::Args;
use opencoin_api::{ChangePassword, Login, Secret};
use opencoin_wallet::account::{Holder, StoredSession};

use super::connection::{HolderArgs, secret};
use crate::output;
use crate::secret_args::{NewPasswordArgs, PasswordArgs};

#[derive(Debug, Args)]
pub(crate) struct LoginArguments {
    /// The name of the account.
    name: String,
    #[command(flatten)]
    password: PasswordArgs,
    /// Write {"account": ..., "expires_at": ..., "url": ...}.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PasswordArguments {
    #[command(flatten)]
    password: PasswordArgs,
    #[command(flatten)]
    new: NewPasswordArgs,
    /// The account has no password yet. This takes the account's own token.
    #[arg(long, conflicts_with = "password_file")]
    first: bool,
}

pub(super) async fn log_in(holder: &HolderArgs, arguments: &LoginArguments) -> Result<()> {
    let (dir, url) = (holder.dir()?, holder.url()?);
    let client = holder.stranger(&url)?;
    if url.starts_with("http://") && !is_loopback(&url) {
        output::complain("note: this URL is without TLS (http://): others on the way can read the password");
    }
    let password = Secret::new(arguments.password.read()?.text().as_str());
    let session = client
        .log_in(&Login {
            name: arguments.name.clone(),
            password,
        })
        .await?;
    let expires_at = session.expires_at;
    let token = secret(&session.token);
    StoredSession {
        url: url.clone(),
        holder: Holder::Account(arguments.name.clone()),
        token,
        expires_at,
    }
    .write(dir)?;
    let name = &arguments.name;
    if arguments.json {
        return output::json(&serde_json::json!({ "account": name, "expires_at": expires_at, "url": url }));
    }
    output::line(&format!(
        "logged in as {name} at {url} until {}",
        expires_at.format("%Y-%m-%d %H:%M:%S UTC")
    ))
}

pub(super) async fn log_out(holder: &HolderArgs) -> Result<()> {
    let dir = holder.dir()?;
    let session = holder.stored_session()?.context("nobody is logged in here")?;
    let client = holder.stranger(&session.url)?.with_token(session.token.clone());
    // What the issuer does not hear of ends by itself; here it is over in any case.
    let ended = client.log_out().await;
    StoredSession::remove(dir)?;
    ended.with_context(|| {
        format!(
            "the session is removed here; at {} it lasts until {}",
            session.url, session.expires_at
        )
    })?;
    output::line("logged out")
}

pub(super) async fn change_password(holder: &HolderArgs, arguments: &PasswordArguments) -> Result<()> {
    let connection = holder.connect()?;
    let text = |passphrase: &opencoin_keys::Passphrase| Secret::new(passphrase.text().as_str());
    let current = if arguments.first {
        None
    } else {
        Some(text(&arguments.password.read()?))
    };
    let new = text(&arguments.new.read()?);
    let changed = connection
        .client
        .change_password(&ChangePassword { current, new })
        .await;
    connection.explain(changed)?;
    output::line("the password is changed; other sessions of the account have ended")
}

fn is_loopback(url: &str) -> bool {
    let host = url
        .trim_start_matches("http://")
        .split('/')
        .next()
        .unwrap_or_default();
    ["localhost", "127.", "[::1]"]
        .iter()
        .any(|loopback| host.starts_with(loopback))
}
