//! `opencoin issuer admin-token`: manages the tokens for `/v1/admin`.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use opencoin_issuer::{AdminScope, AdminToken, AdminTokens, Operator};
use opencoin_keys::{Clock, Directory, SystemClock};
use opencoin_ledger::{ActionKind, OperatorName};
use opencoin_terminal::output::OutputArgs;
use rand::rngs::OsRng;
use serde_json::json;

use super::Purpose;
use crate::dates::utc;
use crate::dir_args::DirArgs;
use crate::operator_args::OperatorArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum AdminTokenCommand {
    /// Create a token for `/v1/admin` and show it, once. A running server accepts it at once.
    Create {
        /// The name of the operator or program that will use it, in the form of account names. What is done with the
        /// token is recorded under this name.
        name: OperatorName,
        /// What the token permits: `read`, `cashier` (accounts, payments, payouts) or `keys` (mint keys, signing, audits).
        /// Can be given several times. Without it the token permits everything.
        #[arg(long = "scope", value_name = "SCOPE", value_parser = scope_parser())]
        scopes: Vec<AdminScope>,
        #[command(flatten)]
        by: OperatorArgs,
        #[command(flatten)]
        dir: DirArgs,
    },
    /// Show the names of the tokens, what they permit, and when they were created.
    List {
        #[command(flatten)]
        dir: DirArgs,
    },
    /// Remove a token. It becomes invalid at once.
    Remove {
        /// The name of the token.
        name: OperatorName,
        #[command(flatten)]
        by: OperatorArgs,
        #[command(flatten)]
        dir: DirArgs,
    },
}

fn scope_parser() -> impl TypedValueParser<Value = AdminScope> {
    PossibleValuesParser::new(AdminScope::ALL.map(AdminScope::word)).map(|word| {
        let scope = AdminScope::ALL.into_iter().find(|scope| scope.word() == word);
        scope.expect("the parser accepts only these words")
    })
}

pub(crate) async fn run(command: AdminTokenCommand, output: OutputArgs) -> Result<()> {
    match command {
        AdminTokenCommand::Create {
            name,
            scopes,
            by,
            dir,
        } => create(&name, scopes, by, dir, output).await,
        AdminTokenCommand::List { dir } => list(dir, output),
        AdminTokenCommand::Remove { name, by, dir } => remove(&name, by, dir, output).await,
    }
}

async fn create(
    name: &OperatorName,
    scopes: Vec<AdminScope>,
    by: OperatorArgs,
    dir: DirArgs,
    output: OutputArgs,
) -> Result<()> {
    let (tokens, directory) = tokens(dir)?;
    // Nobody gets a token that is not in the record.
    let operator = operator(&directory, by).await?;
    let scopes: BTreeSet<AdminScope> = if scopes.is_empty() {
        AdminScope::ALL.into()
    } else {
        scopes.into_iter().collect()
    };
    let words = words(&scopes);
    let token = tokens.create(name, scopes, SystemClock.now(), &mut OsRng)?;
    let kind = ActionKind::CreateAdminToken;
    if let Err(error) = operator
        .record(kind, name.as_str(), Some(&words.join(", ")))
        .await
    {
        tokens.remove(name)?;
        return Err(error).context("no token was created, because that could not be recorded");
    }
    output.show_once(
        json!({ "name": name.as_str(), "scopes": words, "token": token.expose() }),
        [
            format!("token: {}", token.expose()),
            format!("scopes: {}", words.join(", ")),
            "this is the only time that the token is shown".to_owned(),
        ],
    )
}

fn list(dir: DirArgs, output: OutputArgs) -> Result<()> {
    let tokens = tokens(dir)?.0.list()?;
    let value = tokens.iter().map(
        |token| json!({ "name": token.name, "scopes": words(&token.scopes), "created_at": token.created_at }),
    );
    let line = |token: &AdminToken| {
        let (created, words) = (utc(token.created_at), words(&token.scopes).join(", "));
        format!("{}: {words}; created {created}", token.name)
    };
    output.show(value.collect(), tokens.iter().map(line))
}

/// Removes the token first: a token in wrong hands must end even if the database is away.
async fn remove(name: &OperatorName, by: OperatorArgs, dir: DirArgs, output: OutputArgs) -> Result<()> {
    let (tokens, directory) = tokens(dir)?;
    tokens.remove(name)?;
    let unrecorded = "the token is removed, but that could not be recorded";
    let operator = operator(&directory, by).await.context(unrecorded)?;
    let recorded = operator
        .record(ActionKind::RemoveAdminToken, name.as_str(), None)
        .await;
    recorded.context(unrecorded)?;
    let said = format!("the token {name} is removed");
    output.show(json!({ "name": name.as_str(), "removed": true }), [said])
}

fn words(scopes: &BTreeSet<AdminScope>) -> Vec<&'static str> {
    scopes.iter().map(|scope| scope.word()).collect()
}

async fn operator(directory: &Directory, by: OperatorArgs) -> Result<Operator> {
    let books = super::books(directory, Purpose::Change).await?;
    Ok(Operator::new(books, Arc::new(SystemClock), by.name()))
}

fn tokens(dir: DirArgs) -> Result<(AdminTokens, Directory)> {
    let directory = dir.directory()?;
    // Fails if the folder contains no currency.
    directory.config()?;
    Ok((AdminTokens::in_folder(directory.root()), directory))
}
