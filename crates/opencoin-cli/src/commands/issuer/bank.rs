//! `opencoin issuer bank`: uploads, previews and books statements of the bank directly in the books.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{Subcommand, ValueEnum};
use opencoin_bank::BankLineId;
use opencoin_bank::statement::{FILE_BYTES_MAX, StatementFormat};
use opencoin_http::shown;
use opencoin_issuer::{Asked, BankDesk, StatementFile};
use opencoin_keys::SystemClock;
use opencoin_ledger::bank::{
    BankLineNo, BankLineStateKind, BankStatement, IgnoredLine, KeptLine, Preview, PreviewDigest, PreviewLine,
    StatementNo, Unmatched, Verdict,
};
use opencoin_ledger::{AccountName, Reference};
use opencoin_terminal::output::OutputArgs;
use opencoin_text::printable;
use serde_json::json;

use super::bank_columns::{self, ColumnArgs};
use super::bank_lines::{decided, described, kept_line};
use super::pages::{PAGE, all_pages};
use super::{Purpose, proposals};
use crate::currency_unit::CurrencyUnit;
use crate::dir_args::DirArgs;
use crate::operator_args::OperatorArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum BankCommand {
    /// Upload a statement of the bank: CAMT.053, or a table whose columns `[bank_csv]` in `issuer.toml` or `--column` names.
    /// Nothing is booked.
    Upload {
        /// The file.
        file: PathBuf,
        /// The form of the file. Without it the content shows it.
        #[arg(long)]
        format: Option<Form>,
        #[command(flatten)]
        columns: ColumnArgs,
        #[command(flatten)]
        by: OperatorArgs,
        #[command(flatten)]
        dir: DirArgs,
    },
    /// Show the columns of tables that the books remember: those that an operator said for the newest booked table. Without
    /// any, those of the settings.
    Columns {
        #[command(flatten)]
        dir: DirArgs,
    },
    /// Show the statements that were uploaded, the newest first.
    List {
        #[command(flatten)]
        dir: DirArgs,
    },
    /// Show what booking a statement would do now.
    Preview {
        /// The number of the statement.
        id: u32,
        #[command(flatten)]
        dir: DirArgs,
    },
    /// Book a statement exactly as the preview shows it. If lines are above the limit for one person, another operator than
    /// the one who has uploaded it must do so. Repeating the command books nothing twice, and finishes what was
    /// interrupted.
    Book {
        /// The number of the statement.
        id: u32,
        /// The digest that `opencoin issuer bank preview` shows.
        #[arg(long, value_name = "DIGEST")]
        preview: PreviewDigest,
        #[command(flatten)]
        by: OperatorArgs,
        #[command(flatten)]
        dir: DirArgs,
    },
    /// Show lines of booked statements: those that match no account, or those in another state.
    Lines {
        /// The state.
        #[arg(long, default_value = "unmatched")]
        state: State,
        #[command(flatten)]
        dir: DirArgs,
    },
    /// Show a line of a booked statement.
    ShowLine {
        /// The id of the line.
        line: BankLineId,
        #[command(flatten)]
        dir: DirArgs,
    },
    /// Credit an unmatched line to an account. Repeating the command changes nothing. A line above the limit waits for a
    /// second operator.
    Assign {
        /// The id of the line.
        line: BankLineId,
        /// The name of the account.
        account: AccountName,
        #[command(flatten)]
        by: OperatorArgs,
        #[command(flatten)]
        dir: DirArgs,
    },
    /// Set an unmatched line aside for good: it is not the money of an account. Repeating the command changes nothing.
    SetAside {
        /// The id of the line.
        line: BankLineId,
        /// Why, for the record.
        #[arg(long)]
        reason: Reference,
        #[command(flatten)]
        by: OperatorArgs,
        #[command(flatten)]
        dir: DirArgs,
    },
}

/// The form of a file.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Form {
    /// ISO 20022, camt.053.
    Camt053,
    /// A table.
    Csv,
}

/// The state of a line.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum State {
    /// Nobody knows whose money it is.
    Unmatched,
    /// The account is decided, and the credit was interrupted.
    Claimed,
    /// The account was credited.
    Booked,
    /// It is not credited.
    SetAside,
}

pub(crate) async fn run(command: BankCommand, output: OutputArgs) -> Result<()> {
    match command {
        BankCommand::Upload {
            file,
            format,
            columns,
            by,
            dir,
        } => upload(&file, (format, columns), by, &dir, output).await,
        BankCommand::Columns { dir } => {
            let (desk, _) = open(&dir, Purpose::Look).await?;
            bank_columns::show(&desk, output).await
        }
        BankCommand::List { dir } => list(&dir, output).await,
        BankCommand::Preview { id, dir } => preview(StatementNo::new(id.into()), &dir, output).await,
        BankCommand::Book { id, preview, by, dir } => {
            book(StatementNo::new(id.into()), preview, by, &dir, output).await
        }
        BankCommand::Lines { state, dir } => lines(state, &dir, output).await,
        BankCommand::ShowLine { line, dir } => {
            let (desk, unit) = open(&dir, Purpose::Look).await?;
            show_line(desk.line(line).await?, &unit, output)
        }
        BankCommand::Assign {
            line,
            account,
            by,
            dir,
        } => {
            let (desk, unit) = open(&dir, Purpose::Change).await?;
            match desk.acting(&by.name()).assign(line, &account).await? {
                Asked::Done((line, _)) => show_line(line, &unit, output),
                Asked::Waits(waiting) => proposals::show_waiting(*waiting, &unit, output),
            }
        }
        BankCommand::SetAside {
            line,
            reason,
            by,
            dir,
        } => {
            let (desk, unit) = open(&dir, Purpose::Change).await?;
            let (line, _) = desk.acting(&by.name()).set_aside(line, reason).await?;
            show_line(line, &unit, output)
        }
    }
}

async fn open(dir: &DirArgs, purpose: Purpose) -> Result<(BankDesk, CurrencyUnit)> {
    let directory = dir.directory()?;
    let books = super::books(&directory, purpose).await?;
    let unit = super::unit(&directory)?;
    let settings = super::bank_settings(&directory.config()?, &unit)?;
    let desk = BankDesk::new(books, Arc::new(SystemClock), settings, unit.divisor);
    Ok((desk, unit))
}

async fn upload(
    path: &Path,
    (format, columns): (Option<Form>, ColumnArgs),
    by: OperatorArgs,
    dir: &DirArgs,
    output: OutputArgs,
) -> Result<()> {
    let cannot_read = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(cannot_read)?;
    let mut content = Vec::new();
    // One byte more, so that the desk refuses it as too large.
    file.take(FILE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut content)
        .with_context(cannot_read)?;
    let (desk, _) = open(dir, Purpose::Change).await?;
    let file = StatementFile {
        name: file_name(path)?,
        content,
        format: format.map(|form| match form {
            Form::Camt053 => StatementFormat::Camt053,
            Form::Csv => StatementFormat::Csv,
        }),
        columns: columns.columns(&desk).await?,
    };
    let (statement, is_new) = desk.acting(&by.name()).upload(file).await?;
    let (id, lines) = (statement.no.get(), statement.lines);
    let said = if is_new {
        format!(
            "statement {id}: {lines} lines; see what booking it would do: opencoin issuer bank preview {id}"
        )
    } else {
        format!("statement {id}: {lines} lines; it was uploaded before")
    };
    output.show(serde_json::to_value(shown::bank_statement(statement))?, [said])
}

/// The last part of the path, without characters that mislead.
fn file_name(path: &Path) -> Result<Reference> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let name: String = printable(&name)
        .chars()
        .take(opencoin_ledger::TEXT_CHARS_MAX)
        .collect();
    Reference::new(name).context("the file has no name")
}

async fn list(dir: &DirArgs, output: OutputArgs) -> Result<()> {
    let (desk, unit) = open(dir, Purpose::Look).await?;
    let page = async |last: Option<&BankStatement>| desk.statements(last.map(|last| last.no), PAGE).await;
    let statements = all_pages(page).await?;
    let said: Vec<String> = statements
        .iter()
        .map(|statement| {
            let booked = match &statement.booked {
                Some(booked) => format!(
                    "booked: {} lines, {}",
                    booked.lines,
                    unit.show(booked.amount.units())
                ),
                None => "not booked".to_owned(),
            };
            let (no, name, lines) = (statement.no.get(), &statement.name, statement.lines);
            format!("{no}: {name}, {lines} lines, {booked}")
        })
        .collect();
    let statements = statements.into_iter().map(shown::bank_statement);
    output.show(serde_json::to_value(statements.collect::<Vec<_>>())?, said)
}

async fn preview(no: StatementNo, dir: &DirArgs, output: OutputArgs) -> Result<()> {
    let (desk, unit) = open(dir, Purpose::Look).await?;
    let preview = desk.preview(no).await?;
    let above = desk.lines_above_limit(&preview);
    let mut said = preview_lines(&preview, &unit);
    if above > 0 {
        let uploader = &preview.statement.operator;
        said.push(format!(
            "{above} of them are above the limit for one person: another operator than {uploader} must book the statement"
        ));
    }
    output.show(
        serde_json::to_value(shown::statement_preview(preview, above))?,
        said,
    )
}

fn preview_lines(preview: &Preview, unit: &CurrencyUnit) -> Vec<String> {
    let mut said: Vec<String> = preview.lines.iter().map(|line| previewed(line, unit)).collect();
    let (new, kept) = (preview.new_lines().count(), preview.lines_to_keep().count());
    let amount = if new == 0 {
        "nothing".to_owned()
    } else {
        unit.show(preview.new_amount().units())
    };
    said.push(format!(
        "booking credits {new} lines, {amount}, and keeps {kept} that match no account"
    ));
    let (no, digest) = (preview.statement.no.get(), preview.digest());
    said.push(format!("opencoin issuer bank book {no} --preview {digest}"));
    said
}

fn previewed(PreviewLine { line, verdict }: &PreviewLine, unit: &CurrencyUnit) -> String {
    let what = match verdict {
        Verdict::New(account) => format!("new, to {}", account.name),
        Verdict::Decided(state) => decided(state),
        Verdict::Unmatched { why, .. } => match why {
            Unmatched::NoCode => "unmatched: no payment code".to_owned(),
            Unmatched::SeveralCodes => "unmatched: several payment codes".to_owned(),
            Unmatched::Return => "unmatched: a return".to_owned(),
            Unmatched::Gathered => "unmatched: several transactions in one".to_owned(),
            Unmatched::UnknownAccount => "unmatched: no such account".to_owned(),
            Unmatched::ClosedAccount => "unmatched: the account is closed".to_owned(),
            Unmatched::OtherContent => "unmatched: other content under a known id".to_owned(),
            Unmatched::MayBeBooked => {
                "unmatched: it may be booked already, from another kind of file".to_owned()
            }
        },
        Verdict::Ignored(IgnoredLine::TakenBack) => "taken back by the bank: look whose it was".to_owned(),
        Verdict::Ignored(_) => "ignored".to_owned(),
    };
    format!("{}: {what}", described(line, unit))
}

async fn book(
    no: StatementNo,
    preview: PreviewDigest,
    by: OperatorArgs,
    dir: &DirArgs,
    output: OutputArgs,
) -> Result<()> {
    let (desk, unit) = open(dir, Purpose::Change).await?;
    let booking = desk.acting(&by.name()).book(no, preview).await?;
    let (lines, amount) = (booking.booked.lines, booking.booked.amount.units());
    let done = if booking.repeated {
        "was booked before, nothing twice"
    } else {
        "is booked"
    };
    let mut said = vec![format!(
        "statement {} {done}: {lines} lines, {}",
        no.get(),
        unit.show(amount)
    )];
    said.extend(booking.refused.iter().map(|claim| {
        let (id, account) = (claim.id, &claim.account.name);
        format!("line {id} is unmatched: the account {account} was closed meanwhile")
    }));
    let refused: Vec<String> = booking.refused.iter().map(|claim| claim.id.to_string()).collect();
    let value = json!({
        "statement": no.get(),
        "lines": lines,
        "amount": amount,
        "repeated": booking.repeated,
        "refused": refused,
    });
    output.show(value, said)
}

async fn lines(state: State, dir: &DirArgs, output: OutputArgs) -> Result<()> {
    let (desk, unit) = open(dir, Purpose::Look).await?;
    let kind = match state {
        State::Unmatched => BankLineStateKind::Unmatched,
        State::Claimed => BankLineStateKind::Claimed,
        State::Booked => BankLineStateKind::Booked,
        State::SetAside => BankLineStateKind::SetAside,
    };
    let page = async |last: Option<&KeptLine>| {
        let after = last.map_or(BankLineNo::BEFORE_ALL, |last| last.no);
        desk.lines(Some(kind), after, PAGE).await
    };
    let lines = all_pages(page).await?;
    let said: Vec<String> = lines.iter().map(|line| kept_line(line, &unit)).collect();
    let lines = lines.into_iter().map(shown::kept_bank_line);
    output.show(serde_json::to_value(lines.collect::<Vec<_>>())?, said)
}

fn show_line(line: KeptLine, unit: &CurrencyUnit, output: OutputArgs) -> Result<()> {
    let said = kept_line(&line, unit);
    output.show(serde_json::to_value(shown::kept_bank_line(line))?, [said])
}
