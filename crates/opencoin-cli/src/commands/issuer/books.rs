//! What an operator does to the books as a whole: `issuer signing`, `issuer audit`.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use clap::{Args, Subcommand};
use opencoin_issuer::{Directory, Operator, SystemClock};
use opencoin_ledger::{Ledger, MintKeyStatus};
use serde::Serialize;

use super::DirArgs;
use crate::output;

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
    let directory = Directory::new(arguments.dir.dir);
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
    let directory = Directory::new(dir.dir);
    let ledger = super::ledger(&directory).await?;
    Ok((Operator::new(ledger, Arc::new(SystemClock)), directory))
}
