//! `opencoin issuer payouts export`: files of payouts for the bank.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};
use chrono::NaiveDate;
use clap::ValueEnum;
use opencoin_api::ExportedPayouts;
use opencoin_http::shown;
use opencoin_issuer::{ExportRequest, PayoutDesk};
use opencoin_keys::SystemClock;
use opencoin_ledger::bank::{ExportFormat, ExportNo, ExportState, PayoutExport};
use opencoin_ledger::{IdempotencyKey, PayoutNo};
use opencoin_terminal::output::OutputArgs;

use super::super::Purpose;
use super::super::pages::{PAGE, all_pages};
use crate::currency_unit::CurrencyUnit;
use crate::dir_args::DirArgs;
use crate::operator_args::OperatorArgs;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The numbers of the payouts.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<u32>,
    /// The form of the file.
    #[arg(long, default_value = "pain001")]
    format: Form,
    /// A key that you make up for this file. The same command with the same key writes the same file again.
    #[arg(long)]
    key: String,
    /// The day on which the bank shall pay, as YYYY-MM-DD. Default: today.
    #[arg(long, value_name = "DAY")]
    execution: Option<NaiveDate>,
    /// The file to write. It must not exist.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    by: OperatorArgs,
    #[command(flatten)]
    dir: DirArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Ending {
    /// The number of the export.
    id: u32,
    #[command(flatten)]
    by: OperatorArgs,
    #[command(flatten)]
    dir: DirArgs,
}

/// The form of a file.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Form {
    /// ISO 20022, pain.001.
    Pain001,
    /// A table.
    Csv,
}

pub(super) async fn export(arguments: Arguments, output: OutputArgs) -> Result<()> {
    let out = &arguments.out;
    refuse_existing(out)?;
    let (desk, unit) = open(&arguments.dir, Purpose::Change).await?;
    let request = ExportRequest {
        key: IdempotencyKey::new(arguments.key)?,
        payouts: arguments
            .ids
            .iter()
            .map(|id| PayoutNo::new((*id).into()))
            .collect(),
        format: match arguments.format {
            Form::Pain001 => ExportFormat::Pain001,
            Form::Csv => ExportFormat::Csv,
        },
        execution: arguments.execution,
    };
    let exported = desk.acting(&arguments.by.name()).export(request).await?;
    opencoin_private_files::write(out, &exported.file)?;
    let again = if exported.repeated {
        "; it was made before with this key"
    } else {
        ""
    };
    let said = format!(
        "{} is in {}{again}",
        described(&exported.export, &unit),
        out.display()
    );
    output.show(
        serde_json::to_value(shown::payout_export(exported.export))?,
        [said],
    )
}

fn refuse_existing(out: &Path) -> Result<()> {
    if out.exists() {
        bail!("{} exists; name a file that does not", out.display());
    }
    Ok(())
}

pub(super) async fn list(dir: &DirArgs, output: OutputArgs) -> Result<()> {
    let (desk, unit) = open(dir, Purpose::Look).await?;
    let page = async |last: Option<&PayoutExport>| desk.exports(last.map(|last| last.no), PAGE).await;
    let exports = all_pages(page).await?;
    let said: Vec<String> = exports
        .iter()
        .map(|export| {
            let state = match export.state {
                ExportState::Made => "",
                ExportState::Settling => ": paid, not all payouts are settled",
                ExportState::Paid => ": paid",
                ExportState::Withdrawn => ": withdrawn",
            };
            format!("{}{state}", described(export, &unit))
        })
        .collect();
    let exports = exports.into_iter().map(shown::payout_export);
    output.show(serde_json::to_value(exports.collect::<Vec<_>>())?, said)
}

/// The file itself is written only as long as the bank may have it.
pub(super) async fn show(dir: &DirArgs, id: u32, out: Option<&Path>, output: OutputArgs) -> Result<()> {
    out.map(refuse_existing).transpose()?;
    let (desk, unit) = open(dir, Purpose::Look).await?;
    let no = ExportNo::new(id.into());
    let (export, payouts) = desk.export(no).await?;
    let mut said = vec![described(&export, &unit)];
    if let Some(out) = out {
        opencoin_private_files::write(out, &desk.file(no).await?.file)?;
        said.push(format!("it is in {}", out.display()));
    }
    said.extend(payouts.iter().map(|payout| super::line(payout, &unit)));
    let exported = ExportedPayouts {
        export: shown::payout_export(export),
        payouts: payouts.into_iter().map(shown::operators_payout).collect(),
    };
    output.show(serde_json::to_value(exported)?, said)
}

pub(super) async fn withdraw(ending: Ending, output: OutputArgs) -> Result<()> {
    let (desk, unit) = open(&ending.dir, Purpose::Change).await?;
    let no = ExportNo::new(ending.id.into());
    let (export, _) = desk.acting(&ending.by.name()).withdraw(no).await?;
    let said = format!("{} is withdrawn", described(&export, &unit));
    output.show(serde_json::to_value(shown::payout_export(export))?, [said])
}

pub(super) async fn paid(ending: Ending, output: OutputArgs) -> Result<()> {
    let (desk, unit) = open(&ending.dir, Purpose::Change).await?;
    let no = ExportNo::new(ending.id.into());
    let paid = desk.acting(&ending.by.name()).pay(no).await?;
    let mut said = vec![format!(
        "{}: {} payouts are paid",
        described(&paid.export, &unit),
        paid.paid
    )];
    let failed = paid.failed.iter();
    said.extend(failed.map(|no| format!("payout {} has failed; look at it", no.get())));
    output.show(serde_json::to_value(shown::paid_export(paid))?, said)
}

fn described(export: &PayoutExport, unit: &CurrencyUnit) -> String {
    format!(
        "export {} of {} payouts, {}, message {}",
        export.no.get(),
        export.payouts,
        unit.show(export.amount.units()),
        export.message_id
    )
}

async fn open(dir: &DirArgs, purpose: Purpose) -> Result<(PayoutDesk, CurrencyUnit)> {
    let directory = dir.directory()?;
    let books = super::super::books(&directory, purpose).await?;
    let unit = super::super::unit(&directory)?;
    let settings = super::super::bank_settings(&directory.config()?, &unit)?;
    let named = (unit.name.clone(), unit.divisor);
    let desk = PayoutDesk::new(books, Arc::new(SystemClock), settings, named);
    Ok((desk, unit))
}
