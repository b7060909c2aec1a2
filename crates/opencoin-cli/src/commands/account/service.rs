//! `opencoin service`: manages programs that use an account, each with its own key and scopes.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};
use opencoin_api::{DeclareService, Scope, Secret, ServiceLogin, ServiceState, ServiceStatus};
use opencoin_terminal::secret_args;
use opencoin_text::printable;
use opencoin_wallet::account::{AccountError, Holder, StoredSession};
use serde_json::json;

use super::connection::{HolderArgs, currency_of};
use super::view::time;
use crate::dates::utc;
use crate::failure;
use crate::network_args::warn_if_exposed;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    holder: HolderArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Declare a service and show its key, once.
    Declare {
        /// The name, unique within the account: 1 to 64 characters of a-z, 0-9, '.', '_' and '-'.
        name: String,
        /// A permission of the service. Can be repeated.
        #[arg(long, value_enum, required = true)]
        scope: Vec<ScopeArg>,
    },
    /// Show the services of the account, with their scopes and last requests.
    #[command(alias = "status")]
    List,
    /// Replace the key of a service and show the new one, once. The old key and its sessions end at once.
    Rotate {
        /// The id of the service, as `list` shows it.
        id: String,
    },
    /// Remove a service: its key and its sessions end at once.
    Remove {
        /// The id of the service, as `list` shows it.
        id: String,
    },
    /// Log in as a service, with its key, and print the token or store the session for `opencoin wallet`.
    Login {
        /// The id of the service.
        id: String,
        /// A file that holds the service's key. Without it: `OPENCOIN_SERVICE_KEY`, a systemd credential
        /// `opencoin-service-key`, or a prompt.
        #[arg(long, value_name = "FILE", env = "OPENCOIN_SERVICE_KEY_FILE")]
        key_file: Option<PathBuf>,
        /// Store the session in the wallet's folder, replacing an existing one, and do not print the token.
        #[arg(long)]
        store: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ScopeArg {
    /// Mint coins, paid by the account.
    Mint,
    /// Redeem coins to the account.
    Redeem,
    /// Read balance, entries and payouts.
    Read,
}

impl From<ScopeArg> for Scope {
    fn from(scope: ScopeArg) -> Self {
        match scope {
            ScopeArg::Mint => Self::Mint,
            ScopeArg::Redeem => Self::Redeem,
            ScopeArg::Read => Self::Read,
        }
    }
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let holder = arguments.holder;
    match arguments.command {
        Command::Declare { name, scope } => declare(&holder, name, scope).await?,
        Command::List => list(&holder).await?,
        Command::Rotate { id } => rotate(&holder, &id).await?,
        Command::Remove { id } => remove(&holder, &id).await?,
        Command::Login { id, key_file, store } => log_in(&holder, id, key_file, store).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn declare(holder: &HolderArgs, name: String, scopes: Vec<ScopeArg>) -> Result<()> {
    let connection = holder.connect()?;
    let mut scopes: Vec<Scope> = scopes.into_iter().map(Scope::from).collect();
    scopes.sort_unstable();
    scopes.dedup();
    let declared = connection
        .client
        .declare_service(&DeclareService { name, scopes })
        .await;
    let is_open = matches!(declared, Err(AccountError::Open(_)));
    let declared = connection.explain(declared);
    let declared = if is_open {
        declared.context(
            "the result is unknown: if `opencoin service list` shows the service, `rotate` gives it a key",
        )?
    } else {
        declared?
    };
    holder.output.show_once(
        serde_json::to_value(&declared)?,
        [
            format!("service: {}", printable(&declared.id)),
            format!("key: {}", declared.key.expose()),
            "this is the only time that the key is shown".to_owned(),
        ],
    )
}

async fn list(holder: &HolderArgs) -> Result<()> {
    let connection = holder.connect()?;
    let services = connection.explain(connection.client.services().await)?;
    holder.output.show(
        serde_json::to_value(&services)?,
        services.services.iter().map(shown),
    )
}

async fn rotate(holder: &HolderArgs, id: &str) -> Result<()> {
    let connection = holder.connect()?;
    let rotated = connection.explain(connection.client.rotate_service(&checked_id(id)?).await)?;
    holder.output.show_once(
        serde_json::to_value(&rotated)?,
        [
            format!("key: {}", rotated.key.expose()),
            "this is the only time that the key is shown; the old key is invalid now".to_owned(),
        ],
    )
}

async fn remove(holder: &HolderArgs, id: &str) -> Result<()> {
    let connection = holder.connect()?;
    connection.explain(connection.client.remove_service(&checked_id(id)?).await)?;
    holder
        .output
        .show(json!({ "id": id, "removed": true }), ["the service is removed"])
}

async fn log_in(holder: &HolderArgs, id: String, key_file: Option<PathBuf>, store: bool) -> Result<()> {
    let url = holder.url()?;
    let client = holder.anonymous_client(&url)?;
    warn_if_exposed(&url, "read the service's key");
    let key = Secret::new(secret_args::service_key(key_file.as_deref())?.text().as_str());
    let session = client
        .log_in_service(&ServiceLogin {
            id: checked_id(&id)?,
            key,
        })
        .await?;
    let until = utc(session.expires_at);
    if store {
        StoredSession {
            url: url.to_string(),
            holder: Holder::Service(id),
            token: session.token,
            expires_at: session.expires_at,
            currency: currency_of(&client).await,
        }
        .write(&holder.dir()?)?;
        return holder.output.show(
            json!({ "expires_at": session.expires_at, "scopes": session.scopes }),
            [format!(
                "logged in as a service at {url} until {until}, with {}",
                scopes(&session.scopes)
            )],
        );
    }
    holder.output.show_once(
        serde_json::to_value(&session)?,
        [
            format!("token: {}", session.token.expose()),
            format!("it expires {until}, and may {}", scopes(&session.scopes)),
        ],
    )
}

/// Checks that an id can be a segment of a URL path.
fn checked_id(id: &str) -> Result<String> {
    if id.is_empty()
        || !id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    {
        let text = format!("{id:?} is not the id of a service; `opencoin service list` shows them");
        return Err(failure::usage(text));
    }
    Ok(id.to_owned())
}

fn shown(service: &ServiceStatus) -> String {
    let state = match service.state {
        ServiceState::New => "new",
        ServiceState::Live => "live",
        ServiceState::Silent => "silent",
    };
    let seen = service
        .last_seen_at
        .map(|at| format!(", last seen {}", time(at)))
        .unwrap_or_default();
    format!(
        "{}  {}  may {}; {state}{seen}; key of {}",
        printable(&service.id),
        printable(&service.name),
        scopes(&service.scopes),
        time(service.key_created_at)
    )
}

fn scopes(scopes: &[Scope]) -> String {
    let name = |scope: &Scope| match scope {
        Scope::Mint => "mint",
        Scope::Redeem => "redeem",
        Scope::Read => "read",
    };
    scopes.iter().map(name).collect::<Vec<_>>().join(", ")
}
