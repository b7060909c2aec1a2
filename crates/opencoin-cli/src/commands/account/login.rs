//! Logging in and out, and the password.

use anyhow::{Context, Result};
use clap::Args;
use opencoin_api::{ChangePassword, Login, Secret};
use opencoin_terminal::output;
use opencoin_terminal::secret_args::{NewPasswordArgs, PasswordArgs};
use opencoin_wallet::account::{Holder, StoredSession};
use serde_json::json;

use super::connection::{HolderArgs, currency_of, secret};
use crate::network_args::warn_if_exposed;

#[derive(Debug, Args)]
pub(crate) struct LoginArguments {
    /// The name of the account.
    name: String,
    #[command(flatten)]
    password: PasswordArgs,
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
    warn_if_exposed(&url, "read the password");
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
        url: url.to_string(),
        holder: Holder::Account(arguments.name.clone()),
        token,
        expires_at,
        currency: currency_of(&client).await,
    }
    .write(&dir)?;
    let name = &arguments.name;
    holder.output.show(
        json!({ "account": name, "expires_at": expires_at, "url": url.as_str() }),
        [format!(
            "logged in as {name} at {url} until {}",
            expires_at.format("%Y-%m-%d %H:%M:%S UTC")
        )],
    )
}

pub(super) async fn log_out(holder: &HolderArgs) -> Result<()> {
    let dir = holder.dir()?;
    let session = match holder.stored_session() {
        Ok(session) => session.context("nobody is logged in here")?,
        // A file that nobody can read is of no use; the issuer's session ends by itself.
        Err(error) => {
            StoredSession::remove(&dir)?;
            output::complain(&format!("note: {}", output::error_text(&error)));
            let said = "the damaged session is removed here; at the issuer it ends by itself";
            return holder.output.show(json!({ "logged_out": true }), [said]);
        }
    };
    let url = session.url.parse().context("the session is with no issuer")?;
    let client = holder.stranger(&url)?.with_token(session.token.clone());
    // What the issuer does not hear of ends by itself; here it is over in any case.
    let ended = client.log_out().await;
    StoredSession::remove(&dir)?;
    ended.with_context(|| {
        format!(
            "the session is removed here; at {} it lasts until {}",
            session.url, session.expires_at
        )
    })?;
    holder.output.show(json!({ "logged_out": true }), ["logged out"])
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
    let said = "the password is changed; other sessions of the account have ended";
    holder.output.show(json!({ "password_changed": true }), [said])
}
