//! `opencoin issuer cdd` and `issuer import`: the signed documents of a currency.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, Timelike, Utc};
use clap::{Args, Subcommand};
use opencoin_issuer::{Operator, StoreMode};
use opencoin_keys::{CddChange, Change, Clock, Currency, SignedCertificates, SystemClock};
use opencoin_ledger::ActionKind;
use opencoin_schema::{BigInt, MintKey, from_json};
use opencoin_terminal::output::OutputArgs;
use opencoin_terminal::progress::ProgressBar;
use opencoin_terminal::secret_args::MasterSecretArgs;
use opencoin_text::{AmountText, IssuerUrl, printable};
use rand::rngs::OsRng;
use serde_json::json;

use super::{KeyStoreArgs, Master, Open, show_change};
use crate::commands::issuer::{self, Purpose};
use crate::confirmation::confirm;
use crate::dates::utc;
use crate::dir_args::DirArgs;
use crate::operator_args::OperatorArgs;

/// chrono counts the nanoseconds of a leap second from here on.
const NANOSECONDS_PER_SECOND: u32 = 1_000_000_000;

#[derive(Debug, Subcommand)]
pub(crate) enum CddCommand {
    /// Publish the next description of the currency: another URL, other denominations or a later expiry.
    Change(CddChangeArguments),
}

#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// The file that `opencoin master sign` has written.
    certificates: PathBuf,
    /// The id that `opencoin master create` has shown. The first import refuses certificates of any other currency.
    /// Without this option you are asked.
    #[arg(long)]
    id: Option<BigInt>,
    #[command(flatten)]
    by: OperatorArgs,
    #[command(flatten)]
    dir: DirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CddChangeArguments {
    /// The new URL of the issuer for wallets.
    #[arg(long)]
    url: Option<IssuerUrl>,
    /// All coin values, as the currency shows them, for example `0.01,0.02,0.05`. Existing coins of other values are
    /// accepted until they expire.
    #[arg(long, value_delimiter = ',')]
    denominations: Option<Vec<AmountText>>,
    /// The new expiry of the description, for example 2030-12-31T00:00:00Z.
    #[arg(long, value_parser = parse_expiry)]
    expiry: Option<DateTime<Utc>>,
    /// Free text for holders.
    #[arg(long, value_name = "TEXT")]
    info: Option<String>,
    #[command(flatten)]
    by: OperatorArgs,
    #[command(flatten)]
    store: KeyStoreArgs,
    #[command(flatten)]
    master: MasterSecretArgs,
}

/// Parses a time. Refuses leap seconds, which documents cannot express.
fn parse_expiry(text: &str) -> Result<DateTime<Utc>, String> {
    let moment: DateTime<Utc> = text.parse().map_err(|error| format!("{error}"))?;
    if moment.nanosecond() >= NANOSECONDS_PER_SECOND {
        return Err(
            "second 60 does not exist in the documents of a currency; use 59, or the next minute".to_owned(),
        );
    }
    Ok(moment)
}

pub(crate) async fn cdd(command: CddCommand, output: OutputArgs) -> Result<()> {
    let CddCommand::Change(CddChangeArguments {
        url,
        denominations,
        expiry,
        info: additional_info,
        by,
        store,
        master,
    }) = command;
    let unit = issuer::unit(&store.dir.directory()?)?;
    let in_units = |values: Vec<AmountText>| values.iter().map(|value| unit.read(value)).collect();
    let change = CddChange {
        url: url.map(|url| url.to_string()),
        denominations: denominations.map(in_units).transpose()?,
        expiry,
        additional_info,
        log: None,
    };
    change_description(&store, &master, |_| Ok(change), by, output).await
}

/// Makes the next description of the currency.
pub(crate) async fn change_description(
    store: &KeyStoreArgs,
    master: &MasterSecretArgs,
    change: impl FnOnce(&Currency) -> Result<CddChange>,
    by: OperatorArgs,
    output: OutputArgs,
) -> Result<()> {
    let (open, change) = next_description(store, master, change).await?;
    let kind = ActionKind::ChangeDescription;
    open.record_change(by, kind, &change).await?;
    show_change(&open, &change, output)
}

/// As [`change_description`], and shows nothing but a request that waits for the master key. Returns whether the
/// description is made.
pub(crate) async fn describe_quietly(
    store: &KeyStoreArgs,
    master: &MasterSecretArgs,
    change: impl FnOnce(&Currency) -> Result<CddChange>,
    output: OutputArgs,
) -> Result<bool> {
    let (open, change) = next_description(store, master, change).await?;
    let waits = matches!(change, Change::Waits(_));
    if waits {
        show_change(&open, &change, output)?;
    }
    Ok(!waits)
}

async fn next_description(
    store: &KeyStoreArgs,
    master: &MasterSecretArgs,
    change: impl FnOnce(&Currency) -> Result<CddChange>,
) -> Result<(Open, Change)> {
    let open = Open::new(store, Purpose::Change).await?;
    let change = change(&open.directory.currency()?)?;
    let master = Master::read(&open.directory, master, &store.secrets)?;
    let vault = master.as_ref().map(Master::open);
    let progress = ProgressBar::new("generating keys");
    let mut report = |done, total| progress.set(done, total);
    let change = open
        .manager
        .change_cdd(change, vault, &mut OsRng, &mut report)
        .await?;
    drop(progress);
    Ok((open, change))
}

pub(crate) async fn import(arguments: ImportArguments, output: OutputArgs) -> Result<()> {
    let path = &arguments.certificates;
    let json = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let answer: SignedCertificates =
        from_json(&json).with_context(|| format!("{} contains no signed certificates", path.display()))?;
    let directory = arguments.dir.directory()?;
    let config = directory.config()?;
    let is_first = directory.currency().is_err();
    if is_first && let Some(cddc) = &answer.cddc {
        confirm_master_key(&cddc.cdd.id, arguments.id.as_ref())?;
    }
    let lock = directory.lock()?;
    let import = directory.check_import(&answer, SystemClock.now(), &lock)?;
    // The first import creates the books of a new currency. A repetition creates them if the import was interrupted.
    let books = issuer::books_to_change(&directory, &config, StoreMode::Create).await?;
    let operator = Operator::new(books.clone(), Arc::new(SystemClock), arguments.by.name());
    let imported = operator.take_certificates(&directory, import, &lock).await?;
    drop(lock);
    let currency = directory.currency()?;
    opencoin_keys::register_documents(&currency, books.ledger.as_ref(), &SystemClock).await?;
    let is_new = imported.is_new;
    super::warn_of_late_keys(&imported.late);
    let (cdd, keys) = (currency.current().cdd(), currency.mint_keys().count());
    let mut lines = vec![if is_new {
        let (name, serial) = (printable(&cdd.currency_name), cdd.cdd_serial);
        format!("imported: {name} has serial {serial} and {keys} mint keys")
    } else {
        "these certificates were imported before: nothing changed".to_owned()
    }];
    if is_new && !is_first {
        let keys = imported.certificates.mkcs.iter().map(|mkc| &mkc.mint_key);
        lines.extend(first_deadline(&currency, keys).map(must_serve_by));
    }
    if is_new && is_first {
        lines.push(format!("its id is {}", cdd.id));
        lines.push(format!(
            "next: opencoin issuer serve --dir {}",
            directory.root().display()
        ));
    }
    let id = cdd.id.to_string();
    let late: Vec<String> = imported.late.iter().map(ToString::to_string).collect();
    output.show(
        json!({ "imported": is_new, "id": id, "cdd_serial": cdd.cdd_serial, "mint_keys": keys, "late": late }),
        lines,
    )
}

/// Until when the first of these new keys must be in the books; `None` without a public log.
pub(super) fn first_deadline<'keys>(
    currency: &Currency,
    keys: impl Iterator<Item = &'keys MintKey>,
) -> Option<DateTime<Utc>> {
    keys.filter_map(|key| currency.entry_deadline(currency.mint_key(&key.id)?))
        .min()
}

/// Says that a server must run.
pub(super) fn must_serve_by(by: DateTime<Utc>) -> String {
    format!(
        "a server enters new keys in the books and the public log; one must run by {}",
        utc(by)
    )
}

/// The first certificates fix the master key of the currency, so the operator must confirm that it is the right one.
fn confirm_master_key(id: &BigInt, expected: Option<&BigInt>) -> Result<()> {
    match expected {
        Some(expected) if expected == id => Ok(()),
        Some(expected) => {
            bail!("nothing was imported: the certificates are of the currency {id}, not of {expected}")
        }
        None => {
            let question = format!(
                "These certificates are of the currency {id}. Has `opencoin master create` shown this id?"
            );
            let instead = format!(
                "name the id that `opencoin master create` has shown with --id; these certificates say {id}"
            );
            ensure!(confirm(&question, &instead)?, "nothing was imported");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_with_a_leap_second_is_refused() {
        assert!(parse_expiry("2040-06-30T23:59:59Z").is_ok());
        assert!(parse_expiry("2040-06-30T23:59:59.999999999+02:00").is_ok());
        for leap in ["2040-06-30T23:59:60Z", "2040-06-30T23:59:60.5Z"] {
            assert!(parse_expiry(leap).unwrap_err().contains("second 60"));
        }
        assert!(parse_expiry("tomorrow").is_err());
    }
}
