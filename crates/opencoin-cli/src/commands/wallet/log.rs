//! `opencoin wallet log`: what the wallet has checked of a currency's public log.

use anyhow::Result;
use chrono::{DateTime, Utc};
use clap::Args;
use opencoin_terminal::output;
use opencoin_text::{IssuerUrl, printable};
use opencoin_wallet::{LogError, LogStatus, SeenLog, WalletError};
use serde_json::{Value, json};

use super::counted;
use super::session::Session;
use crate::failure;

/// The format of times.
const SECOND: &str = "%Y-%m-%d %H:%M:%S UTC";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Read this copy of the log instead of the log itself, for example a witness's or an auditor's.
    #[arg(long, value_name = "URL")]
    from: Option<IssuerUrl>,
}

impl Session {
    pub(super) async fn log(&mut self, arguments: &Arguments) -> Result<()> {
        let from = arguments.from.as_ref().map(IssuerUrl::as_str);
        let status = self.wallet.check_log(self.currency.as_deref(), from).await?;
        self.output
            .show(status_json(&status), status_lines(&status, &self.flag))?;
        if let Some(problem) = status.problem {
            return Err(WalletError::Log(problem).into());
        }
        if status.faults.is_empty() {
            return Ok(());
        }
        Err(failure::refused(format!(
            "{} of the issuer in the public log; `opencoin wallet evidence{}` writes what can be proven",
            counted(status.faults.len(), "fault"),
            self.flag
        )))
    }

    /// Says that promises are due, if there are any. It does not look at the log.
    pub(super) fn mention_overdue(&self) {
        let overdue = self.wallet.overdue_promises();
        if overdue > 0 {
            output::complain(&format!(
                "note: {} of the issuer about the public log should be kept by now; `opencoin wallet log{}` checks it",
                counted(overdue, "promise"),
                self.flag
            ));
        }
    }
}

/// What the user can do about an error of the log.
pub(super) fn advice(error: &LogError, flag: &str) -> String {
    match error {
        LogError::NoPromise(_) | LogError::WrongPromise { .. } => {
            format!("`opencoin wallet log{flag}` shows it; tell the operator")
        }
        LogError::SplitView | LogError::Smaller { .. } => format!(
            "`opencoin wallet evidence{flag}` writes what can be proven; show it to others before you use this \
             currency again"
        ),
        error if error.is_temporary() => format!(
            "`opencoin wallet log --from URL{flag}` reads a copy of the log, and the same command works afterwards; \
             with --without-log-check it does for once without the log"
        ),
        _ => "ask the operator, and compare with somebody else's wallet; --without-log-check uses the mint key all the \
              same, for once"
            .to_owned(),
    }
}

fn status_json(status: &LogStatus) -> Value {
    let newest = |newest: &SeenLog| {
        json!({
            "size": newest.size,
            "time": newest.time,
            "witnesses": newest.witnesses,
            "witnesses_named": newest.witnesses_named,
        })
    };
    let faults = status
        .faults
        .iter()
        .map(|fault| json!({ "at": fault.at, "description": fault.description, "evidence": fault.evidence }));
    let challenges = status
        .challenges
        .iter()
        .map(|owed| json!({ "at": owed.at, "description": owed.description, "evidence": owed.evidence }));
    json!({
        "challenges": challenges.collect::<Value>(),
        "currency": status.name,
        "faults": faults.collect::<Value>(),
        "id": status.currency,
        "log": status.log,
        "mint_keys": status.mint_keys,
        "newest": status.newest.as_ref().map(newest),
        "problem": status.problem.as_ref().map(ToString::to_string),
        "promises": {
            "kept": status.kept,
            "open": status.open,
            "overdue": status.overdue,
            "unverified": status.unverified,
        },
        "unchecked_uses": status.unchecked_uses,
    })
}

fn status_lines(status: &LogStatus, flag: &str) -> Vec<String> {
    let Some(log) = &status.log else {
        return vec![format!(
            "{} has no public log that can be read",
            printable(&status.name)
        )];
    };
    let mut lines = vec![format!("log {}", printable(log))];
    match &status.newest {
        Some(newest) => {
            let named = newest.witnesses_named;
            let (size, seen) = (newest.size, newest.witnesses.len());
            let time = newest
                .time
                .map_or_else(|| "not dated".to_owned(), |time| second(&time));
            lines.push(format!(
                "  newest checkpoint: {size} entries, {time}, cosigned by {seen} of {named} witnesses"
            ));
        }
        None => lines.push("  no checkpoint was seen yet".to_owned()),
    }
    lines.push(format!("  mint keys found in it: {}", status.mint_keys));
    lines.push(format!(
        "  promises: {} fulfilled, {} open",
        status.kept, status.open
    ));
    if status.overdue > 0 {
        lines.push(format!(
            "  overdue: {}, and the log shows nothing newer",
            status.overdue
        ));
    }
    if status.unverified > 0 {
        lines.push(format!("  not verified yet: {}", status.unverified));
    }
    if status.unchecked_uses > 0 {
        lines.push(format!(
            "  without a look at the log: {}",
            counted(status.unchecked_uses, "request")
        ));
    }
    for owed in &status.challenges {
        lines.push(format!(
            "  owed since {}: {}; `opencoin wallet evidence{flag}` writes a challenge",
            second(&owed.at),
            printable(&owed.description)
        ));
    }
    for fault in &status.faults {
        let (at, what) = (second(&fault.at), printable(&fault.description));
        let proof = fault
            .evidence
            .map(|_| format!("; `opencoin wallet evidence{flag}` proves it"));
        lines.push(format!("  fault, {at}: {what}{}", proof.unwrap_or_default()));
    }
    lines
}

fn second(time: &DateTime<Utc>) -> String {
    time.format(SECOND).to_string()
}
