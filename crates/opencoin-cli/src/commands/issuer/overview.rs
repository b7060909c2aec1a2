//! `opencoin issuer overview`: what needs a person, directly from the books.

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use opencoin_http::shown;
use opencoin_issuer::{Denominations, Overview, OverviewSource, Task, Urgency, WaitingSince};
use opencoin_keys::{Clock, SystemClock, policy_in_force};
use opencoin_ledger::OperatorName;
use opencoin_terminal::output::OutputArgs;
use opencoin_text::printable;

use super::Purpose;
use crate::currency_unit::CurrencyUnit;
use crate::dates::utc;
use crate::dir_args::DirArgs;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Who asks. Their own proposals wait for somebody else, and are left out.
    #[arg(long, value_name = "NAME", env = "OPENCOIN_OPERATOR")]
    operator: Option<OperatorName>,
    #[command(flatten)]
    dir: DirArgs,
}

pub(crate) async fn run(arguments: Arguments, output: OutputArgs) -> Result<()> {
    let Arguments { operator, dir } = arguments;
    let directory = dir.directory()?;
    let config = directory.config()?;
    let currency = directory.currency().context("the certificates do not verify")?;
    let books = super::books(&directory, Purpose::Look).await?;
    let source = OverviewSource {
        books: &books,
        currency: &currency,
        rotation: &policy_in_force(&config.rotation, &directory, &currency),
        log_promise: currency
            .log()
            .map(|block| TimeDelta::seconds(block.within_s().into())),
        at: SystemClock.now(),
    };
    let operator = operator.unwrap_or_else(OperatorName::command_line);
    let overview = Overview::read(&source, &operator).await?;
    let unit = CurrencyUnit::of(currency.current().cdd());
    let mut lines: Vec<String> = overview
        .tasks()
        .iter()
        .flat_map(|task| lines(task, &unit))
        .collect();
    if lines.is_empty() {
        lines.push("nothing needs a person".to_owned());
    }
    output.show(serde_json::to_value(shown::overview(overview))?, lines)
}

/// What it is, and the command that deals with it.
fn lines(task: &Task, unit: &CurrencyUnit) -> [String; 2] {
    let urgency = match task.urgency() {
        Urgency::Alarm => "ALARM",
        Urgency::Soon => "soon",
        Urgency::Note => "note",
    };
    let (text, command) = said(task, unit);
    [format!("{urgency:<5}  {text}"), format!("{:<5}  `{command}`", "")]
}

fn said(task: &Task, unit: &CurrencyUnit) -> (String, String) {
    let (text, command) = match task {
        Task::LogHalted(reason) => {
            let reason = printable(reason);
            let text = format!("the public log has stopped, and nothing is accepted any more: {reason}");
            (text, "opencoin log status")
        }
        Task::NoQuorum(since) => {
            let text = format!(
                "the public log has no quorum of its witnesses since {}",
                utc(*since)
            );
            (text, "opencoin log status")
        }
        Task::Unsealed(since) => {
            let text = format!("what was accepted is not in the public log since {}", utc(*since));
            (text, "opencoin log status")
        }
        Task::AuditBroken(at) => {
            let text = format!("the audit of {} found broken invariants", utc(*at));
            (text, "opencoin issuer audit")
        }
        Task::AuditFailed(at) => {
            let text = format!("the audit of {} has no result", utc(*at));
            (text, "opencoin issuer audit")
        }
        Task::AuditDue(at) => (audit_due(*at), "opencoin issuer audit"),
        Task::Proposals(waiting) => {
            let text = waits(waiting, "proposal waits", "proposals wait");
            (
                format!("{text} for a second operator"),
                "opencoin issuer proposals list",
            )
        }
        Task::Payouts(waiting) => {
            let text = waits(waiting, "payout waits", "payouts wait");
            (text, "opencoin issuer payouts list")
        }
        Task::UnfinishedFile(no, since) => {
            let no = no.get();
            let since = since.map_or(String::new(), |since| format!(" since {}", utc(since)));
            let text = format!("the bank has paid file {no}{since}, and not all of its payouts are settled");
            return (text, format!("opencoin issuer payouts paid-export {no}"));
        }
        Task::UnmatchedLines(waiting) => {
            let text = waits(
                waiting,
                "line of the bank matches no account",
                "lines of the bank match no account",
            );
            (text, "opencoin issuer bank lines")
        }
        Task::NoKey(lacking) if lacking.awaits_log => {
            let values = values(lacking, unit);
            let text =
                format!("no key signs coins of {values} before a server has published it in the public log");
            (text, "opencoin log status")
        }
        Task::NoKey(lacking) => {
            let text = format!("no key signs coins of {}", values(lacking, unit));
            (text, "opencoin issuer keys rotate")
        }
        Task::KeysDue(end, lacking) => {
            let (values, end) = (values(lacking, unit), utc(*end));
            let text = format!("new keys are due for coins of {values}: the last ones sign until {end}");
            (text, "opencoin issuer keys rotate")
        }
        Task::DescriptionExpired => {
            let text = "the description of the currency has expired: wallets refuse the currency";
            (text.to_owned(), "opencoin issuer cdd change --expiry ...")
        }
        Task::DescriptionDue(at) => {
            let text = format!("the description of the currency expires on {}", utc(*at));
            (text, "opencoin issuer cdd change --expiry ...")
        }
        Task::SigningPaused => {
            let text = "signing is paused: nobody gets coins";
            (text.to_owned(), "opencoin issuer signing resume")
        }
        Task::FrozenAccounts(1) => (
            "1 account is frozen".to_owned(),
            "opencoin issuer account list --frozen",
        ),
        Task::FrozenAccounts(count) => {
            let text = format!("{count} accounts are frozen");
            (text, "opencoin issuer account list --frozen")
        }
    };
    (text, command.to_owned())
}

/// The record has the audits that servers make. `opencoin issuer audit` only reads the books.
fn audit_due(last: Option<DateTime<Utc>>) -> String {
    let last = last.map_or("never".to_owned(), |last| format!("last on {}", utc(last)));
    format!(
        "audited {last}, as far as the record says: it has the audits of the console and of POST /v1/admin/audit"
    )
}

fn waits(waiting: &WaitingSince, one: &str, several: &str) -> String {
    let WaitingSince { count, oldest } = waiting;
    let what = if *count == 1 { one } else { several };
    format!("{count} {what}, the oldest since {}", utc(*oldest))
}

fn values(lacking: &Denominations, unit: &CurrencyUnit) -> String {
    let values: Vec<String> = lacking.values.iter().map(|value| unit.number(*value)).collect();
    let late = if lacking.came_too_late {
        " (keys that were made came too late for the public log)"
    } else {
        ""
    };
    format!("{} {}{late}", values.join(", "), printable(&unit.name))
}
