//! The columns of tables of the bank on the command line.

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use opencoin_config::BankCsvConfig;
use opencoin_http::shown;
use opencoin_issuer::{BankDesk, ColumnsOf};
use opencoin_ledger::Reference;
use opencoin_terminal::output::OutputArgs;

#[derive(Debug, Args)]
pub(crate) struct ColumnArgs {
    /// Where the columns of a table come from that no `--column` says.
    #[arg(long, value_name = "WHERE", default_value = "settings")]
    columns: From,
    /// What a key of `[bank_csv]` is for this file, as in `--column day=Date`. Several columns with the text are separated by
    /// commas.
    #[arg(long, value_name = "KEY=VALUE")]
    column: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum From {
    /// `[bank_csv]` in `issuer.toml`.
    Settings,
    /// What `opencoin issuer bank columns` shows.
    Remembered,
    /// Nowhere.
    Nothing,
}

impl ColumnArgs {
    /// The columns of a table.
    pub(super) async fn columns(self, desk: &BankDesk) -> Result<BankCsvConfig> {
        let of = match self.columns {
            From::Settings => ColumnsOf::Settings,
            From::Remembered => ColumnsOf::Remembered,
            From::Nothing => ColumnsOf::Nothing,
        };
        let mut columns = desk.columns(of).await?;
        for said in &self.column {
            let (key, value) = said.split_once('=').context("--column is KEY=VALUE")?;
            // The characters \t are a tab, which is not printable itself.
            if !value.is_empty() {
                Reference::new(value).with_context(|| format!("--column {key}"))?;
            }
            if !columns.set(key, value) {
                bail!("there is no key {key} in [bank_csv]");
            }
        }
        Ok(columns)
    }
}

/// Shows the columns from which the console fills its form in.
pub(super) async fn show(desk: &BankDesk, output: OutputArgs) -> Result<()> {
    let remembered = desk.remembered_columns().await?;
    let head = match remembered {
        Some(_) => "the columns of the newest booked table, as an operator said them:",
        None => "the columns of [bank_csv] in issuer.toml:",
    };
    let columns = remembered.unwrap_or_else(|| desk.settings().columns.clone());
    let value = serde_json::to_value(shown::table_columns(columns))?;
    let keys = value.as_object().into_iter().flatten();
    let said = keys.map(|(key, value)| match value.as_array() {
        Some(names) => {
            let names: Vec<_> = names.iter().filter_map(|name| name.as_str()).collect();
            format!("{key}: {}", names.join(", "))
        }
        None => format!("{key}: {}", value.as_str().unwrap_or_default()),
    });
    let said: Vec<_> = std::iter::once(head.to_owned()).chain(said).collect();
    output.show(value, said)
}
