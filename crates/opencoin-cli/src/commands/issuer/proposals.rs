//! `opencoin issuer proposals`: lists, carries out and declines operations that wait for a second operator, directly in the
//! books.

use std::sync::Arc;

use anyhow::Result;
use clap::Subcommand;
use opencoin_http::shown;
use opencoin_issuer::{BankDesk, ProposalDesk};
use opencoin_keys::SystemClock;
use opencoin_ledger::{Proposal, ProposalFilter, ProposalNo, Proposed};
use opencoin_terminal::output::OutputArgs;
use opencoin_text::printable;

use super::Purpose;
use super::pages::{PAGE, all_pages};
use crate::currency_unit::CurrencyUnit;
use crate::dir_args::DirArgs;
use crate::operator_args::OperatorArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum ProposalsCommand {
    /// Show the operations that wait for a second operator, oldest first.
    List {
        #[command(flatten)]
        dir: DirArgs,
        /// Include those that were carried out or declined.
        #[arg(long)]
        all: bool,
    },
    /// Show one operation that waits or waited for a second operator, and the line of the bank that it is about.
    Show {
        /// The number of the proposal.
        id: u32,
        #[command(flatten)]
        dir: DirArgs,
    },
    /// Carry out the proposal of another operator. Repeating the command changes nothing.
    Approve(Arguments),
    /// Decline the proposal of another operator, or withdraw one's own. Repeating the command changes nothing.
    Decline(Arguments),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The number of the proposal.
    id: u32,
    #[command(flatten)]
    by: OperatorArgs,
    #[command(flatten)]
    dir: DirArgs,
}

pub(crate) async fn run(command: ProposalsCommand, output: OutputArgs) -> Result<()> {
    match command {
        ProposalsCommand::List { dir, all } => list(&dir, all, output).await,
        ProposalsCommand::Show { id, dir } => show_one(ProposalNo::new(id.into()), &dir, output).await,
        ProposalsCommand::Approve(Arguments { id, by, dir }) => {
            let (desk, unit) = open(&dir, Purpose::Change).await?;
            let no = ProposalNo::new(id.into());
            let decided = desk.acting(&by.name()).approve(no).await?;
            show(decided.proposal, &unit, output)
        }
        ProposalsCommand::Decline(Arguments { id, by, dir }) => {
            let (desk, unit) = open(&dir, Purpose::Change).await?;
            let no = ProposalNo::new(id.into());
            let decided = desk.acting(&by.name()).decline(no).await?;
            show(decided.proposal, &unit, output)
        }
    }
}

async fn open(dir: &DirArgs, purpose: Purpose) -> Result<(ProposalDesk, CurrencyUnit)> {
    let directory = dir.directory()?;
    let books = super::books(&directory, purpose).await?;
    let unit = super::unit(&directory)?;
    let settings = super::bank_settings(&directory.config()?, &unit)?;
    let bank = BankDesk::new(books.clone(), Arc::new(SystemClock), settings, unit.divisor);
    Ok((ProposalDesk::new(books, Arc::new(SystemClock), bank), unit))
}

async fn show_one(no: ProposalNo, dir: &DirArgs, output: OutputArgs) -> Result<()> {
    let (desk, unit) = open(dir, Purpose::Look).await?;
    let proposal = desk.proposal(no).await?;
    let mut said = vec![line(&proposal, &unit)];
    if let Some(id) = proposal.proposed.line() {
        let kept = desk.bank().line(id).await?;
        said.push(format!(
            "bank line {}",
            super::bank_lines::kept_line(&kept, &unit)
        ));
    }
    output.show(serde_json::to_value(shown::proposal(proposal))?, said)
}

async fn list(dir: &DirArgs, all: bool, output: OutputArgs) -> Result<()> {
    let (desk, unit) = open(dir, Purpose::Look).await?;
    let filter = if all {
        ProposalFilter::All
    } else {
        ProposalFilter::Waiting
    };
    let page = async |last: Option<&Proposal>| {
        let after = last.map_or(ProposalNo::BEFORE_ALL, |last| last.no);
        desk.proposals(filter, after, PAGE).await
    };
    let proposals = all_pages(page).await?;
    let said: Vec<String> = proposals.iter().map(|proposal| line(proposal, &unit)).collect();
    let shown = proposals.into_iter().map(shown::proposal).collect::<Vec<_>>();
    output.show(serde_json::to_value(shown)?, said)
}

fn show(proposal: Proposal, unit: &CurrencyUnit, output: OutputArgs) -> Result<()> {
    let said = line(&proposal, unit);
    output.show(serde_json::to_value(shown::proposal(proposal))?, [said])
}

/// Says that an operation waits, and what another operator does then.
pub(super) fn show_waiting(proposal: Proposal, unit: &CurrencyUnit, output: OutputArgs) -> Result<()> {
    let no = proposal.no.get();
    let said = [
        line(&proposal, unit),
        format!(
            "nothing was changed; another operator carries it out: opencoin issuer proposals approve {no} --operator NAME"
        ),
    ];
    output.show(serde_json::to_value(shown::proposal(proposal))?, said)
}

fn line(proposal: &Proposal, unit: &CurrencyUnit) -> String {
    let (account, by) = (&proposal.account.name, &proposal.operator);
    let what = match &proposal.proposed {
        Proposed::Credit(text) => format!("credit {account}, reference {:?}", printable(text.as_str())),
        Proposed::Debit(text) => format!("debit {account}, reference {:?}", printable(text.as_str())),
        Proposed::AssignRecovered(text) => {
            format!(
                "assign recovered money to {account}, reference {:?}",
                printable(text.as_str())
            )
        }
        Proposed::TakeRecovered(text) => {
            format!(
                "take recovered money from {account}, reference {:?}",
                printable(text.as_str())
            )
        }
        Proposed::PayPayout(payout, text) => {
            let text = printable(text.as_str());
            format!(
                "payout {} of {account} was paid, reference {text:?}",
                payout.get()
            )
        }
        Proposed::FailPayout(payout, text) => {
            let text = printable(text.as_str());
            format!("payout {} of {account} has failed, reason {text:?}", payout.get())
        }
        Proposed::AssignBankLine(line) => format!("assign bank line {line} to {account}"),
    };
    let state = match &proposal.verdict {
        None => "waits for a second operator".to_owned(),
        Some(verdict) if verdict.carried_out => format!("carried out by {}", verdict.operator),
        Some(verdict) if verdict.operator == *by => "withdrawn".to_owned(),
        Some(verdict) => format!("declined by {}", verdict.operator),
    };
    let (no, amount) = (proposal.no.get(), unit.show(proposal.amount.units()));
    format!("proposal {no}: {amount}, {what}, proposed by {by}: {state}")
}
