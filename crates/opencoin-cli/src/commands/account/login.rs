//! `opencoin account login`, `logout` and `password`.

use anyhow::{Context, Result};
use clap::Args;
use opencoin_api::{ChangePassword, Login, Secret};
use opencoin_keys::Passphrase;
use opencoin_terminal::output;
use opencoin_terminal::secret_args::{NewPasswordArgs, PasswordArgs};
use opencoin_wallet::account::{Holder, StoredSession};
use serde_json::json;

use super::connection::{HolderArgs, currency_of};
use crate::dates::utc;
use crate::failure;
use crate::network_args::warn_if_exposed;

#[derive(Debug, Args)]
pub(crate) struct LoginArguments {
    /// The name of the account.
    name: String,
    #[command(flatten)]
    password: PasswordArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LogoutArguments {
    /// End all sessions that the password has opened, also those of browsers and other machines. Services stay logged in.
    #[arg(long)]
    everywhere: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PasswordArguments {
    #[command(flatten)]
    password: PasswordArgs,
    #[command(flatten)]
    new: NewPasswordArgs,
    /// Set the first password of the account. This needs the account's own token.
    #[arg(long, conflicts_with = "password_file")]
    first: bool,
}

pub(super) async fn log_in(holder: &HolderArgs, arguments: &LoginArguments) -> Result<()> {
    let (dir, url) = (holder.dir()?, holder.url()?);
    let client = holder.anonymous_client(&url)?;
    warn_if_exposed(&url, "read the password");
    let name = &arguments.name;
    let session = client
        .log_in(&Login {
            name: name.clone(),
            password: secret(&arguments.password.read()?),
        })
        .await?;
    let expires_at = session.expires_at;
    StoredSession {
        url: url.to_string(),
        holder: Holder::Account(name.clone()),
        token: session.token,
        expires_at,
        currency: currency_of(&client).await,
    }
    .write(&dir)?;
    holder.output.show(
        json!({ "account": name, "expires_at": expires_at, "url": url.as_str() }),
        [format!("logged in as {name} at {url} until {}", utc(expires_at))],
    )
}

fn secret(passphrase: &Passphrase) -> Secret {
    Secret::new(passphrase.text().as_str())
}

pub(super) async fn log_out(holder: &HolderArgs, arguments: &LogoutArguments) -> Result<()> {
    let dir = holder.dir()?;
    let session = match holder.stored_session() {
        Ok(session) => session.ok_or_else(|| failure::needs_login("nobody is logged in here"))?,
        Err(error) => {
            StoredSession::remove(&dir)?;
            output::complain(&format!("note: {}", output::error_text(&error)));
            let said = "the damaged session is removed here; at the issuer it will expire";
            return holder.output.show(json!({ "logged_out": true }), [said]);
        }
    };
    let url = session.url.parse().context("the session has no valid URL")?;
    let client = holder.anonymous_client(&url)?.with_token(session.token.clone());
    // Removed here even if the issuer does not answer; there it will expire.
    let ended = if arguments.everywhere {
        client.log_out_everywhere().await
    } else {
        client.log_out().await
    };
    StoredSession::remove(&dir)?;
    ended.with_context(|| {
        format!(
            "the session is removed here; at {url} it lasts until {}",
            utc(session.expires_at)
        )
    })?;
    holder.output.show(json!({ "logged_out": true }), ["logged out"])
}

pub(super) async fn change_password(holder: &HolderArgs, arguments: &PasswordArguments) -> Result<()> {
    let connection = holder.connect()?;
    let current = if arguments.first {
        None
    } else {
        Some(secret(&arguments.password.read()?))
    };
    let new = secret(&arguments.new.read()?);
    let changed = connection
        .client
        .change_password(&ChangePassword { current, new })
        .await;
    connection.explain(changed)?;
    let said = "the password is changed; other sessions of the account have ended";
    holder.output.show(json!({ "password_changed": true }), [said])
}
