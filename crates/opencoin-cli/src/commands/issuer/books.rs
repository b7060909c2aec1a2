//! What an operator does to the books: `issuer account`, `issuer signing`, `issuer audit`.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use opencoin_issuer::{Directory, Operator, SystemClock};
use opencoin_ledger::{AccountName, Amount, Ledger, MintKeyStatus, Reference};
use opencoin_wallet::AmountDisplay;
use rand::rngs::OsRng;
use serde::Serialize;

use super::DirArgs;
use crate::{amount_args, output};

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Open an account and show its token, once.
    Create {
        /// The name of the account.
        name: AccountName,
        #[command(flatten)]
        dir: DirArgs,
        /// Write {"account": ..., "token": ...}.
        #[arg(long)]
        json: bool,
    },
    /// Credit a payment that came in. The same reference credits once.
    Credit {
        /// The name of the account.
        name: AccountName,
        /// How much, in the smallest unit.
        #[arg(value_parser = amount_args::parse)]
        amount: u64,
        /// What the payment is known by, for example a line of a bank statement.
        #[arg(long)]
        reference: Reference,
        #[command(flatten)]
        dir: DirArgs,
    },
    /// Show an account's balance.
    Show {
        /// The name of the account.
        name: AccountName,
        #[command(flatten)]
        dir: DirArgs,
        /// Write {"account": ..., "balance": ...}.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum SigningCommand {
    /// Mint and renew are accepted and answered with a delay.
    Pause(DirArgs),
    /// Signatures are given again, those that were delayed too.
    Resume(DirArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AuditArguments {
    #[command(flatten)]
    dir: DirArgs,
    /// Write the whole report as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn account(command: AccountCommand) -> Result<ExitCode> {
    match command {
        AccountCommand::Create { name, dir, json } => {
            let (operator, _) = open(dir).await?;
            let token = operator.create_account(&name, &mut OsRng).await?;
            if json {
                output::json(&serde_json::json!({ "account": name.as_str(), "token": token.expose() }))?;
            } else {
                output::line(&format!("account: {name}"))?;
                output::line(&format!("token: {}", token.expose()))?;
                output::line("this is the only time that the token is shown")?;
            }
        }
        AccountCommand::Credit { name, amount, reference, dir } => {
            let (operator, directory) = open(dir).await?;
            let applied = operator.credit(&name, Amount::new(amount)?, reference).await?;
            let shown = display(&directory, amount)?;
            let balance = display(&directory, operator.account(&name).await?.balance.units())?;
            let done = if applied.repeated { "was credited before with this reference: nothing changed;" } else { "credited" };
            output::line(&format!("{done} {shown} to {name}; balance {balance}"))?;
        }
        AccountCommand::Show { name, dir, json } => {
            let (operator, directory) = open(dir).await?;
            let balance = operator.account(&name).await?.balance.units();
            if json {
                output::json(&serde_json::json!({ "account": name.as_str(), "balance": balance }))?;
            } else {
                output::line(&format!("{name}: {}", display(&directory, balance)?))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn signing(command: SigningCommand) -> Result<ExitCode> {
    let (dir, paused) = match command {
        SigningCommand::Pause(dir) => (dir, true),
        SigningCommand::Resume(dir) => (dir, false),
    };
    let (operator, _) = open(dir).await?;
    let changed = operator.set_signing_paused(paused).await?;
    let state = if paused { "paused: mint and renew are accepted and answered with a delay" } else { "on" };
    output::line(&format!("signing is {}{state}", if changed { "" } else { "already " }))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn audit(arguments: AuditArguments) -> Result<ExitCode> {
    #[derive(Serialize)]
    struct Finding<'text> {
        name: &'text str,
        holds: bool,
        detail: &'text str,
    }
    let directory = arguments.dir.directory()?;
    let ledger = super::ledger(&directory).await?;
    let certified = certificates(&directory, ledger.as_ref()).await?;
    let report = Operator::new(ledger, Arc::new(SystemClock)).audit().await?;
    let (Ok(detail) | Err(detail)) = &certified;
    let mut findings = vec![Finding { name: "certificates verify", holds: certified.is_ok(), detail }];
    findings.extend(report.checks.iter().map(|check| Finding { name: check.name, holds: check.holds, detail: &check.detail }));
    let holds = findings.iter().all(|finding| finding.holds);
    if arguments.json {
        output::json(&serde_json::json!({ "holds": holds, "checks": findings }))?;
    } else {
        for finding in &findings {
            let mark = if finding.holds { "ok    " } else { "BROKEN" };
            output::line(&format!("{mark} {}: {}", finding.name, finding.detail))?;
        }
    }
    if !holds {
        let broken: Vec<&str> = findings.iter().filter(|finding| !finding.holds).map(|finding| finding.name).collect();
        output::complain(&format!("the audit found broken invariants: {}", broken.join("; ")));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether every certificate verifies, and every mint key of the books has one that says the same.
async fn certificates(directory: &Directory, ledger: &dyn Ledger) -> Result<Result<String, String>> {
    // Loading verifies them.
    let currency = match directory.currency() {
        Ok(currency) => currency,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let known = ledger.mint_keys().await?;
    let is_certified =
        |status: &&MintKeyStatus| currency.mint_keys().any(|key| key.ledger_id == status.id && key.terms == status.terms);
    Ok(match known.iter().find(|status| !is_certified(status)) {
        Some(status) => Err(format!("mint key {} of the books has no certificate that says the same", status.id)),
        None => Ok(format!("{} mint keys and the CDDC verify", currency.mint_keys().count())),
    })
}

pub(super) async fn open(dir: DirArgs) -> Result<(Operator, Directory)> {
    let directory = dir.directory()?;
    let ledger = super::ledger(&directory).await?;
    Ok((Operator::new(ledger, Arc::new(SystemClock)), directory))
}

fn display(directory: &Directory, amount: u64) -> Result<String> {
    let currency = directory.currency().context("the certificates do not verify")?;
    let cdd = currency.current().cdd();
    Ok(AmountDisplay::new(amount, cdd.currency_divisor, &cdd.currency_name).to_string())
}
